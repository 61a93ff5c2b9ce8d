"""What an operator runs into: too few descriptors, too little memory, a lost key, a misspelt variable,
damaged attachments. Each is a sentence and an exit status, or the server goes on."""

import os
import re
import resource
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import upload
from node_under_test import ADMIN_KEY, BIN, Node, run_tests, wait_until

NO_PROVIDER = "http://127.0.0.1:1/v1"


def soma(*arguments, env=None, before=None, closed=False):
    """(status, output, errors) of a subcommand."""
    done = subprocess.run([os.path.join(BIN, "soma"), *arguments], capture_output=True, text=True,
                          timeout=60, env={**os.environ, **(env or {})}, preexec_fn=before)
    return done.returncode, done.stdout, done.stderr


def limited(kind, soft, hard=None):
    return lambda: resource.setrlimit(kind, (soft, soft if hard is None else hard))


class LimitedNode(Node):
    """A server that may have so many open files."""
    files = 300

    def start(self):
        self.process = subprocess.Popen(
            [os.path.join(BIN, "soma"), "serve", "--data-dir", self.data_dir, "--port",
             str(self.port)], env=self.env, stdout=self.log, stderr=self.log,
            preexec_fn=limited(resource.RLIMIT_NOFILE, self.files))
        wait_until(self.is_ready, what="the server")
        return self


def idle_connections():
    """descriptors: idle connections never take those that the store needs"""
    node = LimitedNode(NO_PROVIDER).start()
    idle = []
    try:
        wait_until(lambda: "server.few_descriptors" in node.log_text(), what="a line of the room")
        session = node.say("Hello")["session_id"]
        client = node.connect()
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}

        def append(n):
            body = '{"name":"a.b","data":{"text":"%s"}}' % os.urandom(200_000).hex()
            client.request("POST", f"/v1/sessions/{session}/events", body=body, headers=headers)
            answer = client.getresponse()
            text = answer.read()
            assert answer.status in (200, 201, 202), f"{n}: {answer.status} {text[:300]}"

        append(0)
        for n in range(500):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", node.port))
            idle.append(one)
        for n in range(1, 100):  # past a write-ahead log: new files for it and for tables
            append(n)
        assert node.process.poll() is None
        for one in idle:
            one.close()
        idle = []
        wait_until(node.is_ready, what="room for another connection")
        node.kill()
        node.start()
    finally:
        for one in idle:
            one.close()
        node.stop()


def starts_that_are_refused():
    """starts: a lack of descriptors or memory is a sentence and status 1"""
    data = tempfile.mkdtemp(prefix="soma-test-")
    serve = ("serve", "--data-dir", data, "--port", "0", "--set", "http.connections_max=8192")
    status, _, said = soma(*serve, before=limited(resource.RLIMIT_NOFILE, 20))
    assert status == 1 and "ulimit -n" in said, (status, said)
    assert said.splitlines()[-1].startswith("soma: "), said
    status, _, said = soma(*serve, before=limited(resource.RLIMIT_AS, 150 << 20))
    assert status == 1 and said.splitlines()[-1].startswith("soma: "), (status, said)
    status, said, warned = soma("config", "check", "--data-dir", data,
                                before=limited(resource.RLIMIT_NOFILE, 1024))
    assert status == 0 and "ulimit -n" in warned and "16384" in warned, (status, warned)
    # What io threads wait with, and the connections that are refused and linger, have their share.
    rooms = []
    for threads in (1, 16):
        status, _, warned = soma("config", "check", "--set", f"server.io_threads={threads}",
                                 before=limited(resource.RLIMIT_NOFILE, 1024))
        rooms.append(int(re.search(r"room for (\d+) connections", warned)[1]))
    assert rooms[0] - rooms[1] == 15 * 3 + 16 * 2 - 8, rooms
    status, _, said = soma("config", "check", "--set", "server.io_threads=64",
                           before=limited(resource.RLIMIT_NOFILE, 256))
    assert status == 1 and "server.io_threads" in said, (status, said)


def misspelt():
    """variables: a misspelt one is named with the one that was meant"""
    status, _, said = soma("config", "check", env={"SOMA_DATADIR": "/x"})
    assert status == 0 and "SOMA_DATADIR" in said and "SOMA_DATA_DIR?" in said, (status, said)


def lost_key():
    """the server's key: one that is missing is not replaced while keys depend on it"""
    data = tempfile.mkdtemp(prefix="soma-test-")
    status, key, _ = soma("key", "new", "--name", "k", "--data-dir", data)
    assert status == 0 and key
    os.unlink(os.path.join(data, "secret", "server.key"))
    for command in (("serve", "--port", "0"), ("key", "new", "--name", "other")):
        status, _, said = soma(*command, "--data-dir", data)
        assert status == 1 and "server.key is missing" in said, (status, said)
        assert not os.path.exists(os.path.join(data, "secret", "server.key"))
    assert soma("key", "void", "--data-dir", data)[0] == 0
    assert soma("key", "new", "--name", "other", "--data-dir", data)[0] == 0
    for option in ("--tenant", "--user"):
        status, _, said = soma("key", "new", "--name", "k", option, "a\nb", "--data-dir", data)
        assert status == 1 and "tenant or user" in said, (status, said)


def closed_files():
    """standard files: with them closed at start no file of the store takes their place"""
    data = tempfile.mkdtemp(prefix="soma-test-")
    command = f"exec {os.path.join(BIN, 'soma')} key new --name k --data-dir {data} <&- >&- 2>&-"
    subprocess.run(["/bin/sh", "-c", command], timeout=60, check=False)
    with open(os.path.join(data, "store", "LOCK"), "rb") as lock:
        assert lock.read() == b"", "what was printed is in the store's lock"
    assert soma("key", "new", "--name", "k", "--data-dir", data)[0] == 0


def damaged_attachment():
    """backup: an attachment that is damaged or missing is named, never served, and not backed up"""
    node = Node(NO_PROVIDER).start()
    copies = tempfile.mkdtemp(prefix="soma-test-")
    try:
        sent, other = upload(node, ("a.txt", b"hello world", "text/plain"),
                             ("b.txt", b"the second", "text/plain"))[:2]
        sha256 = sent["sha256"]
        path = os.path.join(node.data_dir, "attachments", sha256[:2], sha256)
        assert node.request("GET", f"/v1/attachments/{sent['id']}")[0] == 200
        with open(path, "r+b") as file:
            file.write(b"J")
        for headers in ({}, {"Range": "bytes=6-10"}):
            status, _, text = node.request("GET", f"/v1/attachments/{sent['id']}", headers=headers)
            assert status == 500 and "storage.corrupt" in text, (status, text)
        wait_until(lambda: "attachment.damaged" in node.log_text(), what="a line that names it")
        node.stop()
        target = os.path.join(copies, "one")
        status, _, said = soma("backup", "--data-dir", node.data_dir, target)
        assert status == 1 and sent["id"] in said and other["id"] not in said, (status, said)
        assert soma("restore", target, "--list")[:2] == (0, ""), "half a backup is left"
        status, _, said = soma("backup", "--data-dir", node.data_dir, target, "--leave-out-damaged")
        assert status == 0 and sent["id"] in said, (status, said)
        os.unlink(path)
        status, _, said = soma("backup", "--data-dir", node.data_dir, os.path.join(copies, "two"))
        assert status == 1 and "not there" in said, (status, said)
        node.start()
        upload(node, ("again.txt", b"hello world", "text/plain"))
        assert node.request("GET", f"/v1/attachments/{sent['id']}")[2] == "hello world"
        node.stop()
        status, said, _ = soma("backup", "--data-dir", node.data_dir, os.path.join(copies, "three"))
        assert status == 0 and "Backed up to" in said, said
    finally:
        node.stop()


if __name__ == "__main__":
    sys.exit(run_tests([idle_connections, starts_that_are_refused, misspelt, lost_key, closed_files,
                        damaged_attachment]))
