"""Who may come in: keys, the sign-in link, cookies, tenants, hosts and origins; and that no secret
and no message text gets into the log."""

import datetime
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, run_tests, wait_until
from stream_client import Stream

rehearsal = None


class Started:
    """A node for one test."""

    def __init__(self, admin_key=ADMIN_KEY, env=None, **more):
        self.node = Node(rehearsal.base_url, env={"SOMA_ADMIN_KEY": admin_key, **(env or {})}, **more)

    def __enter__(self):
        return self.node.start()

    def __exit__(self, *_):
        self.node.stop()


def listens_at(node, address):
    try:
        socket.create_connection((address, node.port), timeout=5).close()
        return True
    except ConnectionRefusedError:
        return False


def sign_in_token(node):
    links = re.findall(r"#signin=(\S+)", node.log_text())
    return links[-1] if links else None


def login(node, body, source="127.0.0.1", headers=None):
    status, fields, text = node.request("POST", "/v1/auth/login", body, headers, key=None,
                                        source=source)
    return status, fields.get("Set-Cookie", ""), json.loads(text)


def whoami(node, **more):
    status, _, text = node.request("GET", "/v1/auth/whoami", **more)
    return json.loads(text) if status == 200 else status


def loopback_only():
    """without a key the server listens on loopback alone, whatever server.host says"""
    everywhere = ["server.host=0.0.0.0"]
    # 127.0.0.2 is this machine too, and not what loopback-only binds.
    with Started(admin_key="", settings=everywhere) as node:
        assert not listens_at(node, "127.0.0.2")
        wait_until(lambda: "server.loopback_only" in node.log_text(), what="the line")
        assert whoami(node, key=None) == 401
        stored = node
    with Started(settings=everywhere) as node:
        assert listens_at(node, "127.0.0.2")
    key = stored.new_key("--role", "user")  # a stored key counts as much
    stored.start()
    assert listens_at(stored, "127.0.0.2") and whoami(stored, key=key)["role"] == "user"
    stored.stop()


def sign_in_link():
    """the sign-in link signs in once, with a cookie no script and no other site can use"""
    with Started(admin_key="") as node:
        wait_until(lambda: sign_in_token(node), what="the link")
        token = sign_in_token(node)
        assert login(node, {"token": token[:-1] + ("a" if token[-1] != "a" else "b")})[0] == 401
        status, cookie, who = login(node, {"token": token})
        assert (status, who["role"], who["via"]) == (200, "admin", "cookie")
        name, *flags = [part.strip() for part in cookie.split(";")]
        assert re.match(r"soma_session_[0-9a-f]{8}=", name) and len(name) > 40
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(flags), cookie
        assert "Secure" not in flags and any(f.startswith("Max-Age=") for f in flags), cookie
        assert login(node, {"token": token})[0] == 401, "a link signs in once"
        mine = {"Cookie": name}
        assert whoami(node, key=None, headers=mine)["user_id"] == "admin"
        node.kill()  # the browser stays signed in, the link does not come back
        node.start()
        assert whoami(node, key=None, headers=mine)["role"] == "admin"
        assert login(node, {"token": token})[0] == 401
        node.request("POST", "/v1/auth/logout", headers=mine, key=None)
        assert whoami(node, key=None, headers=mine) == 401


def secure_cookie():
    """behind TLS the cookie is Secure"""
    with Started(settings=["server.base_url=https://soma.example"]) as node:
        _, cookie, _ = login(node, {"key": ADMIN_KEY})
        assert "Secure" in cookie


def cookies_and_origins():
    """a cookie changes nothing for another origin, and proves nothing once logged out"""
    with Started() as node:
        cookie = login(node, {"key": ADMIN_KEY})[1].split(";")[0]
        own = f"http://127.0.0.1:{node.port}"

        def post(**headers):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return node.request("POST", "/v1/sessions", {}, {"Cookie": cookie, **named}, key=None)[0]
        assert post() == 201 and post(Origin=own) == 201
        assert post(Sec_Fetch_Site="same-origin") == 201
        for foreign in ("http://evil.example", "null", f"http://127.0.0.1:{node.port + 1}",
                        f"http://localhost:{node.port}"):
            assert post(Origin=foreign) == 403, foreign
        assert post(Sec_Fetch_Site="cross-site") == 403
        assert post(Host="evil.example") == 421 and post(Host=f"localhost:{node.port}") == 201
        with Stream(node, "/v1/session/@me/events", {"Cookie": cookie}, key=None) as stream:
            assert stream.status == 200


def configured_hosts():
    """names in server.allowed_hosts and those of the base URLs are taken as Host and Origin"""
    with Started(settings=["server.allowed_hosts=proxy.example",
                           "server.base_url=https://soma.example",
                           "server.web_ui_base_url=https://page.example:8443"]) as node:
        for host, status in (("proxy.example", 200), ("soma.example", 200), ("page.example:8443", 200),
                             ("page.example", 421), ("other.example", 421)):
            assert node.request("GET", "/healthz", headers={"Host": host})[0] == status, host
        for origin, status in (("https://soma.example", 200), ("https://page.example:8443", 200),
                               ("https://page.example", 403)):
            found = node.request("GET", "/healthz", headers={"Origin": origin})[0]
            assert found == status, (origin, found)


def keys_and_roles():
    """keys are made, do what their role allows, expire and are revoked at once"""
    with Started() as node:
        made = node.json("POST", "/v1/keys", {"name": "k", "role": "user"}, expect=201)
        key = made["key"]
        assert whoami(node, key=key)["role"] == "user"
        assert node.request("GET", "/v1/keys", key=key)[0] == 403
        assert node.request("PUT", "/v1/settings", {"llm": {"model": "x"}}, key=key)[0] == 403
        admin = node.json("POST", "/v1/keys", {"name": "a", "role": "admin"}, expect=201)["key"]
        assert node.request("GET", "/v1/keys", key=admin)[0] == 200
        cookie = {"Cookie": login(node, {"key": key})[1].split(";")[0]}
        assert whoami(node, key=None, headers=cookie)["role"] == "user"
        assert node.request("DELETE", f"/v1/keys/{made['key_id']}")[0] == 204
        assert whoami(node, key=key) == 401
        assert whoami(node, key=None, headers=cookie) == 401, "a browser goes with its key"
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=2)
        short = node.json("POST", "/v1/keys", {"name": "s", "expires_at": soon.strftime(
            "%Y-%m-%dT%H:%M:%S.%fZ")}, expect=201)["key"]
        assert whoami(node, key=short)["role"] == "user"
        wait_until(lambda: whoami(node, key=short, source="127.0.9.1") != 429 and
                   whoami(node, key=short, source=f"127.0.9.{os.urandom(1)[0] or 1}") == 401,
                   what="the key's end")
        listed = node.json("GET", "/v1/keys")["keys"]
        assert {k["name"] for k in listed} == {"a", "s"} and "key" not in listed[0]


def what_goes_on_ends_with_its_key():
    """a body on its way in, or out, is cut when the key that sends or reads it is revoked"""
    with Started() as node:
        def new_key():
            made = node.json("POST", "/v1/keys", {"name": "k", "role": "user"}, expect=201)
            return made["key_id"], made["key"]

        def ask(key, head, body=b"", receives=None):
            peer = socket.socket()
            peer.settimeout(20)  # below the time that a body has to come in
            if receives:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
            peer.connect(("127.0.0.1", node.port))
            peer.sendall(f"{head} HTTP/1.1\r\nHost: 127.0.0.1:{node.port}\r\n"
                         f"Authorization: Bearer {key}\r\n".encode() + body)
            return peer

        def all_of(peer):
            got = b""
            try:
                while piece := peer.recv(1 << 20):
                    got += piece
            except ConnectionResetError:
                pass
            return got

        form = (b"Content-Type: multipart/form-data; boundary=b\r\n", b'--b\r\nContent-Disposition: '
                b'form-data; name="f"; filename="cut.txt"\r\n\r\nsome')
        for head, fields, begin in (("PUT /v1/workdir/write?path=cut.txt", b"", b"some"),
                                    ("POST /v1/workdir/upload", *form), ("POST /v1/uploads", *form),
                                    ("POST /v1/sessions/import",
                                     b"Content-Type: application/x-ndjson\r\n", b'{"soma":')):
            key_id, key = new_key()
            with ask(key, head, fields + b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n") as peer:
                assert peer.recv(4096).startswith(b"HTTP/1.1 100"), head
                peer.sendall(begin)
                assert node.request("DELETE", f"/v1/keys/{key_id}")[0] == 204
                answer = all_of(peer)
            assert answer.startswith(b"HTTP/1.1 401") and b"auth.invalid" in answer, (head, answer[:300])
        assert node.json("GET", "/v1/workdir/list")["entries"] == []

        # A body that is judged as a whole, of a request that was let in before.
        key_id, key = new_key()
        with ask(key, "POST /v1/sessions", b"Content-Type: application/json\r\nContent-Length: 2\r\n"
                 b"Expect: 100-continue\r\n\r\n") as peer:
            assert peer.recv(4096).startswith(b"HTTP/1.1 100")
            assert node.request("DELETE", f"/v1/keys/{key_id}")[0] == 204
            peer.sendall(b"{}")
            peer.shutdown(socket.SHUT_WR)
            assert all_of(peer).startswith(b"HTTP/1.1 401")

        key_id, key = new_key()
        size = 24 << 20
        with ask(key, "PUT /v1/workdir/write?path=large", f"Content-Length: {size}\r\n"
                 "Connection: close\r\n\r\n".encode() + bytes(size)) as peer:
            assert all_of(peer).startswith(b"HTTP/1.1 200")
        with ask(key, "GET /v1/workdir/download?path=large", b"\r\n", receives=65536) as peer:
            got = len(peer.recv(1000))
            assert node.request("DELETE", f"/v1/keys/{key_id}")[0] == 204
            assert got + len(all_of(peer)) < size, "a download went on without its key"


def key_new():
    """`soma key new` makes a key that holds, and not while the server runs"""
    with Started() as node:
        node.stop()
        key = node.new_key("--role", "admin", "--tenant", "acme", "--user", "ann")
        try:
            node.new_key("--role", "root")
            raise RuntimeError("a role that is none was taken")
        except AssertionError:
            pass
        node.start()
        who = whoami(node, key=key)
        assert (who["tenant_id"], who["user_id"], who["role"]) == ("acme", "ann", "admin")
        try:
            node.new_key()
            raise RuntimeError("a key was made beside a running server")
        except AssertionError as refused:
            assert "another process" in str(refused).lower(), refused


def config_checked():
    """`soma config check` refuses what a start would, and names it; files that are named, too"""
    def check(*settings, **env):
        args = [os.path.join(BIN, "soma"), "config", "check"]
        for one in settings:
            args += ["--set", one]
        # That one says where the programs are, and would be named as none of the configuration's.
        variables = {name: value for name, value in os.environ.items() if name != "SOMA_BIN_DIR"}
        run = subprocess.run(args, env={**variables, **env}, capture_output=True, text=True,
                             timeout=60)
        return run.returncode, run.stdout + run.stderr
    assert check() == (0, "the configuration is good\n")
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as rules:
        rules.write("[[rule]]\nid = 1\n")
        rules.flush()
        for settings, named in (("server.port=x", "server.port"), ("no.such=1", "no.such"),
                                ("llm.base_url=ftp://host", "llm.base_url"),
                                ("node.roles=gateway", "node.roles"),
                                ("server.host=999.1.1.1", "server.host"),
                                ("llm.ca_file=/nowhere.pem", "/nowhere.pem"),
                                ("policy.file=/nowhere/policy.toml", "/nowhere/policy.toml"),
                                (f"policy.file={rules.name}", rules.name)):
            status, said = check(settings)
            assert status == 1 and named in said, (settings, said)
    status, said = check(GATEWAY_ENC_KEY="too short")
    assert status == 1 and "auth.enc_key" in said and "too short" not in said, said


def tenants_apart():
    """another tenant's session is 404 whatever is asked of it, and nothing tells it from none"""
    with Started() as node:
        node.stop()
        other = node.new_key("--tenant", "other", "--role", "admin")
        node.start()
        mine = node.say("[[rehearsal words=1 delay_ms=0]]")["session_id"]
        absent = str(uuid.uuid4())
        for method, path, body in (
                ("GET", "/v1/sessions/{}", None), ("PATCH", "/v1/sessions/{}", {"title": "x"}),
                ("DELETE", "/v1/sessions/{}", None), ("GET", "/v1/sessions/{}/events", None),
                ("GET", "/v1/sessions/{}/history", None), ("POST", "/v1/sessions/{}/reset", None),
                ("GET", "/v1/sessions/{}/context-window", None),
                ("POST", "/v1/sessions/{}/ticket", None), ("GET", "/v1/session/{}/events", None),
                ("POST", "/v1/session/{}/message", {"message": "x"}),
                ("POST", "/v1/sessions/{}/events", {"name": "x", "data": 1})):
            answers = []
            for session in (mine, absent):
                status, _, text = node.request(method, path.format(session), body, key=other)
                assert status == 404, (method, path, status, text)
                answers.append({k: v for k, v in json.loads(text).items() if k != "request_id"})
            assert answers[0] == answers[1], answers
        assert node.json("GET", "/v1/sessions")["sessions"][0]["session_id"] == mine


def too_many_failures():
    """failed sign-ins of an address are limited: 429 with Retry-After; other addresses go on, and so
    does whoever brings what is good"""
    with Started() as node:
        for how in (lambda n: whoami(node, key=f"sk-{n}", source="127.0.7.1"),
                    lambda n: login(node, {"key": f"sk-{n}"}, source="127.0.7.2")[0],
                    lambda n: login(node, {"token": f"t-{n}"}, source="127.0.7.3")[0]):
            found = [how(n) for n in range(30)]
            assert found[0] == 401 and found[-1] == 429, found
            assert found.count(401) == 20, found
        status, headers, text = node.request("GET", "/v1/auth/whoami", key="sk-x", source="127.0.7.1")
        assert status == 429 and json.loads(text)["code"] == "quota.exceeded"
        assert 1 <= int(headers["Retry-After"]) <= 60 and headers["RateLimit"]
        for source in ("127.0.7.1", "127.0.7.4"):
            assert whoami(node, source=source)["role"] == "admin"


def nothing_secret_in_the_log():
    """keys, cookies, tickets, model keys and message text are in no line of the log, on any level"""
    planted = {"text": "PLANTED-message-text", "title": "PLANTED-title", "app": "PLANTED-app-data",
               "model": "sk-PLANTED-model-key", "wrong": "sk-PLANTED-wrong-key", "after": "PLANTED-q"}
    env = {"SOMA_LOG_LEVEL": "trace", "GATEWAY_ENC_KEY": "ab" * 32}
    with Started(admin_key="PLANTED-admin-key-0123456789", env=env) as node:
        key = "PLANTED-admin-key-0123456789"

        def ask(method, path, body=None, headers=None, key=key, **more):
            return node.request(method, path, body, headers, key, **more)
        ask("PUT", "/v1/settings", {"llm": {"api_key": planted["model"]}})
        assert planted["model"] not in ask("GET", "/v1/settings")[2]
        accepted = json.loads(ask("POST", "/v1/session/message", {
            "message": planted["text"] + " [[rehearsal words=2 delay_ms=0]]"})[2])
        session = accepted["session_id"]
        ask("PATCH", f"/v1/sessions/{session}", {"title": planted["title"]})
        ask("POST", f"/v1/sessions/{session}/events", {"name": "x", "data": planted["app"]})
        ask("POST", "/v1/session/message", {"message": planted["text"], "x": planted["text"]})
        ask("POST", "/v1/session/message", planted["text"])
        ask("GET", f"/v1/sessions/{session}?q={planted['after']}")
        ask("POST", f"/v1/session/{session}/message",
            {"message": f"{planted['text']} [[rehearsal status=401]]"})
        whoami(node, key=planted["wrong"])
        made = json.loads(ask("POST", "/v1/keys", {"name": "k"})[2])["key"]
        cookie = login(node, {"key": key})[1].split(";")[0]
        ticket = json.loads(ask("POST", f"/v1/sessions/{session}/ticket")[2])["ticket"]
        with Stream(node, f"/v1/session/{session}/events?ticket={ticket}", key=None) as stream:
            stream.until(lambda event, _: event == "message.assistant")
        wait_until(lambda: not json.loads(ask("GET", f"/v1/sessions/{session}")[2])["busy"])
        token = sign_in_token(node)
        login(node, {"token": token})
        node.stop()
        log = node.log_text().replace("#signin=" + token, "")  # printed for a person, by design
        assert "server.stopped" in log, "the log is there at all"
        for secret in (*planted.values(), key, made, cookie.split("=")[1], ticket, token):
            assert secret not in log, f"{secret[:12]}… is in the log"
        # On disk a key is a hash, and the model's key is encrypted.
        for folder, _, files in os.walk(node.data_dir):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    stored = file.read()
                for secret in (made, planted["model"], key, cookie.split("=")[1]):
                    assert secret.encode() not in stored, f"{secret[:12]}… is in {name}"


def main():
    global rehearsal
    rehearsal = Rehearsal()
    try:
        return run_tests([loopback_only, sign_in_link, secure_cookie, cookies_and_origins,
                          configured_hosts, keys_and_roles, what_goes_on_ends_with_its_key, key_new, config_checked,
                          tenants_apart,
                          too_many_failures, nothing_secret_in_the_log])
    finally:
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
