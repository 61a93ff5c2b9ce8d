"""Memories go to SomaBrain whatever it does: in the end each is there once by its key, in order a session,
nothing is lost, and no turn waits for it. The other side is a stand-in (tests/support/somabrain.py)."""

import os
import json
import random
import re
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from contract import Contract
from node_under_test import Node, Rehearsal, free_port, run_tests, wait_until
from somabrain import SomaBrain

SEED = int(os.environ.get("SOMA_SEED", random.randrange(1 << 30)))
QUICK = "[[rehearsal words=2 delay_ms=0]]"
PATIENCE = ["outbox.backoff_ms_max=100", "outbox.breaker_ms=100", "somabrain.timeout_ms=700"]
TENANT = "default"


class World:
    def __init__(self, generation="newest", settings=PATIENCE, set_up=True):
        self.rehearsal = Rehearsal()
        self.brain = SomaBrain(free_port(), generation)
        self.env = {"SOMA_BASE_URL": self.brain.base_url, "SOMA_API_TOKEN": self.brain.token}
        self.node = Node(self.rehearsal.base_url, settings=["memory.write=true", *settings],
                         env=self.env if set_up else {"SOMA_BASE_URL": ""})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.brain.stop()
        self.node.stop()
        self.rehearsal.stop()

    def note(self, text):
        return self.node.json("POST", "/v1/memories", {"text": text}, expect=201)["memory_id"]

    def say(self, text, session=None):
        """A whole turn; gives its session."""
        accepted = self.node.say(f"{QUICK} {text}", session)

        def answered():
            return any(e["type"] == "message.assistant" and e["payload"]["final"] and
                       e["payload"]["turn_id"] == accepted["message_id"]
                       for e in self.node.events(accepted["session_id"]))
        wait_until(answered, 30, "an answer")
        return accepted["session_id"]

    def status(self):
        return self.node.json("GET", "/v1/memory/status", expect=200)

    def memories(self):
        found, cursor = [], ""
        while True:
            page = self.node.json("GET", f"/v1/memories?limit=200{cursor}", expect=200)
            found += page["memories"]
            if not page["next_cursor"]:
                return found
            cursor = "&cursor=" + page["next_cursor"]

    def settled(self):
        """All that is remembered is there, as it is, in order, and here it is known."""
        def all_there():
            now = self.status()
            return now["waiting"] == 0 and now["replicated"] == now["stored"] and now["index_lag"] == 0
        try:
            wait_until(all_there, 60, "SomaBrain to have all")
        except AssertionError:
            print(self.status(), self.node.json("GET", "/v1/health"), flush=True)
            raise
        memories = self.memories()
        there = self.brain.texts(TENANT)
        for one in memories:
            assert one["state"] == "replicated", one
            assert there.get(one["memory_id"]) == one["text"], one
        for session in {m["session_id"] for m in memories if "session_id" in m}:
            written = [e["payload"]["memory_id"] for e in self.node.events(session)
                       if e["type"] == "memory.write"]
            order = [key for key in self.brain.first if key in set(written)]
            assert order == written, (session, written, order)
        return memories


def down_at_start():
    """what is remembered while SomaBrain is down is there once it is up; turns do not wait for it"""
    with World() as w:
        w.node.start()
        session = w.say("first")
        w.say("second", session)
        w.note("the axolotl is called Axel")
        wait_until(lambda: w.status()["breaker"] != "closed", what="the breaker")
        now = w.status()
        assert (now["waiting"], now["replicated"]) == (5, 0), now
        health = w.node.json("GET", "/v1/health", expect=200)
        assert health["status"] == "ok", health
        outbox = health["components"]["outbox"]
        assert (outbox["status"], outbox["depth"], outbox["dlq"]) == ("degraded", 5, 0), outbox
        wait_until(lambda: w.status()["oldest_waiting_s"] > 0, what="an age")
        w.brain.start()
        assert len(w.settled()) == 5
        assert w.status()["breaker"] == "closed"
        metrics = w.node.request("GET", "/metrics")[2]
        assert 'soma_outbox_depth{sink="somabrain"} 0' in metrics, metrics
        assert 'soma_outbox_sent_total{sink="somabrain"} 5' in metrics, metrics


def bad_hours():
    """hanging, 500, 429, rubbish, half refused, a lost answer: no turn waits, nothing is lost"""
    with World() as w:
        w.brain.start()
        w.node.start()
        session = None
        for mode in ("hang", "500", "429", "rubbish", "half", "lose", "good"):
            w.brain.be(mode)
            begun = len(w.brain.calls)
            session = w.say(mode, session)
            w.note(f"noted while {mode} " + uuid.uuid4().hex)
            w.say(mode)
            wait_until(lambda: len(w.brain.calls) > begun, what="a call")
        assert len(w.settled()) == 7 * 5
        assert w.node.json("GET", "/v1/admin/dlq", expect=200)["rows"] == []


def lies():
    """what its single route would call persisted is not counted: it has it once its backend is back"""
    with World() as w:
        w.brain.backend = False
        w.brain.start()
        w.node.start()
        w.note("kept by nobody but us")
        wait_until(lambda: w.brain.calls, what="a call")
        wait_until(lambda: w.status()["breaker"] != "closed", what="the breaker")
        assert w.memories()[0]["state"] == "stored"
        assert {path for path, _ in w.brain.calls} == {"/memory/remember/batch"}
        w.brain.backend = True
        w.settled()


def slow():
    """an answer that takes ten seconds is waited for, and nothing else waits with it"""
    with World(settings=[]) as w:
        w.brain.start()
        w.brain.be("slow")
        w.node.start()
        w.say("slowly")
        w.settled()


def changed_and_forgotten():
    """a change goes there, too; what is forgotten, or went with its session, leaves a stone there"""
    with World() as w:
        w.brain.start()
        w.node.start()
        changed, gone = w.note("to be changed"), w.note("to be forgotten")
        session = w.say("in a session that goes")
        w.settled()
        etag = w.node.request("GET", "/v1/memories/" + changed)[1]["ETag"]
        status, _, text = w.node.request("PATCH", "/v1/memories/" + changed, {"text": "changed"},
                                         {"If-Match": etag})
        assert status == 200, text
        mine = [m["memory_id"] for m in w.memories() if m.get("session_id") == session]
        assert len(mine) == 2
        w.node.json("DELETE", "/v1/memories/" + gone, expect=204)
        w.node.json("DELETE", "/v1/sessions/" + session, expect=204)
        wait_until(lambda: w.brain.texts()[changed] == "changed", what="the change")
        for one in (gone, *mine):
            wait_until(lambda: w.brain.texts()[one] == "", what="a stone")
            assert w.brain.kept[TENANT, one]["deleted"] is True
        assert [m["memory_id"] for m in w.settled()] == [changed]


def dead_letters():
    """what SomaBrain never takes is a dead letter with its reason, and can be sent again or thrown away"""
    with World(settings=[*PATIENCE, "outbox.attempts_max=2"]) as w:
        w.brain.start()
        w.node.start()
        contract = Contract(w.node)
        w.brain.refuses = {"refused by its result"}
        good = w.note("taken")
        by_result, by_call = w.note("refused by its result"), w.note("no such text may be")

        def rows():
            return contract.ask("list_dead_letters", 200, query="?sink=somabrain").json["rows"]
        wait_until(lambda: len(rows()) == 2, what="dead letters")
        by_error = {r["last_error"]: r for r in rows()}
        assert set(by_error) == {"its result says that it was not persisted", "it answered 422"}
        assert all(r["attempts"] == 2 and r["sink"] == "somabrain" for r in rows()), rows()
        wait_until(lambda: w.status()["failed"] == 2 and w.status()["waiting"] == 0, what="a status")
        assert w.node.json("GET", "/v1/memories/" + by_result)["state"] == "failed"
        wait_until(lambda: w.node.json("GET", "/v1/memories/" + good)["state"] == "replicated",
                   what="the others")
        assert w.node.json("GET", "/v1/health")["components"]["outbox"]["dlq"] == 2
        first = by_error["its result says that it was not persisted"]["id"]
        second = by_error["it answered 422"]["id"]
        shown = contract.ask("get_dead_letter", 200, id=first).json
        assert by_result in shown["payload"] and "refused by" not in shown["payload"], shown
        w.brain.refuses = set()
        contract.ask("requeue_dead_letter", 204, id=first)
        wait_until(lambda: w.node.json("GET", "/v1/memories/" + by_result)["state"] == "replicated",
                   what="the one that was sent again")
        contract.ask("delete_dead_letter", 204, id=second)
        contract.ask("get_dead_letter", 404, id=second, code="dlq.not_found")
        assert rows() == [] and w.brain.texts().get(by_call) is None
        w.node.stop()
        user = w.node.new_key("--role", "user")
        w.node.start()
        assert w.node.request("GET", "/v1/admin/dlq", key=user)[0] == 403


def set_up_later():
    """without SOMA_BASE_URL nothing waits; once it is set all of before is sent, and sync finds nothing"""
    with World(set_up=False) as w:
        w.node.start()
        w.say("before it was set up")
        w.note("long before")
        now = w.status()
        assert (now["breaker"], now["replicated"]) == ("none", 0), now
        asked = w.node.json("POST", "/v1/memory/sync", expect=200)
        assert asked == {"configured": False, "looked_at": 0, "queued": 0, "gone": 0}, asked
        w.node.stop()
        w.brain.start()
        w.node.env.update(w.env)
        w.node.start()
        assert len(w.settled()) == 3
        asked = w.node.json("POST", "/v1/memory/sync", expect=200)
        assert asked == {"configured": True, "looked_at": 3, "queued": 0, "gone": 0}, asked


def older_generation():
    """an older SomaBrain is written to by its own routes, each item at a place of its own"""
    with World(generation="older") as w:
        w.brain.start()
        w.node.start()
        kept, gone = w.note("kept"), w.note("gone later")
        w.say("and a turn")

        def there():
            return {v["memory_id"]: v["text"] for (t, _), v in w.brain.kept.items() if t == TENANT}
        wait_until(lambda: w.status()["replicated"] == 4, what="all of it")
        assert there() == {m["memory_id"]: m["text"] for m in w.memories()}
        w.node.json("DELETE", "/v1/memories/" + gone, expect=204)
        wait_until(lambda: gone not in there(), what="the deletion")
        assert there()[kept] == "kept"
        w.brain.keep(TENANT, "0,0,0", {"memory_id": kept, "text": "my pet"})

        def recalled():
            found = w.node.json("POST", "/v1/memory/recall", {"query": "pet"}, expect=200)
            assert not found["degraded"], found
            return [(i["memory_id"], i["from"]) for i in found["items"]]
        assert recalled() == [(kept, "somabrain")]
        assert w.brain.calls[-1] == ("/recall", TENANT)
        w.brain.generation = "newest"  # it was brought up to date
        assert recalled() == [(kept, "somabrain")]
        assert w.brain.calls[-1] == ("/memory/recall", TENANT)


def recalls():
    """SomaBrain names what it knows; what is told is read here, of the asker's tenant, and never waits long"""
    with World(settings=[*PATIENCE, "outbox.breaker_ms=60000"]) as w:
        other = w.node.new_key("--tenant", "other", "--role", "admin")
        w.brain.start()
        w.node.start()
        known, words = w.note("The axolotl is called Axel"), w.note("A stove is hot")
        w.settled()
        status, _, text = w.node.request("POST", "/v1/memories", {"text": "of another tenant"}, key=other)
        assert status == 201, text
        for key in (known, "never-was", json.loads(text)["memory_id"]):
            w.brain.keep(TENANT, key, {"memory_id": key, "text": "my pet"})

        def recall(query):
            return w.node.json("POST", "/v1/memory/recall", {"query": query}, expect=200)
        found = recall("pet")
        assert [(i["memory_id"], i["text"], i["from"]) for i in found["items"]] == [
            (known, "The axolotl is called Axel", "somabrain")], found
        assert found["degraded"] is False
        assert (w.brain.calls[-1]) == ("/memory/recall", TENANT)
        assert [i["from"] for i in recall("axolotl")["items"]] == ["local"]
        w.brain.be("hang")
        for _ in range(3):
            found = recall("stove")
            assert found["degraded"] and "SomaBrain" in found["why"], found
            assert [i["memory_id"] for i in found["items"]] == [words]
        asked = len(w.brain.calls)
        assert recall("stove")["why"] == "SomaBrain is away"
        assert len([c for c in w.brain.calls[asked:] if c[0] == "/memory/recall"]) == 0


def wrong_token():
    """a token that is not taken is told in health, without the token"""
    with World() as w:
        w.brain.start()
        w.node.env["SOMA_API_TOKEN"] = "not-the-brains-token"
        w.node.start()
        w.note("waits")
        wait_until(lambda: w.status()["breaker"] != "closed", what="the breaker")
        health = w.node.request("GET", "/v1/health")[2]
        assert "SOMA_API_TOKEN" in health and "not-the-brains-token" not in health, health
        assert "not-the-brains-token" not in w.node.log_text()


def kills():
    """kill -9 at any moment, SomaBrain in any mood: in the end each is there once, in order"""
    print(f"seed {SEED}", flush=True)
    rng = random.Random(SEED)
    with World(settings=[*PATIENCE, "turn.max_attempts=10"]) as w:
        w.brain.start()
        w.node.start()
        sessions, turns, stop = {}, set(), threading.Event()

        def moods():
            while not stop.wait(rng.uniform(0.05, 0.3)):
                w.brain.be(rng.choice(["good", "good", "hang", "500", "429", "rubbish", "half", "lose"]))
        mood = threading.Thread(target=moods, daemon=True)
        mood.start()
        for kill in range(int(os.environ.get("SOMA_KILLS", "12"))):
            which = rng.randrange(3)
            accepted = w.node.say(f"{QUICK} message {kill}", sessions.get(which))
            sessions[which] = accepted["session_id"]
            turns.add(accepted["message_id"])
            time.sleep(rng.uniform(0, 0.4))
            w.node.kill()
            w.node.start()
        stop.set()
        mood.join()
        w.brain.be("good")

        def answered():
            return turns <= {e["payload"]["turn_id"] for s in sessions.values() for e in w.node.events(s)
                             if e["type"] == "message.assistant" and e["payload"]["final"]}
        wait_until(answered, 60, "every answer")
        assert len(w.settled()) >= 12


def rated(w, rating, comment="", session=None):
    """An answer that is rated; gives the id of its message."""
    session = w.say("say something, " + uuid.uuid4().hex, session)
    message = [e for e in w.node.events(session) if e["type"] == "message.assistant"][-1]["payload"]["message_id"]
    w.node.json("POST", "/v1/feedback", {"session_id": session, "message_id": message, "rating": rating,
                                         "comment": comment}, expect=202)
    return message


def ratings():
    """what is said of answers goes there, with what was asked and answered; an outage loses none"""
    with World(generation="older") as w:
        w.node.start()
        assert w.status()["feedback"] == "unknown"
        first = rated(w, "helpful", "c" * 4000)
        wait_until(lambda: w.status()["breaker"] != "closed", what="the breaker")
        second = rated(w, "not_helpful")
        w.node.kill()
        w.node.start()
        w.brain.start()
        wait_until(lambda: w.status()["waiting"] == 0, 30, "the ratings")
        by_message = {one["metadata"]["message_id"]: one for one in w.brain.rated}
        assert set(by_message) == {first, second}, by_message
        assert [by_message[m]["utility"] for m in (first, second)] == [1, 0]
        one = by_message[first]
        assert QUICK in one["query"] and one["response_text"] and one["tenant_id"] == TENANT, one
        assert w.status()["feedback"] == "taken"
        assert w.node.json("GET", "/v1/admin/dlq", expect=200)["rows"] == []


def ratings_not_taken():
    """422 to a rating: it takes none. That is remembered and told, and no later one asks again"""
    with World() as w:
        w.brain.start()
        w.node.start()
        asked = lambda: len([c for c in w.brain.calls if c[0] == "/context/feedback"])
        rated(w, "helpful")
        wait_until(lambda: w.status()["feedback"] == "not_taken", what="its word")
        assert asked() == 1
        rated(w, "not_helpful")
        w.settled()
        w.node.stop()
        w.node.start()  # kept over a restart
        assert w.status()["feedback"] == "not_taken"
        rated(w, "helpful")
        w.settled()
        assert asked() == 1, w.brain.calls
        outbox = w.node.json("GET", "/v1/health", expect=200)["components"]["outbox"]
        assert outbox["status"] == "ok" and "ratings" in outbox["detail"], outbox
        assert w.node.json("GET", "/v1/admin/dlq", expect=200)["rows"] == []


def health_by_its_body():
    """a SomaBrain that answers 200 and says that it is not ready is told so in health"""
    with World(settings=[*PATIENCE, "somabrain.health_s=1"]) as w:
        w.brain.start()
        w.node.start()
        outbox = lambda: w.node.json("GET", "/v1/health", expect=200)["components"]["outbox"]
        wait_until(lambda: outbox()["status"] == "ok", what="its health")
        w.brain.backend = False
        wait_until(lambda: "not ready: memory" in outbox().get("detail", ""), what="its word")
        assert outbox()["status"] == "degraded"
        assert w.node.json("GET", "/v1/health")["status"] == "ok"
        w.brain.backend = True
        wait_until(lambda: outbox()["status"] == "ok", what="its health")


def killed_while_sending():
    """kill -9 while a call is under way that SomaBrain has kept: it is sent again, and counts once"""
    with World(settings=["outbox.backoff_ms_max=100", "outbox.breaker_ms=100"]) as w:
        w.brain.start()
        w.brain.be("hold")
        w.node.start()
        session = w.say("sent twice")
        one = w.note("sent twice, too")
        wait_until(lambda: w.brain.texts().get(one), what="a call that is not answered")
        assert w.status()["replicated"] == 0
        w.node.kill()
        sent = len(w.brain.calls)
        w.brain.be("good")
        w.node.start()
        assert len(w.settled()) == 3
        assert len(w.brain.calls) > sent
        assert w.brain.first.count(one) == 1 and len(w.brain.first) == 3, w.brain.first
        assert {m.get("session_id") for m in w.memories()} == {session, None}


def one_port():
    """every file of the project that names SomaBrain's port says 9696"""
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    named, wrong = set(), []
    for folder, below, files in os.walk(root):
        below[:] = [b for b in below if b not in ("build", "node_modules", "dist", ".git", "data")]
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), root)
            if path.startswith("tests") or os.path.getsize(os.path.join(folder, name)) > 4 << 20:
                continue
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                for line in file:
                    if re.search("somabrain|SOMA_BASE_URL", line, re.IGNORECASE):
                        ports = re.findall(r"(?:://[\w.-]+:|\bport (?:is )?)(\d{4,5})\b", line)
                        named.update((path, port) for port in ports)
    wrong = sorted(one for one in named if one[1] != "9696")
    assert not wrong, wrong
    assert {"docs/memory.md", "config/soma.toml", ".env.example"} <= {path for path, _ in named}, named


if __name__ == "__main__":
    sys.exit(run_tests([one_port, down_at_start, bad_hours, lies, slow, changed_and_forgotten, dead_letters,
                        set_up_later, older_generation, recalls, wrong_token, ratings, ratings_not_taken,
                        health_by_its_body, killed_while_sending, kills]))
