// OpenAI's SDK as it comes, against the server's OpenAI-compatible face before a scripted provider.
// Run by tests/integration/openai_sdk_test.py, with BASE_URL, KEY and UPSTREAM set.
import assert from "node:assert/strict";
import OpenAI from "openai";

const { BASE_URL, KEY, UPSTREAM } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY });
const once = new OpenAI({ baseURL: BASE_URL, apiKey: KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "Does it work?" }];

const state = async () => (await fetch(`${UPSTREAM}/state`)).json();
const asked = async (model) => (await state()).asked.filter((m) => m === model).length;

async function until(condition, what) {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resume) => setImmediate(resume));
  }
}

const tests = {
  async "a completion as a whole"() {
    const made = await client.chat.completions.create({ model: "ok", messages });
    assert.equal(made.choices[0].message.content, "It works.");
    assert.equal(made.usage.total_tokens, 15);
  },
  async "a stream, with its usage where it is asked for"() {
    for (const include_usage of [false, true]) {
      const stream = await client.chat.completions.create({
        model: "ok", messages, stream: true, stream_options: { include_usage },
      });
      let text = "", usage = null;
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? "";
        usage ??= chunk.usage ?? null;
      }
      assert.equal(text, "It works.");
      assert.equal(usage?.total_tokens ?? null, include_usage ? 15 : null);
    }
  },
  async "a stream of a provider that speaks another way"() {
    for (const model of ["claude", "responses"]) {
      const runner = client.beta.chat.completions.stream({ model, messages });
      const whole = await runner.finalChatCompletion();
      assert.equal(whole.choices[0].message.content, "It works.");
      assert.equal(whole.choices[0].finish_reason, "stop");
    }
  },
  async "a tool call whose arguments come in pieces"() {
    const runner = client.beta.chat.completions.stream({
      model: "calls", messages,
      tools: [{ type: "function", function: { name: "clock", parameters: { type: "object" } } }],
    });
    const whole = await runner.finalChatCompletion();
    const [call] = whole.choices[0].message.tool_calls;
    assert.deepEqual([call.id, call.function.name, call.function.arguments],
      ["call_1", "clock", '{"zone":"UTC"}']);
    assert.equal(whole.choices[0].finish_reason, "tool_calls");
  },
  async "an abort closes the provider's connection"() {
    const before = await asked("hang");
    const stream = await client.chat.completions.create({ model: "hang", messages, stream: true });
    const reading = (async () => { for await (const chunk of stream) void chunk; })();
    await until(async () => (await asked("hang")) > before, "the provider to be asked");
    const { open } = await state();
    stream.controller.abort();
    await reading;
    await until(async () => (await state()).open < open, "the provider's connection to close");
  },
  async "a 429 is tried again by the SDK"() {
    const made = await client.chat.completions.create({ model: "limited_once", messages });
    assert.equal(made.choices[0].message.content, "It works.");
    assert.equal(await asked("limited_once"), 2);
  },
  async "each failure is of its own class, with the server's code"() {
    const chat = (model, more = {}) =>
      once.chat.completions.create({ model, messages, ...more });
    const rows = [
      [() => once.embeddings.create({ model: "none", input: "a" }), OpenAI.NotFoundError,
        "model_not_found"],
      [() => chat("none"), OpenAI.NotFoundError, "model_not_found"],
      [() => once.models.retrieve("none"), OpenAI.NotFoundError, "model_not_found"],
      [() => chat("gone"), OpenAI.NotFoundError, "model_not_found"],
      [() => chat("unauthorized"), OpenAI.PermissionDeniedError, "llm.auth"],
      [() => chat("limited"), OpenAI.RateLimitError, "rate_limit_exceeded"],
      [() => chat("ok", { messages: [] }), OpenAI.BadRequestError, "invalid_value"],
      [() => chat("long"), OpenAI.BadRequestError, "context_length_exceeded"],
      [() => chat("claude", { seed: 7 }), OpenAI.BadRequestError, "unsupported_parameter"],
      [() => chat("fail"), OpenAI.InternalServerError, "llm.provider_error"],
      [() => once.post("/images/generations", {}), OpenAI.NotFoundError, "unknown_url"],
      [() => new OpenAI({ baseURL: BASE_URL, apiKey: "sk-nobody", maxRetries: 0 }).models.list(),
        OpenAI.AuthenticationError, "invalid_api_key"],
    ];
    for (const [run, kind, code] of rows) {
      await assert.rejects(run, (why) => {
        assert.ok(why instanceof kind, `${code}: ${why.constructor.name} ${why.message}`);
        assert.equal(why.code, code);
        assert.ok(why.request_id ?? why.headers?.["x-request-id"] ?? why.requestID, code);
        return true;
      });
    }
  },
  async "an answer in a format, whatever the provider"() {
    const schema = { type: "object", properties: { n: { type: "string" } }, required: ["n"] };
    for (const model of ["ok", "claude", "responses"]) {
      const made = await client.beta.chat.completions.parse({
        model, messages,
        response_format: { type: "json_schema", json_schema: { name: "n", schema, strict: true } },
      });
      assert.deepEqual(made.choices[0].message.parsed, { n: "Rome" }, model);
      assert.equal(made.choices[0].finish_reason, "stop", model);
    }
  },
  async "Responses: whole and streamed, whatever the provider"() {
    for (const model of ["ok", "claude", "responses"]) {
      const made = await client.responses.create({ model, input: "Does it work?" });
      assert.equal(made.output_text, "It works.", model);
      assert.equal(made.usage.total_tokens, 15, model);
      const stream = await client.responses.create({ model, input: "Does it work?", stream: true });
      const seen = [];
      let text = "";
      for await (const event of stream) {
        seen.push(event.type);
        if (event.type === "response.output_text.delta") text += event.delta;
      }
      assert.equal(text, "It works.", model);
      assert.equal(seen.at(-1), "response.completed", model);
    }
  },
  async "Responses: a function is called, its output given back"() {
    const tools = [{ type: "function", name: "clock", strict: false, parameters: { type: "object" } }];
    const runner = client.responses.stream({ model: "calls", input: "What time is it?", tools });
    const first = await runner.finalResponse();
    const call = first.output.find((item) => item.type === "function_call");
    assert.deepEqual([call.call_id, call.name, call.arguments], ["call_1", "clock", '{"zone":"UTC"}']);
    const second = await client.responses.create({
      model: "ok", tools,
      input: [{ role: "user", content: "What time is it?" }, ...first.output,
        { type: "function_call_output", call_id: call.call_id, output: "noon" }],
    });
    assert.equal(second.output_text, "It works.");
  },
  async "completions of before chats"() {
    const made = await client.completions.create({ model: "ok", prompt: "Does it work?" });
    assert.equal(made.choices[0].text, "It works.");
    let text = "";
    for await (const chunk of await client.completions.create({
      model: "claude", prompt: ["Does it work?"], stream: true,
    })) text += chunk.choices[0]?.text ?? "";
    assert.equal(text, "It works.");
  },
  async "the list of models"() {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert.ok(ids.includes("ok") && ids.includes("default"), ids.join());
    assert.equal((await client.models.retrieve("ok")).id, "ok");
  },
  async "embeddings, in the SDK's own encoding"() {
    const made = await client.embeddings.create({
      model: "ok", input: ["a", "b"], encoding_format: "float",
    });
    assert.deepEqual(made.data.map((d) => d.embedding), [[0.5, -1], [0.5, -1]]);
    assert.equal(made.usage.prompt_tokens, 7);
  },
};

let passed = 0, failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    passed++;
    console.log(`ok    ${name}`);
  } catch (why) {
    failed++;
    console.log(`FAIL  ${name}: ${why.stack}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
