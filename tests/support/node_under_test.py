"""A real server and a real rehearsal server for the tests that speak HTTP: started on free ports,
killed and started again at will. Standard library only."""

import atexit
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid

BIN = os.environ.get("SOMA_BIN_DIR") or os.path.join(
    os.path.dirname(__file__), "..", "..", "build", "release", "bin")
ADMIN_KEY = "test-admin-key-0123456789"


ports_given = set()


def free_port():
    """Below the ports that outgoing connections take: a server that is started again finds it free. None twice, since
    who asked for one before may not listen yet."""
    import random
    import socket
    while True:
        port = random.randrange(20000, 32000)
        if port in ports_given:
            continue
        ports_given.add(port)
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def wait_until(condition, seconds=20, what="condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := condition():
            return seen
        threading.Event().wait(0.01)
    raise AssertionError(f"waited in vain for {what}")


class Rehearsal:
    def __init__(self):
        self.process = subprocess.Popen([os.path.join(BIN, "soma-rehearsal"), "--port", "0"],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.base_url = re.search(r"http://\S+", line).group(0) + "/v1"

    def stop(self):
        self.process.kill()
        self.process.wait()


class Node:
    def __init__(self, base_url, settings=(), resume="prefill", data_dir=None, env=None):
        self.data_dir = data_dir or tempfile.mkdtemp(prefix="soma-test-")
        if not data_dir and not os.environ.get("SOMA_KEEP_DATA"):
            atexit.register(shutil.rmtree, self.data_dir, ignore_errors=True)
        self.port = free_port()
        # A turn that first looks for what is remembered begins a moment later: only what is about
        # that asks for it.
        named = [one.split("=")[0] for one in settings]
        self.settings = ([] if "memory.recall" in named else ["memory.recall=false"]) + list(settings)
        # The server looks through its environment for its own names, and this is the tests'.
        around = {name: value for name, value in os.environ.items() if name != "SOMA_BIN_DIR"}
        self.env = {**around, "SOMA_ADMIN_KEY": ADMIN_KEY, "SOMA_LLM_BASE_URL": base_url,
                    "SOMA_LLM_MODEL": "rehearsal", "SOMA_LLM_RESUME": resume,
                    "SOMA_LOG_LEVEL": "warn", **(env or {})}
        self.process = None
        self.log = open(os.path.join(self.data_dir, "server.log"), "ab")

    def start(self, stdin=None):
        args = [os.path.join(BIN, "soma"), "serve", "--data-dir", self.data_dir, "--port",
                str(self.port)]
        for one in self.settings:
            args += ["--set", one]
        self.process = subprocess.Popen(args, env=self.env, stdin=stdin, stdout=self.log,
                                        stderr=self.log)
        wait_until(self.is_ready, what="the server")
        return self

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}: " +
                                 open(self.log.name).read()[-2000:])
        try:
            return self.request("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def new_key(self, *options):
        """`soma key new`; the server must not run."""
        made = subprocess.run([os.path.join(BIN, "soma"), "key", "new", "--data-dir", self.data_dir,
                               "--name", "test", *options], env=self.env, capture_output=True,
                              text=True, timeout=60)
        if made.returncode != 0:
            raise AssertionError(f"soma key new: {made.stderr}")
        return made.stdout.strip()

    def memory_index(self):
        """The file of the index of memories: with storage.encrypt_events it is in memory."""
        token = os.path.join(self.data_dir, "memory-index")
        if not os.path.exists(token):
            return os.path.join(self.data_dir, "memory.sqlite")
        with open(token, encoding="ascii") as file:
            whole = os.path.realpath(self.data_dir) + "\n" + file.read()
        name = f"soma-{os.geteuid()}-" + hashlib.sha256(whole.encode()).hexdigest()[:32]
        return os.path.join("/dev/shm", name, "memory.sqlite")

    def log_text(self):
        with open(self.log.name) as file:
            return file.read()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(timeout=30)
        return None

    def connect(self, timeout=30, source="127.0.0.1"):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout,
                                          source_address=(source, 0))

    def request(self, method, path, body=None, headers=None, key=ADMIN_KEY, source="127.0.0.1"):
        """(status, headers, text)"""
        connection = self.connect(source=source)
        try:
            all_headers = {"Authorization": f"Bearer {key}"} if key else {}
            if body is not None and not isinstance(body, (str, bytes)):
                body = json.dumps(body)
                all_headers["Content-Type"] = "application/json"
            all_headers.update(headers or {})
            try:
                connection.request(method, path, body=body, headers=all_headers)
            except (BrokenPipeError, ConnectionResetError):
                if connection.sock is None:
                    raise
                # It may have been answered before all of it was sent.
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        except http.client.HTTPException as broken:
            raise ConnectionError(str(broken)) from broken
        finally:
            connection.close()

    def json(self, method, path, body=None, headers=None, expect=None):
        status, _, text = self.request(method, path, body, headers)
        if expect is not None and status != expect:
            raise AssertionError(f"{method} {path}: {status} {text[:400]}")
        return json.loads(text) if text else None

    def say(self, text, session=None, key=None):
        """Sends until it is accepted, as a client with an idempotency key may."""
        body = {"message": text}
        if session:
            body["session_id"] = session
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}
        deadline = time.monotonic() + 60
        while True:
            try:
                status, _, answer = self.request("POST", "/v1/session/message", body, headers)
                if status == 202:
                    return json.loads(answer)
                if status not in (503, 429):
                    raise AssertionError(f"{status} {answer[:400]}")
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise AssertionError("the message was never accepted")
            threading.Event().wait(0.02)

    def events(self, session, **query):
        found, after = [], "start"
        extra = "".join(f"&{k}={v}" for k, v in query.items())
        while after:
            page = self.json("GET", f"/v1/sessions/{session}/events?limit=500&after={after}{extra}",
                             expect=200)
            found += page["events"]
            after = page["next_cursor"]
        return found


class Reader(threading.Thread):
    """Follows a session as EventSource does: reconnects with its last id, and keeps all it saw."""

    def __init__(self, node, session, after="start"):
        super().__init__(daemon=True)
        self.node, self.session, self.after = node, session, after
        self.events, self.last_id, self.connections = [], None, 0
        self.resets = 0
        self.stopping = False
        self.start()

    def run(self):
        while not self.stopping:
            try:
                self.follow()
            except (OSError, http.client.HTTPException, ValueError):
                pass
            threading.Event().wait(0.05)

    def follow(self):
        connection = self.node.connect(timeout=20)
        headers = {"Authorization": f"Bearer {ADMIN_KEY}"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        connection.request("GET", f"/v1/session/{self.session}/events?after={self.after}",
                           headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(answer.status)
        self.connections += 1
        frame = {}
        while not self.stopping:
            line = answer.readline()
            if not line:
                return
            line = line.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                frame[name] = value
                continue
            self.take(frame)
            frame = {}

    def take(self, frame):
        if "id" in frame:
            self.last_id = frame["id"]
        if frame.get("event") == "stream.reset":
            self.resets += 1
        if "id" in frame and "data" in frame:
            self.events.append(json.loads(frame["data"]))

    def stop(self):
        self.stopping = True


def seq_of(event):
    return int(event["meta"]["event_id"].split(".")[1])


def fold_texts(events):
    """message_id → text, by the contract's rule: cut to the offset, then append (bytes)."""
    texts = {}
    for e in events:
        p = e["payload"]
        if e["type"] == "llm.delta" and "text" in p:
            text = texts.get(p["message_id"], b"")
            if p["offset"] > len(text):
                raise AssertionError(f"a hole before offset {p['offset']} of {p['message_id']}")
            texts[p["message_id"]] = text[:p["offset"]] + p["text"].encode()
    return {k: v.decode() for k, v in texts.items()}


def assert_exactly_once(events, first=1):
    for n, e in enumerate(events):
        if seq_of(e) != first + n:
            raise AssertionError(f"event {n} has seq {seq_of(e)}, expected {first + n}")


def run_tests(tests):
    """Runs functions in turn; ends with the line that counts."""
    passed = failed = 0
    for test in tests:
        name = test.__doc__ or test.__name__
        begin = time.monotonic()
        try:
            test()
            passed += 1
            print(f"ok    {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as why:  # a failing test must not keep the others from running
            failed += 1
            import traceback
            traceback.print_exc()
            print(f"FAIL  {name}: {why}", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0
