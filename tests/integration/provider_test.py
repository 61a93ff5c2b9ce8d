"""A model provider that hangs, fails, sends rubbish or is not there: every turn ends in llm.complete
and an error, or in a retry that answers; never in a session that is stuck."""

import concurrent.futures
import json
import os
import re
import socket
import sys
import threading
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from contract import judge_event
from node_under_test import (Node, Rehearsal, assert_exactly_once, fold_texts, free_port, run_tests,
                             wait_until)
from stream_client import Stream

# Failures without end are this test's business: no breaker may stand before them.
PATIENT = ["llm.breaker_failures=1000000"]
# Far longer than an answer that comes takes beside other work, far shorter than what hangs.
QUICK = [*PATIENT, "llm.first_token_timeout_ms=2000", "llm.idle_timeout_ms=2000",
         "llm.connect_timeout_ms=2000", "turn.max_attempts=2"]
GOOD = ('data: {"choices":[{"delta":{"content":"It works."}}]}\n\n'
        'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def document(status, media_type, body):
    return (f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}")


# What a broken provider sends; then it closes.
RUBBISH = {
    "good": HEAD + GOOD,
    "silent": "",
    "not_http": "SSH-2.0-OpenSSH_9.2p1 Debian\r\n",
    "half_head": "HTTP/1.1 200 OK\r\nContent-Type: text/event-st",
    "endless_head": "HTTP/1.1 200 OK\r\n" + "X-Filler: " + "x" * 1_000_000,
    "html": document("200 OK", "text/html", "<html><body>It works!</body></html>"),
    "html_error": document("502 Bad Gateway", "text/html", "<h1>502</h1>"),
    "empty": document("200 OK", "text/event-stream", ""),
    "empty_json": document("200 OK", "application/json", "{}"),
    "wrong_json": document("200 OK", "application/json", '{"choices":"none"}'),
    "huge_line": HEAD + 'data: {"choices":[{"delta":{"content":"' + "x" * 20_000_000,
    "no_lines": HEAD + "x" * 20_000_000,
    "no_json": HEAD + "data: {]\n\n",
    "binary": HEAD + "data: \x00\x01\x02\n\n\x7f",
    "no_reason": HEAD + 'data: {"choices":[{"delta":{"content":"and then"}}]}\n\n',
    "nulls": HEAD + 'data: {"choices":[{"delta":null,"finish_reason":null}]}\n\ndata: [DONE]\n\n',
    "redirect": "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
    "bad_chunk": HEAD.replace("Connection", "Transfer-Encoding: chunked\r\nConnection") + "zz\r\nx",
}


def chunk(delta):
    return "data: " + json.dumps({"choices": [{"delta": delta}]}) + "\n\n"


def folded(layers, wire_bytes):
    """Blank lines, compressed so many times over; without an end."""
    data = b"\n" * (1 << 20)
    for layer in range(layers):
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        piece = packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)
        data = piece * (((1 << 20) if layer + 1 < layers else wire_bytes) // len(piece))
    return data


# Little to send, and much work for whoever is careless.
WORK = {
    # Each piece of a call tells its name again, and looks like the end of its arguments.
    "names": HEAD + chunk({"tool_calls": [{"index": 0, "function": {
        "name": "a", "arguments": '{"a":"' + "x" * 3_000_000}}]}) + chunk({"tool_calls": [
            {"index": 0, "function": {"name": "a", "arguments": "{}"}}] * 40_000}) + GOOD,
    "folded": HEAD.replace("Connection", "Content-Encoding: deflate, deflate, deflate\r\n"
                           "Connection").encode() + folded(3, 60_000),
    "blank": HEAD + chunk({"content": "\n" * 100}) * 60_000 + GOOD,
}


class RawProvider:
    """Answers with the bytes that `case:NAME` in the last message asks for. `case:drip` sends a
    word now and then, and notes when its client is gone."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.base_url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/v1"
        self.gone = threading.Event()
        self.heads = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            request = b""
            while b"\r\n\r\n" not in request:
                request += client.recv(65536)
            head, _, body = request.partition(b"\r\n\r\n")
            self.heads.append(head.decode().lower())
            length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])
            while len(body) < length:
                body += client.recv(65536)
            case = re.findall(rb"case:(\w+)", body)[-1].decode()
            if case == "drip":
                return self.drip(client)
            answer = RUBBISH[case] if case in RUBBISH else WORK[case]
            client.sendall(answer if isinstance(answer, bytes) else answer.encode())
            client.shutdown(socket.SHUT_WR)
            client.settimeout(5)
            while client.recv(65536):
                pass
        except OSError:
            pass
        finally:
            client.close()

    def drip(self, client):
        client.sendall((HEAD + 'data: {"choices":[{"delta":{"content":"drip "}}]}\n\n').encode())
        client.settimeout(30)
        try:
            client.recv(1)  # the end of input, or a reset
        except TimeoutError:
            return
        except OSError:
            pass
        self.gone.set()

    def stop(self):
        self.listener.close()


def events_of_turn(node, accepted, about="a turn"):
    session = accepted["session_id"]
    wait_until(lambda: not node.json("GET", f"/v1/sessions/{session}")["busy"], 30,
               f"the session to stand still after {about}")
    events = node.events(session)
    assert_exactly_once(events)
    for event in events:
        judge_event(event)
    requests = [e["payload"]["invocation_id"] for e in events if e["type"] == "llm.request"]
    completes = [e["payload"]["invocation_id"] for e in events if e["type"] == "llm.complete"]
    assert requests == completes, "one llm.complete for each llm.request"
    return [e for e in events if e["payload"].get("turn_id") == accepted["message_id"]]


def of_type(events, kind):
    return [e["payload"] for e in events if e["type"] == kind]


def expect_failure(node, text, code, attempts, after):
    """The turn ends with `code` after so many attempts; `after` is then answered."""
    accepted = node.say(text)
    events = events_of_turn(node, accepted, text)
    completes = of_type(events, "llm.complete")
    assert len(completes) == attempts, f"{text}: {len(completes)} attempts, {completes}"
    for complete in completes:
        assert complete["finish_reason"] in ("error", "interrupted"), complete
        assert complete["error"]["code"] == code, f"{text}: {complete['error']}, expected {code}"
    errors = of_type(events, "error")
    assert len(errors) == 1 and errors[0]["code"] == code, f"{text}: {errors}"
    answers = of_type(events, "message.assistant")
    assert [a["final"] for a in answers] in ([], [True]), answers
    next_turn = events_of_turn(node, node.say(after, accepted["session_id"]))
    assert of_type(next_turn, "llm.complete")[-1]["finish_reason"] == "stop", f"after {text}"
    assert of_type(next_turn, "message.assistant")[-1]["text"], f"after {text}"


def all_of(checks):
    with concurrent.futures.ThreadPoolExecutor(len(checks)) as pool:
        failures = [f.exception() for f in [pool.submit(*check) for check in checks]]
    if any(failures):
        raise AssertionError("; ".join(str(f) for f in failures if f))


def scripted_faults():
    """hanging, failing before and after the first token: an error, then the next message answers"""
    after = "[[rehearsal words=3 delay_ms=0]]"
    all_of([(expect_failure, node, f"[[rehearsal delay_ms=1 words=40 {how}]]", code, attempts, after)
            for how, code, attempts in (
        ("hang_before=1", "llm.timeout_first_token", 2),
        ("first_delay_ms=30000", "llm.timeout_first_token", 2),
        ("fault=hang fault_at=0", "llm.timeout_first_token", 2),
        ("fault=hang fault_at=50", "llm.timeout_idle", 2),
        ("status=500", "llm.provider_error", 2),
        ("status=503", "llm.provider_error", 2),
        ("status=400", "llm.bad_request", 1),
        ("status=401", "llm.auth", 1),
        ("status=404", "llm.bad_request", 1),
        ("status=429", "llm.rate_limited", 2),
        ("fault=cut fault_at=0", "llm.bad_stream", 2),
        ("fault=cut fault_at=50", "llm.bad_stream", 2),
        ("fault=reset fault_at=50", "llm.bad_stream", 2),
        ("fault=rubbish fault_at=50", "llm.bad_stream", 2),
        ("fault=rubbish fault_at=0", "llm.bad_stream", 2),
        ("fault=error_event fault_at=50", "llm.provider_error", 2))])


def raw_faults():
    """no HTTP, wrong types, huge lines, rubbish: an error, then the next message answers"""
    retryable = set(RUBBISH) - {"good", "redirect", "html_error"}
    all_of([(expect_failure, raw_node, f"case:{case}", "llm.bad_stream", 2, "case:good")
            for case in sorted(retryable)] +
           [(expect_failure, raw_node, "case:html_error", "llm.provider_error", 2, "case:good"),
            (expect_failure, raw_node, "case:redirect", "llm.bad_request", 1, "case:good")])


def much_work():
    """what is made of little by a provider keeps no other session waiting"""
    def one(case):
        accepted = busy_node.say(f"case:{case}")
        after = events_of_turn(busy_node, busy_node.say("case:good"), f"a turn beside {case}")
        assert of_type(after, "message.assistant")[-1]["text"] == "It works.", (case, after)
        return of_type(events_of_turn(busy_node, accepted, case), "llm.complete")[-1]
    error = one("folded")["error"]
    assert "compressed" in error["detail"], error
    assert one("names")["finish_reason"] in ("tool_calls", "error")
    assert one("blank")["finish_reason"] in ("length", "stop")


def refused_connection():
    """a provider that is not there: an error; once it is there, the next message answers"""
    there = raw_node.json("GET", "/v1/settings")["llm"]["base_url"]

    def move(base_url):
        raw_node.json("PUT", "/v1/settings", {"llm": {"base_url": base_url}}, expect=200)
    move(f"http://127.0.0.1:{free_port()}/v1")
    accepted = raw_node.say("case:good")
    events = events_of_turn(raw_node, accepted)
    assert of_type(events, "llm.complete")[-1]["error"]["code"] == "llm.unreachable", events
    move("http://no-such-host.invalid/v1")
    events = events_of_turn(raw_node, raw_node.say("case:good", accepted["session_id"]))
    assert of_type(events, "llm.complete")[-1]["error"]["code"] == "llm.unreachable", events
    move(there)
    events = events_of_turn(raw_node, raw_node.say("case:good", accepted["session_id"]))
    assert of_type(events, "message.assistant")[-1]["text"] == "It works."


def retried():
    """a fault that does not last is retried, and the answer is whole and in the same message"""
    def one(how):
        accepted = node.say(f"[[rehearsal delay_ms=1 words=40 unicode=1 {how} fault_times=1]]")
        events = events_of_turn(node, accepted)
        completes = of_type(events, "llm.complete")
        assert [c["finish_reason"] for c in completes][1:] == ["stop"], f"{how}: {completes}"
        assert completes[0]["finish_reason"] in ("error", "interrupted")
        answer, = of_type(events, "message.assistant")
        assert {r["message_id"] for r in of_type(events, "llm.request")} == {answer["message_id"]}
        assert [r["attempt"] for r in of_type(events, "llm.request")] == [1, 2]
        assert fold_texts(events)[answer["message_id"]] == answer["text"]
        assert not of_type(events, "error"), how
        return answer["text"]
    faults = ("hang_before=1", "status=500", "status=429", "fault=cut fault_at=0", "fault=cut fault_at=90",
              "fault=reset fault_at=33", "fault=rubbish fault_at=60", "fault=hang fault_at=10",
              "fault=error_event fault_at=25")
    with concurrent.futures.ThreadPoolExecutor(len(faults)) as pool:
        for text in pool.map(one, faults):
            assert len(text) > 100, "the answer is whole"


def retry_after():
    """429 with Retry-After: the retry waits as long as it was told, and answers"""
    events = events_of_turn(node, node.say(
        "[[rehearsal words=3 delay_ms=0 status=429 retry_after=2 fault_times=1]]"))
    refused, = [e for e in events if e["type"] == "llm.complete"
                and e["payload"]["finish_reason"] == "error"]
    assert refused["payload"]["error"]["code"] == "llm.rate_limited"
    first = next(e for e in events if e["type"] == "llm.delta")
    seconds = [float(e["meta"]["created_at"][17:23]) for e in (refused, first)]
    assert (seconds[1] - seconds[0]) % 60 >= 1.9, seconds


def ids_go_on():
    """the request id and the trace go on to the provider, each call with a span of its own"""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    _, _, text = raw_node.request("POST", "/v1/session/message", {"message": "case:half_head"}, {
        "X-Request-ID": "goes-on-1", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    events_of_turn(raw_node, json.loads(text))
    calls = [head for head in raw.heads if "x-request-id: goes-on-1" in head]
    spans = {re.search(rf"traceparent: 00-{trace}-([0-9a-f]{{16}})-01", head)[1] for head in calls}
    assert len(calls) == len(spans) == 2 and "00f067aa0ba902b7" not in spans, calls


def split_everything():
    """an answer in single bytes, with its characters split, is the answer in one piece"""
    texts = []
    for pieces in ("", "chunk_bytes=1", "chunk_bytes=3"):
        events = events_of_turn(node, node.say(
            f"Same. [[rehearsal words=30 unicode=1 thinking=5 delay_ms=0 {pieces}]]"))
        answer, = of_type(events, "message.assistant")
        assert fold_texts(events)[answer["message_id"]] == answer["text"]
        texts.append(answer["text"])
    assert texts[0] and len(set(texts)) == 1, texts


def stop_is_at_once():
    """stop closes the provider's connection at once and keeps the text so far"""
    accepted = raw_node.say("case:drip")
    session = accepted["session_id"]
    with Stream(raw_node, f"/v1/session/{session}/events") as stream:
        stream.until(lambda event, _: event == "llm.delta")
        assert not raw.gone.is_set()
        raw_node.json("POST", "/v1/session/action", {"session_id": session, "action": "stop"},
                      expect=200)
        # Well before any timeout of the provider's would have closed it.
        assert raw.gone.wait(10), "the connection is still open"
        complete = stream.until(lambda event, _: event == "llm.complete")[-1]["data"]["payload"]
        assert complete["finish_reason"] == "cancelled", complete
    events = events_of_turn(raw_node, accepted)
    assert of_type(events, "message.assistant")[-1]["text"] == "drip "
    events = events_of_turn(raw_node, raw_node.say("case:good", session))
    assert of_type(events, "message.assistant")[-1]["text"] == "It works."


def stop_while_waiting():
    """stop also ends a turn that waits for its first token, or for its next attempt"""
    for how in ("hang_before=1", "status=429 retry_after=60"):
        accepted = patient.say(f"[[rehearsal {how}]]")
        session = accepted["session_id"]
        if "status" in how:
            wait_until(lambda: of_type(patient.events(session), "llm.complete"), what="the refusal")
        patient.json("POST", "/v1/session/action", {"session_id": session, "action": "stop"},
                     expect=200)
        events = events_of_turn(patient, accepted)
        assert of_type(events, "llm.complete")[-1]["finish_reason"] == "cancelled", (how, events)
        events = events_of_turn(patient, patient.say("[[rehearsal words=2 delay_ms=0]]", session))
        assert of_type(events, "llm.complete")[-1]["finish_reason"] == "stop"


def main():
    global node, raw_node, busy_node, patient, raw
    rehearsal, raw = Rehearsal(), RawProvider()
    node = Node(rehearsal.base_url, settings=QUICK, resume="restart").start()
    raw_node = Node(raw.base_url, settings=[*QUICK, "llm.first_token_timeout_ms=60000", "llm.idle_timeout_ms=60000"],
                    resume="restart").start()
    busy_node = Node(raw.base_url, settings=[*PATIENT, "turn.max_attempts=1"],
                     resume="restart").start()
    patient = Node(rehearsal.base_url, settings=PATIENT).start()
    try:
        return run_tests([scripted_faults, raw_faults, much_work, refused_connection, retried, retry_after, ids_go_on,
                          split_everything, stop_is_at_once, stop_while_waiting])
    finally:
        for each in (node, raw_node, busy_node, patient, raw, rehearsal):
            each.stop()


if __name__ == "__main__":
    sys.exit(main())
