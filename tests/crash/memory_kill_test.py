"""kill -9 while memories are written, again and again: in the end each message.user and each final
message.assistant has its memory.write and its item, once; each acknowledged note is there and each
forgotten one is not; the index has what the store has, and no row of the outbox is left behind."""

import json
import os
import random
import sys
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import Node, Rehearsal, run_tests, wait_until

KILLS = int(os.environ.get("SOMA_KILLS", "30"))
SEED = int(os.environ.get("SOMA_SEED", random.randrange(1 << 30)))
QUICK = "[[rehearsal words=3 delay_ms=1]]"


class Writer(threading.Thread):
    """Notes and forgets until it is told to end; knows what was acknowledged."""

    def __init__(self, node, seed):
        super().__init__(daemon=True)
        self.node, self.rng, self.stopping = node, random.Random(seed), False
        self.kept, self.gone = {}, set()
        self.unsure = set()  # a deletion that was not answered
        self.start()

    def run(self):
        while not self.stopping:
            try:
                self.write()
            except OSError:
                threading.Event().wait(0.02)

    def write(self):
        if self.kept and self.rng.random() < 0.3:
            one = self.rng.choice(sorted(self.kept))
            text = self.kept.pop(one)
            self.unsure.add(one)
            status, _, answer = self.node.request("DELETE", "/v1/memories/" + one)
            assert status in (204, 404, 503), (status, answer)
            if status == 503:
                self.kept[one] = text
            else:
                self.gone.add(one)
            self.unsure.discard(one)
            return
        text = "noted " + uuid.uuid4().hex
        status, _, answer = self.node.request("POST", "/v1/memories", {"text": text})
        if status in (200, 201):
            self.kept[json.loads(answer)["memory_id"]] = text


def all_memories(node, query=""):
    found, cursor = [], ""
    while True:
        page = node.json("GET", f"/v1/memories?limit=200{query}{cursor}", expect=200)
        found += page["memories"]
        if not page["next_cursor"]:
            return found
        cursor = "&cursor=" + page["next_cursor"]


def messages_and_items(node, session):
    """Every message has its memory.write in the log and its item, and no item is without."""
    events = node.events(session)
    said = {e["payload"]["message_id"]: e["payload"]["text"] for e in events
            if e["type"] == "message.user"
            or (e["type"] == "message.assistant" and e["payload"]["final"])}
    written = {e["payload"]["memory_id"]: e["payload"]["message_id"] for e in events
               if e["type"] == "memory.write" and e["payload"].get("message_id")}
    assert sorted(written.values()) == sorted(said), (len(written), len(said))
    for memory_id, message_id in written.items():
        item = node.json("GET", "/v1/memories/" + memory_id, expect=200)
        assert (item["message_id"], item["text"], item["session_id"]) == (
            message_id, said[message_id], session), item
    listed = [m["memory_id"] for m in all_memories(node, f"&kind=message&session_id={session}")]
    assert sorted(listed) == sorted(written), (len(listed), len(written))
    return len(written)


def items_events_and_outbox_agree():
    """items, events and outbox agree after kills at random moments"""
    print(f"seed {SEED}, {KILLS} kills", flush=True)
    rng = random.Random(SEED)
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, settings=["turn.max_attempts=10", "memory.write=true"]).start()
    writers = [Writer(node, SEED + n) for n in range(3)]
    sessions, turns = {}, []
    try:
        for kill in range(KILLS):
            which = rng.randrange(4)
            accepted = node.say(f"{QUICK} message {kill}", sessions.get(which))
            sessions[which] = accepted["session_id"]
            turns.append((accepted["session_id"], accepted["message_id"]))
            threading.Event().wait(rng.uniform(0, 0.4))
            node.kill()
            node.start()
        for one in writers:
            one.stopping = True
        for one in writers:
            one.join()

        def answered():
            ends = {e["payload"]["turn_id"] for s in sessions.values() for e in node.events(s)
                    if e["type"] == "message.assistant" and e["payload"]["final"]}
            return {turn for _, turn in turns} <= ends
        wait_until(answered, 120, "every answer")
        count = sum(messages_and_items(node, one) for one in sessions.values())
        print(f"{count} messages and {sum(len(x.kept) for x in writers)} notes agree", flush=True)
        listed = {m["memory_id"]: m["text"] for m in all_memories(node)}
        for one in writers:
            for memory_id, text in one.kept.items():
                assert listed.get(memory_id) == text, f"an acknowledged note is lost: {memory_id}"
            assert not one.gone & set(listed), "a forgotten note is there"
        status = node.json("GET", "/v1/memory/status", expect=200)
        assert (status["stored"], status["waiting"], status["degraded"]) == (
            len(listed), 0, False), status
    finally:
        for one in writers:
            one.stopping = True
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(run_tests([items_events_and_outbox_agree]))
