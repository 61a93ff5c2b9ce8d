"""The drill: backups of a server that is written to, a kill, a restore somewhere else. Every event, attachment,
memory and file that was acknowledged before a backup began is in it, as it was; keys and cookies hold, ids are
never given twice, and readers who were ahead are told to begin anew."""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import upload
from node_under_test import BIN, Node, Rehearsal, run_tests, wait_until
from stream_client import Stream

ROUNDS = int(os.environ.get("SOMA_DRILLS", "4"))
QUICK = "[[rehearsal words=5 delay_ms=1]]"


def soma(*arguments, expect=0):
    done = subprocess.run([os.path.join(BIN, "soma"), *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == expect, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr


def text_of(size):
    return os.urandom(size // 2).hex().encode()


class Writer(threading.Thread):
    """Writes all kinds of things until it is told to end; knows what was acknowledged, in order."""

    def __init__(self, node, seed):
        super().__init__(daemon=True)
        self.node, self.rng, self.stopping, self.failed = node, random.Random(seed), False, None
        self.events, self.attachments, self.notes, self.files = {}, {}, {}, {}
        self.sessions = [node.say(QUICK)["session_id"] for _ in range(3)]
        self.start()

    def run(self):
        while not self.stopping:
            try:
                self.write()
            except OSError:
                threading.Event().wait(0.02)
            except Exception as wrong:  # whatever it is, it is told
                self.failed = wrong
                return

    def write(self):
        what, session = self.rng.randrange(4), self.rng.choice(self.sessions)
        text = uuid.uuid4().hex
        if what == 0:
            status, _, answer = self.node.request(
                "POST", f"/v1/sessions/{session}/events", {"name": "drill.step", "data": {"text": text}})
            assert status in (200, 201, 202, 503), (status, answer)
            if status < 300:
                self.events.setdefault(session, []).append(json.loads(answer)["event_id"])
        elif what == 1:
            made = upload(self.node, (text + ".txt", text.encode() * 100, "text/plain"))[0]
            self.attachments[made["id"]] = text * 100
        elif what == 2:
            status, _, answer = self.node.request("POST", "/v1/memories", {"text": text})
            if status in (200, 201):
                self.notes[json.loads(answer)["memory_id"]] = text
        else:
            path = f"/v1/workdir/write?session_id={session}&path=drill/{text}.txt"
            status, _, answer = self.node.request("PUT", path, text, headers={"Content-Type": "text/plain"})
            assert status in (200, 201, 204, 503), (status, answer)
            if status < 300:
                self.files[(session, f"drill/{text}.txt")] = text

    def acknowledged(self):
        return ({s: list(e) for s, e in self.events.items()}, dict(self.attachments), dict(self.notes),
                dict(self.files))


def check(node, was):
    events, attachments, notes, files = was
    for session, ids in events.items():
        there = {e["meta"]["event_id"] for e in node.events(session)}
        missing = [one for one in ids if one not in there]
        assert not missing, f"{len(missing)} of {len(ids)} events are gone from {session}"
    for one, text in attachments.items():
        status, _, bytes_ = node.request("GET", "/v1/attachments/" + one)
        assert status == 200 and bytes_ == text, (one, status)
    for one, text in notes.items():
        assert node.json("GET", "/v1/memories/" + one, expect=200)["text"] == text
    for (session, path), text in files.items():
        status, _, bytes_ = node.request("GET", f"/v1/workdir/read?session_id={session}&path={path}")
        assert status == 200 and json.loads(bytes_)["text"] == text, (path, status, bytes_[:200])


def drill():
    """drill: what was acknowledged before a backup of the running server is in it, after a kill, elsewhere"""
    rehearsal = Rehearsal()
    place = tempfile.mkdtemp(prefix="soma-test-")
    node = Node(rehearsal.base_url)
    key = node.new_key("--role", "admin")
    node.start()
    backups = os.path.join(place, "backups")
    try:
        writer = Writer(node, 7)
        for turn in range(ROUNDS):
            threading.Event().wait(0.4)
            was = writer.acknowledged()
            said = soma("backup", "--data-dir", node.data_dir, backups)
            assert "Backed up to" in said, said
            threading.Event().wait(0.2)
            if turn == ROUNDS - 1:
                node.kill()
            into = os.path.join(place, f"restored-{turn}")
            soma("restore", backups, "--check")
            soma("restore", backups, "--data-dir", into)
            soma("audit", "verify", "--data-dir", into)
            with Restored(rehearsal, into) as restored:
                check(restored, was)
                assert restored.request("GET", "/v1/sessions", key=key)[0] == 200, "a key is void"
            if writer.failed:
                raise writer.failed
        writer.stopping = True
        counts = [sum(map(len, was[0].values())), *map(len, was[1:])]
        assert min(counts) > 5, f"the drill wrote too little to tell: {counts}"
        listed = soma("restore", backups, "--list").strip().splitlines()
        assert len(listed) == ROUNDS, listed
        first = listed[0].split()[0]
        soma("restore", backups, "--backup", first, "--data-dir", os.path.join(place, "first"))
    finally:
        node.stop()
        rehearsal.stop()
        shutil.rmtree(place, ignore_errors=True)


class Restored:
    def __init__(self, rehearsal, folder):
        self.node = Node(rehearsal.base_url, data_dir=folder)

    def __enter__(self):
        return self.node.start()

    def __exit__(self, *_):
        self.node.stop()


def ahead():
    """drill: a reader who was ahead of the backup is told to begin anew, and no id comes twice"""
    rehearsal = Rehearsal()
    place = tempfile.mkdtemp(prefix="soma-test-")
    node = Node(rehearsal.base_url).start()
    try:
        session = node.say(QUICK)["session_id"]

        def append(to):
            return to.json("POST", f"/v1/sessions/{session}/events", {"name": "a.b", "data": {}})["event_id"]

        before = append(node)
        soma("backup", "--data-dir", node.data_dir, place + "/backups")
        ahead_of_it = [append(node) for _ in range(5)][-1]
        node.kill()
        soma("restore", place + "/backups", "--data-dir", place + "/restored")
        with Restored(rehearsal, place + "/restored") as restored:
            with Stream(restored, f"/v1/session/{session}/events",
                        headers={"Last-Event-ID": ahead_of_it}) as stream:
                assert stream.next_event()["event"] == "stream.reset"
            new = [append(restored) for _ in range(8)]
            seqs = [e["meta"]["event_id"] for e in restored.events(session)]
            assert before in seqs and len(set(seqs)) == len(seqs)
            assert ahead_of_it not in seqs and int(new[0].split(".")[0]) > int(ahead_of_it.split(".")[0])
    finally:
        node.stop()
        rehearsal.stop()
        shutil.rmtree(place, ignore_errors=True)


def killed_in_the_middle():
    """drill: a server that is killed while it makes a backup leaves those before it whole, and makes the next"""
    rehearsal = Rehearsal()
    place = tempfile.mkdtemp(prefix="soma-test-")
    node = Node(rehearsal.base_url, settings=["backup.mb_per_s=2"]).start()
    backups = os.path.join(place, "backups")
    try:
        soma("backup", "--data-dir", node.data_dir, backups)
        for n in range(6):
            upload(node, (f"{n}.txt", text_of(1_000_000), "text/plain"))
        client = subprocess.Popen([os.path.join(BIN, "soma"), "backup", "--data-dir", node.data_dir, backups],
                                  stderr=subprocess.PIPE, text=True)
        wait_until(lambda: os.path.exists(os.path.join(backups, "backups", "draft")), what="a backup under way")
        node.kill()
        assert client.wait(timeout=30) == 1
        assert "the server ended before" in client.stderr.read()
        assert len(soma("restore", backups, "--list").strip().splitlines()) == 1
        soma("restore", backups, "--check")
        node.settings = []
        node.start()
        soma("backup", "--data-dir", node.data_dir, backups)
        assert not os.path.exists(os.path.join(node.data_dir, "backup-under-way"))
        soma("restore", backups, "--check")
        assert len(soma("restore", backups, "--list").strip().splitlines()) == 2
    finally:
        node.stop()
        rehearsal.stop()
        shutil.rmtree(place, ignore_errors=True)


def over_http():
    """backup: by HTTP into the folder of the configuration, one at a time, of which the newest are kept"""
    place = tempfile.mkdtemp(prefix="soma-test-")
    node = Node("http://127.0.0.1:1/v1", settings=[f"backup.folder={place}/backups", "backup.keep=2"]).start()
    try:
        upload(node, ("a.txt", text_of(3_000_000), "text/plain"))
        ids = set()
        for _ in range(3):
            begun = node.json("POST", "/v1/admin/backup", expect=202)
            assert begun["state"] in ("running", "done"), begun
            wait_until(lambda: node.json("GET", "/v1/admin/backup")["state"] != "running", what="the backup")
            now = node.json("GET", "/v1/admin/backup", expect=200)
            assert now["state"] == "done" and now["set_up"], now
            ids.add(now["backup_id"])
        assert len(ids) == 3
        kept = [one["backup_id"] for one in now["backups"]]
        assert kept == sorted(ids)[1:], now
        assert now["backups"][-1]["new_bytes"] < 1_000_000 < now["backups"][-1]["bytes"], now
        node.stop()
        soma("restore", place + "/backups", "--data-dir", place + "/restored")
    finally:
        node.stop()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(run_tests([drill, ahead, killed_in_the_middle, over_http]))
