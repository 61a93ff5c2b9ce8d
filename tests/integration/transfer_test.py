"""Fork, export and import over HTTP: a copy appears whole or not at all, has ids of its own, says
the same, and runs nothing."""

import hashlib
import json
import os
import random
import shutil
import socket
import sys
import tempfile
import threading
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from forms import upload
from held_disk import Waiting
from audit_records import audit_records
from node_under_test import (ADMIN_KEY, Node, Rehearsal, assert_exactly_once, run_tests, wait_until)

NDJSON = {"Content-Type": "application/x-ndjson"}
rehearsal = Rehearsal()
node = Node(rehearsal.base_url).start()


def finished(session, turns=1):
    wait_until(lambda: sum(1 for e in node.events(session) if e["type"] == "message.assistant"
                           and e["payload"]["final"]) >= turns, what="the answers")
    return node.events(session)


def conversation(turns=2):
    session = node.say("[[rehearsal words=12]] one")["session_id"]
    finished(session)
    for n in range(1, turns):
        node.say(f"[[rehearsal words=12]] turn {n}", session)
        finished(session, n + 1)
    return session


def texts(events):
    return [e["payload"]["text"] for e in events if e["type"] in ("message.user", "message.assistant")]


def message_ids(events):
    return {e["payload"][k] for e in events for k in ("message_id", "turn_id", "invocation_id")
            if k in e["payload"]}


def export(session):
    status, headers, text = node.request("POST", "/v1/sessions/export", {"session_id": session})
    assert status == 200, f"{status} {text[:300]}"
    assert headers["Content-Type"] == "application/x-ndjson", headers
    assert session in headers["Content-Disposition"]
    return text


def import_(text, headers=None):
    return node.request("POST", "/v1/sessions/import", text.encode(), {**NDJSON, **(headers or {})})


def audited(headers):
    """the record of a request, by its answer's headers"""
    def found():
        return [r for r in audit_records(node) if r.get("request_id") == headers["X-Request-ID"]]
    wait_until(found, what="the record")
    return found()[0]


def forks_a_whole_past():
    """fork: the copy says the same under ids of its own and goes on by itself"""
    session = conversation()
    past = node.events(session)
    status, headers, text = node.request("POST", f"/v1/sessions/{session}/fork",
                                         {"event_id": past[-1]["meta"]["event_id"]})
    assert status == 201, text
    made = json.loads(text)
    assert headers["Location"] == "/v1/sessions/" + made["session_id"]
    record = audited(headers)
    assert (record["resource"], record["made"]) == (session, [made["session_id"]]), record
    copy = node.events(made["session_id"])
    assert_exactly_once(copy)
    assert copy[-1]["meta"]["event_id"] == made["last_event_id"]
    assert texts(copy) == texts(past)
    assert not message_ids(copy) & message_ids(past), "an id stands in both"
    assert copy[0]["payload"]["forked_from"] == {"session_id": session,
                                                 "event_id": past[-1]["meta"]["event_id"]}
    listed = node.json("GET", "/v1/sessions?limit=1")["sessions"][0]
    assert listed["session_id"] == made["session_id"] and not listed["busy"]
    node.say("[[rehearsal words=3]] and on", made["session_id"])
    finished(made["session_id"], 3)
    assert len(node.events(session)) == len(past), "the source changed"


def forks_in_the_middle():
    """fork: a cut in the middle of an answer keeps what was said so far, closed and at rest"""
    session = conversation(1)
    past = node.events(session)
    deltas = [e for e in past if e["type"] == "llm.delta"]
    node.say("[[rehearsal words=30 delay_ms=10]] long", session)
    wait_until(lambda: sum(e["type"] == "llm.delta" for e in node.events(session)) > len(deltas) + 3)
    at = [e for e in node.events(session) if e["type"] == "llm.delta"][-1]["meta"]["event_id"]
    made = node.json("POST", f"/v1/sessions/{session}/fork", {"event_id": at}, expect=201)
    copy = node.events(made["session_id"])
    last = [e for e in copy if e["type"] == "llm.complete"][-1]
    assert last["payload"]["finish_reason"] == "interrupted"
    assert not made["busy"]
    begun = [e["payload"] for e in copy if e["type"] == "llm.request"]
    assert len(begun) == len([e for e in copy if e["type"] == "llm.complete"])
    finished(session, 2)
    assert node.events(made["session_id"]) == copy, "the copy ran"


def refuses_forks():
    """fork: an unknown session, event or id is refused by its code"""
    session = conversation(1)
    past = node.events(session)
    epoch = past[-1]["meta"]["event_id"].split(".")[0]

    def code(path_session, event_id):
        status, _, text = node.request("POST", f"/v1/sessions/{path_session}/fork",
                                       {"event_id": event_id})
        return status, json.loads(text)["code"]

    assert code(session, f"{epoch}.9999") == (404, "event.not_found")
    assert code(session, "1.2") == (404, "event.not_found")
    assert code(session, "rubbish") == (400, "event_id.malformed")
    assert code(str(uuid.uuid4()), "1.2") == (404, "session.not_found")


def forks_once():
    """fork: the same idempotency key gives the same copy, also after a restart"""
    session = conversation(1)
    at = node.events(session)[-1]["meta"]["event_id"]
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first = node.request("POST", f"/v1/sessions/{session}/fork", {"event_id": at}, key)
    node.kill()
    node.start()
    again = node.request("POST", f"/v1/sessions/{session}/fork", {"event_id": at}, key)
    assert first[0] == again[0] == 201, again
    assert first[2] == again[2]
    assert again[1].get("Idempotency-Replayed") == "true"


def round_trip():
    """export and import: the same conversation, made once, surviving a restart"""
    session = conversation(3)
    past = node.events(session)
    document = export(session)
    lines = document.splitlines()
    assert json.loads(lines[0])["soma_export"] == "v1"
    assert [json.loads(line) for line in lines[1:-1]] == past
    assert json.loads(lines[-1])["events"] == len(past)
    status, headers, text = import_(document)
    assert status == 201, text
    made = json.loads(text)
    assert made["created"] and made["events"] == len(past) and made["session_id"] != session
    assert headers["Location"] == "/v1/sessions/" + made["session_id"]
    copy = node.events(made["session_id"])
    assert_exactly_once(copy)
    assert texts(copy) == texts(past)
    again = json.loads(import_(document)[2])
    assert again == {**made, "created": False}, again
    node.kill()
    node.start()
    assert node.events(made["session_id"]) == copy
    node.say("[[rehearsal words=3]] on", made["session_id"])
    finished(made["session_id"], 4)


def imports_what_was_deleted():
    """import: what was deleted comes back as another session, whose ids were never given"""
    document = export(conversation(1))
    made = json.loads(import_(document)[2])["session_id"]
    assert node.request("DELETE", f"/v1/sessions/{made}")[0] == 204
    assert node.request("POST", "/v1/session/message", {"session_id": made, "message": "x"})[0] == 404
    again = json.loads(import_(document)[2])
    assert again["session_id"] != made and again["created"]
    assert json.loads(import_(document)[2]) == {**again, "created": False}
    node.say("[[rehearsal words=3]] on", again["session_id"])
    finished(again["session_id"], 2)


def imports_of_each():
    """import: of one document each importer has a session, and learns of no other's"""
    document = export(conversation(1))
    other = Node(rehearsal.base_url)
    keys = {user: other.new_key("--user", user) for user in ("ann", "bob")}
    other.start()
    try:
        def made_by(user):
            status, _, text = other.request("POST", "/v1/sessions/import", document.encode(), NDJSON,
                                            key=keys[user])
            assert status == 201, text
            return json.loads(text)

        anns, bobs = made_by("ann"), made_by("bob")
        assert anns["created"] and bobs["created"] and anns["session_id"] != bobs["session_id"]
        for user, first in (("ann", anns), ("bob", bobs)):
            assert made_by(user) == {**first, "created": False}
            assert other.events(first["session_id"])[0]["meta"]["user_id"] == user
    finally:
        other.stop()


def forgets_a_failed_import():
    """import: one that failed after its document was found whole leaves no row of it"""
    made = upload(node, ("a.txt", b"a text"))[0]
    session = conversation(1)
    node.json("POST", "/v1/session/message", {"session_id": session, "attachments": [{"id": made["id"]}],
                                              "message": "[[rehearsal words=2]] look"}, expect=202)
    finished(session, 2)
    document = export(session)
    other = Node(rehearsal.base_url, settings=["uploads.types_refused=text/plain"]).start()
    try:
        status, _, text = other.request("POST", "/v1/sessions/import", document.encode(), NDJSON)
        assert status >= 400 and json.loads(text)["code"] != "import.invalid", text
        other.stop()
        store = os.path.join(other.data_dir, "store")
        hash_ = json.loads(document.splitlines()[-1])["sha256"].encode()
        for name in os.listdir(store):
            with open(os.path.join(store, name), "rb") as file:
                assert hash_ not in file.read(), name
    finally:
        other.stop()


def refuses_documents():
    """import: what is cut off, changed or no event is refused with its line, and leaves nothing"""
    document = export(conversation(1))
    before = node.json("GET", "/v1/sessions?limit=200")["sessions"]
    lines = document.splitlines(keepends=True)

    def refusal(text, headers=None):
        status, _, answer = import_(text, headers)
        problem = json.loads(answer)
        return status, problem["code"], problem.get("line")

    assert refusal("".join(lines[:-1])) == (422, "import.invalid", len(lines) - 1)
    assert refusal(document.replace(' one"', ' two"')) [:2] == (422, "import.invalid")
    assert refusal("".join([lines[0], "{}\n"] + lines[2:])) == (422, "import.invalid", 2)
    assert refusal("") == (422, "import.invalid", 0)
    assert refusal(lines[0] + "x" * 1_200_000 + "\n")[:2] == (413, "event.too_large")
    assert refusal(document, {"Content-Type": "text/plain"})[:2] == (415, "request.unsupported_media_type")
    assert node.json("GET", "/v1/sessions?limit=200")["sessions"] == before
    key = {"Idempotency-Key": str(uuid.uuid4())}
    assert import_(document, key)[0] == 201
    other = export(conversation(1))
    assert refusal(other, key)[:2] == (422, "idempotency.mismatch")


def long_documents():
    """import: a document of many pieces is there whole or not at all, whenever the server is killed"""
    session = node.json("POST", "/v1/sessions", {"title": "long"}, expect=201)["session_id"]
    for n in range(120):
        node.json("POST", f"/v1/sessions/{session}/events",
                  {"name": "filler", "data": {"n": n, "text": "x" * 40_000}}, expect=202)
    document = export(session)
    assert len(document) > 4_500_000
    before = len(node.json("GET", "/v1/sessions?limit=200")["sessions"])
    for _ in range(8):
        sender = threading.Thread(target=lost, args=(document,))
        sender.start()
        threading.Event().wait(random.uniform(0, 0.15))
        node.kill()
        sender.join()
        node.start()
        now = node.json("GET", "/v1/sessions?limit=200")["sessions"]
        assert len(now) in (before, before + 1)
        assert len(now) == before or now[0]["last_event_id"].endswith(".121"), now[0]
    made = json.loads(import_(document)[2])["session_id"]
    copy = node.events(made)
    assert_exactly_once(copy)
    assert [e["payload"]["data"]["n"] for e in copy if e["type"] == "app.event"] == list(range(120))


def forged(document, change):
    """the document with its events changed, and a hash that fits"""
    lines = document.splitlines()
    return signed([lines[0]] + [json.dumps(change(json.loads(line)), separators=(",", ":"))
                                for line in lines[1:-1]])


def signed(body):
    """a header and events as a document, its last line with the hash that fits"""
    text = "".join(line + "\n" for line in body)
    end = {"end": True, "events": len(body) - 1,
           "sha256": hashlib.sha256(text.encode()).hexdigest()}
    return text + json.dumps(end) + "\n"


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


def slow_senders():
    """import: whoever sends slowly keeps nobody waiting but themselves, however many they are"""
    document = export(conversation(1)).encode()
    slow = []
    try:
        for _ in range(12):
            client = socket.create_connection(("127.0.0.1", node.port), timeout=20)
            slow.append(client)
            client.sendall((f"POST /v1/sessions/import HTTP/1.1\r\nHost: 127.0.0.1:{node.port}\r\n"
                            f"Authorization: Bearer {ADMIN_KEY}\r\nContent-Length: {len(document)}\r\n"
                            "Content-Type: application/x-ndjson\r\nExpect: 100-continue\r\n\r\n").encode())
            assert client.recv(64).startswith(b"HTTP/1.1 100 "), "its body is not waited for"
        assert import_(document.decode())[0] == 201
        for client in slow[:2]:  # and they get there in the end
            client.sendall(document)
            assert client.recv(64).startswith(b"HTTP/1.1 201 ")
    finally:
        for client in slow:
            client.close()


class MuteScanner:
    """A clamd that takes files and says nothing of them until it is told to."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="soma-mute-")
        self.path = os.path.join(self.folder, "clamd.sock")
        self.peers = []
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(self.path)
        self.door.listen()
        self.speaks = threading.Event()
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            peer = self.door.accept()[0]
            self.peers.append(peer)
            if self.speaks.is_set():
                self.clear(peer)

    def clear(self, peer):
        try:
            peer.sendall(b"stream: OK\0")
        except OSError:
            pass  # it has been told

    def speak(self):
        self.speaks.set()
        for peer in self.peers:
            self.clear(peer)


def waits_for_a_scanner():
    """import: files of a document that wait for a scanner keep nobody waiting who reads histories"""
    documents = []
    for content in (b"one", b"two"):
        session = conversation(1)
        made = upload(node, ("a.txt", content))[0]
        node.json("POST", "/v1/session/message", {
            "session_id": session, "message": "[[rehearsal words=2]] look",
            "attachments": [{"id": made["id"]}]}, expect=202)
        finished(session, 2)
        documents.append(export(session))
    scanner = MuteScanner()
    other = Node(rehearsal.base_url, env={"CLAMD_SOCKET": scanner.path}).start()
    try:
        session = other.say("[[rehearsal words=2]] hello")["session_id"]
        imports = [Waiting(other, "POST", "/v1/sessions/import", text.encode(), headers=NDJSON)
                   for text in documents]
        wait_until(lambda: len(scanner.peers) == 2, what="two files at the scanner")
        assert other.request("GET", f"/v1/sessions/{session}/history")[0] == 200
        assert [one.status for one in imports] == [None, None], "they wait for the scanner"
        scanner.speak()
        for one in imports:
            assert one.ended(201)["created"]
    finally:
        scanner.speak()
        other.stop()
        shutil.rmtree(scanner.folder, ignore_errors=True)


def bounds_of_an_import():
    """import: what no other way in takes is not taken from a document either; its events are its importer's"""
    session = conversation(1)
    node.json("POST", f"/v1/sessions/{session}/events", {"name": "order", "data": 1}, expect=202)
    document = export(session)

    def of(kind, **members):
        def change(event):
            if event["type"] == kind:
                event["payload"].update(members)
            return event
        return change

    def meta(**members):
        def change(event):
            event["meta"].update(members)
            return event
        return change

    for change in (of("session.open", title="t" * 201), of("session.open", title="t" * 880_000),
                   of("session.open", persona_id="a b"), of("app.event", name="A B"),
                   of("app.event", name="soma.own"), of("app.event", name="soma.feedback"),
                   of("llm.complete", finish_reason="whatever"), of("llm.request", step=0),
                   of("llm.request", model="m" * 300), meta(created_at="9999-01-01T00:00:00.000Z"),
                   meta(user_id="u" * 129), meta(trace_id="t" * 65),
                   of("message.user", text="t" * 262_145), of("app.event", data=nested(201))):
        status, _, answer = import_(forged(document, change))
        assert status == 422 and json.loads(answer)["code"] == "import.invalid", answer[:300]
    for member, again in (('"title":', '"title":"another","title":'), ('"data":1', '"data":{"a":1,"a":2}'),
                          ('"payload":', '"payload":{},"payload":')):
        twice = signed([line.replace(member, again, 1) for line in document.splitlines()[:-1]])
        status, _, answer = import_(twice)
        assert status == 422 and json.loads(answer)["code"] == "import.invalid", (member, answer)
    # What is taken, as from a request: the most of it, and a title without what steers a terminal.
    for change in (of("message.user", text="t" * 262_144), of("app.event", data=nested(200))):
        assert import_(forged(document, change))[0] == 201
    status, _, answer = import_(forged(document, of("session.open", title="a\u0000\u001b[31mb")))
    assert status == 201, answer
    title = node.events(json.loads(answer)["session_id"])[0]["payload"]["title"]
    assert title.isprintable(), title
    status, _, answer = import_(forged(document, meta(user_id="somebody-else")))
    assert status == 201, answer
    copy = node.events(json.loads(answer)["session_id"])
    mine = node.events(session)[0]["meta"]["user_id"]
    assert {e["meta"].get("user_id") for e in copy} == {mine}, copy


BIG = ['{"wei":100000000000000000000}', "[1e400,-1E+999]", "18446744073709551616",
       '{"a":[1.10,-9223372036854775809]}']


def numbers_of_any_size():
    """an event keeps numbers to the letter, whatever their size; its session goes on, also after a restart"""
    session = conversation(1)
    append = f"/v1/sessions/{session}/events"
    for raw in BIG:
        assert node.request("POST", append, ('{"name":"order","data":%s}' % raw).encode(),
                            {"Content-Type": "application/json"})[0] == 202
    # A member's name with escapes is the same name.
    assert node.request("POST", append, b'{"n\\u0061me":"order","d\\u0061ta":1.10}',
                        {"Content-Type": "application/json"})[0] == 202
    status, _, answer = node.request("POST", append, b'{"name":"order","data":1e99999999999999999999}',
                                     {"Content-Type": "application/json"})
    assert status == 400 and "malformed_json" in answer, answer

    def kept(text):
        assert [text.count(f'"data":{raw}') for raw in BIG + ["1.10"]] == [1] * 5, text[-2000:]

    node.kill()
    node.start()
    node.say("[[rehearsal words=3]] and on", session)
    finished(session, 2)
    kept(node.request("GET", f"{append}?limit=500")[2])
    assert "and on" in node.request("GET", f"/v1/sessions/{session}/history")[2]
    document = export(session)
    kept(document)
    status, _, answer = import_(document)
    assert status == 201, answer
    kept(export(json.loads(answer)["session_id"]))
    last = node.events(session)[-1]["meta"]["event_id"]
    copy = node.json("POST", f"/v1/sessions/{session}/fork", {"event_id": last},
                     expect=201)["session_id"]
    kept(export(copy))
    assert node.request("GET", f"/v1/sessions/{session}/context-window")[0] == 200
    assert node.request("DELETE", f"/v1/sessions/{session}")[0] == 204


def inputs_of_any_size():
    """a tool is given the number that was asked for, or the call is refused; a model's goes on"""
    session = conversation(1)

    def request(n):
        body = '{"session_id":"%s","tool_id":"echo","inputs":{"text":"a","n":%s}}' % (session, n)
        status, _, answer = node.request("POST", "/v1/tool/request", body.encode(),
                                         {"Content-Type": "application/json"})
        return status, json.loads(answer).get("code"), answer

    for n in ("18446744073709551616", "1e400"):
        status, code, answer = request(n)
        assert (status, code) == (422, "tool.invalid_inputs"), answer
        assert "syntax error" not in answer, answer
    node.say('[[rehearsal tool=echo inputs={"text":"a","n":1e400}]]', session)
    node.say('[[rehearsal tool=echo inputs={"text":"a","n":18446744073709551616}]]', session)
    finished(session, 3)
    node.kill()
    node.start()
    node.say("[[rehearsal words=3]] still", session)
    finished(session, 4)


def lost(document):
    try:
        import_(document)
    except OSError:
        pass


def main():
    try:
        return run_tests([forks_a_whole_past, forks_in_the_middle, refuses_forks, forks_once,
                          round_trip, imports_what_was_deleted, imports_of_each,
                          forgets_a_failed_import, refuses_documents, slow_senders, waits_for_a_scanner,
                          bounds_of_an_import, numbers_of_any_size,
                          inputs_of_any_size, long_documents])
    finally:
        node.stop()
        rehearsal.stop()


if __name__ == "__main__":
    sys.exit(main())
