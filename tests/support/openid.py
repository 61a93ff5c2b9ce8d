"""A scripted OpenID provider: does what a good one does, and every wrong that a test tells it. Signs
with RS256 by hand, so that the standard library is enough."""

import base64
import hashlib
import hmac
import json
import random
import secrets
import ssl
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def b64(data):
    if isinstance(data, str):
        data = data.encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value):
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def is_prime(n):
    if any(n % p == 0 for p in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    d, r = n - 1, 0
    while d % 2 == 0:
        d, r = d // 2, r + 1
    for _ in range(16):
        x = pow(random.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(r - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(bits):
    while True:
        n = secrets.randbits(bits) | (3 << (bits - 2)) | 1
        if is_prime(n) and (n - 1) % 65537:
            return n


class Key:
    def __init__(self, kid):
        self.kid = kid
        p, q = prime(1024), prime(1024)
        self.n, self.e = p * q, 65537
        self.d = pow(self.e, -1, (p - 1) * (q - 1))

    def jwk(self):
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": number(self.n),
                "e": "AQAB"}

    def token(self, claims, header=None):
        header = {"alg": "RS256", "kid": self.kid} if header is None else header
        text = b64(json.dumps(header)) + "." + b64(json.dumps(claims))
        digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(text.encode()).digest()
        padded = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest)) + b"\x00" + digest
        return text + "." + b64(pow(int.from_bytes(padded, "big"), self.d, self.n).to_bytes(256, "big"))


def unsigned(claims):
    return b64('{"alg":"none"}') + "." + b64(json.dumps(claims)) + "."


def shared(claims, key):
    """HS256 under the text of a public key, which everybody has."""
    text = b64(json.dumps({"alg": "HS256", "kid": key.kid})) + "." + b64(json.dumps(claims))
    return text + "." + b64(hmac.new(json.dumps(key.jwk()).encode(), text.encode(), hashlib.sha256).digest())


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Whoever asked is gone."""


class OpenIdProvider:
    """`user`: claims of who signs in next. `spoil`: what is laid over the next ID tokens' claims, None
    removes one. `make`: makes a token of claims, in place of signing them. `faults`: by path, a status, a
    text, or a number of seconds to wait; `held`: the paths that wait, or did. `asked`: how often, by path.
    `tls`: certificate and key."""

    def __init__(self, client_id="soma", client_secret="", tls=None):
        self.tls = tls
        self.client_id, self.client_secret = client_id, client_secret
        self.key = Key("one")
        self.keys = [self.key]
        self.user = {"sub": "ann"}
        self.spoil, self.make, self.faults, self.asked, self.codes, self.refresh = {}, None, {}, {}, {}, {}
        self.more = {}  # of the discovery document
        self.held = set()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, form=None):
                if provider.server is None:  # a connection that was kept
                    self.close_connection = True
                    return
                path = self.path.split("?")[0]
                provider.asked[path] = provider.asked.get(path, 0) + 1
                fault = provider.faults.get(path)
                if isinstance(fault, float):
                    provider.held.add(path)
                    time.sleep(fault)
                if isinstance(fault, str):
                    return self.send(200, fault)
                if isinstance(fault, int):
                    return self.send(fault, "{}")
                status, body = provider.serve(path, form, self.headers)
                self.send(status, json.dumps(body))

            def send(self, status, text):
                body = text.encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    if status in (301, 302, 307):
                        self.send_header("Location", "http://169.254.169.254/latest")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass

            def do_GET(self):
                self.answer()

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
                self.answer(form)

        self.handler = Handler
        self.server, self.port = None, 0
        self.start()

    def start(self):
        self.server = QuietServer(("127.0.0.1", self.port), self.handler)
        self.port = self.server.server_address[1]
        self.issuer = f"http://127.0.0.1:{self.port}"
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
            self.issuer = self.issuer.replace("http:", "https:")
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def documents(self):
        return {"issuer": self.issuer, "authorization_endpoint": self.issuer + "/auth",
                "token_endpoint": self.issuer + "/token", "jwks_uri": self.issuer + "/keys",
                "end_session_endpoint": self.issuer + "/end",
                "code_challenge_methods_supported": ["S256"], **self.more}

    def serve(self, path, form, headers):
        if path == "/.well-known/openid-configuration":
            return 200, self.documents()
        if path == "/keys":
            return 200, {"keys": [one.jwk() for one in self.keys]}
        if path != "/token":
            return 404, {}
        if self.client_secret:
            given = base64.b64decode(headers.get("Authorization", "").removeprefix("Basic ")).decode()
            if [urllib.parse.unquote_plus(one) for one in given.split(":")] != [self.client_id, self.client_secret]:
                return 401, {"error": "invalid_client"}
        if form.get("grant_type") == "refresh_token":
            if form.get("refresh_token") not in self.refresh:
                return 400, {"error": "invalid_grant"}
            del self.refresh[form["refresh_token"]]
            return 200, self.tokens(self.user, None)
        asked = self.codes.pop(form.get("code"), None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        return 200, self.tokens(asked["user"], asked["nonce"])

    def claims(self, user, nonce=None):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "sid": "sid-1", **user}
        if nonce:
            claims["nonce"] = nonce
        for name, value in self.spoil.items():
            claims[name] = value
            if value is None:
                del claims[name]
        return claims

    def tokens(self, user, nonce):
        claims = self.claims(user, nonce)
        token = secrets.token_urlsafe(16)
        self.refresh[token] = True
        return {"id_token": (self.make or self.key.token)(claims), "access_token": "unused",
                "refresh_token": token, "token_type": "Bearer"}

    def authorize(self, url):
        """What the browser is sent back with, once its user has signed in: (code, state)."""
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256", asked
        assert asked["client_id"] == self.client_id and "openid" in asked["scope"].split(), asked
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "user": dict(self.user)}
        return code, asked["state"]

    def logout_token(self, make=None, **changes):
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 120,
                  "jti": secrets.token_hex(8), "sid": "sid-1", **{"sub": self.user["sub"]},
                  "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
        for name, value in changes.items():
            claims[name] = value
            if value is None:
                del claims[name]
        return (make or self.key.token)(claims)
