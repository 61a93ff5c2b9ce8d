"""Whoever policy asks: the real OPA and OpenFGA, started on free ports, and a stand-in for OPA that
fails as it is told to. Standard library only. Programs are looked for in SOMA_POLICY_BIN, in
build/components (where ./dev installs them) and in PATH."""

import json
import os
import shutil
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from node_under_test import free_port, wait_until

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
POLICY = os.path.join(ROOT, "config", "policy")
COMPONENTS = os.path.join(ROOT, "build", "components")
PLACES = [os.environ.get("SOMA_POLICY_BIN", ""), os.path.join(COMPONENTS, "policy", "bin"),
          os.path.join(COMPONENTS, "go", "bin")]


def program(name):
    """Its path; None where it could not be had."""
    for place in filter(None, ":".join(PLACES).split(":")):
        if os.access(os.path.join(place, name), os.X_OK):
            return os.path.join(place, name)
    return shutil.which(name)


def run(*command, cwd=ROOT):
    """What it says; fails where it does."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def ask(url, body=None):
    """The answer of a POST, or of a GET without a body."""
    request = urllib.request.Request(url, json.dumps(body).encode() if body is not None else None,
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read() or b"{}")


class Program:
    def __init__(self, command, health):
        self.health = health
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_until(self.is_there, 30, command[0])

    def is_there(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.health}: ended with {self.process.returncode}")
        try:
            ask(self.health)
            return True
        except OSError:
            return False

    def stop(self):
        self.process.kill()
        self.process.wait()


class Opa(Program):
    """A server with a policy of its own, which can be changed."""

    def __init__(self, policy):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__([program("opa"), "run", "--server", "--addr", f"127.0.0.1:{self.port}",
                          "--log-level", "error"], self.url + "/health")
        self.put(policy)

    def put(self, policy):
        request = urllib.request.Request(f"{self.url}/v1/policies/soma", policy.encode(),
                                         {"Content-Type": "text/plain"}, method="PUT")
        urllib.request.urlopen(request, timeout=10).close()


class OpenFga(Program):
    def __init__(self):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__([program("openfga"), "run", "--http-addr", f"127.0.0.1:{self.port}",
                          "--grpc-addr", f"127.0.0.1:{free_port()}",
                          "--playground-enabled=false", "--metrics-enabled=false",
                          "--log-level", "none"], self.url + "/healthz")

    def make_store(self, model):
        """(store's id, model's id)"""
        made = json.loads(run(program("fga"), "store", "create", "--name", "soma", "--model", model,
                              "--api-url", self.url))
        return made["store"]["id"], made["model"]["authorization_model_id"]

    def write(self, store, *tuples):
        keys = [dict(zip(("user", "relation", "object"), one)) for one in tuples]
        ask(f"{self.url}/stores/{store}/write", {"writes": {"tuple_keys": keys}})


class StandIn:
    """Answers as OPA and OpenFGA do, as `decide` says of a question or `allows` of a check, or fails as
    `mode` says: hang, error, rubbish, truncated, drop, undefined, no_store. Keeps every question."""

    def __init__(self):
        self.mode, self.delay_s = "good", 0
        self.decide = lambda question: True
        self.allows = lambda check: True
        self.checks = []
        self.lock = threading.Lock()
        self.questions, self.connections, self.calls = [], 0, 0
        self.release = threading.Event()
        handler = type("Handler", (Handler,), {"owner": self})
        ThreadingHTTPServer.daemon_threads = True
        ThreadingHTTPServer.request_queue_size = 128
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def asked(self, **wanted):
        """The questions that have these: action, request_id, user, resource."""
        def fits(one):
            has = {"action": one["action"], "request_id": one["context"].get("request_id"),
                   "user": one["user"]["id"], "resource": one["resource"].get("id")}
            return all(has[name] == value for name, value in wanted.items())
        with self.lock:
            return [one for one in self.questions if fits(one)]

    def be(self, mode):
        self.mode = mode
        self.release.set()
        self.release = threading.Event()

    def stop(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with self.owner.lock:
            self.owner.connections += 1

    def log_message(self, *_):
        pass

    def do_POST(self):
        owner, mode = self.owner, self.owner.mode
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/stores/"):
            return self.check(asked)
        asked = asked["input"]
        several = "questions" in asked
        questions = asked["questions"] if several else [asked]
        with owner.lock:
            owner.questions += questions
            owner.calls += 1
        if owner.delay_s:
            owner.release.wait(owner.delay_s)
        if mode == "hang":
            owner.release.wait(60)
            self.close_connection = True
            return
        if mode == "drop":
            self.close_connection = True
            return
        said = [owner.decide(one) for one in questions]
        body = {} if mode == "undefined" else {"result": said if several else said[0]}
        text = b'{"result": {"allow": tr' if mode == "rubbish" else json.dumps(body).encode()
        self.say(b"500 Internal Server Error" if mode == "error" else b"200 OK", text,
                 10 if mode == "truncated" else 0)

    def check(self, asked):
        checks = asked.get("checks", [asked])
        with self.owner.lock:
            self.owner.checks += [{"path": self.path, **one} for one in checks]
        if self.owner.mode == "no_store":
            return self.say(b"404 Not Found", b'{"code":"store_id_not_found","message":"no such store"}')
        said = [{"allowed": self.owner.allows(one["tuple_key"])} for one in checks]
        if "checks" in asked:
            body = {"result": {one["correlation_id"]: what for one, what in zip(checks, said)}}
        else:
            body = said[0]
        self.say(b"200 OK", json.dumps(body).encode())

    def say(self, status, text, missing=0):
        self.wfile.write(b"HTTP/1.1 " + status + b"\r\nContent-Type: application/json\r\n"
                         b"Content-Length: " + str(len(text) + missing).encode() + b"\r\n\r\n" + text)
        if missing:
            self.close_connection = True
