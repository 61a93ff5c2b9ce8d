"""One server's memories are followed by another, by `soma memory follow`: all of them get there, in the end
each is as it is there, whatever is killed meanwhile; what was deleted is in no answer; what is no log, or
another one, is refused and nothing of it applied."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, free_port, run_tests, wait_until

SEED = int(os.environ.get("SOMA_SEED", random.randrange(1 << 30)))
QUICK = "[[rehearsal words=2 delay_ms=0]]"
SHOWN = ("text", "kind", "tags", "importance", "pinned", "role", "session_id", "message_id", "owner",
         "created_at", "updated_at", "attachment_id", "place")


def url_of(node):
    return f"http://127.0.0.1:{node.port}"


def all_of(node):
    found, cursor = {}, ""
    while True:
        page = node.json("GET", f"/v1/memories?limit=200{cursor}", expect=200)
        found.update({m["memory_id"]: {name: m.get(name) for name in SHOWN} for m in page["memories"]})
        if not page["next_cursor"]:
            return found
        cursor = "&cursor=" + page["next_cursor"]


def search(node, words):
    path = "/v1/memories/search?q=" + urllib.parse.quote(words)
    return {m["memory_id"] for m in node.json("GET", path, expect=200)["memories"]}


def note(node, text, **more):
    return node.json("POST", "/v1/memories", {"text": text, **more}, expect=201)["memory_id"]


def status(node):
    return node.json("GET", "/v1/memory/status", expect=200)


class Follower:
    """`soma memory follow`; its last words are in `said`."""

    def __init__(self, source, copy, *flags, key=ADMIN_KEY):
        env = {n: v for n, v in os.environ.items() if not n.startswith(("SOMA_", "GATEWAY_"))}
        self.process = subprocess.Popen(
            [os.path.join(BIN, "soma"), "memory", "follow", source, "--url", url_of(copy), "--key", ADMIN_KEY,
             *flags], env={**env, "FOLLOWED_KEY": key}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True)

    def ended(self, seconds=20):
        self.said = self.process.communicate(timeout=seconds)[1]
        return self.process.returncode

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


class World:
    def __init__(self, start=True):
        self.rehearsal = Rehearsal()
        self.source = Node(self.rehearsal.base_url, settings=["memory.write=true", "memory.wal=true"])
        self.copy = Node(self.rehearsal.base_url, settings=["memory.write=true", "memory.wal=true"])
        self.followers = []
        if start:
            self.source.start()
            self.copy.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.followers:
            if one.process.poll() is None:
                one.kill()
        self.source.stop()
        self.copy.stop()
        self.rehearsal.stop()

    def follow(self, *flags, source=None, copy=None, **more):
        one = Follower(source or url_of(self.source), copy or self.copy, *flags, **more)
        self.followers.append(one)
        return one

    def once(self, *flags, **more):
        one = self.follow("--once", *flags, **more)
        assert one.ended() == 0, one.said
        return one

    def say(self, text, session=None):
        accepted = self.source.say(f"{QUICK} {text}", session)
        wait_until(lambda: any(e["type"] == "message.assistant" and e["payload"]["final"] and
                               e["payload"]["turn_id"] == accepted["message_id"]
                               for e in self.source.events(accepted["session_id"])), 30, "an answer")
        return accepted["session_id"]

    def same(self, seconds=30):
        """Both have the same, and both find it."""
        try:
            wait_until(lambda: all_of(self.copy) == all_of(self.source), seconds, "the copy")
        except AssertionError:
            here, there = all_of(self.copy), all_of(self.source)
            print({k: (here.get(k), there.get(k)) for k in here.keys() | there.keys()
                   if here.get(k) != there.get(k)}, flush=True)
            raise
        return all_of(self.copy)


def follows():
    """what is remembered there is found here; a change is, and what was forgotten is in no answer"""
    with World() as w:
        session = w.say("the walrus is called Wilma")
        first = note(w.source, "the axolotl is called Axel", tags=["pets"])
        w.follow()
        assert len(w.same()) == 3
        assert first in search(w.copy, "axolotl")
        later = note(w.source, "the numbat is called Nora")
        wait_until(lambda: later in search(w.copy, "numbat"), what="what came later")
        w.source.json("PATCH", "/v1/memories/" + first, {"text": "the axolotl is called Alex", "pinned": True},
                      expect=200)
        wait_until(lambda: w.copy.json("GET", "/v1/memories/" + first)["text"].endswith("Alex"),
                   what="the change")
        answer = w.copy.json("POST", "/v1/memory/recall", {"query": "what is the axolotl called?"}, expect=200)
        assert answer["items"][0]["text"] == "the axolotl is called Alex", answer
        w.source.json("DELETE", "/v1/memories/" + later, expect=204)
        w.source.json("DELETE", "/v1/sessions/" + session, expect=204)
        assert set(w.same()) == {first}
        assert w.copy.request("GET", "/v1/memories/" + later)[0] == 404
        for words in ("numbat", "walrus"):
            assert search(w.copy, words) == set()
            assert w.copy.json("POST", "/v1/memory/recall", {"query": words}, expect=200)["items"] == []
        exported = w.copy.request("GET", "/v1/memories/export")[2]
        assert "numbat" not in exported and "walrus" not in exported and "Alex" in exported
        begun = time.monotonic()
        assert w.source.stop() == 0  # who reads the log holds up no stop
        assert time.monotonic() - begun < 5


def tells_its_lag():
    """the lag is told in status, health and metrics: none while it follows, growing once it does not"""
    with World() as w:
        assert "followed" not in status(w.copy) and status(w.copy)["replica_lag_s"] == 0
        note(w.source, "one")
        follower = w.follow()
        # All of a log that has not taken the note yet is nothing.
        wait_until(lambda: status(w.copy).get("followed", {}).get("position"), what="the note")
        wait_until(lambda: status(w.copy)["followed"]["caught_up"], what="all of it")
        now = status(w.copy)
        assert now["replica_lag_s"] == 0, now
        health = w.copy.json("GET", "/v1/health", expect=200)["components"]["memory"]
        assert (health["status"], health["replica_lag_s"]) == ("ok", 0), health
        assert "wal_lag" in w.source.json("GET", "/v1/health")["components"]["memory"]
        assert "soma_memory_replica_lag_seconds 0" in w.copy.request("GET", "/metrics")[2]
        follower.kill()
        w.copy.stop()  # a restart knows no more than where it was
        w.copy.start()
        wait_until(lambda: status(w.copy)["replica_lag_s"] > 0.5, what="a lag")
        assert status(w.copy)["followed"] == {**now["followed"], "caught_up": False}
        w.once()
        assert status(w.copy)["replica_lag_s"] == 0
        ended = Follower("--end", w.copy)
        assert ended.ended() == 0, ended.said
        assert "followed" not in status(w.copy) and len(all_of(w.copy)) == 1


def kills():
    """kill -9 of either server, or of what follows, at any moment: in the end both have the same"""
    print(f"seed {SEED}", flush=True)
    rng = random.Random(SEED)
    with World() as w:
        mine, session = [note(w.source, "to begin with")], w.say("in a session")
        follower = w.follow()
        for round_ in range(int(os.environ.get("SOMA_KILLS", "12"))):
            for n in range(rng.randrange(1, 30)):
                what = rng.random()
                if what < 0.6 or not mine:
                    mine.append(note(w.source, f"note {round_} {n}"))
                elif what < 0.8:
                    w.source.json("PATCH", "/v1/memories/" + rng.choice(mine), {"text": f"changed {round_} {n}"},
                                  expect=200)
                else:
                    w.source.json("DELETE", "/v1/memories/" + mine.pop(rng.randrange(len(mine))), expect=204)
            if rng.random() < 0.3:
                w.source.json("DELETE", "/v1/sessions/" + session, expect=204)
                session = w.say(f"another session {round_}")
            time.sleep(rng.uniform(0, 0.3))
            victim = rng.choice(["source", "copy", "follower"])
            if victim == "follower":
                follower.kill()
                follower = w.follow()
            else:
                node = getattr(w, victim)
                node.kill()
                time.sleep(rng.uniform(0, 0.2))
                node.start()
            assert follower.process.poll() is None, follower.ended() or follower.said
        assert set(mine) <= set(w.same(60))


def two_at_once():
    """of two that follow for the same copy one gives way, and nothing comes twice"""
    with World() as w:
        both = [w.follow(), w.follow()]
        for n in range(30):
            note(w.source, f"note {n}")
        assert len(w.same()) == 30
        assert all(one.process.poll() is None for one in both)


def each_other():
    """two that follow each other have the same in the end, whatever was written and deleted at either"""
    with World() as w:
        w.follow()
        w.follow(source=url_of(w.copy), copy=w.source)
        for n in range(20):
            for node in (w.source, w.copy):
                one = note(node, f"note {n} of {node.port}")
                if n % 3 == 0:
                    node.json("DELETE", "/v1/memories/" + one, expect=204)
        wait_until(lambda: len(all_of(w.source)) == len(all_of(w.copy)) == 26, 30, "all of both")
        assert len(w.same()) == 26
        one = min(all_of(w.copy))
        w.copy.json("DELETE", "/v1/memories/" + one, expect=204)
        wait_until(lambda: one not in all_of(w.source), what="what was deleted there")
        assert len(w.same()) == 25


def each_tenant_its_own():
    """a key of another tenant reads and applies nothing of ours; a user's key neither"""
    with World(start=False) as w:
        other = w.source.new_key("--tenant", "other", "--role", "admin")
        user = w.source.new_key("--role", "user", "--user", "somebody")
        w.source.start()
        w.copy.start()
        note(w.source, "ours")
        w.once(key=other)
        assert all_of(w.copy) == {}
        one = w.follow("--once", key=user)
        assert one.ended() == 1 and "auth.forbidden" in one.said, one.said
        one = w.follow("--once", key="")
        assert one.ended() == 1 and "FOLLOWED_KEY" in one.said, one.said


def not_kept():
    """where no log is kept that is said; what came while it was not kept is found once it is again"""
    with World() as w:
        stays, goes = note(w.source, "stays"), note(w.source, "goes")
        w.once()
        w.source.stop()
        w.source.settings.append("memory.wal=false")
        w.source.start()
        refused = w.follow("--once")
        assert refused.ended() == 1 and "memory.wal" in refused.said, refused.said
        w.source.json("DELETE", "/v1/memories/" + goes, expect=204)
        comes = note(w.source, "comes")
        w.source.stop()
        w.source.settings.remove("memory.wal=false")
        w.source.start()
        w.follow()
        assert set(w.same()) == {stays, comes}


def lost_its_end():
    """a source that lost its end, or is another, is not taken for what was followed: --anew does so"""
    with World() as w:
        old = note(w.source, "old")
        w.source.stop()
        saved = w.source.data_dir + "-saved"
        shutil.copytree(w.source.data_dir, saved)
        try:
            w.source.start()
            lost = note(w.source, "lost there")
            w.once()
            w.source.stop()
            shutil.rmtree(w.source.data_dir)
            shutil.copytree(saved, w.source.data_dir)
        finally:
            shutil.rmtree(saved)
        w.source.start()
        note(w.source, "in its place")
        refused = w.follow("--once")
        assert refused.ended() == 1 and "--anew" in refused.said, refused.said
        assert {old, lost} == set(all_of(w.copy)), "nothing is taken away without a word"
        w.once("--anew")
        assert lost not in w.same()
        another = Node(w.rehearsal.base_url, settings=["memory.wal=true"]).start()
        try:
            refused = w.follow("--once", source=url_of(another))
            assert refused.ended() == 1 and "--anew" in refused.said, refused.said
            assert old in all_of(w.copy)
        finally:
            another.stop()


class Rubbish:
    """What answers in a log's place: the lines that it is given."""

    def __init__(self):
        self.port, self.lines, self.asked = free_port(), [], []
        around = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                around.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson")
                self.end_headers()
                for line in around.lines:
                    self.wfile.write(line if isinstance(line, bytes) else (json.dumps(line) + "\n").encode())
        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


BEGIN = {"type": "begin", "log": "a-log", "position": ""}


def put(n, text=None, **more):
    return {"type": "put", "position": f"p.{n}", "item": {
        "memory_id": f"m-{n}", "kind": "note", "text": text or f"note {n}", "tags": [], "importance": 0.5,
        "pinned": False, "owner": "bo", "created_at": 1700000000000, "updated_at": 1700000000000 + n,
        "state": "stored", **more}}


def head(n):
    return {"type": "head", "position": f"p.{n}", "at": 1700000000000}


def rubbish():
    """a stream that is no log is refused with a sentence, and nothing of its last batch is applied"""
    with World() as w:
        source = Rubbish()
        try:
            for bad in (b"<html>\n", b"\xff\xfe\n", {"type": "spell"}, b"[1]\n", put(3, memory_id="a\nb"),
                        put(3, kind="spell"), put(3, importance=7), BEGIN, b"x" * 700_000,
                        {"type": "gone", "position": "p.3"}, put(3, text="x" * 70_000),
                        put(3, updated_at=99999999999999)):
                source.lines = [BEGIN, put(1), put(2), bad, head(9)]
                one = w.follow("--once", source=source.url)
                assert one.ended() == 1 and source.url in one.said, (bad, one.said)
                assert all_of(w.copy) == {} and "followed" not in status(w.copy), bad
            source.lines = [put(1), head(1)]  # without a beginning
            one = w.follow("--once", source=source.url)
            assert one.ended() == 1 and "no log" in one.said, one.said
            assert all_of(w.copy) == {}
        finally:
            source.stop()


def sent_twice():
    """lines that come again change nothing; a cut one is asked for again from the last position"""
    with World() as w:
        source = Rubbish()
        try:
            source.lines = [BEGIN, put(1), put(2), put(1), put(2), head(2)]
            w.once(source=source.url)
            before = all_of(w.copy)
            assert set(before) == {"m-1", "m-2"}
            source.lines = [BEGIN, put(1), {"type": "gone", "position": "p.3", "memory_id": "m-2"},
                            put(2, updated_at=1700000009999), head(4)]
            w.once(source=source.url)
            assert all_of(w.copy) == {"m-1": before["m-1"]}
            source.lines = [BEGIN, put(5), head(5), b'{"type":"put","position":"p.6","item":{"memo']
            w.follow(source=source.url)
            wait_until(lambda: "m-5" in all_of(w.copy), what="what came whole")
            source.lines = [BEGIN, put(6), head(6)]
            wait_until(lambda: "m-6" in all_of(w.copy), what="what was cut")
            assert any("after=p.5" in path for path in source.asked), source.asked
            before = all_of(w.copy)
            source.lines = [{**BEGIN, "log": "b-log"}, put(9), head(9)]
            one = w.follow("--once", source=source.url)
            assert one.ended() == 1 and "another log" in one.said, one.said
            assert all_of(w.copy) == before
        finally:
            source.stop()


if __name__ == "__main__":
    sys.exit(run_tests([follows, tells_its_lag, two_at_once, each_other, each_tenant_its_own, not_kept, lost_its_end,
                        rubbish, sent_twice, kills]))
