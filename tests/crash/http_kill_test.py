"""kill -9 in the middle of an answer, again and again: every reader sees each event once and in
order, and each answer is whole and in the message it began in."""

import os
import random
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import (Node, Reader, Rehearsal, assert_exactly_once, fold_texts, run_tests,
                             wait_until)

KILLS = int(os.environ.get("SOMA_KILLS", "50"))
SEED = int(os.environ.get("SOMA_SEED", random.randrange(1 << 30)))
WORDS = 60
EVENTS = 1500  # so that the log is long enough for a snapshot from the second answer on


def finals(events):
    return {e["payload"]["turn_id"]: e["payload"] for e in events
            if e["type"] == "message.assistant" and e["payload"]["final"]}


def killed_again_and_again(resume):
    print(f"seed {SEED}, {KILLS} kills, resume={resume}", flush=True)
    rng = random.Random(SEED)
    rehearsal = Rehearsal()
    # A short back-off of nothing but patience: hopeless attempts are not what is tested here.
    node = Node(rehearsal.base_url, resume=resume, settings=["turn.max_attempts=10"]).start()
    session, turns, readers = None, [], []
    try:
        for kill in range(KILLS):
            text = f"[[rehearsal delay_ms=8 words={WORDS} unicode=1]] turn {kill}"
            accepted = node.say(text, session)
            session = accepted["session_id"]
            turns.append(accepted["message_id"])
            for _ in range(EVENTS if kill == 0 else 0):
                node.json("POST", f"/v1/sessions/{session}/events", {"name": "x", "data": {}})
            if kill in (0, 1, KILLS // 2):
                readers.append(Reader(node, session))
            threading.Event().wait(rng.uniform(0, 0.6))
            node.kill()
            if rng.random() < 0.3:  # and once more while it recovers
                node.start()
                threading.Event().wait(rng.uniform(0, 0.2))
                node.kill()
            node.start()
        wait_until(lambda: set(turns) <= set(finals(node.events(session))), 120, "every answer")
        truth = node.events(session)
        assert_exactly_once(truth)
        last = truth[-1]["meta"]["event_id"]
        for reader in readers:
            wait_until(lambda: reader.last_id == last, 30, "a reader to catch up")
            reader.stop()
            ids = [e["meta"]["event_id"] for e in reader.events]
            assert ids == [e["meta"]["event_id"] for e in truth], "a reader saw something else"
            assert reader.resets == 0, "a reader was reset though nothing was lost"
        folded = fold_texts(truth)
        answers = [e["payload"] for e in truth if e["type"] == "message.assistant"]
        assert len(answers) == len(turns), f"{len(answers)} answers to {len(turns)} messages"
        for answer in answers:
            assert answer["text"], "an empty answer"
            assert folded[answer["message_id"]] == answer["text"], "deltas and message differ"
        completes = [e["payload"] for e in truth if e["type"] == "llm.complete"]
        requests = [e["payload"] for e in truth if e["type"] == "llm.request"]
        assert sorted(c["invocation_id"] for c in completes) == sorted(
            r["invocation_id"] for r in requests), "a request without its one complete"
        assert all(e["payload"]["finish_reason"] in ("stop", "interrupted") for e in truth
                   if e["type"] == "llm.complete"), "an answer that did not finish"
        resumed = sum(1 for r in requests if r["attempt"] > 1)
        print(f"{len(truth)} events, {len(requests)} model calls, {resumed} taken up again", flush=True)
        assert resumed > 0, "no kill hit an answer"
        users = [e for e in truth if e["type"] == "message.user"]
        assert len(users) == len(turns), "a message was lost or doubled"
        # It has come back by a snapshot, and says what the whole log says.
        assert len(truth) > 1500, "too short a log for a snapshot"
        said = {e["payload"]["message_id"]: e["payload"]["text"] for e in users + [
            e for e in truth if e["type"] == "message.assistant"]}
        node.kill()
        node.start()
        window = node.json("GET", f"/v1/sessions/{session}/context-window", expect=200)
        parts = [p for p in window["parts"] if p["kind"] in ("user", "assistant")]
        assert parts and all(p["text"] == said[p["message_id"]] for p in parts), "another past"
        assert len(parts) + window["left_out_messages"] == len(said), "a part of the past is gone"
    finally:
        node.stop()
        rehearsal.stop()


def continued():
    """kill -9: answers literally go on where the provider can continue a text"""
    killed_again_and_again("prefill")


def restarted():
    """kill -9: answers start over in the same message where it cannot"""
    killed_again_and_again("restart")


if __name__ == "__main__":
    sys.exit(run_tests([continued, restarted]))
