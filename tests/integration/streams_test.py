"""Event streams as docs/api.md and the OpenAPI document promise them. SOMA_STALL_SECONDS makes the
reader that stands still do so for longer (default 5, `./dev test`; 60 once by hand)."""

import json
import os
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import (ADMIN_KEY, Node, Reader, Rehearsal, assert_exactly_once, run_tests,
                             seq_of, wait_until)
from stream_client import Stream, is_final

STALL_SECONDS = float(os.environ.get("SOMA_STALL_SECONDS", "5"))
QUICK = "[[rehearsal words=5 delay_ms=0]]"

rehearsal = node = None


def new_session():
    return node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]


def answered(text=QUICK, session=None):
    """A session that has answered `text`, and its events."""
    accepted = node.say(text, session)
    session = accepted["session_id"]
    wait_until(lambda: not node.json("GET", f"/v1/sessions/{session}")["busy"], what="the answer")
    return session, node.events(session)


def append(session, data, count=1):
    for _ in range(count):
        found = node.json("POST", f"/v1/sessions/{session}/events", {"name": "n", "data": data},
                          expect=202)
    return found["event_id"]


def open_stream(session, query="", **more):
    stream = Stream(node, f"/v1/session/{session}/events{query}", **more)
    assert stream.status == 200, stream.body
    return stream


def events_up_to(stream, last_id):
    return [b["data"] for b in stream.until(
        lambda _, data: data["meta"].get("event_id") == last_id)]


def ids_of(events):
    return [e["meta"]["event_id"] for e in events]


def replay_then_live():
    """replay goes over to live without gap or repeat, retry comes once and first"""
    session, before = answered()
    with open_stream(session) as stream:
        first = stream.next()
        assert set(first) == {"retry"} and 500 <= int(first["retry"]) <= 10_000, first
        seen = events_up_to(stream, ids_of(before)[-1])
        answered(QUICK, session)
        truth = node.events(session)
        seen += events_up_to(stream, ids_of(truth)[-1])
    assert seen == truth
    assert_exactly_once(seen)


def where_it_starts():
    """Last-Event-ID wins over after=; after= takes an id, start or end; start is the default"""
    session, truth = answered()
    ids = ids_of(truth)
    cases = (("", {}, 0), ("?after=start", {}, 0), (f"?after={ids[2]}", {}, 3),
             (f"?after={ids[0]}", {"Last-Event-ID": ids[4]}, 5), ("", {"Last-Event-ID": ids[1]}, 2),
             ("?after=end", {"Last-Event-ID": ids[1]}, 2), ("?after=", {"Last-Event-ID": ""}, 0))
    for query, headers, at in cases:
        with open_stream(session, query, headers=headers) as stream:
            assert ids_of(events_up_to(stream, ids[-1])) == ids[at:], (query, headers)
    with open_stream(session, "?after=end") as stream:
        stream.next()  # retry
        assert stream.next() == {"id": ids[-1]}, "the position at the start, without data"
        newest = append(session, 1)
        assert ids_of(events_up_to(stream, newest)) == [newest]


def what_is_left_out():
    """types= narrows what is sent and tells the position after what was left out; compact= drops
    the deltas of finished messages; ids stay the same"""
    session, truth = answered("[[rehearsal words=60 delay_ms=2]]")
    with open_stream(session, "?types=message.user,llm.complete") as stream:
        seen = stream.until(lambda event, _: event == "llm.complete")
        assert [b["event"] for b in seen] == ["message.user", "llm.complete"]
        assert ids_of([b["data"] for b in seen]) == [
            e["meta"]["event_id"] for e in truth if e["type"] in ("message.user", "llm.complete")]
        hidden = append(session, "hidden")
        while (block := stream.next()).get("id") != hidden:
            assert "id" not in block or "data" not in block, block
        assert "data" not in block, "a bare id tells how far a filtered stream has come"
    with open_stream(session, "?compact=true") as stream:
        seen = events_up_to(stream, hidden)
        assert not any(e["type"] == "llm.delta" for e in seen)
        assert set(ids_of(seen)) < set(ids_of(node.events(session)))
    # What is live is not left out, as nobody knows yet how it ends.
    with open_stream(session, "?compact=true&after=end") as stream:
        node.say("[[rehearsal words=5 delay_ms=5]]", session)
        assert any(b["event"] == "llm.delta" for b in stream.until(is_final))


def heartbeats():
    """silence is broken by heartbeats without id, also on filtered streams"""
    session, truth = answered()
    for query in ("?after=end", "?after=end&types=llm.delta"):
        with open_stream(session, query) as stream:
            begin = time.monotonic()
            for _ in range(2):
                while (block := stream.next(10)).get("event") != "heartbeat":
                    assert "data" not in block, block
                assert "id" not in block
                data = block["data"]
                assert data["meta"]["session_id"] == session and data["meta"]["created_at"]
                assert (data["version"], data["type"], data["payload"]) == ("v1", "heartbeat", {})
            assert time.monotonic() - begin < 30


def reset():
    """an open stream of a session that is reset gets session.close; an older id gets stream.reset
    without from, then the new session.open; seq goes on"""
    session, truth = answered()
    with open_stream(session, "?after=end&types=llm.delta") as stream:
        node.json("POST", f"/v1/sessions/{session}/reset", expect=200)
        closing = stream.rest()[-1]
        assert closing["event"] == "session.close", closing
        assert closing["data"]["payload"]["reason"] == "reset"
        assert stream.whole, "the session's end came without the last chunk"
    after = node.events(session)
    assert seq_of(after[0]) > seq_of(truth[-1]) and after[0]["type"] == "session.open"
    for old in (truth[0], truth[-1]):
        with open_stream(session, headers={"Last-Event-ID": old["meta"]["event_id"]}) as stream:
            again = stream.next_event()
            assert again["event"] == "stream.reset" and "id" not in again, again
            assert "from" not in again["data"], again
            assert stream.next_event()["id"] == after[0]["meta"]["event_id"]


def lost_tail():
    """an id the log does not have gets stream.reset from the last one it shares, and what follows"""
    session, truth = answered()
    last = truth[-1]["meta"]["event_id"]
    epoch, seq = map(int, last.split("."))
    # Ids of a tail that was lost: the log of a restored copy never had them.
    for newer in (0, 7):
        lost = f"{epoch + newer}.{seq + 5}"
        with open_stream(session, headers={"Last-Event-ID": lost}) as stream:
            again = stream.next_event()
            assert again["event"] == "stream.reset", again
            assert again["id"] == again["data"]["from"] == f"{epoch}.{seq}", again
            seq += 1
            newest = append(session, 1)
            assert ids_of(events_up_to(stream, newest)) == [f"{epoch}.{seq}"]
    # After a restart the epoch is another: an id of the old one beyond the restart is not there.
    node.stop()
    node.start()
    newest = append(session, 2)
    with open_stream(session, headers={"Last-Event-ID": f"{epoch}.{seq + 1}"}) as stream:
        again = stream.next_event()
        assert again["event"] == "stream.reset" and again["data"]["from"] == f"{epoch}.{seq}", again
        assert ids_of(events_up_to(stream, newest)) == [newest]


def deletion():
    """the stream of a session that is deleted ends with session.close, then it is 404"""
    session = new_session()
    node.say("[[rehearsal words=2000 delay_ms=5]]", session)
    with open_stream(session) as stream, open_stream(session, "?types=app.event") as narrow:
        stream.until(lambda event, _: event == "llm.delta")
        node.request("DELETE", f"/v1/sessions/{session}")
        for each in (stream, narrow):
            closing = each.rest()[-1]
            assert closing["event"] == "session.close", closing
            assert closing["data"]["payload"]["reason"] == "deleted"
            assert each.whole, "the session's end came without the last chunk"
    assert Stream(node, f"/v1/session/{session}/events").status == 404


def tickets():
    """a ticket opens its session's stream again and again, nothing else, until it expires"""
    session, truth = answered()
    other = new_session()
    ticket = node.json("POST", f"/v1/sessions/{session}/ticket", expect=201)
    for _ in range(2):
        with Stream(node, ticket["url"], key=None) as stream:
            assert stream.status == 200
            assert ids_of(events_up_to(stream, ids_of(truth)[-1])) == ids_of(truth)
    query = "?ticket=" + ticket["ticket"]
    assert Stream(node, f"/v1/session/{other}/events{query}", key=None).status == 401
    for method, path in (("GET", f"/v1/sessions/{session}"), ("GET", f"/v1/sessions/{session}/events"),
                         ("GET", "/v1/session/@me/events"), ("DELETE", f"/v1/sessions/{session}"),
                         ("POST", f"/v1/sessions/{session}/ticket")):
        assert node.request(method, path + query, key=None)[0] == 401, (method, path)
    changed = query[:-1] + ("A" if query[-1] != "A" else "B")
    assert Stream(node, f"/v1/session/{session}/events{changed}", key=None).status == 401
    # Across a restart: EventSource reconnects with the same URL.
    node.stop()
    node.start()
    with Stream(node, ticket["url"], key=None) as stream:
        assert stream.status == 200
    lapsed = json.loads(short_lived_ticket(session))
    wait_until(lambda: Stream(node, lapsed["url"], key=None).status == 401, 30, "the ticket's end")
    assert ticket["ticket"] not in node.log_text() and lapsed["ticket"] not in node.log_text()


def short_lived_ticket(session):
    node.stop()
    node.settings.append("sse.ticket_ttl_s=10")
    node.start()
    found = node.request("POST", f"/v1/sessions/{session}/ticket")[2]
    node.settings.pop()
    return found


def tenant_stream():
    """@me tells a snapshot, then changes; nobody hears of another tenant"""
    session = new_session()
    with Stream(node, "/v1/session/@me/events") as mine, \
            Stream(node, "/v1/session/@me/events", key=elsewhere) as theirs:
        snapshot = mine.next_event()
        assert session in [s["session_id"] for s in snapshot["data"]["payload"]["sessions"]]
        assert theirs.next_event()["data"]["payload"]["sessions"] == []
        node.json("PATCH", f"/v1/sessions/{session}", {"title": "Heard of"}, expect=200)
        change = mine.until(lambda event, data: data["payload"].get("session", {}).get("title") ==
                            "Heard of")[-1]
        assert change["event"] == "session.list" and "id" not in change
        node.request("PUT", "/v1/settings", {"llm": {"model": ""}})
        mine.until(lambda event, _: event == "settings.changed")
        node.request("DELETE", f"/v1/sessions/{session}")
        mine.until(lambda _, data: data["payload"] == {"session_id": session, "deleted": True})
        their_own = json.loads(node.request("POST", "/v1/sessions", {}, key=elsewhere)[2])
        heard = theirs.next_event()
        assert heard["data"]["payload"]["session"]["session_id"] == their_own["session_id"]
    with Stream(node, "/v1/session/@me/events") as told:
        node.json("PUT", "/v1/mcp-servers/gone", {"url": "http://127.0.0.1:1/mcp"})

        def health(status):
            told.until(lambda event, data: event == "health.changed" and
                       data["payload"]["components"]["mcp"]["status"] == status)
        health("degraded")
        node.request("DELETE", "/v1/mcp-servers/gone")
        health("ok")
    with Stream(node, "/v1/session/@me/events") as again:
        assert session not in [s["session_id"] for s in
                               again.next_event()["data"]["payload"]["sessions"]]


def rss_bytes():
    with open(f"/proc/{node.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:")) * 1024


def stalled_reader():
    """a reader that stops reading under load gets everything afterwards, and the server's memory
    stays bounded meanwhile"""
    session = new_session()
    piece = {"name": "flood", "data": "x" * 60_000}
    with open_stream(session, receive_bytes=4096) as stalled:
        base, most, sent = rss_bytes(), 0, 0
        deadline = time.monotonic() + STALL_SECONDS
        connections = [node.connect() for _ in range(4)]
        headers = {"Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"}
        body = json.dumps(piece)
        enough = 100 << 20

        def flood(connection):
            nonlocal sent
            # So long, and until that is enough to prove something on a machine with other work.
            while time.monotonic() < deadline or sent * len(body) <= enough:
                assert time.monotonic() < deadline + 60, "too little was written to prove anything"
                connection.request("POST", f"/v1/sessions/{session}/events", body, headers)
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 202, answer.status
                sent += 1
        floods = [threading.Thread(target=flood, args=(c,)) for c in connections]
        for each in floods:
            each.start()
        while any(each.is_alive() for each in floods):
            most = max(most, rss_bytes())
            floods[0].join(0.1)
        written = sent * len(body)
        print(f"{sent} events, {written >> 20} MiB in {STALL_SECONDS:g} s; RSS {base >> 20} MiB "
              f"before, {most >> 20} MiB at most", flush=True)
        assert written > enough, "too little was written to prove anything"
        # RocksDB's write buffers and cache, and what is under way: no share of what is not read.
        assert most - base < 300 << 20, (base, most)
        last = append(session, "last")
        expected = 1
        while True:
            block = stalled.next(60)
            if "data" not in block or block["event"] == "heartbeat":
                continue
            expected = expected if expected > 1 else seq_of(block["data"])
            assert seq_of(block["data"]) == expected, "a gap or a repeat"
            expected += 1
            if block["id"] == last:
                break


def through_a_restart():
    """a reader parked through a stop and a kill reads on where it was, each event once"""
    session, _ = answered()
    reader = Reader(node, session)
    for restart in (node.stop, node.kill, node.kill):
        last = append(session, "before", 3)
        wait_until(lambda: reader.last_id == last, what="the reader")
        restart()
        node.start()
    last = append(session, "after")
    wait_until(lambda: reader.last_id == last, what="the reader after the restarts")
    reader.stop()
    assert ids_of(reader.events) == ids_of(node.events(session)) and reader.resets == 0
    assert reader.connections >= 4


def many_readers():
    """many readers of one session see the same; a quick and a slow one differ in time alone"""
    session = new_session()
    streams = [open_stream(session) for _ in range(200)]
    answered("[[rehearsal words=300 delay_ms=1 unicode=1]]", session)
    truth = ids_of(node.events(session))
    for stream in streams:
        assert ids_of(events_up_to(stream, truth[-1])) == truth
        stream.close()


def main():
    global rehearsal, node, elsewhere
    rehearsal = Rehearsal()
    node = Node(rehearsal.base_url, settings=["sse.heartbeat_s=1"])
    elsewhere = node.new_key("--tenant", "elsewhere", "--role", "admin")
    node.start()
    try:
        return run_tests([replay_then_live, where_it_starts, what_is_left_out, heartbeats, reset,
                          lost_tail, deletion, tickets, tenant_stream, stalled_reader,
                          through_a_restart, many_readers])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
