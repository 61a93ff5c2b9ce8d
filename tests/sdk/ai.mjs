// Vercel's AI SDK as it comes, by both of its OpenAI providers. Run by
// tests/integration/openai_sdk_test.py, with BASE_URL and KEY set.
import assert from "node:assert/strict";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const { BASE_URL, KEY } = process.env;
const openai = createOpenAI({ baseURL: BASE_URL, apiKey: KEY });
const compatible = createOpenAICompatible({
  name: "soma", baseURL: BASE_URL, apiKey: KEY, supportsStructuredOutputs: true,
});
const prompt = "Does it work?";
const KINDS = ["ok", "claude", "responses"];
const WAYS = {
  "openai (responses)": (model) => openai(model),
  "openai.chat": (model) => openai.chat(model),
  "openai.completion": (model) => openai.completion(model),
  "openai-compatible": (model) => compatible(model),
};
const schema = jsonSchema({ type: "object", properties: { n: { type: "string" } }, required: ["n"],
  additionalProperties: false });
const picture = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==", "base64");

const tests = {
  async "texts, whole and streamed, by each way and kind"() {
    for (const [name, way] of Object.entries(WAYS))
      for (const model of KINDS) {
        // It always sends stop words, for which the Responses API has no parameter.
        if (name === "openai.completion" && model === "responses") continue;
        const whole = await generateText({ model: way(model), prompt });
        assert.equal(whole.text, "It works.", `${name} ${model}`);
        assert.equal(whole.finishReason, "stop", `${name} ${model}`);
        assert.equal(whole.usage.totalTokens, 15, `${name} ${model}`);
        const stream = streamText({ model: way(model), prompt });
        let text = "";
        for await (const piece of stream.textStream) text += piece;
        assert.equal(text, "It works.", `${name} ${model}`);
        assert.equal(await stream.finishReason, "stop", `${name} ${model}`);
      }
  },
  async "objects by each way and kind"() {
    for (const name of ["openai (responses)", "openai.chat", "openai-compatible"])
      for (const model of KINDS) {
        const made = await generateObject({ model: WAYS[name](model), schema, prompt });
        assert.deepEqual(made.object, { n: "Rome" }, `${name} ${model}`);
      }
  },
  async "pictures by each way and kind"() {
    const messages = [{ role: "user", content: [{ type: "text", text: prompt },
      { type: "image", image: picture, mediaType: "image/png" }] }];
    for (const name of ["openai (responses)", "openai.chat", "openai-compatible"])
      for (const model of KINDS) {
        const made = await generateText({ model: WAYS[name](model), messages });
        assert.equal(made.text, "It works.", `${name} ${model}`);
      }
  },
  async "a tool is called and its result sent on, by each way and kind"() {
    const tools = { clock: tool({ inputSchema: jsonSchema({ type: "object",
      properties: { zone: { type: "string" } } }), execute: async ({ zone }) => `noon in ${zone}` }) };
    for (const name of ["openai (responses)", "openai.chat", "openai-compatible"])
      for (const model of ["once", "once_claude", "once_responses"]) {
        const made = await generateText({
          model: WAYS[name](model), prompt, tools, stopWhen: stepCountIs(3),
          providerOptions: { openai: { store: false } },
        });
        assert.equal(made.text, "It works.", `${name} ${model}`);
        assert.equal(made.steps[0].toolResults[0].output, "noon in UTC", `${name} ${model}`);
      }
  },
  async "errors are told as they are, and what cannot help is not tried again"() {
    for (const [model, status] of [["long", 400], ["none", 404], ["unauthorized", 403]])
      for (const [name, way] of Object.entries(WAYS))
        await assert.rejects(generateText({ model: way(model), prompt }), (why) => {
          assert.ok(APICallError.isInstance(why), `${name} ${model}: ${why}`);
          assert.equal(why.statusCode, status, `${name} ${model}`);
          return true;
        });
  },
};

let passed = 0, failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    passed++;
    console.log(`ok    AI SDK: ${name}`);
  } catch (why) {
    failed++;
    console.log(`FAIL  AI SDK: ${name}: ${why.stack}`);
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
