"""Policy by others than our rules: the policy and the model that come with the server, judged by the
real OPA and the real OpenFGA; the server before both, and before a stand-in that hangs, fails, answers
rubbish and is slow. Where a program could not be had its tests say so and are left out."""

import json
import os
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import operations_table_test as table
from node_under_test import ADMIN_KEY, BIN, Node, Rehearsal, run_tests, wait_until
from policy_programs import POLICY, Opa, OpenFga, StandIn, program, run

QUICK = "[[rehearsal words=2 delay_ms=0]]"
REGO, MODEL = os.path.join(POLICY, "soma.rego"), os.path.join(POLICY, "soma.fga")
ACTIONS = sorted({one["action"] for one in table.TABLE if one["action"]} |
                 {"tool.execute", "egress.pii"})
SESSION_ACTIONS = ("conversation.", "session.export", "workdir.", "feedback.")


def echo(text="hello"):
    inputs = json.dumps({"text": text}).replace(" ", "%20")
    return f"[[rehearsal tool=echo inputs={inputs} words=2 delay_ms=0]]"


class World:
    """A server that asks; `ann` and `bob` have keys of role user, `root` is the admin."""

    def __init__(self, env, settings=()):
        # Who is asked may be late on a machine with other work: only what hangs is to be given up.
        patient = [] if any("timeout_ms" in one for one in settings) else ["policy.timeout_ms=10000"]
        # Internal routes are operations, too.
        self.node = Node(rehearsal.base_url, settings=[*patient, *settings], env={**table.WITH_TOKEN, **env})
        self.keys = {"root": ADMIN_KEY}

    def __enter__(self):
        self.node.start()
        return self

    def __exit__(self, *_):
        self.node.stop()

    def user(self, name):
        made = self.node.json("POST", "/v1/keys", {"name": name, "role": "user", "user_id": name},
                              expect=201)
        self.keys[name] = made["key"]
        return made["key_id"]

    def ask(self, who, method, path, body=None, headers=None):
        status, fields, text = self.node.request(method, path, body, headers, self.keys[who])
        return status, json.loads(text) if text else None, fields

    def say(self, who, text, session=None):
        """Sends, and waits for the turn's end; gives the session and its events of that turn."""
        body = {"message": text, **({"session_id": session} if session else {})}
        status, said, _ = self.ask(who, "POST", "/v1/session/message", body)
        assert status == 202, said
        return said["session_id"], self.turn(said)

    def turn(self, said):
        def events():
            return self.node.events(said["session_id"])

        def over():
            return any(e["type"] == "message.assistant" and e["payload"]["final"] and
                       e["payload"]["turn_id"] == said["message_id"] for e in events())
        wait_until(over, 30, "the turn's end")
        return [e for e in events() if e["payload"].get("turn_id") == said["message_id"]]

    def health(self):
        return self.node.json("GET", "/v1/health", expect=200)["components"]["policy"]

    def metric(self, name):
        for line in self.node.request("GET", "/metrics")[2].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return None


def result_of(events):
    [result] = [e["payload"] for e in events if e["type"] == "tool.result"]
    return result


# ---- the files, by the real programs ----


def the_rego_policy():
    """opa: the policy that comes with the server is well-formed, and its tests pass"""
    run(program("opa"), "check", "--strict", POLICY)
    said = run(program("opa"), "test", POLICY)
    assert "FAIL" not in said and "PASS" in said, said


def the_fga_model():
    """fga: the model that comes with the server is well-formed, and its tests pass"""
    run(program("fga"), "model", "validate", "--file", MODEL)
    run(program("fga"), "model", "test", "--tests", os.path.join(POLICY, "store.fga.yaml"))


def every_action_is_known():
    """each action of the table of operations is one of the policy and of the model"""
    with open(MODEL) as file:
        types = {part.split("\n")[0].strip(): part for part in file.read().split("\ntype ")}
    for action in ACTIONS:
        relation = f"define can_{action.replace('.', '_')}:"
        assert relation in types["tool" if action == "tool.execute" else "tenant"], action
        if action.startswith(SESSION_ACTIONS):
            assert relation in types["session"], action
    if not program("opa"):
        return
    with open(REGO) as file:
        opa = Opa(file.read())
    try:
        from policy_programs import ask
        questions = [{"tenant": "t", "user": {"id": "root", "role": "admin"}, "action": action}
                     for action in ACTIONS]
        said = ask(opa.url + "/v1/data/soma/policy/decisions", {"input": {"questions": questions}})
        denied = [action for action, one in zip(ACTIONS, said["result"]) if not one["allow"]]
        assert denied == [], denied
    finally:
        opa.stop()


# ---- the server before the real programs ----


def real_opa():
    """opa: what it denies is denied with its rule and reason, at the door and in a turn"""
    with open(REGO) as file:
        policy = file.read()
    opa = Opa(policy)
    try:
        with World({"OPA_URL": opa.url}, ["policy.cache_ms=0"]) as w:
            w.user("ann")
            session, events = w.say("ann", echo())
            assert result_of(events)["status"] == "success", events
            tools = w.ask("ann", "GET", "/v1/tools")[1]["tools"]
            assert "echo" in [one["id"] for one in tools]
            opa.put(policy.replace('else := yes("talk")', '''else := no("no-echo", "Nobody echoes at night.") if {
	question.action == "tool.execute"
	question.resource.id == "echo"
	question.user.role == "user"
}

else := no("no-rating", "Ratings are closed.") if question.action == "feedback.write"

else := yes("talk")''', 1))
            _, events = w.say("ann", echo(), session)
            denied = result_of(events)
            assert denied["status"] == "denied" and denied["error"]["code"] == "policy.denied", denied
            assert denied["error"]["detail"] == "rule no-echo: Nobody echoes at night.", denied
            # Of an admin's call the role is known in the session, too.
            _, events = w.say("root", echo())
            assert result_of(events)["status"] == "success", events
            tools = w.ask("ann", "GET", "/v1/tools")[1]["tools"]
            assert "echo" not in [one["id"] for one in tools] and tools
            status, said, _ = w.ask("ann", "POST", "/v1/feedback",
                                    {"session_id": session, "message_id": str(uuid.uuid4()),
                                     "rating": "helpful"})
            assert (status, said["code"], said["rule"]) == (403, "policy.denied", "no-rating"), said
            assert said["detail"] == "Ratings are closed.", said
            # A policy that is not there decides nothing: denied, not allowed.
            opa.put("package elsewhere\n")
            status, said, _ = w.ask("ann", "POST", "/v1/sessions", {})
            assert (status, said["code"], said["rule"]) == (403, "policy.denied", "opa"), said
            assert w.health()["status"] == "ok"
            opa.stop()
            status, said, fields = w.ask("ann", "POST", "/v1/sessions", {})
            assert (status, said["code"], said["component"]) == (
                503, "dependency.unavailable", "policy"), said
    finally:
        opa.stop()


def real_openfga():
    """openfga: sessions and tools as the model relates them, by what we know and what is stored"""
    fga = OpenFga()
    try:
        store, model = fga.make_store(MODEL)
        env = {"OPENFGA_API_URL": fga.url, "OPENFGA_STORE_ID": store}
        with World(env, ["policy.cache_ms=0"]) as w:
            w.user("ann"), w.user("bob"), w.user("cid")
            session, events = w.say("ann", echo())
            assert result_of(events)["status"] == "success", events
            # Shared this moment: nothing has to be written anywhere before the next question.
            assert w.ask("ann", "PATCH", f"/v1/sessions/{session}", {"shared_with": ["bob"]})[0] == 200
            w.say("bob", QUICK, session)
            assert w.ask("bob", "DELETE", f"/v1/sessions/{session}")[0] == 403
            assert w.ask("cid", "GET", f"/v1/sessions/{session}")[0] == 404
            assert w.ask("root", "GET", f"/v1/sessions/{session}")[0] == 200
            assert w.ask("ann", "GET", "/v1/sessions")[0] == 200
            fga.write(store, ("user:ann", "blocked", "tool:echo"))
            _, events = w.say("ann", echo(), session)
            denied = result_of(events)
            assert denied["status"] == "denied" and "openfga" in denied["error"]["detail"], denied
            tools = [one["id"] for one in w.ask("ann", "GET", "/v1/tools")[1]["tools"]]
            assert "echo" not in tools and "clock" in tools, tools
            status, said, _ = w.ask("ann", "POST", "/v1/tool/request",
                                    {"session_id": session, "tool_id": "echo",
                                     "inputs": {"text": "x"}})
            assert (status, said["rule"]) == (403, "openfga"), said
            assert said["detail"] == "user:ann has no relation can_tool_execute to tool:echo", said
            assert w.metric('soma_policy_failures_total{source="openfga"}') == 0
        # Every operation of the table has a relation: none is a check that the model refuses.
        with World({**env, "OPENFGA_MODEL_ID": model}) as w:
            for one in table.judged():
                status, text, _ = table.ask(w.node, one)
                assert "dependency.unavailable" not in text and status != 403, (one, status, text)
    finally:
        fga.stop()


def openfga_on_personal_data():
    """openfga: personal data of whom an operator stored to be kept from it does not leave, all else does"""
    fga = OpenFga()
    try:
        store, _ = fga.make_store(MODEL)
        env = {"OPENFGA_API_URL": fga.url, "OPENFGA_STORE_ID": store}
        with World(env, ["policy.cache_ms=0", "egress.pii=redact"]) as w:
            w.user("ann"), w.user("bob")
            fga.write(store, ("user:bob", "pii_blocked", "tenant:default"))

            def said(who, text):
                _, events = w.say(who, text)
                [final] = [e["payload"] for e in events if e["type"] == "message.assistant"]
                return final["text"], [e["payload"] for e in events if e["type"] == "error"]
            text, errors = said("ann", "Write to cid@example.org " + QUICK)
            assert text and not errors, (text, errors)
            text, errors = said("bob", "Write to nobody " + QUICK)
            assert text and not errors, (text, errors)
            text, [error] = said("bob", "Write to cid@example.org " + QUICK)
            assert text == "" and error["code"] == "policy.denied" and not error["retryable"], (text, error)
            assert error["detail"] == (
                "rule openfga: user:bob has no relation can_egress_pii to tenant:default"), error
            assert w.metric('soma_policy_failures_total{source="openfga"}') == 0
    finally:
        fga.stop()


def openfga_without_a_store():
    """openfga: without its store nothing is let through, and health says why"""
    fga = OpenFga()
    try:
        env = {"OPENFGA_API_URL": fga.url, "OPENFGA_STORE_ID": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
        with World(env) as w:
            status, said, _ = w.ask("root", "POST", "/v1/sessions", {})
            assert (status, said["code"], said["component"]) == (
                503, "dependency.unavailable", "policy"), said
            assert "openfga answers with status 4" in w.health()["detail"], w.health()
        unnamed = Node(rehearsal.base_url, env={**env, "OPENFGA_STORE_ID": ""})
        try:
            unnamed.start()
            raise AssertionError("it started")
        except AssertionError as why:
            assert "policy.openfga_store_id" in str(why), why
    finally:
        fga.stop()


def what_it_costs():
    """opa: a kept answer and an asked one, beside a bare call over HTTP (figures)"""
    with open(REGO) as file:
        opa = Opa(file.read())
    try:
        said = json.loads(run(os.path.join(BIN, "policy_cost"), opa.url, "2000"))
        print(f"      a bare call {said['bare_us']} us, a decision that asks {said['asked_us']} us "
              f"({said['asked_us'] / said['bare_us']:.2f} x), a kept one {said['kept_us']} us")
        assert said["allowed"]
    finally:
        opa.stop()


# ---- the stand-in ----


def each_asks_once():
    """every operation of the table asks about its action once, with its caller and its resource"""
    opa = StandIn()
    with World({"OPA_URL": opa.url}, ["policy.cache_ms=0"]) as w:
        further = {"request_tool": {"tool.execute"}, "fork_session": {"conversation.read"},
                   "import_document": {"attachment.read"}}
        for one in table.judged():
            status, text, request_id = table.ask(w.node, one)
            mine = opa.asked(request_id=request_id)
            about = [q for q in mine if q["action"] == one["action"]]
            assert len(about) == 1, (one, status, text, mine)
            also = {q["action"] for q in mine} - {one["action"]}
            assert also <= further.get(one["operation"], set()), (one, also)
            [question] = about
            assert question["tenant"] == "default" and question["context"]["door"] == "http", question
            internal = one["access"] == "internal"
            assert question["user"]["role"] == ("internal" if internal else "admin"), question
            if one["resource"]:
                assert question["resource"]["id"] in (table.SOMEBODY, *table.PARAMETERS.values()), question
    opa.stop()


def nothing_is_let_through():
    """a policy that hangs, fails, answers rubbish or half: refused in time, and nothing is done"""
    opa = StandIn()
    with World({"OPA_URL": opa.url}, ["policy.cache_ms=0", "policy.breaker_ms=100",
                                      "policy.timeout_ms=1500"]) as w:
        w.user("ann")
        session, _ = w.say("ann", QUICK)
        for mode in ("hang", "error", "rubbish", "truncated", "drop"):
            opa.be(mode)
            begun = time.monotonic()
            status, said, fields = w.ask("ann", "POST", "/v1/session/message",
                                         {"message": "x", "session_id": session})
            took = time.monotonic() - begun
            assert (status, said["code"], said["component"]) == (
                503, "dependency.unavailable", "policy"), (mode, said)
            # What hangs does so for 60 s.
            assert "Retry-After" in fields and took < 30, (mode, took, fields)
            status, said, _ = w.ask("ann", "GET", "/v1/tools")
            assert status == 503, (mode, said)
            for _ in range(6):
                w.ask("ann", "POST", "/v1/sessions", {"title": mode})
            assert w.health()["status"] != "ok", (mode, w.health())
            begun = time.monotonic()
            assert w.ask("ann", "POST", "/v1/sessions", {"title": mode})[0] == 503
            assert time.monotonic() - begun < 30
            opa.be("good")
            wait_until(lambda: w.ask("ann", "GET", "/v1/sessions")[0] == 200, what="its being back")
        titles = [one["title"] for one in w.ask("ann", "GET", "/v1/sessions")[1]["sessions"]]
        assert not {"hang", "error", "rubbish", "truncated", "drop"} & set(titles), titles
        assert w.health()["status"] == "ok", w.health()
        opa.be("undefined")
        status, said, _ = w.ask("ann", "PATCH", f"/v1/sessions/{session}", {"title": "y"})
        assert (status, said["code"]) == (403, "policy.denied"), said
        assert w.metric('soma_policy_failures_total{source="opa"}') > 0
    opa.stop()


def checks_of_openfga():
    """openfga: what we know goes with each check, several are one call, and no store is no answer"""
    fga = StandIn()
    with World({"OPENFGA_API_URL": fga.url, "OPENFGA_STORE_ID": "STORE"}, ["policy.cache_ms=0"]) as w:
        w.user("ann"), w.user("bob")
        session, events = w.say("ann", echo())
        assert result_of(events)["status"] == "success", events
        assert w.ask("ann", "PATCH", f"/v1/sessions/{session}", {"shared_with": ["bob"]})[0] == 200
        w.say("bob", QUICK, session)
        [of_bob] = [one for one in fga.checks if one["tuple_key"] == {
            "user": "user:bob", "relation": "can_conversation_send", "object": f"session:{session}"}]
        assert of_bob["path"] == "/stores/STORE/check", of_bob
        known = {(one["user"], one["relation"], one["object"])
                 for one in of_bob["contextual_tuples"]["tuple_keys"]}
        assert known == {("user:bob", "member", "tenant:default"),
                         ("tenant:default", "tenant", f"session:{session}"),
                         ("user:bob", "viewer", f"session:{session}")}, known
        fga.checks = []
        assert "echo" in [one["id"] for one in w.ask("ann", "GET", "/v1/tools")[1]["tools"]]
        assert {one["path"] for one in fga.checks} == {"/stores/STORE/batch-check"}, fga.checks
        fga.allows = lambda check: check["object"] != "tool:echo"
        denied = result_of(w.say("ann", echo(), session)[1])
        assert denied["status"] == "denied", denied
        assert "user:ann has no relation can_tool_execute to tool:echo" in denied["error"]["detail"]
        fga.be("no_store")
        for _ in range(8):  # a mistake of the set-up is told each time, and shuts nobody out
            status, said, _ = w.ask("ann", "POST", "/v1/sessions", {})
            assert (status, said["code"], said["component"]) == (
                503, "dependency.unavailable", "policy"), said
        assert w.health()["detail"] == "openfga: openfga answers with status 404", w.health()
        fga.be("good")
        assert w.ask("ann", "POST", "/v1/sessions", {})[0] == 201
    fga.stop()


def away_within_a_turn():
    """a policy that is away while a turn runs: the tool is not run, its result says why, the turn ends"""
    opa = StandIn()
    with World({"OPA_URL": opa.url}, ["policy.cache_ms=0"]) as w:
        w.user("ann")
        session = w.ask("ann", "POST", "/v1/sessions", {})[1]["session_id"]
        assert w.ask("ann", "POST", f"/v1/sessions/{session}/pause", {})[0] == 200
        status, said, _ = w.ask("ann", "POST", "/v1/session/message",
                                {"message": echo(), "session_id": session})
        assert status == 202, said
        opa.decide = lambda q: True if q["action"] != "tool.execute" else "no answer to anything"
        assert w.ask("ann", "POST", f"/v1/sessions/{session}/pause", {"paused": False})[0] == 200
        events = w.turn(said)
        result = result_of(events)
        assert result["status"] == "error", result
        assert result["error"]["code"] == "dependency.unavailable", result
        assert result["error"]["retryable"], result
        [error] = [e["payload"] for e in events if e["type"] == "error"]
        assert error["code"] == "dependency.unavailable" and error["retryable"], error
        assert len([e for e in events if e["type"] == "llm.request"]) == 1, events
        # A retry is the same turn anew, once somebody answers.
        opa.decide = lambda q: True
        status, _, _ = w.ask("ann", "POST", "/v1/session/action",
                             {"session_id": session, "action": "retry"})
        assert status < 300, status
        wait_until(lambda: any(e["type"] == "tool.result" and e["payload"]["status"] == "success"
                               for e in w.node.events(session)), 30, "the retry")
    opa.stop()


def as_he_was_at_the_door():
    """in a turn, long after: role, key and door as of then, and whether he would still be let in"""
    opa = StandIn()
    with World({"OPA_URL": opa.url}, ["policy.cache_ms=0"]) as w:
        key_id = w.user("ann")
        session = w.ask("ann", "POST", "/v1/sessions", {})[1]["session_id"]
        assert w.ask("ann", "POST", f"/v1/sessions/{session}/pause", {})[0] == 200
        status, said, fields = w.ask("ann", "POST", "/v1/session/message",
                                     {"message": echo("first"), "session_id": session})
        assert status == 202, said
        status, later, _ = w.ask("ann", "POST", "/v1/session/message",
                                 {"message": echo("second"), "session_id": session})
        # Written with the message, so that another process knows it, too.
        w.node.kill()
        w.node.start()
        assert w.ask("ann", "POST", f"/v1/sessions/{session}/pause", {"paused": False})[0] == 200
        w.turn(said), w.turn(later)
        asked = opa.asked(action="tool.execute", user="ann", resource="echo")
        assert len(asked) == 2, asked
        question = asked[0]
        assert question["user"] == {"id": "ann", "role": "user", "groups": []}, question
        assert question["context"]["key_id"] == key_id, question
        assert question["context"]["door"] == "http", question
        assert question["resource"]["session_id"] == session, question
        assert question["context"]["request_id"] == fields["X-Request-ID"], question
        assert question["context"]["caller_is_stale"] is False, question
        [message] = [e for e in w.node.events(session) if e["type"] == "message.user" and
                     e["payload"]["message_id"] == said["message_id"]]
        assert message["meta"]["actor"] == {"role": "user", "key_id": key_id, "door": "http"}, message
        # Who is shut out while his message waits is judged as one who is gone.
        assert w.ask("ann", "POST", f"/v1/sessions/{session}/pause", {})[0] == 200
        status, last, _ = w.ask("ann", "POST", "/v1/session/message",
                                {"message": echo("third"), "session_id": session})
        assert status == 202, last
        assert w.ask("root", "PATCH", "/v1/users/ann", {"disabled": True})[0] == 200
        opa.decide = lambda q: ({"allow": False, "rule": "left", "reason": "You have left."}
                                if q["context"]["caller_is_stale"] else True)
        assert w.ask("root", "POST", f"/v1/sessions/{session}/pause", {"paused": False})[0] == 200
        denied = result_of(w.turn(last))
        assert denied["status"] == "denied" and "You have left." in denied["error"]["detail"], denied
    opa.stop()


def kept_for_a_moment():
    """the same question is asked once in policy.cache_ms, one about keys each time"""
    opa = StandIn()
    with World({"OPA_URL": opa.url}, ["policy.cache_ms=60000"]) as w:
        for _ in range(5):
            assert w.ask("root", "GET", "/v1/sessions")[0] == 200
            assert w.ask("root", "GET", "/v1/keys")[0] == 200
        assert len(opa.asked(action="conversation.read")) == 1
        assert len(opa.asked(action="key.manage")) == 5
        # Another's question is another one, and so is the same of a session that is shared anew.
        w.user("ann")
        assert w.ask("ann", "GET", "/v1/sessions")[0] == 200
        assert len(opa.asked(action="conversation.read")) == 2
        session = w.ask("ann", "POST", "/v1/sessions", {})[1]["session_id"]
        for _ in range(2):
            w.ask("ann", "GET", f"/v1/sessions/{session}")
        assert len(opa.asked(action="conversation.read", resource=session)) == 1
        w.ask("ann", "PATCH", f"/v1/sessions/{session}", {"visibility": "tenant"})
        w.ask("ann", "GET", f"/v1/sessions/{session}")
        first, second = opa.asked(action="conversation.read", resource=session)
        assert first["resource"]["owner"] == "ann", first
        assert (first["resource"]["visibility"], second["resource"]["visibility"]) == (
            "private", "tenant")
        assert w.metric('soma_policy_cache_total{outcome="hit"}') >= 5
    opa.stop()


def slow_under_a_crowd():
    """a policy that takes 400 ms, under 64 callers: all are answered, and nobody else waits (figures)"""
    opa = StandIn()
    with World({"OPA_URL": opa.url}, ["policy.cache_ms=0", "policy.timeout_ms=10000"]) as w:
        w.user("ann")
        opa.delay_s = 0.4
        took, bad, probes, stop = [], [], [], threading.Event()
        lock = threading.Lock()

        def call():
            connection = w.node.connect()
            for _ in range(3):
                begun = time.monotonic()
                connection.request("GET", "/v1/sessions?limit=1",
                                   headers={"Authorization": f"Bearer {w.keys['ann']}"})
                answer = connection.getresponse()
                answer.read()
                with lock:
                    took.append(time.monotonic() - begun)
                    if answer.status != 200:
                        bad.append(answer.status)
            connection.close()

        def probe():
            while not stop.wait(0.02):
                begun = time.monotonic()
                w.node.request("GET", "/healthz", key=None)
                probes.append(time.monotonic() - begun)

        other = threading.Thread(target=probe)
        other.start()
        begun = time.monotonic()
        callers = [threading.Thread(target=call) for _ in range(64)]
        for one in callers:
            one.start()
        for one in callers:
            one.join()
        whole = time.monotonic() - begun
        stop.set()
        other.join()
        took.sort()
        probes.sort()
        print(f"      64 callers, 192 requests in {whole:.2f} s ({192 / whole:.0f}/s): p50 "
              f"{took[96] * 1000:.0f} ms, p99 {took[189] * 1000:.0f} ms; /healthz meanwhile p50 "
              f"{probes[len(probes) // 2] * 1000:.1f} ms, worst {probes[-1] * 1000:.1f} ms; "
              f"{opa.connections} connections")
        assert bad == [], bad
    opa.stop()


def needs(name, tests):
    """The tests, where the program could be had."""
    if program(name):
        return tests
    for test in tests:
        print(f"skip  {test.__doc__}: {name} could not be had (see ./dev)", flush=True)
    return []


if __name__ == "__main__":
    rehearsal = Rehearsal()
    chosen = [every_action_is_known, each_asks_once, nothing_is_let_through, checks_of_openfga,
              away_within_a_turn, as_he_was_at_the_door, kept_for_a_moment, slow_under_a_crowd]
    chosen += needs("opa", [the_rego_policy, real_opa, what_it_costs])
    chosen += needs("fga", [the_fga_model])
    if program("fga"):
        chosen += needs("openfga", [real_openfga, openfga_on_personal_data, openfga_without_a_store])
    if names := sys.argv[1:]:
        chosen = [test for test in chosen if test.__name__ in names]
    try:
        failed = run_tests(chosen)
    finally:
        rehearsal.stop()
    sys.exit(failed)
