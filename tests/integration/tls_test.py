"""The gateway under TLS, as its clients meet it: versions, redirects, streams, large bodies, certificates
that are replaced while it runs, certificates of internal callers, and pages of other origins."""

import http.client
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import call, upload
from node_under_test import (ADMIN_KEY, BIN, Node, Reader, Rehearsal, assert_exactly_once, run_tests,
                             wait_until)

FOLDER = tempfile.mkdtemp(prefix="soma-tls-")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=60)


def path(name):
    return os.path.join(FOLDER, name)


def make_authority(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-keyout", path(f"{name}.key"), "-out", path(f"{name}.pem"))


def make_certificate(authority, name, host="localhost", kind="ec"):
    """Signed by the authority, with its key: (certificate, key)."""
    how = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["-newkey", "rsa:2048"]
    with open(path(f"{name}.ext"), "w") as extensions:
        extensions.write(f"subjectAltName=DNS:{host},IP:127.0.0.1\n")
    openssl("req", *how, "-nodes", "-subj", f"/CN={name}", "-keyout", path(f"{name}.key"),
            "-out", path(f"{name}.csr"))
    openssl("x509", "-req", "-in", path(f"{name}.csr"), "-CA", path(f"{authority}.pem"), "-CAkey",
            path(f"{authority}.key"), "-CAcreateserial", "-days", "2", "-extfile", path(f"{name}.ext"),
            "-out", path(f"{name}.pem"))
    return path(f"{name}.pem"), path(f"{name}.key")


class TlsNode(Node):
    """Spoken to over TLS, by who trusts its authority."""

    def __init__(self, base_url, settings=(), certificate=None, env=None, **more):
        self.certificate, self.key = certificate or (path("server.pem"), path("server.key"))
        super().__init__(base_url, settings, env={
            "GATEWAY_TLS_CERT_FILE": self.certificate, "GATEWAY_TLS_KEY_FILE": self.key,
            "SOMA_LOG_LEVEL": "info", **(env or {})}, **more)
        self.shows = None  # certificate and key of this client

    def trust(self, authority="authority"):
        context = ssl.create_default_context(cafile=path(f"{authority}.pem"))
        if self.shows:
            context.load_cert_chain(*self.shows)
        return context

    def connect(self, timeout=30, source="127.0.0.1"):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout,
                                           source_address=(source, 0), context=self.trust())


def plain(node, request):
    """What a client gets that does not speak TLS, to the end of its connection."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as client:
        client.sendall(request)
        client.settimeout(10)
        got = b""
        while piece := client.recv(65536):
            got += piece
        return got.decode()


def speaks(rehearsal):
    """versions 1.2 and 1.3 alone, HTTP/1.1 by ALPN; an answer tells to come by TLS from now on"""
    node = TlsNode(rehearsal).start()
    try:
        for version, good in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True),
                              (ssl.TLSVersion.TLSv1_1, False)):
            context = node.trust()
            context.minimum_version = context.maximum_version = version
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.set_alpn_protocols(["h2", "http/1.1"])
            try:
                with socket.create_connection(("127.0.0.1", node.port), timeout=10) as raw:
                    with context.wrap_socket(raw, server_hostname="localhost") as client:
                        assert good, version
                        assert client.selected_alpn_protocol() == "http/1.1"
                        assert "GCM" in client.cipher()[0] or "CHACHA20" in client.cipher()[0]
            except ssl.SSLError:
                assert not good, version
        status, headers, _ = node.request("GET", "/v1/health")
        assert status == 200 and headers["Strict-Transport-Security"].startswith("max-age="), headers
        status, headers, _ = node.request("POST", "/v1/auth/login", {"key": ADMIN_KEY}, key=None)
        assert status in (200, 204), status
        assert "; Secure" in headers["Set-Cookie"], headers
        assert "https://localhost" in node.log_text()
    finally:
        node.stop()


def without_tls(rehearsal):
    """who comes without TLS is sent there, or refused; nothing of what was sent is looked at"""
    node = TlsNode(rehearsal).start()
    try:
        got = plain(node, f"GET /ui/index.html?a=b%20c HTTP/1.1\r\nHost: localhost:{node.port}\r\n\r\n".encode())
        assert got.startswith("HTTP/1.1 308 "), got
        assert f"\r\nLocation: https://localhost:{node.port}/ui/index.html?a=b%20c\r\n" in got, got
        assert "Strict-Transport" not in got
        got = plain(node, b"POST /v1/session/message HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                    b"Authorization: Bearer " + ADMIN_KEY.encode() + b"\r\n\r\n{}")
        assert got.startswith("HTTP/1.1 400 ") and "request.tls_required" in got, got
        got = plain(node, b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n")
        assert "Location" not in got and got.startswith("HTTP/1.1 421 "), got
        # What is neither, and who says nothing or breaks off in the handshake.
        assert plain(node, b"\x00\x01\x02\x03rubbish\r\n\r\n").startswith("HTTP/1.1 400 ")
        for half in (b"\x16", b"\x16\x03\x01\x00\xf0" + b"\x00" * 50, b"\x16\x03\x01\xff\xff" + b"x" * 5000):
            with socket.create_connection(("127.0.0.1", node.port), timeout=10) as client:
                client.sendall(half)
        assert node.request("GET", "/readyz")[0] == 200
    finally:
        node.stop()
    node = TlsNode(rehearsal, ["server.plain_http=refuse"]).start()
    try:
        got = plain(node, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert got.startswith("HTTP/1.1 400 ") and "request.tls_required" in got, got
    finally:
        node.stop()


def everything(rehearsal):
    """a turn streams to its end, with a kill between; large bodies go both ways whole; slow readers wait"""
    node = TlsNode(rehearsal).start()
    try:
        accepted = node.say("Count slowly to thirty")
        session = accepted["session_id"]
        reader = Reader(node, session)
        wait_until(lambda: any(e["type"] == "llm.delta" for e in reader.events), what="a delta")
        node.kill()
        node.start()
        wait_until(lambda: any(e["type"] == "message.assistant" and e["payload"]["final"]
                               for e in reader.events), 60, "the answer")
        assert_exactly_once(reader.events)
        reader.stopping = True
        big = os.urandom(20_000_000)
        made = upload(node, ("a.bin", big))[0]
        status, _, got = call(node, "GET", made["url"])
        assert status == 200 and got == big, (status, len(got))
        # One who reads nothing for a while gets all of it all the same.
        client = node.connect()
        client.request("GET", made["url"], headers={"Authorization": f"Bearer {ADMIN_KEY}"})
        answer = client.getresponse()
        time.sleep(1)
        assert answer.read() == big
        # Requests one behind the other on one connection, and at once.
        for _ in range(5):
            client.request("GET", "/v1/health", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
            assert client.getresponse().read()
        one = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        client.sock.sendall(one * 20)
        got = b""
        while got.count(b"HTTP/1.1 200") < 20:
            piece = client.sock.recv(65536)
            assert piece, got
            got += piece
        client.close()
    finally:
        node.stop()


def serial_of(node, authority="authority"):
    with socket.create_connection(("127.0.0.1", node.port), timeout=10) as raw:
        with node.trust(authority).wrap_socket(raw, server_hostname="localhost") as client:
            return client.getpeercert()["serialNumber"]


def replaced(rehearsal):
    """a certificate that is replaced is taken at once; one that is broken is told and changes nothing"""
    certificate, key = make_certificate("authority", "changing")
    node = TlsNode(rehearsal, certificate=(certificate, key)).start()
    try:
        first = serial_of(node)
        kept = node.connect()
        kept.request("GET", "/healthz")
        kept.getresponse().read()
        with open(certificate, "w") as file:
            file.write("-----BEGIN CERTIFICATE-----\nno\n")
        wait_until(lambda: "tls.not_reloaded" in node.log_text(), what="a line of it")
        assert serial_of(node) == first
        fresh, fresh_key = make_certificate("authority", "fresh", kind="rsa")
        os.replace(fresh_key, key)
        os.replace(fresh, certificate)
        wait_until(lambda: serial_of(node) != first, what="the new certificate")
        kept.request("GET", "/healthz")
        assert kept.getresponse().status == 200  # goes on with what it began with
        assert "PRIVATE KEY" not in node.log_text()
    finally:
        node.stop()


def refused_starts(_):
    """a certificate without its key, or that is none, ends the start with a sentence"""
    cases = [({"GATEWAY_TLS_CERT_FILE": path("server.pem")}, "need one another"),
             ({"GATEWAY_TLS_CERT_FILE": path("server.pem"), "GATEWAY_TLS_KEY_FILE": path("other.key")},
              "server.tls_key_file"),
             ({"GATEWAY_TLS_CERT_FILE": path("none.pem"), "GATEWAY_TLS_KEY_FILE": path("server.key")},
              "server.tls_cert_file"),
             ({"GATEWAY_TLS_CERT_FILE": path("server.pem"), "GATEWAY_TLS_KEY_FILE": path("server.key"),
               "GATEWAY_TLS_CLIENT_CA_FILE": path("server.key")}, "server.tls_client_ca_file")]
    for env, says in cases:
        node = Node("http://127.0.0.1:1/v1")
        done = subprocess.run([os.path.join(BIN, "soma"), "serve", "--data-dir", node.data_dir, "--port",
                               str(node.port)], env={**node.env, **env}, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == 1 and says in done.stdout + done.stderr, (env, done)


def internal_callers(rehearsal):
    """internal routes want a certificate that their authority signed, beside the token"""
    node = TlsNode(rehearsal, env={"GATEWAY_TLS_CLIENT_CA_FILE": path("nodes.pem"),
                                   "GATEWAY_INTERNAL_TOKEN": "internal-token-0123456789abcdef"}).start()
    try:
        made = upload(node, ("a.txt", b"some bytes"))[0]
        headers = {"X-Tenant-ID": "default", "X-Internal-Token": "internal-token-0123456789abcdef"}

        def ask():
            return call(node, "GET", "/internal" + made["url"], headers=headers, key=None)

        status, _, text = ask()
        assert status == 403 and b"certificate" in text, (status, text)
        node.shows = (path("node.pem"), path("node.key"))
        status, _, text = ask()
        assert status == 200 and text == b"some bytes", (status, text)
        # One that somebody else signed is no certificate: the handshake fails.
        node.shows = (path("server.pem"), path("server.key"))
        try:
            status = ask()[0]
            raise AssertionError(f"a foreign certificate was let in: {status}")
        except (ssl.SSLError, ConnectionError, OSError):
            pass
        node.shows = None
        assert node.request("GET", "/v1/health")[0] == 200  # people need none
    finally:
        node.stop()


def terminal(rehearsal):
    """a subcommand on this machine knows the server by its certificate, whatever names stand in it"""
    named = make_certificate("authority", "named", host="soma.example")
    node = TlsNode(rehearsal, certificate=named).start()
    try:
        env = {**node.env, "GATEWAY_PORT": str(node.port)}
        done = subprocess.run([os.path.join(BIN, "soma"), "memory", "status"], env=env,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        other = subprocess.run([os.path.join(BIN, "soma"), "memory", "status"],
                               env={**env, "GATEWAY_TLS_CERT_FILE": path("server.pem")},
                               capture_output=True, text=True, timeout=60)
        assert other.returncode != 0, other
    finally:
        node.stop()


def other_origins(rehearsal):
    """listed origins may ask with a bearer token, exactly these, and never with a cookie"""
    node = Node(rehearsal, env={"GATEWAY_CORS_ORIGINS": "https://app.example,chrome-extension://abcdef"}).start()
    try:
        for origin in ("https://app.example", "chrome-extension://abcdef"):
            status, headers, _ = node.request("OPTIONS", "/v1/session/message", key=None, headers={
                "Origin": origin, "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,idempotency-key"})
            assert status == 204, (status, headers)
            assert headers["Access-Control-Allow-Origin"] == origin, headers
            assert "Authorization" in headers["Access-Control-Allow-Headers"]
            assert "Access-Control-Allow-Credentials" not in headers and headers["Access-Control-Max-Age"]
            status, headers, _ = node.request("GET", "/v1/sessions", headers={"Origin": origin})
            assert status == 200 and headers["Access-Control-Allow-Origin"] == origin
            assert "Origin" in headers["Vary"]
            # What is refused can be read, too.
            status, headers, _ = node.request("GET", "/v1/sessions", headers={"Origin": origin}, key="wrong")
            assert status == 401 and headers["Access-Control-Allow-Origin"] == origin
        status, headers, _ = node.request("POST", "/v1/auth/login", {"key": ADMIN_KEY}, key=None)
        cookie = headers["Set-Cookie"].split(";")[0]
        status, headers, text = node.request("GET", "/v1/sessions", key=None, headers={
            "Origin": "https://app.example", "Cookie": cookie})
        assert status == 403 and "origin.refused" in text, (status, text)
        for origin in ("https://app.example.evil.example", "http://app.example", "https://app.example:444",
                       "null", "https://evil.example"):
            status, headers, text = node.request("GET", "/v1/sessions", headers={"Origin": origin})
            assert status == 403 and "Access-Control-Allow-Origin" not in headers, (origin, status)
    finally:
        node.stop()


def bound(test, base_url):
    def run():
        test(base_url)
    run.__doc__ = test.__doc__
    return run


def main():
    make_authority("authority")
    make_authority("nodes")
    make_certificate("authority", "server")
    make_certificate("authority", "other")
    make_certificate("nodes", "node")
    rehearsal = Rehearsal()
    try:
        tests = [speaks, without_tls, everything, replaced, refused_starts, internal_callers, terminal,
                 other_origins]
        return run_tests([bound(test, rehearsal.base_url) for test in tests])
    finally:
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
