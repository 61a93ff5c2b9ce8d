"""Personal data that leaves: what really arrives at a provider, at a server of tools and at SomaBrain in
each mode, and what the caller sees of it. The provider says again what it was asked, in pieces of one
character, so that every placeholder is cut everywhere."""

import http.server
import json
import os
import sys
import threading
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from audit_records import audit_records, audit_text
from mcp_test import Modern
from node_under_test import ADMIN_KEY, Node, fold_texts, free_port, run_tests, wait_until
from policy_programs import StandIn
from somabrain import SomaBrain

MAIL, OTHER, PHONE = "ann.archer@example.org", "bob.baker@example.net", "+49 30 901820"
SECRETS = (MAIL, OTHER, PHONE)
TEXT = f"I am {MAIL}, ring {PHONE}, or ask {OTHER}; again {MAIL}."
HIDDEN = "I am [[mail-1]], ring [[phone-1]], or ask [[mail-2]]; again [[mail-1]]."


class Provider:
    """Speaks chat completions; says "You said: " and the last message. `CALL name {json}` in a message of
    the user makes it call that tool; `SLOW` makes it stand still in the middle of its answer."""

    def __init__(self):
        self.asked, self.lock = [], threading.Lock()
        self.release = threading.Event()
        handler = type("Handler", (ProviderHandler,), {"owner": self})
        http.server.ThreadingHTTPServer.daemon_threads = True
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.base_url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def bodies(self, path="/chat/completions"):
        with self.lock:
            return [body for where, body in self.asked if where.endswith(path)]

    def texts(self):
        return "\n".join(self.bodies())

    def last(self):
        return json.loads(self.bodies()[-1])

    def forget(self):
        with self.lock:
            self.asked = []


def text_of(message):
    content = message.get("content") or ""
    return content if isinstance(content, str) else "".join(p.get("text", "") for p in content)


class ProviderHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.whole({"object": "list", "data": []})

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with self.owner.lock:
            self.owner.asked.append((self.path, text))
        body = json.loads(text)
        if self.path.endswith("/embeddings"):
            inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
            return self.whole({"object": "list", "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1},
                               "data": [{"object": "embedding", "index": i, "embedding": [0.5, 1.0]}
                                        for i, _ in enumerate(inputs)]})
        last = body["messages"][-1]
        prefix = ""
        if last["role"] == "assistant" and body.get("continue_final_message"):
            prefix, last = text_of(last), body["messages"][-2]
        said = "You said: " + text_of(last)
        call = None
        if last["role"] == "user" and "CALL " in said and body.get("tools"):
            name, _, arguments = said.split("CALL ", 1)[1].partition(" ")
            call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
        if not body.get("stream"):
            message = {"role": "assistant", "content": said}
            if call:
                message = {"role": "assistant", "content": None, "tool_calls": [call]}
            return self.whole({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [
                {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}]})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            if call:
                start = {"index": 0, "id": "call_1", "type": "function",
                         "function": {"name": call["function"]["name"], "arguments": ""}}
                self.chunk({"role": "assistant", "tool_calls": [start]})
                for piece in call["function"]["arguments"]:
                    self.chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
                self.chunk({}, "tool_calls")
            else:
                assert said.startswith(prefix) or not prefix, (prefix, said)
                rest, size = said[len(prefix):], 1 if len(said) < 10_000 else 1000
                for at in range(0, len(rest), size):
                    if not prefix and "SLOW" in said and at == len(said) - 30:
                        self.owner.release.wait(30)
                    self.chunk({"content": rest[at:at + size]})
                self.chunk({}, "stop")
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            pass

    def chunk(self, delta, reason=None):
        data = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        self.wfile.write(f"data: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def whole(self, answer):
        text = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def has_words(text):
    return [word for word in SECRETS if word in text]


class World:
    def __init__(self, env=None, settings=()):
        self.provider = Provider()
        self.node = Node(self.provider.base_url, settings=list(settings), env=env)
        self.key = ADMIN_KEY

    def __enter__(self):
        self.node.start()
        return self

    def __exit__(self, *_):
        self.provider.release.set()
        self.node.stop()
        self.provider.server.shutdown()

    def mode(self, mode, key=None):
        status, _, text = self.ask("PUT", "/v1/settings", {"egress": {"pii": mode}}, key)
        assert status == 200, text
        return json.loads(text)["egress"]

    def ask(self, method, path, body=None, key=None):
        return self.node.request(method, path, body, key=key or self.key)

    def turn(self, text, session=None, key=None):
        """A whole turn; its session and its events."""
        body = {"message": text, **({"session_id": session} if session else {})}
        status, _, answer = self.ask("POST", "/v1/session/message", body, key)
        assert status == 202, answer
        said = json.loads(answer)
        return said["session_id"], self.end_of(said, key)

    def end_of(self, said, key=None):
        def events():
            found, after = [], "start"
            while after:
                page = json.loads(self.ask("GET", f"/v1/sessions/{said['session_id']}/events?limit=500"
                                           f"&after={after}", key=key)[2])
                found += page["events"]
                after = page["next_cursor"]
            return [e for e in found if e["payload"].get("turn_id") == said["message_id"]]

        def over():
            return any(e["type"] == "message.assistant" and e["payload"]["final"] for e in events())
        wait_until(over, 30, "the turn's end")
        return events()

    def audit(self, what):
        return [one for one in audit_records(self.node) if one["what"] == what]

    def metric(self, name):
        for line in self.ask("GET", "/metrics")[2].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0

    def keeps_quiet(self):
        """No word is in the log or the audit."""
        assert not has_words(self.node.log_text()), has_words(self.node.log_text())
        audit_records(self.node)
        assert not has_words(audit_text(self.node)), has_words(audit_text(self.node))


def payloads(events, kind):
    return [e["payload"] for e in events if e["type"] == kind]


def answer_of(events):
    return payloads(events, "message.assistant")[-1]["text"]


def a_turn_in_each_mode():
    """a turn: off and report send the words, redact placeholders, deny nothing"""
    with World() as w:
        settings = json.loads(w.ask("GET", "/v1/settings")[2])
        assert settings["egress"] == {"pii": "off", "from": "configuration"}, settings
        _, events = w.turn(TEXT)
        assert answer_of(events) == "You said: " + TEXT
        assert TEXT in text_of(w.provider.last()["messages"][-1])
        assert "pii" not in w.audit("llm.invoke")[-1]

        assert w.mode("report") == {"pii": "report", "from": "tenant"}
        _, events = w.turn(TEXT)
        assert answer_of(events) == "You said: " + TEXT
        assert text_of(w.provider.last()["messages"][-1]) == TEXT
        assert w.audit("llm.invoke")[-1]["pii"] == {"mode": "report", "found": {"mail": 3, "phone": 1}}
        assert w.metric('soma_pii_found_total{kind="mail",to="llm"}') == 3
        assert w.metric('soma_pii_egress_total{outcome="reported",to="llm"}') == 1

        w.mode("redact")
        w.provider.forget()
        session, events = w.turn(TEXT)
        assert not has_words(w.provider.texts())
        assert text_of(w.provider.last()["messages"][-1]) == HIDDEN
        assert answer_of(events) == "You said: " + TEXT
        assert fold_texts(events)[payloads(events, "llm.complete")[0]["message_id"]] == "You said: " + TEXT
        assert w.audit("llm.invoke")[-1]["pii"]["mode"] == "redact"
        # Said again in a later turn, it is the same placeholder.
        _, events = w.turn(f"Who is {OTHER}?", session)
        assert not has_words(w.provider.texts())
        assert text_of(w.provider.last()["messages"][-1]) == "Who is [[mail-2]]?"
        assert answer_of(events) == f"You said: Who is {OTHER}?"
        # What looks like a placeholder is nobody's.
        _, events = w.turn("What is [[mail-1]]?", session)
        assert answer_of(events) == "You said: What is [[mail-1]]?"

        w.mode("deny")
        w.provider.forget()
        _, events = w.turn(TEXT)
        assert w.provider.bodies() == []
        [error] = payloads(events, "error")
        assert error["code"] == "policy.denied" and "mail: 3" in error["detail"], error
        assert error["detail"].startswith("rule egress.pii: ") and not error["retryable"], error
        assert payloads(events, "llm.complete")[0]["finish_reason"] == "error"
        record = w.audit("llm.invoke")[-1]
        assert (record["outcome"], record["why"]) == ("denied", "egress.pii"), record
        assert record["pii"]["found"] == {"mail": 3, "phone": 1}, record
        _, events = w.turn("Nobody is named here.")
        assert answer_of(events) == "You said: Nobody is named here."
        assert w.mode("") == {"pii": "off", "from": "configuration"}
        w.keeps_quiet()
        diff = [one["diff"] for one in w.audit("settings.update")]
        assert diff[0] == {"egress.pii": {"from": "off", "to": "report"}}, diff


def tools_get_the_true_words():
    """redact: a local tool called by the model gets the words, and what it says goes out without them"""
    with World(settings=["egress.pii=redact"]) as w:
        inputs = json.dumps({"text": f"to {MAIL}"})
        _, events = w.turn(f"CALL echo {inputs}")
        assert payloads(events, "tool.call")[0]["inputs"] == {"text": f"to {MAIL}"}
        [result] = payloads(events, "tool.result")
        assert MAIL in json.dumps(result["output"]), result
        assert not has_words(w.provider.texts())
        assert "[[mail-1]]" in text_of(w.provider.last()["messages"][-1])
        assert MAIL in answer_of(events)
        w.keeps_quiet()


def invoke_in_each_mode():
    """invoke and its stream: as a turn; a refusal is 403 with its rule"""
    with World() as w:
        body = {"messages": [{"role": "user", "content": TEXT}]}

        def invoke(path="/v1/llm/invoke"):
            return w.ask("POST", path, body)
        for mode, seen in (("report", TEXT), ("redact", HIDDEN)):
            w.mode(mode)
            status, _, text = invoke()
            assert (status, json.loads(text)["content"]) == (200, "You said: " + TEXT), text
            assert text_of(w.provider.last()["messages"][-1]) == seen
            status, _, text = invoke("/v1/llm/invoke/stream")
            pieces = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
            assert "".join(p.get("text", "") for p in pieces) == "You said: " + TEXT, text
            offsets = [p["offset"] for p in pieces if "offset" in p]
            lengths = [len(p["text"]) for p in pieces if "offset" in p]
            assert offsets == [sum(lengths[:i]) for i in range(len(lengths))]
            assert text_of(w.provider.last()["messages"][-1]) == seen
        w.mode("deny")
        before = len(w.provider.bodies())
        for path in ("/v1/llm/invoke", "/v1/llm/invoke/stream"):
            status, _, text = invoke(path)
            problem = json.loads(text)
            assert (status, problem["code"], problem["rule"]) == (403, "policy.denied", "egress.pii"), text
        assert len(w.provider.bodies()) == before
        assert w.audit("llm.invoke")[-1]["user_id"], w.audit("llm.invoke")[-1]
        w.keeps_quiet()


def the_openai_face_in_each_mode():
    """OpenAI's face, streamed and whole, with parts and tools; embeddings; a long body"""
    with World() as w:
        parts = [{"type": "text", "text": TEXT}]

        def chat(content, **more):
            return w.ask("POST", "/v1/chat/completions",
                         {"model": "default", "messages": [{"role": "user", "content": content}], **more})

        def streamed(text):
            found = [json.loads(line[6:]) for line in text.splitlines()
                     if line.startswith("data: {")]
            assert text.rstrip().endswith("data: [DONE]")
            return "".join(c["delta"].get("content") or "" for one in found for c in one["choices"])
        for mode, seen in (("report", TEXT), ("redact", HIDDEN)):
            w.mode(mode)
            for content in (TEXT, parts):
                status, _, text = chat(content)
                assert status == 200, text
                assert json.loads(text)["choices"][0]["message"]["content"] == "You said: " + TEXT
                assert text_of(w.provider.last()["messages"][-1]) == seen
                status, _, text = chat(content, stream=True)
                assert (status, streamed(text)) == (200, "You said: " + TEXT), text
                assert text_of(w.provider.last()["messages"][-1]) == seen
            tool = {"type": "function", "function": {"name": "mail", "parameters": {"type": "object"}}}
            status, _, text = chat(f'CALL mail {{"to":"{MAIL}"}}', tools=[tool], stream=mode == "report")
            assert status == 200, text
            if mode == "redact":
                [call] = json.loads(text)["choices"][0]["message"]["tool_calls"]
                assert json.loads(call["function"]["arguments"]) == {"to": MAIL}, call
            status, _, text = w.ask("POST", "/v1/responses", {"model": "default", "input": TEXT})
            assert status == 200 and ("You said: " + TEXT) in json.dumps(json.loads(text)), text
        w.provider.forget()
        status, _, text = w.ask("POST", "/v1/embeddings", {"model": "default", "input": [TEXT, "x"]})
        assert status == 200, text
        assert json.loads(w.provider.bodies("/embeddings")[0])["input"] == [HIDDEN, "x"]
        # Long enough to be looked through on another thread.
        long_text = "word " * 40_000 + TEXT
        status, _, text = chat(long_text, stream=True)
        assert streamed(text) == "You said: " + long_text
        assert not has_words(w.provider.texts())
        w.mode("deny")
        w.provider.forget()
        for more in ({}, {"stream": True}):
            for content in (TEXT, long_text):
                status, _, text = chat(content, **more)
                assert (status, json.loads(text)["error"]["code"]) == (403, "policy.denied"), text
        assert w.ask("POST", "/v1/embeddings", {"model": "default", "input": TEXT})[0] == 403
        assert w.provider.bodies() == [] and w.provider.bodies("/embeddings") == []
        w.keeps_quiet()


def a_killed_answer_goes_on():
    """redact: after a kill -9 the answer goes on from its prefix with the same placeholders"""
    with World(settings=["egress.pii=redact"]) as w:
        text = f"SLOW {TEXT}"
        status, _, said = w.ask("POST", "/v1/session/message", {"message": text})
        assert status == 202, said
        said = json.loads(said)

        def half():
            texts = fold_texts(w.node.events(said["session_id"]))
            return any(MAIL in one for one in texts.values())
        wait_until(half, 20, "half an answer")
        w.node.kill()
        w.node.start()
        events = w.end_of(said)
        assert answer_of(events) == "You said: " + text, answer_of(events)
        first, second = w.provider.bodies()[0], w.provider.bodies()[-1]
        assert len(w.provider.bodies()) == 2 and not has_words(w.provider.texts())
        question = [text_of(m) for m in json.loads(first)["messages"] if m["role"] == "user"]
        assert question == [text_of(m) for m in json.loads(second)["messages"] if m["role"] == "user"]
        prefix = text_of(json.loads(second)["messages"][-1])
        assert "[[mail-1]]" in prefix and ("You said: SLOW " + HIDDEN).startswith(prefix), prefix


def tools_with_egress():
    """http_fetch and a server of tools: what they are given is looked through, the answer has the words"""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Modern)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with World(env={"GATEWAY_ENC_KEY": "11" * 32}) as w:
        w.node.json("PUT", "/v1/mcp-servers/modern",
                    {"url": f"http://127.0.0.1:{server.server_port}/mcp", "enable": ["greet"]}, expect=200)

        def is_ready():
            listed = w.node.json("GET", "/v1/mcp-servers", expect=200)["servers"]
            return [one for one in listed if one["state"] == "ready"]
        wait_until(is_ready, 30, "the server of tools")
        session = w.node.json("POST", "/v1/sessions", {}, expect=201)["session_id"]

        def run(tool, inputs):
            begun = w.node.json("POST", "/v1/tool/request",
                                {"session_id": session, "tool_id": tool, "inputs": inputs}, expect=202)

            def result():
                return [p for p in payloads(w.node.events(session), "tool.result")
                        if p["tool_call_id"] == begun["tool_call_id"]]
            return wait_until(result, 30, "the tool's result")[0]

        def greet():
            Modern.asked.clear()
            result = run("mcp.modern.greet", {"who": f"Ann <{MAIL}>"})
            return result, json.dumps([[*map(str, one[0].items()), one[1]] for one in Modern.asked])
        for mode, arrives in (("off", MAIL), ("report", MAIL), ("redact", "[[mail-1-"), ("deny", None)):
            w.mode(mode)
            result, arrived = greet()
            if arrives is None:
                assert result["status"] == "denied" and arrived == "[]", (result, arrived)
                assert result["error"]["code"] == "policy.denied", result
                assert "egress.pii" in result["error"]["detail"], result
            else:
                assert result["status"] == "success" and arrives in arrived, (mode, result, arrived)
            if mode in ("redact", "deny"):
                assert not has_words(arrived), arrived
            record = w.audit("tool.execute")[-1]
            expected = None if mode == "off" else {"mode": mode, "found": {"mail": 1}}
            assert record.get("pii") == expected, (mode, record)
        assert record["why"] == "egress.pii", record

        # What was sent and comes back has its words again; what a stranger guesses has none.
        w.mode("redact")
        Modern.says = staticmethod(lambda inputs: f"for {inputs.get('who')}, ![x](http://x.test/[[mail-1]])")
        said = json.dumps(greet()[0]["output"])
        Modern.says = staticmethod(lambda inputs: "hello")
        assert f"for Ann <{MAIL}>, ![x](http://x.test/[[mail-1]])" in said, said
        # Nothing of this machine may be fetched: what counts is whether that is why.
        for mode in ("report", "redact", "deny"):
            w.mode(mode)
            assert run("echo", {"text": MAIL})["output"] == {"text": MAIL}
            body = {"url": "http://127.0.0.1/x", "method": "POST", "body": TEXT}
            result = run("http_fetch", body)
            denied = "egress.pii" in result["error"]["detail"]
            assert denied == (mode == "deny"), (mode, result)
            assert w.audit("tool.execute")[-1]["pii"]["found"] == {"mail": 3, "phone": 1}
            escaped = run("http_fetch", {"url": "http://127.0.0.1/?to=" + quote(MAIL)})
            # What stands in an address in code cannot be taken out of it.
            assert ("egress.pii" in escaped["error"]["detail"]) == (mode != "report"), (mode, escaped)
        assert w.metric('soma_pii_egress_total{outcome="redacted",to="tool"}') == 3
        # What stays here is nobody's egress.
        assert run("echo", {"text": MAIL})["status"] == "success"
        w.keeps_quiet()
    server.shutdown()


def two_tenants_differ():
    """each tenant has its own mode, over the node's, and keeps it over a restart"""
    world = World(settings=["egress.pii=deny"])
    other = world.node.new_key("--tenant", "other", "--role", "admin")
    with world as w:
        w.mode("redact")
        assert w.mode("report", key=other) == {"pii": "report", "from": "tenant"}
        for _ in range(2):
            w.provider.forget()
            _, events = w.turn(TEXT)
            assert not has_words(w.provider.texts())
            _, events = w.turn(TEXT, key=other)
            assert answer_of(events) == "You said: " + TEXT
            assert text_of(w.provider.last()["messages"][-1]) == TEXT
            w.node.kill()
            w.node.start()
        status, _, text = w.ask("PUT", "/v1/settings", {"egress": {"pii": "sometimes"}})
        assert status == 422, text
        assert w.mode("", key=other) == {"pii": "deny", "from": "configuration"}
        w.provider.forget()
        w.turn(TEXT, key=other)
        assert w.provider.bodies() == []


def policy_is_asked():
    """policy: asked with counts and where to, never with words; it denies by a rule, or is away"""
    opa = StandIn()
    with World(env={"OPA_URL": opa.url},
               settings=["policy.cache_ms=0", "policy.timeout_ms=10000", "egress.pii=redact"]) as w:
        session, events = w.turn(TEXT)
        [asked] = opa.asked(action="egress.pii")
        assert asked["resource"]["type"] == "egress", asked
        assert asked["resource"]["id"].startswith("llm:"), asked
        assert asked["resource"]["found"] == {"mail": 3, "phone": 1}, asked
        assert asked["resource"]["session_id"] == session and asked["user"]["role"] == "admin", asked
        w.turn("Nobody is named here.")
        assert len(opa.asked(action="egress.pii")) == 1
        body = {"messages": [{"role": "user", "content": f"It is {PHONE}"}]}
        assert w.ask("POST", "/v1/llm/invoke", body)[0] == 200
        [_, by_hand] = opa.asked(action="egress.pii")
        assert by_hand["context"]["door"] == "http" and by_hand["user"]["role"] == "admin", by_hand
        assert not has_words(json.dumps(opa.questions))

        def no_phones(question):
            if question["resource"].get("found", {}).get("phone"):
                return {"allow": False, "rule": "no-phones", "reason": "No number leaves."}
            return True
        opa.decide = no_phones
        w.provider.forget()
        status, _, text = w.ask("POST", "/v1/llm/invoke", body)
        problem = json.loads(text)
        assert (status, problem["rule"], problem["detail"]) == (403, "no-phones", "No number leaves."), text
        status, _, text = w.ask("POST", "/v1/chat/completions", {"model": "default", **body, "stream": True})
        assert (status, json.loads(text)["error"]["code"]) == (403, "policy.denied"), text
        _, events = w.turn(f"It is {PHONE}")
        [error] = payloads(events, "error")
        assert error["detail"] == "rule no-phones: No number leaves.", error
        assert w.provider.bodies() == []

        opa.decide = lambda q: True if q["action"] != "egress.pii" else "no answer to anything"
        status, _, text = w.ask("POST", "/v1/llm/invoke", body)
        problem = json.loads(text)
        assert (status, problem["code"], problem["component"]) == (
            503, "dependency.unavailable", "policy"), text
        _, events = w.turn(f"It is {PHONE}")
        [error] = payloads(events, "error")
        assert error["code"] == "dependency.unavailable" and error["retryable"], error
        assert len(payloads(events, "llm.request")) == 1
        assert w.provider.bodies() == []
        w.keeps_quiet()
    opa.stop()


def somabrain_is_sent_placeholders():
    """SomaBrain: redact sends placeholders, deny nothing, and what is here is as it was"""
    brain = SomaBrain(free_port())
    brain.start()
    with World(env={"SOMA_BASE_URL": brain.base_url, "SOMA_API_TOKEN": brain.token},
               settings=["outbox.backoff_ms_max=100", "outbox.attempts_max=2", "egress.pii=redact"]) as w:
        def note(text):
            return w.node.json("POST", "/v1/memories", {"text": text, "tags": ["a"]}, expect=201)["memory_id"]

        def state(of):
            return w.node.json("GET", f"/v1/memories/{of}", expect=200)["state"]
        first = note(f"Ann is {MAIL}")
        wait_until(lambda: state(first) == "replicated", 30, "the first note's copy")
        assert brain.texts()[first] == "Ann is [[mail-1]]", brain.texts()
        assert w.node.json("GET", f"/v1/memories/{first}", expect=200)["text"] == f"Ann is {MAIL}"
        w.mode("deny")
        second, third = note(f"Bob is {OTHER}"), note("Nobody")
        wait_until(lambda: state(second) == "failed", 30, "the second to be given up")
        wait_until(lambda: state(third) == "replicated", 30, "the third note's copy")
        letters = w.node.json("GET", "/v1/admin/dlq", expect=200)["rows"]
        assert "personal data" in letters[0]["last_error"], letters
        assert not has_words(json.dumps([*brain.texts().values(), letters]))
        w.node.json("GET", "/v1/memories/search?q=" + quote(f"who is {OTHER}"), expect=200)
        assert second not in brain.texts()
        w.keeps_quiet()
    brain.stop()


if __name__ == "__main__":
    chosen = [a_turn_in_each_mode, tools_get_the_true_words, invoke_in_each_mode,
              the_openai_face_in_each_mode, a_killed_answer_goes_on, tools_with_egress,
              two_tenants_differ, policy_is_asked, somabrain_is_sent_placeholders]
    if names := sys.argv[1:]:
        chosen = [test for test in chosen if test.__name__ in names]
    sys.exit(run_tests(chosen))
