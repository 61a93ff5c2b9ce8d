"""Clients from PyPI as they come, against the server's OpenAI-compatible face before a scripted
provider; and Anthropic's own before the same stand-in that the Anthropic adapter is tested with. Run by
tests/integration/openai_sdk_test.py and tests/nightly/clients_test.py, with BASE_URL, KEY and UPSTREAM
set and the clients' names as arguments."""

import asyncio
import os
import sys
import traceback

BASE_URL, KEY, UPSTREAM = (os.environ[name] for name in ("BASE_URL", "KEY", "UPSTREAM"))
PROMPT, TEXT = "Does it work?", "It works."
ASK = [{"role": "user", "content": PROMPT}]
KINDS = ("ok", "claude", "responses")
SCHEMA = {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"],
          "additionalProperties": False}
PNG = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA"
       "60e6kgAAAABJRU5ErkJggg==")


def raises(kind, code, run):
    try:
        run()
    except kind as why:
        assert code is None or why.code == code, (why.code, code)
        return why
    raise AssertionError(f"no {kind.__name__} for {code}")


# ---- OpenAI's own ----

def openai_chats():
    """openai: chats, streams, formats and pictures over each kind of provider"""
    import openai
    client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
    for model in KINDS:
        made = client.chat.completions.create(model=model, messages=ASK)
        assert made.choices[0].message.content == TEXT and made.usage.total_tokens == 15, made
        assert made.id and made.created and made.choices[0].finish_reason == "stop", made
        with client.chat.completions.stream(model=model, messages=ASK,
                                            stream_options={"include_usage": True}) as stream:
            for _ in stream:
                pass
            whole = stream.get_final_completion()
        assert whole.choices[0].message.content == TEXT and whole.usage.total_tokens == 15, whole
        made = client.chat.completions.create(model=model, messages=ASK, response_format={
            "type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}})
        assert made.choices[0].message.content == '{"n":"Rome"}', made
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": [
            {"type": "text", "text": PROMPT}, {"type": "image_url", "image_url": {"url": PNG}}]}])
        assert client.completions.create(model=model, prompt=PROMPT).choices[0].text == TEXT


def openai_responses():
    """openai: responses, streamed and not, with a function, over each kind of provider"""
    import openai
    client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
    tools = [{"type": "function", "name": "clock", "parameters": {"type": "object"}, "strict": False}]
    for model, calls in (("ok", "calls"), ("claude", "calls_claude"), ("responses", "calls_responses")):
        made = client.responses.create(model=model, input=PROMPT)
        assert made.output_text == TEXT and made.usage.total_tokens == 15, made
        with client.responses.stream(model=model, input=PROMPT) as stream:
            types = [event.type for event in stream]
            assert stream.get_final_response().output_text == TEXT
        assert types[0] == "response.created" and types[-1] == "response.completed", types
        items = [{"role": "user", "content": PROMPT}]
        first = client.responses.create(model=calls, input=items, tools=tools)
        call = next(item for item in first.output if item.type == "function_call")
        assert (call.name, call.arguments) == ("clock", '{"zone":"UTC"}'), call
        items += [*first.output, {"type": "function_call_output", "call_id": call.call_id,
                                  "output": "noon"}]
        assert client.responses.create(model=model, input=items, tools=tools).output_text == TEXT
    raises(openai.BadRequestError, "unsupported_parameter",
           lambda: client.responses.create(model="ok", input=PROMPT, previous_response_id="resp_1"))


def openai_errors():
    """openai: each failure is of the class that programs catch"""
    import openai
    client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
    stranger = openai.OpenAI(base_url=BASE_URL, api_key="sk-nobody", max_retries=0)

    def chat(model, **more):
        return lambda: client.chat.completions.create(model=model, messages=ASK, **more)
    raises(openai.BadRequestError, "context_length_exceeded", chat("long"))
    raises(openai.BadRequestError, "unsupported_parameter", chat("claude", seed=7))
    raises(openai.BadRequestError, "invalid_value", chat("ok", n=0))
    raises(openai.NotFoundError, "model_not_found", chat("none"))
    raises(openai.NotFoundError, "model_not_found", lambda: client.models.retrieve("none"))
    raises(openai.NotFoundError, "unknown_url", lambda: client.files.list())
    raises(openai.PermissionDeniedError, "llm.auth", chat("unauthorized"))
    raises(openai.RateLimitError, "rate_limit_exceeded", chat("limited"))
    raises(openai.InternalServerError, "llm.provider_error", chat("fail"))
    raises(openai.AuthenticationError, "invalid_api_key", lambda: stranger.models.list())
    assert client.models.retrieve("ok").id == "ok"
    assert "ok" in [model.id for model in client.models.list()]


def openai_async():
    """openai: the asynchronous client streams, and embeds in its own encoding"""
    import openai

    async def run():
        client = openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
        text = ""
        async for chunk in await client.chat.completions.create(model="claude", messages=ASK, stream=True):
            text += chunk.choices[0].delta.content or ""
        assert text == TEXT, text
        made = await client.embeddings.create(model="ok", input=["a", "b"], encoding_format="float")
        assert [d.embedding for d in made.data] == [[0.5, -1], [0.5, -1]], made
    asyncio.run(run())


# ---- Anthropic's, before the stand-in ----

def anthropic_stand_in():
    """anthropic: takes the stand-in of the Anthropic adapter's tests for the real thing"""
    import anthropic
    client = anthropic.Anthropic(base_url=UPSTREAM.removesuffix("/v1"), api_key="k", max_retries=0)
    ask = {"max_tokens": 9, "messages": ASK}
    made = client.messages.create(model="ok", **ask)
    assert made.content[0].text == TEXT and made.stop_reason == "end_turn", made
    assert made.usage.input_tokens == 10 and made.usage.output_tokens == 5, made
    with client.messages.stream(model="ok", **ask) as stream:
        assert "".join(stream.text_stream) == TEXT
        whole = stream.get_final_message()
    assert whole.stop_reason == "end_turn" and whole.usage.output_tokens == 5, whole
    with client.messages.stream(model="calls", **ask) as stream:
        [block] = stream.get_final_message().content
    assert (block.type, block.name, block.input) == ("tool_use", "clock", {"zone": "UTC"}), block


# ---- what is built on them ----

def langchain():
    """langchain-openai: invoke, stream, tools, structured output, pictures; responses as well"""
    from langchain_core.messages import HumanMessage, ToolMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    @tool
    def clock(zone: str) -> str:
        """Tells the time."""
        return "noon in " + zone

    for model, calls in (("ok", "calls"), ("claude", "calls_claude"), ("responses", "calls_responses")):
        for responses in (False, True):
            def llm(name):
                return ChatOpenAI(model=name, base_url=BASE_URL, api_key=KEY, max_retries=0,
                                  use_responses_api=responses)
            made = llm(model).invoke(PROMPT)
            assert made.text == TEXT and made.usage_metadata["total_tokens"] == 15, (model, made)
            assert "".join(c.text for c in llm(model).stream(PROMPT)) == TEXT, (model, responses)
            found = llm(model).with_structured_output({**SCHEMA, "title": "n"},
                                                      method="json_schema").invoke(PROMPT)
            assert found == {"n": "Rome"}, (model, responses, found)
            called = llm(calls).bind_tools([clock]).invoke(PROMPT)
            [call] = called.tool_calls
            assert (call["name"], call["args"]) == ("clock", {"zone": "UTC"}), called
            said = llm(model).bind_tools([clock]).invoke([
                HumanMessage(PROMPT), called, ToolMessage(clock.invoke(call["args"]),
                                                          tool_call_id=call["id"])])
            assert said.text == TEXT, said
            llm(model).invoke([HumanMessage([{"type": "text", "text": PROMPT},
                                             {"type": "image_url", "image_url": {"url": PNG}}])])
    vectors = OpenAIEmbeddings(model="ok", base_url=BASE_URL, api_key=KEY, max_retries=0,
                               check_embedding_ctx_length=False).embed_documents(["a", "b"])
    assert vectors == [[0.5, -1], [0.5, -1]], vectors


def litellm():
    """litellm, as a client: completion, stream, tools, responses, text_completion, its error classes"""
    import litellm as lite
    lite.telemetry = False
    at = {"api_base": BASE_URL, "api_key": KEY, "num_retries": 0}
    function = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
    for model in KINDS:
        made = lite.completion(model="openai/" + model, messages=ASK, **at)
        assert made.choices[0].message.content == TEXT and made.usage.total_tokens == 15, made
        text = ""
        for chunk in lite.completion(model="openai/" + model, messages=ASK, stream=True, **at):
            text += chunk.choices[0].delta.content or ""
        assert text == TEXT, (model, text)
        assert lite.text_completion(model="text-completion-openai/" + model, prompt=PROMPT,
                                    **at).choices[0].text == TEXT
        answer = lite.responses(model="openai/" + model, input=PROMPT, **at)
        assert answer.output[0].content[0].text == TEXT, answer
    for model in ("calls", "calls_claude", "calls_responses"):
        made = lite.completion(model="openai/" + model, messages=ASK, tools=[function], **at)
        assert made.choices[0].message.tool_calls[0].function.name == "clock", made
    for model, kind in (("long", lite.ContextWindowExceededError), ("limited", lite.RateLimitError),
                        ("none", lite.NotFoundError)):
        raises(kind, None, lambda: lite.completion(model="openai/" + model, messages=ASK, **at))
    raises(lite.BadRequestError, None,
           lambda: lite.completion(model="openai/claude", messages=ASK, seed=7, **at))
    # It has no class for 403 of this provider.
    assert raises(lite.APIError, None, lambda: lite.completion(
        model="openai/unauthorized", messages=ASK, **at)).status_code == 403


def agents():
    """openai-agents: a run with a tool, by responses and by chat completions, streamed and not"""
    from openai import AsyncOpenAI
    from agents import (Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, RunConfig, Runner,
                        function_tool)

    @function_tool
    def clock(zone: str) -> str:
        """Tells the time."""
        return "noon in " + zone

    async def run():
        client = AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
        quiet = RunConfig(tracing_disabled=True)
        for kind in (OpenAIResponsesModel, OpenAIChatCompletionsModel):
            for model in ("once", "once_claude", "once_responses"):
                agent = Agent(name="a", instructions="Be brief.", tools=[clock],
                              model=kind(model=model, openai_client=client))
                made = await Runner.run(agent, PROMPT, run_config=quiet)
                assert made.final_output == TEXT, (kind, model, made.final_output)
                assert any("noon in UTC" in str(item) for item in made.new_items), (kind, model)
                streamed = Runner.run_streamed(agent, PROMPT, run_config=quiet)
                async for _ in streamed.stream_events():
                    pass
                assert streamed.final_output == TEXT, (kind, model, streamed.final_output)
    asyncio.run(run())


TESTS = {"openai": [openai_chats, openai_responses, openai_errors, openai_async],
         "anthropic": [anthropic_stand_in], "langchain_openai": [langchain], "litellm": [litellm],
         "agents": [agents]}


def main():
    passed = failed = 0
    for test in [test for name in sys.argv[1:] for test in TESTS[name]]:
        try:
            test()
            passed += 1
            print("ok   ", test.__doc__)
        except Exception:
            failed += 1
            traceback.print_exc()
            print("FAIL ", test.__doc__)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
