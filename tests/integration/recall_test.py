"""What was said in one session is known in another: the model is told of it, the log says what it was
told and from where, and neither a stop nor kill -9 while it is looked for loses a turn."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from contract import judge_event
from node_under_test import Node, Rehearsal, run_tests, wait_until

QUICK = "[[rehearsal words=2 delay_ms=0]]"


class World:
    def __init__(self):
        self.rehearsal = Rehearsal()
        self.node = Node(self.rehearsal.base_url, ["memory.write=true", "memory.recall=true"])
        self.node.start()

    def stop(self):
        self.node.stop()
        self.rehearsal.stop()

    def of_type(self, session, kind):
        return [e for e in self.node.events(session) if e["type"] == kind]

    def said(self, text, session=None):
        """The session, once the answer is there."""
        turns = len(self.of_type(session, "llm.complete")) if session else 0
        session = self.node.say(text, session)["session_id"]
        wait_until(lambda: len(self.of_type(session, "llm.complete")) > turns, what="the answer")
        return session


w = None


def known_in_another_session():
    """told in one session, asked in a new one: the answer has it, and the event says where from"""
    source = w.said(f"My daughter's name is Ada. {QUICK}")
    message = w.of_type(source, "message.user")[0]["payload"]["message_id"]

    def found():
        session = w.said("What is my daughter called?")
        return session if "Ada" in w.of_type(session, "message.assistant")[-1]["payload"]["text"] else None
    session = wait_until(found, what="the answer with Ada")
    events = w.node.events(session)
    for event in events:
        judge_event(event)
    recalled = [e for e in events if e["type"] == "memory.recall"][0]["payload"]
    item = [i for i in recalled["items"] if i["message_id"] == message][0]
    assert item["session_id"] == source and "Ada" in item["text"], recalled
    assert recalled["query"].startswith("What is my daughter called?"), recalled
    kinds = [e["type"] for e in events]
    assert kinds.index("memory.recall") + 1 == kinds.index("llm.request"), kinds
    window = w.node.json("GET", f"/v1/sessions/{session}/context-window", expect=200)
    part = [p for p in window["parts"] if p["kind"] == "memory"][0]
    assert part["role"] == "system" and "Ada" in part["text"] and part["tokens"] > 0, window
    assert window["tokens"] == sum(p["tokens"] for p in window["parts"]), window


def stands_beside_its_message():
    """each message and each final answer is followed by its memory.write"""
    session = w.said(f"Say it. {QUICK}")
    events = w.node.events(session)
    for before, event in zip(events, events[1:]):
        judge_event(event)
        if event["type"] == "memory.write":
            assert before["type"] in ("message.user", "message.assistant"), before
            assert event["payload"]["message_id"] == before["payload"]["message_id"], event
            assert event["payload"]["state"] == "stored", event
    assert len([e for e in events if e["type"] == "memory.write"]) == 2, events


def kept_by_the_log():
    """after kill -9 a running turn is told the same again, and recalls nothing anew"""
    w.said(f"The harbour's master is called Nils. {QUICK}")

    def begun():
        session = w.node.say("Who is the harbour's master? [[rehearsal words=400 delay_ms=20]]")["session_id"]
        wait_until(lambda: w.of_type(session, "llm.delta"), what="its first words")
        return session if w.of_type(session, "memory.recall") else None
    session = wait_until(begun, what="a turn with something recalled")
    recalled = w.of_type(session, "memory.recall")
    w.node.kill()
    w.node.start()
    wait_until(lambda: w.of_type(session, "llm.complete")[1:], what="the second attempt", seconds=60)
    assert w.of_type(session, "memory.recall") == recalled
    estimates = {e["payload"]["prompt_tokens_estimate"] for e in w.of_type(session, "llm.request")}
    assert len(estimates) == 1, estimates


def where_used():
    """a memory says which turns were told of it, newest first; not those of a session that went, was reset or is
    a copy; an index that is made anew says the same"""
    node = Node(w.rehearsal.base_url, ["memory.recall=true", "memory.recall_ms=5000"])
    other = node.new_key("--tenant", "other", "--role", "admin")
    node.start()
    try:
        note = node.json("POST", "/v1/memories", {"text": "The wombat digs burrows"}, expect=201)
        path = f"/v1/memories/{note['memory_id']}/uses"

        def asks():
            node.json("GET", "/v1/memories/search?q=wombat", expect=200)  # which waits for the index
            said = node.say(f"What does the wombat dig? {QUICK}")
            wait_until(lambda: [e for e in node.events(said["session_id"]) if e["type"] == "llm.complete"],
                       what="the answer")
            return said

        def used():
            return [(u["session_id"], u["message_id"]) for u in node.json("GET", path, expect=200)["uses"]]

        def of(*turns):
            return [(s["session_id"], s["message_id"]) for s in turns]
        first, second, third = asks(), asks(), asks()
        assert used() == of(third, second, first), used()
        newest = node.json("GET", path + "?limit=1", expect=200)
        told = [e for e in node.events(third["session_id"]) if e["type"] == "memory.recall"][0]
        assert newest["uses"] == [{"session_id": third["session_id"], "turn_id": told["payload"]["turn_id"],
                                   "message_id": third["message_id"], "event_id": told["meta"]["event_id"],
                                   "at": told["meta"]["created_at"]}], (newest, told)
        rest = node.json("GET", path + "?limit=5&cursor=" + newest["next_cursor"], expect=200)
        assert [u["session_id"] for u in rest["uses"]] == [second["session_id"], first["session_id"]], rest
        assert "next_cursor" not in rest, rest
        last = node.events(first["session_id"])[-1]["meta"]["event_id"]
        node.json("POST", f"/v1/sessions/{first['session_id']}/fork", {"event_id": last}, expect=201)
        node.json("POST", f"/v1/sessions/{second['session_id']}/reset", expect=200)
        node.json("DELETE", f"/v1/sessions/{third['session_id']}", expect=204)
        assert used() == of(first), used()
        assert node.request("GET", path, key=other)[0] == 404
        node.stop()
        os.remove(node.memory_index())
        node.start()
        wait_until(lambda: node.request("GET", path)[0] == 200, what="the index")
        assert used() == of(first), used()
    finally:
        node.stop()


def not_where_it_is_off():
    """with memory.write and memory.recall off nothing is kept and nothing told"""
    node = Node(w.rehearsal.base_url, ["memory.write=false", "memory.recall=false"])
    node.start()
    try:
        session = node.say(f"My daughter's name is Ada. {QUICK}")["session_id"]
        wait_until(lambda: "llm.complete" in [e["type"] for e in node.events(session)], what="the answer")
        assert not [e for e in node.events(session) if e["type"].startswith("memory.")]
    finally:
        node.stop()


def main():
    global w
    w = World()
    try:
        return run_tests([known_in_another_session, stands_beside_its_message, kept_by_the_log, where_used,
                          not_where_it_is_off])
    finally:
        w.stop()


if __name__ == "__main__":
    sys.exit(main())
