"""Scanning by the real clamd, with a database of one signature of our own: harmful files are held
back, and while clamd is away files wait for it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import call, upload
from node_under_test import Node, Rehearsal, run_tests, wait_until

MARK = b"soma-test-signature-of-a-harmful-file"
CLAMD = shutil.which("clamd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Clamd:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="soma-clamd-")
        self.socket = os.path.join(self.folder, "clamd.sock")
        database = os.path.join(self.folder, "db")
        os.makedirs(database)
        with open(os.path.join(database, "soma.ndb"), "w") as file:
            file.write(f"Soma.Test.Mark:0:*:{MARK.hex()}\n")
        self.config = os.path.join(self.folder, "clamd.conf")
        with open(self.config, "w") as file:
            file.write(f"LocalSocket {self.socket}\nDatabaseDirectory {database}\nForeground yes\n"
                       f"TemporaryDirectory {self.folder}\nStreamMaxLength 1M\nMaxThreads 2\n")
        self.process = None

    def start(self):
        self.process = subprocess.Popen([CLAMD, f"--config-file={self.config}"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(self.socket), 60, "clamd")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        if os.path.exists(self.socket):
            os.remove(self.socket)


clamd = Clamd()
rehearsal = Rehearsal()
node = Node(rehearsal.base_url, env={"CLAMD_SOCKET": clamd.socket}).start()


def code(answer):
    return answer[0], json.loads(answer[2])["code"]


def holds_back():
    """clamd: what it finds is quarantined, not served and not named; what it clears is"""
    clamd.start()
    bad, good = upload(node, ("bad.txt", b"before " + MARK + b" after"), ("good.txt", b"nothing in it"))
    assert (bad["status"], good["status"]) == ("quarantined", "clean"), (bad, good)
    assert code(call(node, "GET", bad["url"])) == (403, "attachment.quarantined")
    assert call(node, "HEAD", bad["url"])[0] == 403
    assert call(node, "GET", good["url"])[2] == b"nothing in it"
    status, _, text = node.request("POST", "/v1/session/message", {
        "message": "x", "attachments": [{"id": bad["id"]}]})
    assert (status, json.loads(text)["code"]) == (403, "attachment.quarantined")
    again = node.json("POST", "/v1/uploads/known", {"files": [{"sha256": bad["sha256"]}]}, expect=200)
    assert again["files"][0]["status"] == "quarantined", "known bytes are scanned again"
    wait_until(lambda: "Soma.Test.Mark" in node.log_text(), what="the line")
    assert call(node, "DELETE", bad["url"])[0] == 204


def waits_for_it():
    """clamd: while it is away, and for what is longer than it takes, a file is pending"""
    clamd.start() if clamd.process is None else None
    large = upload(node, ("large", b"x" * 2_000_000))[0]
    assert large["status"] == "pending", large
    clamd.stop()
    made = upload(node, ("a", b"a"))[0]
    assert made["status"] == "pending", made
    for answer in (call(node, "GET", made["url"]),):
        assert code(answer) == (409, "attachment.pending")
    wait_until(lambda: "attachment.not_scanned" in node.log_text(), what="the line")
    status, _, text = node.request("POST", "/v1/session/message", {
        "message": "x", "attachments": [{"id": made["id"]}]})
    assert (status, json.loads(text)["code"]) == (409, "attachment.pending")
    assert call(node, "DELETE", made["url"])[0] == 204
    clamd.start()
    assert upload(node, ("b", b"b"))[0]["status"] == "clean"


def main():
    try:
        if not CLAMD:
            print("FAIL  clamd is not installed\n0 passed, 1 failed", flush=True)
            return 1
        return run_tests([holds_back, waits_for_it])
    finally:
        node.stop()
        rehearsal.stop()
        clamd.stop()
        shutil.rmtree(clamd.folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
