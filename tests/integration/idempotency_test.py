"""Idempotency-Key as docs/api.md promises it: the same key and body gives the first answer again,
also after a restart or kill -9; another body is 422; a twin in flight waits; only 2xx are kept."""

import concurrent.futures
import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import ADMIN_KEY, Node, Rehearsal, run_tests, wait_until

QUICK = "[[rehearsal words=2 delay_ms=0]]"


class World:
    def __init__(self):
        self.rehearsal = Rehearsal()
        self.node = Node(self.rehearsal.base_url, settings=["session.queue_max=1"])
        self.somebody = self.node.new_key("--user", "somebody")
        self.elsewhere = self.node.new_key("--tenant", "elsewhere")
        self.node.start()

    def stop(self):
        self.node.stop()
        self.rehearsal.stop()

    def post(self, path, body, key=None, caller=ADMIN_KEY, expect=None):
        """(status, whether it was replayed, body as JSON)"""
        headers = {"Idempotency-Key": key} if key else {}
        status, fields, text = self.node.request("POST", path, body, headers, caller)
        if expect is not None and status != expect:
            raise AssertionError(f"POST {path}: {status}, expected {expect}: {text[:400]}")
        return status, fields.get("Idempotency-Replayed") == "true", json.loads(text)

    def users(self, session):
        return [e for e in self.node.events(session) if e["type"] == "message.user"]

    def session(self):
        return self.post("/v1/sessions", {}, expect=201)[2]["session_id"]


w = None


def five_times():
    """the same message sent five times with one key is one message.user, also across restarts"""
    body, key = {"message": f"Once {QUICK}"}, str(uuid.uuid4())
    _, replayed, first = w.post("/v1/session/message", body, key, expect=202)
    assert not replayed
    for restart in (None, None, w.node.stop, w.node.kill):
        if restart:
            restart()
            w.node.start()
        status, replayed, again = w.post("/v1/session/message", body, key)
        assert (status, replayed, again) == (202, True, first), (status, replayed, again)
    assert len(w.users(first["session_id"])) == 1
    listed = w.node.json("GET", "/v1/sessions?limit=200", expect=200)["sessions"]
    assert [s["session_id"] for s in listed].count(first["session_id"]) == 1


def killed_before_the_answer():
    """a message whose answer a kill took is there once when it is sent again"""
    for attempt in range(5):
        body, key = {"message": f"Lost {attempt} {QUICK}"}, str(uuid.uuid4())
        with concurrent.futures.ThreadPoolExecutor() as pool:
            sent = pool.submit(lambda: w.node.request("POST", "/v1/session/message", body,
                                                      {"Idempotency-Key": key}))
            if attempt:  # the first is killed as early as can be
                wait_until(lambda: sent.done() or attempt < 3, 5)
            w.node.kill()
            try:
                sent.result()
            except OSError:
                pass
        w.node.start()
        accepted = w.post("/v1/session/message", body, key, expect=202)[2]
        again = w.post("/v1/session/message", body, key, expect=202)
        assert again[1] and again[2] == accepted
        assert len(w.users(accepted["session_id"])) == 1


def key_in_the_body():
    """the key may stand in the body; in the header it wins"""
    key = str(uuid.uuid4())
    body = {"message": QUICK, "idempotency_key": key}
    first = w.post("/v1/session/message", body, expect=202)
    again = w.post("/v1/session/message", body, expect=202)
    assert not first[1] and again[1] and again[2] == first[2]
    assert w.post("/v1/session/message", body, key, expect=202)[1]  # the same key, the same body
    assert not w.post("/v1/session/message", body, str(uuid.uuid4()), expect=202)[1]


def another_body():
    """one key with another body is 422, on every route that takes one, and changes nothing"""
    session = w.session()

    def app_events():  # a model's answer goes on meanwhile
        return sum(e["type"] == "app.event" for e in w.node.events(session))

    for path, one, other in (
            ("/v1/sessions", {"title": "one"}, {"title": "other"}),
            ("/v1/session/message", {"message": f"one {QUICK}"}, {"message": f"other {QUICK}"}),
            (f"/v1/session/{session}/message", {"message": f"one {QUICK}"}, {"message": f"2 {QUICK}"}),
            (f"/v1/sessions/{session}/events", {"name": "a", "data": 1}, {"name": "a", "data": 2}),
            ("/v1/keys", {"name": "one"}, {"name": "other"})):
        key = str(uuid.uuid4())
        status, _, first = w.post(path, one, key)
        assert status in (201, 202), (path, status)
        before = app_events()
        refused = w.post(path, other, key, expect=422)[2]
        assert refused["code"] == "idempotency.mismatch", refused
        _, replayed, again = w.post(path, one, key, expect=status)
        first.pop("key", None)  # an API key is shown once
        assert replayed and again == first, (path, first, again)
        if "/events" in path:
            assert app_events() == before


def survives_for_all():
    """what was made under a key is answered the same after kill -9, on every route"""
    session = w.session()
    asked = []
    for path, body in (("/v1/sessions", {"title": "kept"}),
                       (f"/v1/session/{session}/message", {"content": QUICK, "role": "user"}),
                       (f"/v1/sessions/{session}/events", {"name": "kept", "data": {"n": 1}}),
                       ("/v1/keys", {"name": "kept"})):
        key = str(uuid.uuid4())
        status, _, first = w.post(path, body, key)
        asked.append((path, body, key, status, first))
    made_key = asked[-1][4].pop("key")
    w.node.kill()
    w.node.start()
    for path, body, key, status, first in asked:
        _, replayed, again = w.post(path, body, key, expect=status)
        assert replayed and again == first, (path, first, again)
    assert sum(e["type"] == "app.event" for e in w.node.events(session)) == 1
    assert w.node.request("GET", "/v1/auth/whoami", key=made_key)[0] == 200


def scope():
    """a key counts for its tenant, its caller and its route only"""
    key = str(uuid.uuid4())
    made = {w.post("/v1/sessions", {"title": "mine"}, key, caller, expect=201)[2]["session_id"]
            for caller in (ADMIN_KEY, w.somebody, w.elsewhere)}
    assert len(made) == 3
    one, two = w.session(), w.session()
    ids = [w.post(f"/v1/sessions/{s}/events", {"name": "x", "data": 1}, key, expect=202)
           for s in (one, two)]
    assert not any(replayed for _, replayed, _ in ids)
    assert not w.post("/v1/session/message", {"message": QUICK}, key, expect=202)[1]


def twins():
    """twins in flight are one: each waits for the first and gets its answer"""
    session = w.session()
    for path, body, count in (
            ("/v1/session/message", {"message": f"Twin {QUICK}"}, None),
            (f"/v1/sessions/{session}/events", {"name": "twin", "data": 1},
             lambda: sum(e["type"] == "app.event" for e in w.node.events(session))),
            ("/v1/keys", {"name": "twin"},
             lambda: [k["name"] for k in w.node.json("GET", "/v1/keys")["keys"]].count("twin"))):
        key = str(uuid.uuid4())
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: w.post(path, body, key), range(16)))
        assert {status for status, _, _ in answers} <= {201, 202}, answers
        assert sum(not replayed for _, replayed, _ in answers) == 1, path
        assert len({json.dumps({k: v for k, v in found.items() if k != "key"}, sort_keys=True)
                    for _, _, found in answers}) == 1, path
        if count:
            assert count() == 1, path
        else:
            assert len(w.users(answers[0][2]["session_id"])) == 1


def one_operation_two_doors():
    """a message is the same request by either route and in any spelling; with another session it is not"""
    session, key = w.session(), str(uuid.uuid4())
    headers = {"Idempotency-Key": key, "Content-Type": "application/json"}

    def send(path, text):
        status, fields, answer = w.node.request("POST", path, text.encode(), headers)
        return status, fields.get("Idempotency-Replayed") == "true", json.loads(answer)

    status, replayed, first = send("/v1/session/message", json.dumps(
        {"session_id": session, "message": QUICK}))
    assert (status, replayed) == (202, False), first
    for path, text in (
            (f"/v1/session/{session}/message", json.dumps({"role": "user", "content": QUICK})),
            (f"/v1/session/{session}/message", json.dumps({"message": QUICK}, indent=3)),
            ("/v1/session/message", '{ "mess\\u0061ge": %s,\n "session_id" : "%s"}'
             % (json.dumps(QUICK), session))):
        assert send(path, text) == (202, True, first), text
    assert len(w.users(session)) == 1
    assert send(f"/v1/session/{w.session()}/message", json.dumps({"message": QUICK}))[0] == 422
    # Other routes hash what the body says, too, and numbers to the letter.
    path, headers["Idempotency-Key"] = f"/v1/sessions/{session}/events", str(uuid.uuid4())
    made = send(path, '{"name":"a","data":{"b":1.0,"a":[1,2]}}')
    assert made[0] == 202
    assert send(path, ' {"data": {"a": [1, 2], "b": 1.0}, "name": "a"} ') == (202, True, made[2])
    assert send(path, '{"name":"a","data":{"b":1.00,"a":[1,2]}}')[0] == 422


def never_given_twice():
    """a session that was made under a key and deleted is not made again: its ids were given"""
    key = str(uuid.uuid4())
    first = w.post("/v1/session/message", {"message": QUICK}, key, expect=202)[2]
    assert w.node.request("DELETE", f"/v1/sessions/{first['session_id']}")[0] == 204
    _, replayed, again = w.post("/v1/session/message", {"message": QUICK}, key, expect=202)
    assert replayed and again == first
    assert w.node.request("GET", f"/v1/sessions/{first['session_id']}")[0] == 404
    key = str(uuid.uuid4())
    made = w.post("/v1/sessions", {}, key, expect=201)[2]
    assert w.post("/v1/sessions", {}, key, expect=201)[1:] == (True, made)


def made_session():
    """the session a message makes is one a tenant, caller and key"""
    key = str(uuid.uuid4())
    ids = [w.post("/v1/session/message", {"message": QUICK}, key, caller, expect=202)[2]["session_id"]
           for caller in (ADMIN_KEY, ADMIN_KEY, w.somebody, w.elsewhere)]
    assert ids[0] == ids[1] and len(set(ids)) == 3
    without = {w.post("/v1/session/message", {"message": QUICK}, expect=202)[2]["session_id"]
               for _ in range(3)}
    assert len(without) == 3


def made_session_named():
    """whoever was told the session that was made may name it when asking again; another one is not it"""
    key = str(uuid.uuid4())
    first = w.post("/v1/session/message", {"message": QUICK}, key, expect=202)[2]
    made = first["session_id"]
    for path, body in (("/v1/session/message", {"message": QUICK, "session_id": made}),
                       (f"/v1/session/{made}/message", {"message": QUICK})):
        assert w.post(path, body, key, expect=202)[1:] == (True, first), path
    assert len(w.users(made)) == 1
    for body in ({"message": QUICK, "session_id": w.session()},
                 {"message": QUICK + " more", "session_id": made}):
        assert w.post("/v1/session/message", body, key, expect=422)


def only_successes():
    """an answer that is no 2xx is not kept: the same key may succeed later"""
    key, absent = str(uuid.uuid4()), str(uuid.uuid4())
    body = {"message": QUICK}
    w.post("/v1/session/message", {**body, "session_id": absent}, key, expect=404)
    w.post("/v1/session/message", body, key, expect=202)
    key = str(uuid.uuid4())
    w.post("/v1/session/message", {"message": 1}, key, expect=422)
    w.post("/v1/session/message", body, key, expect=202)
    # A queue that is full refuses, and takes the same request once there is room.
    session = w.session()
    for _ in range(2):
        w.post(f"/v1/session/{session}/message", {"message": "[[rehearsal hang_before=1]]"},
               expect=202)
        # One that waits for what is remembered is in the queue.
        wait_until(lambda: "llm.request" in [e["type"] for e in w.node.events(session)],
                   what="the first turn's call")
    key = str(uuid.uuid4())
    w.post(f"/v1/session/{session}/message", body, key, expect=429)
    w.post("/v1/session/action", {"session_id": session, "action": "restart"}, expect=200)
    w.post(f"/v1/sessions/{session}/reset", None, expect=200)
    _, replayed, _ = w.post(f"/v1/session/{session}/message", body, key, expect=202)
    assert not replayed and len(w.users(session)) == 1


def main():
    global w
    w = World()
    try:
        return run_tests([five_times, killed_before_the_answer, key_in_the_body, another_body,
                          survives_for_all, scope, twins, one_operation_two_doors,
                          never_given_twice, made_session, made_session_named,
                          only_successes])
    finally:
        w.stop()


if __name__ == "__main__":
    sys.exit(main())
