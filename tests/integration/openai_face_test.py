"""OpenAI's face before each kind of provider: what is translated, what is refused by name, how
failures are told. Its official clients are in openai_sdk_test.py."""

import base64
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from node_under_test import Node, run_tests
from upstream import JSON_TEXT, TEXT, Upstream

KINDS = ("openai_chat", "openai_responses", "anthropic")
ASK = [{"role": "user", "content": "Does it work?"}]
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 64).decode()
SCHEMA = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}


def post(path, body, expect=200):
    status, headers, text = node.request("POST", "/v1/" + path, body)
    assert status == expect, (path, body, status, text[:400])
    if headers["Content-Type"] == "text/event-stream":
        return text
    return json.loads(text)


def refused(path, body, status, code, param=None):
    error = post(path, body, status)["error"]
    assert error["code"] == code, error
    assert param is None or error["param"] == param, error
    return error


def last():
    # A model's window may be asked for beside a call: that has no body.
    return next(request[2] for request in reversed(up.requests) if request[2])


def told_failures():
    """each failure of a provider has the status that OpenAI's clients know, whatever the kind"""
    rows = (("fail", 502, "llm.provider_error"), ("unauthorized", 403, "llm.auth"),
            ("gone", 404, "model_not_found"), ("limited", 429, "rate_limit_exceeded"),
            ("wrong", 400, "llm.bad_request"), ("large", 400, "context_length_exceeded"),
            ("long", 400, "context_length_exceeded"))
    for model, status, code in rows:
        for kind in KINDS:
            node.json("PUT", f"/v1/model-profiles/{model}", {
                "model": model, "base_url": up.base_url, "role": "extra", "kind": kind}, expect=200)
            for stream in (False, True):
                for path, body in (("chat/completions", {"messages": ASK}), ("responses", {"input": "a"}),
                                   ("completions", {"prompt": "a"})):
                    refused(path, {"model": model, "stream": stream, **body}, status, code)
    refused("embeddings", {"model": "gone", "input": "x"}, 400, "unsupported_parameter", "model")


def said_or_refused():
    """a parameter reaches each kind of provider in its words, or is refused by its name"""
    for kind in KINDS:
        made = post("chat/completions", {
            "model": kind, "messages": ASK, "user": "u", "max_completion_tokens": 9,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}})
        assert made["choices"][0]["message"]["content"] == JSON_TEXT, (kind, made)
        assert made["choices"][0]["finish_reason"] == "stop", made
        sent = last()
        assert (sent.get("user") or sent["metadata"]["user_id"]) == "u", sent
        assert 9 in (sent.get("max_completion_tokens"), sent.get("max_output_tokens"),
                     sent.get("max_tokens")), sent
    for kind in KINDS[1:]:
        for param, value in (("seed", 7), ("logprobs", True), ("frequency_penalty", 1), ("n", 2),
                             ("unheard_of", 1)):
            before = len(up.requests)
            refused("chat/completions", {"model": kind, "messages": ASK, param: value}, 400,
                    "unsupported_parameter", param)
            assert len(up.requests) == before
    # The Responses API knows no stop words: the answer is cut here.
    cut = post("chat/completions", {"model": "openai_responses", "messages": ASK, "stop": TEXT[3:5]})
    assert cut["choices"][0]["message"]["content"] == TEXT[:TEXT.index(TEXT[3:5])], cut
    assert cut["choices"][0]["finish_reason"] == "stop", cut
    post("chat/completions", {"model": "anthropic", "messages": ASK, "stop": "x"})
    assert last()["stop_sequences"] == ["x"]
    made = post("chat/completions", {"model": "openai_chat", "messages": ASK, "n": 2, "unheard_of": 1})
    assert len(made["choices"]) == 2 and last()["unheard_of"] == 1, made


def pictures():
    """a picture reaches each kind of provider, from chat completions and from responses"""
    url = "data:image/png;base64," + PNG
    chat = [{"role": "user", "content": [{"type": "text", "text": "what"},
                                         {"type": "image_url", "image_url": {"url": url}}]}]
    items = [{"role": "user", "content": [{"type": "input_text", "text": "what"},
                                          {"type": "input_image", "image_url": url}]}]
    for kind in KINDS:
        for path, body in (("chat/completions", {"messages": chat}), ("responses", {"input": items})):
            post(path, {"model": kind, **body})
            assert PNG in json.dumps(last()), (kind, path)
    for bad in ("file:///etc/passwd", "data:image/png;base64,!!", "data:text/html;base64,AAAA"):
        chat[0]["content"][1]["image_url"]["url"] = bad
        refused("chat/completions", {"model": "anthropic", "messages": chat}, 400, "invalid_value",
                "messages[0].content[1]")


def every_route_and_kind():
    """each route answers the same over each kind, whole and streamed, usage where it is asked for"""
    for kind in KINDS:
        whole = post("responses", {"model": kind, "input": "Does it work?"})
        assert whole["output"][0]["content"][0]["text"] == TEXT and whole["status"] == "completed"
        assert whole["usage"]["total_tokens"] == 15, whole
        text = post("responses", {"model": kind, "input": "a", "stream": True})
        types = [line[7:] for line in text.split("\n") if line.startswith("event: ")]
        assert types == ["response.created", "response.in_progress", "response.output_item.added",
                         "response.content_part.added", *["response.output_text.delta"] * 2,
                         "response.output_text.done", "response.content_part.done",
                         "response.output_item.done", "response.completed"], (kind, types)
        datas = [json.loads(line[6:]) for line in text.split("\n") if line.startswith("data: ")]
        assert [d["type"] for d in datas] == types
        assert [d["sequence_number"] for d in datas] == list(range(len(datas))), datas
        for path, body in (("completions", {"prompt": "a"}), ("chat/completions", {"messages": ASK})):
            for usage in (False, True):
                text = post(path, {"model": kind, "stream": True, **body,
                                   "stream_options": {"include_usage": usage}})
                assert text.endswith("data: [DONE]\n\n") and text.count("[DONE]") == 1, text
                assert ('"total_tokens": 15' in text or '"total_tokens":15' in text) == usage, text
    assert up.asked("up-openai_responses")[-1][2].get("store") is False


def tools():
    """a function is called and its output given back, by chat completions and by responses"""
    for kind in KINDS:
        node.json("PUT", "/v1/model-profiles/caller", {
            "model": "calls", "base_url": up.base_url, "role": "extra", "kind": kind}, expect=200)
        function = {"name": "clock", "parameters": {"type": "object"}}
        text = post("chat/completions", {"model": "caller", "messages": ASK, "stream": True,
                                         "tools": [{"type": "function", "function": function}]})
        assert '"tool_calls"' in text and "clock" in text and '"role"' in text, text
        items = [{"role": "user", "content": "When?"}]
        stream = post("responses", {"model": "caller", "input": items, "stream": True,
                                    "tools": [{"type": "function", **function}]})
        done = json.loads(stream.strip().rsplit("data: ", 1)[1])["response"]
        call = next(i for i in done["output"] if i["type"] == "function_call")
        assert (call["name"], call["arguments"]) == ("clock", '{"zone":"UTC"}'), call
        post("responses", {"model": kind, "input": items + done["output"] + [
            {"type": "function_call_output", "call_id": call["call_id"], "output": "noon"}]})
        assert call["call_id"] in json.dumps(last()) and "noon" in json.dumps(last()), last()


def large_bodies():
    """a body may have llm.request_bytes_max bytes, whatever other routes take; more is 413"""
    def ask(size, kind="openai_chat", expect=200):
        url = "data:image/png;base64," + "A" * size
        return post("chat/completions", {"model": kind, "messages": [{"role": "user", "content": [
            {"type": "text", "text": "what"}, {"type": "image_url", "image_url": {"url": url}}]}]}, expect)
    for kind in KINDS:
        ask(4_000_000, kind)
        assert "A" * 4_000_000 in json.dumps(last()), kind
    assert ask(6_000_000, expect=413)["error"]["code"] == "request.too_large"
    assert node.request("POST", "/v1/llm/invoke", b" " * 2_200_000)[0] == 413


def main():
    global node, up
    up = Upstream()
    node = Node(up.base_url, settings=["llm.retries=0", "llm.request_bytes_max=6000000",
                                       "llm.breaker_failures=1000"], resume="restart",
                env={"SOMA_LLM_MODEL": "ok"}).start()
    try:
        for kind in KINDS:
            node.json("PUT", f"/v1/model-profiles/{kind}", {
                "model": "up-" + kind, "base_url": up.base_url, "role": "extra", "kind": kind},
                expect=200)
        return run_tests([told_failures, said_or_refused, pictures, every_route_and_kind, tools, large_bodies])
    finally:
        node.stop()
        up.stop()


if __name__ == "__main__":
    sys.exit(main())
