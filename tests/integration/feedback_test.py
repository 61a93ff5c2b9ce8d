"""Feedback on answers: what was acknowledged survives kill -9 as an event, once a key; it goes along
with a fork and an export, and away with a reset or a deletion."""

import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import Node, Rehearsal, run_tests, wait_until

QUICK = "[[rehearsal words=2 delay_ms=0]]"


class World:
    def __init__(self):
        self.rehearsal = Rehearsal()
        self.node = Node(self.rehearsal.base_url)
        self.somebody = self.node.new_key("--user", "somebody")
        self.node.start()

    def stop(self):
        self.node.stop()
        self.rehearsal.stop()

    def answer(self):
        """(session, the id of the answer in it)"""
        session = self.node.say(f"Say it. {QUICK}")["session_id"]
        wait_until(lambda: self.of_type(session, "llm.complete"), what="the answer")
        return session, self.of_type(session, "message.assistant")[0]["payload"]["message_id"]

    def of_type(self, session, kind):
        return [e for e in self.node.events(session) if e["type"] == kind]

    def said(self, session):
        return [(e["meta"]["user_id"], e["payload"]["data"]) for e in self.of_type(session, "app.event")]

    def give(self, session, message, rating, key=None, caller=None, expect=202, **more):
        headers = {"Idempotency-Key": key} if key else {}
        body = {"session_id": session, "message_id": message, "rating": rating, **more}
        args = (caller,) if caller else ()
        status, fields, text = self.node.request("POST", "/v1/feedback", body, headers, *args)
        assert status == expect, (status, text)
        return json.loads(text), fields.get("Idempotency-Replayed") == "true"


w = None


def survives_a_kill():
    """feedback that was acknowledged is there after kill -9, and a repeated key gives it once"""
    session, message = w.answer()
    key = str(uuid.uuid4())
    first, replayed = w.give(session, message, "helpful", key, tags=["clear"], comment="thanks")
    assert not replayed
    w.node.kill()
    w.node.start()
    again, replayed = w.give(session, message, "helpful", key, tags=["clear"], comment="thanks")
    assert replayed and again == first, again
    assert w.said(session) == [("admin", {"message_id": message, "rating": "helpful",
                                          "tags": ["clear"], "comment": "thanks"})]
    w.give(session, message, "not_helpful", key, expect=422)


def each_user_has_a_say():
    """another user of the tenant gives feedback beside the first, and who said it stands by it"""
    session, message = w.answer()
    w.give(session, message, "helpful")
    w.give(session, message, "not_helpful", caller=w.somebody, expect=404)  # it is not shared
    w.node.json("PATCH", f"/v1/sessions/{session}", {"shared_with": ["somebody"]}, expect=200)
    w.give(session, message, "not_helpful", caller=w.somebody)
    w.give(session, message, "not_helpful")
    assert [(who, data["rating"]) for who, data in w.said(session)] == [
        ("admin", "helpful"), ("somebody", "not_helpful"), ("admin", "not_helpful")]


def goes_along():
    """a fork and an import have the feedback, about their own copy of the answer"""
    session, message = w.answer()
    w.give(session, message, "helpful")
    last = w.node.events(session)[-1]["meta"]["event_id"]
    fork = w.node.json("POST", f"/v1/sessions/{session}/fork", {"event_id": last}, expect=201)
    status, _, document = w.node.request("POST", "/v1/sessions/export", {"session_id": session})
    assert status == 200
    w.node.json("DELETE", f"/v1/sessions/{session}", expect=204)
    status, _, text = w.node.request("POST", "/v1/sessions/import", document,
                                     {"Content-Type": "application/x-ndjson"})
    assert status == 201, text
    for copy in (fork["session_id"], json.loads(text)["session_id"]):
        answer = w.of_type(copy, "message.assistant")[0]["payload"]["message_id"]
        assert [data["message_id"] for _, data in w.said(copy)] == [answer], w.said(copy)


def refused_when_it_is_gone():
    """an answer that a reset, a retry or a deletion took away takes no feedback"""
    session, message = w.answer()
    w.give(session, message, "helpful")
    w.node.json("POST", "/v1/session/action", {"session_id": session, "action": "retry"}, expect=200)
    wait_until(lambda: len(w.of_type(session, "llm.complete")) == 2, what="the second answer")
    w.give(session, message, "helpful", expect=404)
    second = w.of_type(session, "message.assistant")[-1]["payload"]["message_id"]
    w.give(session, second, "helpful")
    w.node.json("POST", f"/v1/sessions/{session}/reset", expect=200)
    w.give(session, second, "helpful", expect=404)
    assert w.said(session) == []
    w.node.json("DELETE", f"/v1/sessions/{session}", expect=204)
    w.give(session, second, "helpful", expect=404)


def main():
    global w
    w = World()
    try:
        return run_tests([survives_a_kill, each_user_has_a_say, goes_along, refused_when_it_is_gone])
    finally:
        w.stop()


if __name__ == "__main__":
    sys.exit(main())
