"""The LLM gateway as a whole: profiles, credentials, calls, caps, accounts and audit, on a real
server before a scripted provider."""

import base64
import concurrent.futures
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from audit_records import audit_records
from node_under_test import ADMIN_KEY, BIN, Node, free_port, run_tests, wait_until
from upstream import TEXT, Upstream

KEY_A, KEY_B = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
PLANTED = "sk-planted-b5e1c2d3a4f5061728394a5b"
TOKEN = "internal-token-0123456789"
ASK = [{"role": "user", "content": "Does it work?"}]


def new_node(settings=(), env=None, data_dir=None):
    return Node(up.base_url, settings=["llm.retries=0", *settings], resume="restart",
                data_dir=data_dir, env={"SOMA_LLM_MODEL": "ok", "GATEWAY_ENC_KEY": KEY_A,
                                        "GATEWAY_INTERNAL_TOKEN": TOKEN, **(env or {})}).start()


def profile(node, name, model="ok", expect=200, **more):
    return node.json("PUT", f"/v1/model-profiles/{name}",
                     {"model": model, "base_url": up.base_url, "role": "extra", **more},
                     expect=expect)


def invoke(node, profile=None, expect=200, key=ADMIN_KEY, stream=False, **more):
    body = {"messages": ASK, **({"profile": profile} if profile else {}), **more}
    status, headers, text = node.request(
        "POST", "/v1/llm/invoke" + ("/stream" if stream else ""), body, key=key)
    assert status == expect, (status, text)
    return {n.lower(): v for n, v in headers.items()}, text if stream else json.loads(text)


def audit(node):
    return audit_records(node)


def blocks(text):
    return [(b.split("\n")[0].removeprefix("event: "), json.loads(b.split("data: ", 1)[1]))
            for b in text.split("\n\n") if b]


# ---- profiles ----

def profiles():
    """profiles: made, listed, changed on a condition, disabled, removed; each tenant has its own"""
    made = node.json("POST", "/v1/model-profiles", {
        "name": "made", "role": "summarize", "model": "ok", "base_url": up.base_url + "/models/",
        "parameters": {"temperature": 0.5, "stop": ["END"]}, "prices": {"input": 1}}, expect=201)
    assert made["base_url"] == up.base_url and made["source"] == "tenant", made
    assert made["provider"] == "local" and made["kind"] == "openai_chat", made
    node.json("POST", "/v1/model-profiles", {"name": "made", "model": "x", "base_url": up.base_url},
              expect=409)
    names = [p["name"] for p in node.json("GET", "/v1/model-profiles")["profiles"]]
    assert "made" in names and "default" in names, names
    status, headers, text = node.request("GET", "/v1/model-profiles/made")
    first = headers["ETag"]
    assert status == 200 and json.loads(text) == made
    # What GET gave may be sent back.
    status, headers, _ = node.request("PUT", "/v1/model-profiles/made", {**made, "model": "calls"},
                                      {"If-Match": first})
    assert status == 200 and headers["ETag"] != first
    for method, body in (("PUT", made), ("DELETE", None)):
        status, _, text = node.request(method, "/v1/model-profiles/made", body, {"If-Match": first})
        assert (status, json.loads(text)["code"]) == (412, "profile.changed"), text
    status, _, text = node.request("PUT", "/v1/model-profiles/nowhere", made, {"If-Match": "*"})
    assert status == 412, text
    bad = node.json("PUT", "/v1/model-profiles/bad", {"model": "x", "base_url": "http://x:99999"},
                    expect=422)
    assert bad["code"] == "profile.invalid" and bad["field"] == "base_url", bad
    _, answer = invoke(node, role="summarize")
    assert answer["profile"] == "made" and answer["finish_reason"] == "tool_calls", answer
    assert answer["tool_calls"] == [{"id": "call_1", "name": "clock", "inputs": {"zone": "UTC"}}]
    assert up.asked("calls")[-1][2]["stop"] == ["END"]
    assert [p["name"] for p in json.loads(node.request(
        "GET", "/v1/model-profiles", key=other)[2])["profiles"]] == ["default"]
    assert node.request("GET", "/v1/model-profiles/made", key=other)[0] == 404
    assert invoke(node, "made", 404, key=other)[1]["code"] == "profile.not_found"
    profile(node, "off", enabled=False)
    assert invoke(node, "off", 409)[1]["code"] == "profile.disabled"
    assert node.request("DELETE", "/v1/model-profiles/made")[0] == 204
    assert node.request("DELETE", "/v1/model-profiles/made")[0] == 404
    assert node.request("DELETE", "/v1/model-profiles/default")[0] == 404  # the configuration's


def roles():
    """a role no profile has is played by the dialogue model, but for embeddings"""
    _, answer = invoke(node, role="psychology")
    assert answer["profile"] == "default" and answer["content"] == TEXT, answer
    assert invoke(node, role="embed", expect=404)[1]["code"] == "profile.not_found"


def private_addresses():
    """where private addresses are not allowed, neither a literal one nor a name for one is reached"""
    strict = new_node(["llm.allow_private_base_urls=false"])
    try:
        for url in (up.base_url, "http://10.1.2.3", "http://[::ffff:127.0.0.1]:9/v1",
                    "http://169.254.169.254/latest"):
            bad = strict.json("PUT", "/v1/model-profiles/p", {"model": "m", "base_url": url},
                              expect=422)
            assert bad["field"] == "base_url", bad
            strict.json("PUT", "/v1/settings", {"llm": {"base_url": url, "model": "m"}}, expect=422)
        # A number that a resolver takes for the loopback address.
        strict.json("PUT", "/v1/model-profiles/p",
                    {"model": "ok", "base_url": f"http://2130706433:{up.port}/v1"}, expect=200)
        before = len(up.requests)
        bad = invoke(strict, "p", 502)[1]
        assert bad["code"] == "llm.unreachable" and len(up.requests) == before, bad
        assert invoke(strict)[1]["content"] == TEXT  # the operator's own address
    finally:
        strict.stop()


# ---- calls ----

def kinds():
    """the three wire formats answer the same, whole and streamed"""
    for kind in ("openai_chat", "openai_responses", "anthropic"):
        profile(node, "kind", kind=kind, prices={"input": 1, "output": 2})
        _, answer = invoke(node, "kind")
        assert answer["content"] == TEXT and answer["model"] == "ok", answer
        assert answer["usage"]["prompt_tokens"] == 10, answer
        assert answer["usage"]["completion_tokens"] == 5, answer
        assert answer["usage"]["cost_usd"] > 0, answer
        headers, text = invoke(node, "kind", stream=True)
        assert headers["content-type"] == "text/event-stream", headers
        found = blocks(text)
        said = ""
        for name, data in found[:-1]:
            assert name == "llm.delta" and data["offset"] == len(said), found
            said += data["text"]
        assert said == TEXT
        name, end = found[-1]
        assert name == "llm.complete" and end["finish_reason"] == "stop", end
        assert end["usage"] == answer["usage"], end


def diagnoses():
    """the test of a profile says what is wrong with it"""
    def test(name):
        return node.json("POST", "/v1/llm/test", {"profile": name}, expect=200)
    profile(node, "t")
    good = test("t")
    assert good["ok"] and good["models"] == ["ok", "other"] and good["first_token_ms"] > 0, good
    closed = free_port()
    for model, base_url, code, words in (
            ("ok", "http://name.invalid/v1", "llm.unreachable", "resolved"),
            ("ok", f"http://127.0.0.1:{closed}/v1", "llm.unreachable", "connection"),
            ("ok", f"https://127.0.0.1:{up.port}/v1", "llm.unreachable", "TLS"),
            ("unauthorized", up.base_url, "llm.auth", "key"),
            ("gone", up.base_url, "llm.bad_request", "model"),
            ("limited", up.base_url, "llm.rate_limited", "limit"),
            ("page", up.base_url, "llm.bad_stream", "no model API")):
        profile(node, "t", model, base_url=base_url)
        found = test("t")
        assert not found["ok"] and found["code"] == code, (model, found)
        assert words in found["diagnosis"], (model, found)
    assert node.json("POST", "/v1/llm/test", {"profile": "none"}, expect=404)


def failover():
    """a provider that fails is stood in for, and who answered is what is counted and audited"""
    profile(node, "standin", "other")
    profile(node, "shaky", "fail", fallbacks=["nobody", "standin"])
    for _ in range(7):  # the breaker opens on the way
        _, answer = invoke(node, "shaky")
        assert answer["profile"] == "standin" and answer["content"] == TEXT, answer
    assert len(up.asked("fail")) == 5, "the breaker leaves it alone"
    last = [r for r in audit(node) if r["what"] == "llm.invoke"][-1]
    assert last["profile"] == "standin" and last["model"] == "other", last
    assert last["outcome"] == "ok" and last["base_url"] == up.base_url, last
    assert last["usage"]["prompt_tokens"] == 10 and last["request_id"], last
    # OpenAI's face: the body names the model of whom it goes to.
    status, _, text = node.request("POST", "/v1/chat/completions",
                                   {"model": "shaky", "messages": ASK})
    assert status == 200, text
    assert up.asked("other")[-1][2]["messages"] == ASK
    profile(node, "alone", "fail")
    refused = invoke(node, "alone", 503)
    assert refused[1]["code"] == "llm.circuit_open" and int(refused[0]["retry-after"]) > 0, refused


def caller_gone():
    """a caller that goes away closes the provider's connection, and the call is counted"""
    profile(node, "hangs", "hang")
    wait_until(lambda: up.open <= 40, what="idle connections only")
    for path, body in (("/v1/llm/invoke", {"profile": "hangs", "messages": ASK}),
                       ("/v1/llm/invoke/stream", {"profile": "hangs", "messages": ASK}),
                       ("/v1/chat/completions", {"model": "hangs", "stream": True, "messages": ASK}),
                       ("/v1/chat/completions", {"model": "hangs", "stream": True, "messages": ASK})):
        asked, cancelled = len(up.asked("hang")), cancellations()
        connection = node.connect()
        connection.request("POST", path, json.dumps(body), {
            "Authorization": f"Bearer {ADMIN_KEY}", "Content-Type": "application/json"})
        wait_until(lambda: len(up.asked("hang")) > asked, what="the provider to be asked")
        opened = up.open
        connection.close()
        wait_until(lambda: up.open < opened, what=f"the provider's connection to close ({path})")
        wait_until(lambda: cancellations() > cancelled, what="the audit")
    assert node.json("GET", "/v1/usage")["today"]["in_flight"] == 0


def cancellations():
    return sum(r.get("outcome") == "cancelled" for r in audit(node))


def conversations():
    """a session's next call goes to what the profile names by then, and is counted as its own"""
    mine = new_node()
    try:
        def turn(session=None):
            before = len(up.requests)
            accepted = mine.say("Hello", session)
            wait_until(lambda: not mine.json(
                "GET", f"/v1/sessions/{accepted['session_id']}")["busy"], what="the turn's end")
            return accepted["session_id"], [r[2]["model"] for r in up.requests[before:] if "model" in r[2]]
        session, asked = turn()
        assert asked == ["ok"], asked
        mine.json("PUT", "/v1/settings", {"llm": {"model": "other"}}, expect=200)
        assert turn(session)[1] == ["other"]
        mine.json("PUT", "/v1/model-profiles/default",
                  {"model": "third", "base_url": up.base_url, "kind": "anthropic"}, expect=200)
        assert turn(session)[1] == ["third"]
        assert up.asked("third")[-1][0] == "/v1/messages"
        assert mine.request("DELETE", "/v1/model-profiles/default")[0] == 204
        assert turn(session)[1] == ["ok"]
        # What is preferred speaks before "default"; one at a time, and until it is not any more.
        for name in ("first-choice", "second-choice"):
            mine.json("POST", "/v1/model-profiles", {
                "name": name, "model": name, "base_url": up.base_url, "preferred": True}, expect=201)
            assert turn(session)[1] == [name]
        chosen = [p["name"] for p in mine.json("GET", "/v1/model-profiles")["profiles"]
                  if p.get("preferred")]
        assert chosen == ["second-choice"], chosen
        mine.json("PUT", "/v1/model-profiles/second-choice",
                  {"model": "second-choice", "base_url": up.base_url}, expect=200)
        assert turn(session)[1] == ["ok"]
        rows = usage_rows(mine, "?by=session")
        assert {r["session_id"] for r in rows} == {session}, rows
        assert sum(r["calls"] for r in rows) == 7, rows
    finally:
        mine.stop()


def model_lock():
    """a base_url, or a model of no profile, that a caller names never counts: logged, warned, refused"""
    header = "x-gateway-model-lock-warning"
    named = ({"base_url": "http://evil.example"}, {"overrides": {"base_url": "http://evil.example"}},
             {"overrides": {"model": "no-profile-has-it"}},
             {"base_url": "http://evil.example", "overrides": {"model": "no-profile-has-it"}})
    for lock in ("off", "warn", "enforce"):
        mine = new_node(env={"GATEWAY_MODEL_LOCK": lock})
        try:
            before = len(up.asked("ok"))
            for body in named:
                headers, answer = invoke(mine, expect=400 if lock == "enforce" else 200, **body)
                if lock == "enforce":
                    assert answer["code"] == "model_lock.violation", answer
                else:
                    assert answer["content"] == TEXT and answer["model"] == "ok", answer
                assert (header in headers) == (lock == "warn"), (lock, headers)
            status, headers, text = mine.request("POST", "/v1/chat/completions", {
                "model": "default", "messages": ASK, "base_url": "http://evil.example"})
            assert status == (400 if lock == "enforce" else 200), text
            assert (header in {n.lower() for n in headers}) == (lock == "warn"), headers
            # On OpenAI's face a model that is not there is 404, whatever the lock.
            for path, body in (("chat/completions", {"messages": ASK}), ("embeddings", {"input": "a"}),
                               ("responses", {"input": "a"}), ("completions", {"prompt": "a"})):
                status, headers, text = mine.request(
                    "POST", "/v1/" + path, {"model": "no-profile-has-it", **body})
                assert (status, json.loads(text)["error"]["code"]) == (404, "model_not_found"), text
            assert len(up.asked("ok")) == before + (0 if lock == "enforce" else 5)
            assert "base_url" not in up.asked("ok")[-1][2]
            records = [r for r in audit(mine) if r["what"] == "model_lock.violation"]
            assert len(records) == (0 if lock == "off" else 5), (lock, records)
            assert all((r["outcome"] == "denied") == (lock == "enforce") for r in records), records
            wait_until(lambda: mine.log_text().count("model_lock.violation") == 5, what="the lines")
            assert invoke(mine, overrides={"model": "ok"})[0].get(header) is None
        finally:
            mine.stop()


# ---- secrets ----

def secret_is_nowhere():
    """a planted key goes to its provider and is nowhere else: data, logs, audit, answers, metrics"""
    mine = new_node(["log.level=debug"])
    answers = []

    def ask(method, path, body=None, headers=None):
        status, fields, text = mine.request(method, path, body, headers)
        answers.append((path, json.dumps(fields) + text))
        return status, text
    try:
        status, text = ask("PUT", "/v1/llm/credentials/local", {"secret": PLANTED})
        assert status == 200 and json.loads(text)["fingerprint"], text
        ask("GET", "/v1/llm/credentials")
        ask("GET", "/v1/llm/credentials/local")
        ask("GET", "/v1/llm/credentials/local", headers={"X-Internal-Token": "wrong"})
        for name in ("ok", "fail", "unauthorized", "gone", "limited", "page"):
            profile(mine, name, name)
            ask("POST", "/v1/llm/invoke", {"profile": name, "messages": ASK})
            ask("POST", "/v1/llm/invoke/stream", {"profile": name, "messages": ASK})
            ask("POST", "/v1/chat/completions", {"model": name, "messages": ASK})
            ask("POST", "/v1/llm/test", {"profile": name})
            if name == "ok":
                # What a core dump would show. The other providers send the key back: they make
                # copies that are theirs.
                wait_until(lambda: not in_memory(mine, PLANTED), what="the memory to be wiped")
                assert in_memory(mine, up.base_url), "memory was read"
        assert up.asked("ok")[-1][1]["authorization"] == f"Bearer {PLANTED}"
        for bad in ({"secret": PLANTED + "\n"}, {"secret": PLANTED, "x": 1}, {"secret": [PLANTED]}):
            assert ask("PUT", "/v1/llm/credentials/local", bad)[0] in (400, 422)
        session = mine.say("Hello")["session_id"]
        wait_until(lambda: not mine.json("GET", f"/v1/sessions/{session}")["busy"], what="the turn")
        ask("POST", "/v1/sessions/export", {"session_id": session})
        for path in ("/metrics", "/v1/settings", "/v1/model-profiles", "/v1/usage", "/healthz",
                     "/v1/runtime-config", f"/v1/sessions/{session}/events"):
            ask("GET", path)
        assert '"api_key":"********"' in dict(answers)["/v1/settings"]
        status, _, text = mine.request("GET", "/v1/llm/credentials/local",
                                       headers={"X-Internal-Token": TOKEN})
        assert status == 200 and json.loads(text)["secret"] == PLANTED, text
        mine.kill()  # what is in the log of the store now is not yet compacted
        assert_absent(mine, answers)
        mine.start()
        assert mine.json("GET", "/v1/llm/credentials/local")["provider"] == "local"
        assert invoke(mine)[1]["content"] == TEXT
        assert up.requests[-1][1]["authorization"] == f"Bearer {PLANTED}"
        assert mine.request("DELETE", "/v1/llm/credentials/local")[0] == 204
        invoke(mine)
        assert "authorization" not in up.requests[-1][1]
        mine.stop()
        assert_absent(mine, answers)
    finally:
        mine.stop()


def in_memory(mine, text):
    """Whether the server's memory holds the text now."""
    pid = mine.process.pid
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            place, rights, *_ = line.split()
            if not rights.startswith("rw"):
                continue
            begin, end = (int(part, 16) for part in place.split("-"))
            if end - begin > 1 << 32:  # what a sanitizer reserves
                continue
            try:
                memory.seek(begin)
                if text.encode() in memory.read(end - begin):
                    return True
            except (OSError, OverflowError):
                continue
    return False


def assert_absent(mine, answers):
    for path, text in answers:
        assert PLANTED not in text and PLANTED[3:15] not in text, path
    spellings = [PLANTED.encode(), base64.b64encode(PLANTED.encode()).rstrip(b"="),
                 PLANTED.encode().hex().encode(), PLANTED[3:15].encode()]
    read = 0
    for folder, _, files in os.walk(mine.data_dir):
        for name in files:
            if not os.path.isfile(os.path.join(folder, name)):
                continue  # the socket of `soma signin`
            with open(os.path.join(folder, name), "rb") as file:
                content = file.read()
            read += len(content)
            for spelling in spellings:
                assert spelling not in content, (name, spelling)
    assert read > 10_000, "the data was read"


def wrong_key():
    """a wrong encryption key says so at start and serves no secret; old and new rotate at start"""
    mine = new_node()
    try:
        mine.json("PUT", "/v1/llm/credentials/local", {"secret": PLANTED}, expect=200)

        def restart(keys):
            mine.stop()
            mine.env["GATEWAY_ENC_KEY"] = keys
            mine.start()
        restart(KEY_B)
        wait_until(lambda: "secrets.unreadable" in mine.log_text(), what="the line")
        before = len(up.requests)
        assert invoke(mine, expect=409)[1]["code"] == "secret.key_wrong"
        assert len(up.requests) == before
        status, _, text = mine.request("GET", "/v1/llm/credentials/local",
                                       headers={"X-Internal-Token": TOKEN})
        assert status == 409 and PLANTED not in text, text
        assert mine.request("GET", "/v1/llm/credentials/local")[0] == 200
        restart("")
        assert invoke(mine, expect=409)[1]["code"] == "secret.key_missing"
        mine.json("PUT", "/v1/llm/credentials/x", {"secret": "s"}, expect=409)
        for keys in (f"{KEY_B},{KEY_A}", KEY_B):
            restart(keys)
            assert invoke(mine)[1]["content"] == TEXT
            assert up.requests[-1][1]["authorization"] == f"Bearer {PLANTED}"
    finally:
        mine.stop()


def rotated_while_running():
    """soma secrets rotate moves every secret under a new key while the server serves"""
    keys = os.path.join(tempfile.mkdtemp(prefix="soma-keys-"), "keys")
    mine = Node(up.base_url, resume="restart", env={"SOMA_LLM_MODEL": "ok",
                                                    "GATEWAY_ENC_KEY_FILE": keys})

    def rotate():
        made = subprocess.run([os.path.join(BIN, "soma"), "secrets", "rotate"], env=mine.env,
                              capture_output=True, text=True, timeout=30)
        assert made.returncode == 0, made.stderr
        with open(keys) as file:
            found = file.read().split()
        assert not any(key in made.stdout + made.stderr for key in found), "no key is shown"
        return found
    first = rotate()
    mine.start()
    try:
        mine.json("PUT", "/v1/llm/credentials/local", {"secret": PLANTED}, expect=200)
        asking, failures = True, []

        def ask():
            while asking:
                status, _, text = mine.request("POST", "/v1/llm/invoke", {"messages": ASK})
                if status != 200 or up.asked("ok")[-1][1]["authorization"] != f"Bearer {PLANTED}":
                    failures.append(text)
        thread = threading.Thread(target=ask)
        thread.start()
        both = rotate()
        assert both[1:] == first
        wait_until(lambda: "secrets.rotated" in mine.log_text(), what="the rotation")
        with open(keys, "w") as file:  # the old key goes
            file.write(both[0] + "\n")
        asking = False
        thread.join()
        assert not failures, failures[0]
        mine.stop()
        mine.start()
        invoke(mine)
        assert up.requests[-1][1]["authorization"] == f"Bearer {PLANTED}"
        with open(keys, "w") as file:
            file.write("rubbish")
        wait_until(lambda: "secrets.not_rotated" in mine.log_text(), what="the complaint")
        invoke(mine)
        assert up.requests[-1][1]["authorization"] == f"Bearer {PLANTED}"
    finally:
        mine.stop()
        shutil.rmtree(os.path.dirname(keys))


# ---- accounts ----

def usage_rows(mine, query=""):
    found = []

    def read():
        found[:] = mine.json("GET", "/v1/usage" + query)["rows"]
        return found
    # Rows are written a moment after the call.
    wait_until(lambda: sum(r["prompt_tokens"] + r["completion_tokens"] for r in read()) ==
               mine.json("GET", "/v1/usage")["today"]["tokens"], what="the rows to be written")
    return found


def caps():
    """caps refuse before the provider is asked, say when to come again, and outlive kill -9"""
    mine = new_node(["quota.tokens_a_day=45"])
    try:
        for _ in range(3):  # 15 tokens each
            invoke(mine)
        before = len(up.requests)

        def refused():
            for path, body in (("/v1/llm/invoke", {"messages": ASK}),
                               ("/v1/llm/invoke/stream", {"messages": ASK}),
                               ("/v1/chat/completions", {"model": "default", "messages": ASK}),
                               ("/v1/embeddings", {"model": "default", "input": "x"})):
                status, headers, text = mine.request("POST", path, body)
                assert status == 429 and "quota.exceeded" in text, (path, status, text)
                assert int(headers["Retry-After"]) > 0 and "RateLimit" in headers, headers
            assert len(up.requests) == before
        refused()
        rows = usage_rows(mine)
        assert [(r["calls"], r["prompt_tokens"], r["completion_tokens"], r["cached_tokens"])
                for r in rows] == [(3, 30, 15, 12)], rows
        mine.stop()
        mine.start()
        refused()
        assert usage_rows(mine) == rows
        mine.kill()
        mine.start()
        refused()
        assert usage_rows(mine) == rows
        # Another tenant has its own allowance.
        mine.stop()
        key = mine.new_key("--tenant", "other", "--role", "user")
        mine.start()
        assert invoke(mine, key=key)[1]["content"] == TEXT
        metrics = mine.request("GET", "/metrics")[2]
        assert 'soma_llm_tokens_total{' in metrics and 'kind="completion"' in metrics
    finally:
        mine.stop()


def caps_at_once():
    """parallel calls at a cap pass it by no more than what was in flight; at once means at once"""
    mine = new_node(["quota.tokens_a_day=150", "quota.concurrent=5"])
    try:
        profile(mine, "held", "held")
        up.release.clear()
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            def ask(name):
                return mine.request("POST", "/v1/llm/invoke", {"profile": name, "messages": ASK})
            held = [pool.submit(ask, "held") for _ in range(40)]
            wait_until(lambda: sum(f.done() for f in held) == 35, what="all but five to be refused")
            assert mine.json("GET", "/v1/usage")["today"]["in_flight"] == 5
            up.release.set()
            statuses = sorted(f.result()[0] for f in held)
            assert statuses == [200] * 5 + [429] * 35, statuses
            many = [pool.submit(ask, "default") for _ in range(200)]
            made = sum(f.result()[0] == 200 for f in many)
        today = mine.json("GET", "/v1/usage")["today"]
        assert today["in_flight"] == 0 and today["tokens"] == 75 + 15 * made, (made, today)
        assert 150 <= today["tokens"] <= 150 + 5 * 15, today
    finally:
        up.release.set()
        mine.stop()


def stopped_while_answering():
    """a server that is stopped while it answers goes down, and has counted the call"""
    mine = new_node(["shutdown.grace_s=1"])
    try:
        profile(mine, "hangs", "hang")
        asked = len(up.asked("hang"))
        def ask():
            try:
                mine.request("POST", "/v1/llm/invoke/stream", {"profile": "hangs", "messages": ASK})
            except (OSError, http.client.HTTPException):
                pass
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for each in threads:
            each.start()
        wait_until(lambda: len(up.asked("hang")) == asked + 4, what="the provider to be asked")
        mine.process.terminate()
        assert mine.process.wait(timeout=30) in (0, 1)
        for each in threads:
            each.join(10)
        assert sum(r.get("outcome") == "cancelled" for r in audit(mine)) == 4, audit(mine)
        mine.start()
        rows = usage_rows(mine)
        assert sum(r["calls"] for r in rows) == 4, rows
    finally:
        mine.stop()


# ---- OpenAI's face ----

def relayed():
    """chat completions go through as they came; usage is told to whom asked for it"""
    def chat(**more):
        status, _, text = node.request("POST", "/v1/chat/completions",
                                       {"model": "default", "messages": ASK, **more})
        assert status == 200, text
        return text
    plain = chat(stream=True)
    assert "prompt_tokens" not in plain and plain.endswith("data: [DONE]\n\n"), plain
    assert up.asked("ok")[-1][2]["stream_options"] == {"include_usage": True}
    told = chat(stream=True, stream_options={"include_usage": True})
    assert "prompt_tokens" in told and told.count("[DONE]") == 1, told
    assert json.loads(chat(seed=7, n=None))["choices"][0]["message"]["content"] == TEXT
    assert up.asked("ok")[-1][2]["seed"] == 7
    made = json.loads(node.request("POST", "/v1/embeddings", {
        "model": "default", "input": ["a", "b"]})[2])
    assert len(made["data"]) == 2 and made["data"][0]["embedding"] == [0.5, -1], made
    for kind in ("anthropic", "openai_responses"):
        profile(node, "translated", kind=kind)
        whole = json.loads(chat(model="translated"))
        assert whole["choices"][0]["message"]["content"] == TEXT, whole
        assert whole["usage"]["total_tokens"] == 15, whole
        streamed = chat(model="translated", stream=True, stream_options={"include_usage": True})
        assert '"total_tokens":15' in streamed and streamed.endswith("data: [DONE]\n\n"), streamed
    listed = json.loads(node.request("GET", "/v1/models")[2])["data"]
    assert "default" in [m["id"] for m in listed] and "off" not in [m["id"] for m in listed], listed
    for body, code in (({"model": "off", "messages": ASK}, "model_not_found"),
                       ({"model": "default", "messages": []}, "invalid_value"),
                       ({"model": "translated", "messages": ASK, "n": 2}, "unsupported_parameter")):
        status, _, text = node.request("POST", "/v1/chat/completions", body)
        assert status >= 400 and json.loads(text)["error"]["code"] == code, text


def main():
    global node, up, other
    up = Upstream()
    node = new_node()
    node.stop()
    other = node.new_key("--tenant", "other", "--role", "admin")
    node.start()
    try:
        return run_tests([profiles, roles, private_addresses, kinds, diagnoses, failover, caller_gone,
                          conversations, model_lock, secret_is_nowhere, wrong_key, rotated_while_running, caps, caps_at_once,
                          stopped_while_answering, relayed])
    finally:
        node.stop()
        up.stop()


if __name__ == "__main__":
    sys.exit(main())
