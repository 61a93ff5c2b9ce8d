"""SIGTERM and SIGINT in the middle of work: streams end on a frame, what was acknowledged is there,
the exit status is 0, and the answer goes on after the next start."""

import http.client
import json
import os
import signal
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import (Node, Reader, Rehearsal, assert_exactly_once, fold_texts,
                             run_tests, wait_until)
from stream_client import Stream

GRACE_S = 3
rehearsal = None


def new_node(**more):
    return Node(rehearsal.base_url, settings=[f"shutdown.grace_s={GRACE_S}"], **more).start()


def end(node, how=signal.SIGTERM):
    """Sends it and gives the exit status; well past twice the grace is a hang."""
    node.process.send_signal(how)
    return node.process.wait(timeout=3 * GRACE_S + 20)


def finals(events):
    return [e["payload"] for e in events
            if e["type"] == "message.assistant" and e["payload"]["final"]]


def in_the_middle_of_answers():
    """streams end on whole frames and the exit is 0; after the start each answer goes on, once"""
    for how, resume in ((signal.SIGTERM, "prefill"), (signal.SIGINT, "restart")):
        node = new_node(resume=resume)
        sessions = [node.say("[[rehearsal words=150 delay_ms=20 unicode=1]]")["session_id"]
                    for _ in range(8)]
        readers = [Reader(node, session) for session in sessions]
        streams = [Stream(node, f"/v1/session/{session}/events") for session in sessions]
        for stream in streams:
            stream.until(lambda event, _: event == "llm.delta")
        status = []
        ending = threading.Thread(target=lambda: status.append(end(node, how)))
        ending.start()
        for stream in streams:
            stream.rest()  # raises where a frame is cut
            assert not stream.whole, "the stream said that the session had ended"
            stream.close()
        ending.join()
        assert status == [0], f"exit status {status}: {node.log_text()[-2000:]}"
        node.start()
        for session, reader in zip(sessions, readers):
            wait_until(lambda: finals(node.events(session)), 60, "the answer")
            truth = node.events(session)
            assert_exactly_once(truth)
            answer, = finals(truth)
            assert fold_texts(truth)[answer["message_id"]] == answer["text"]
            requests = [e["payload"] for e in truth if e["type"] == "llm.request"]
            assert len({r["message_id"] for r in requests}) == 1 and len(requests) == 2
            if resume == "prefill":
                assert not any(e["type"] == "llm.restart" for e in truth)
            last = truth[-1]["meta"]["event_id"]
            wait_until(lambda: reader.last_id == last, 30, "the reader")
            reader.stop()
            assert [e["meta"]["event_id"] for e in reader.events] == [
                e["meta"]["event_id"] for e in truth] and reader.resets == 0
        assert node.stop() == 0


def acknowledged_is_there():
    """what got its 202 while the server went down is there after the start; nothing is doubled"""
    node = new_node()
    session = node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]
    accepted, refused = [], []
    begun = threading.Barrier(9)

    def write(name):
        begun.wait()
        for n in range(100_000):
            label = f"{name}-{n}"
            try:
                status, _, _ = node.request("POST", f"/v1/sessions/{session}/events",
                                            {"name": "n", "data": label})
            except (OSError, http.client.HTTPException):
                return
            (accepted if status == 202 else refused).append(label)
            if status == 503:
                return
    writers = [threading.Thread(target=write, args=(w,)) for w in range(8)]
    for each in writers:
        each.start()
    begun.wait()
    wait_until(lambda: len(accepted) > 100, what="some writes")
    assert end(node) == 0
    for each in writers:
        each.join(30)
    node.start()
    stored = [e["payload"]["data"] for e in node.events(session) if e["type"] == "app.event"]
    assert len(stored) == len(set(stored)) and set(accepted) <= set(stored)
    assert not set(refused) & set(stored), "what was refused must not be there"
    assert node.stop() == 0


def rude_clients():
    """clients that are idle, send half a request or never read do not keep the server up"""
    node = new_node()
    session = node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]
    idle = socket.create_connection(("127.0.0.1", node.port))
    half = socket.create_connection(("127.0.0.1", node.port))
    half.sendall(b"POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Le")
    stuck = Stream(node, f"/v1/session/{session}/events", receive_bytes=4096)
    for _ in range(40):
        node.json("POST", f"/v1/sessions/{session}/events", {"name": "n", "data": "x" * 200_000},
                  expect=202)
    quiet = Stream(node, "/v1/session/@me/events")
    assert end(node) == 0, node.log_text()[-2000:]
    quiet.rest()
    for each in (idle, half, stuck, quiet):
        each.close()


def ends_at_once_when_idle():
    """a server that does nothing is gone at once, and says that it ended in time"""
    node = new_node(env={"SOMA_LOG_LEVEL": "info"})
    node.say("[[rehearsal words=1 delay_ms=0]]")
    assert end(node) == 0
    lines = [json.loads(line) for line in node.log_text().splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["server.started", "server.stopping",
                                                "server.stopped"], lines
    assert lines[-1]["in_time"] is True
    with_twin = new_node()
    second = Node(rehearsal.base_url, data_dir=with_twin.data_dir)
    try:
        second.start()
        raise RuntimeError("two processes have one data folder")
    except AssertionError as refused:
        assert "another process" in str(refused).lower(), refused
    assert with_twin.stop() == 0


def main():
    global rehearsal
    rehearsal = Rehearsal()
    try:
        return run_tests([in_the_middle_of_answers, acknowledged_is_there, rude_clients,
                          ends_at_once_when_idle])
    finally:
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
