// Asks a gateway through the Vercel AI SDK, one model and case after the other; prints what came of each as JSON.
// Usage: node vercel.mjs chat|responses|messages|gemini URL KEY MODEL...
import assert from "node:assert/strict";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";

const [dialect, url, key, ...names] = process.argv.slice(2);
const options = { apiKey: key };
const models = {
  chat: (name) => createOpenAI({ ...options, baseURL: `${url}/v1` }).chat(name),
  responses: (name) => createOpenAI({ ...options, baseURL: `${url}/v1` }).responses(name),
  messages: (name) => createAnthropic({ ...options, baseURL: `${url}/v1` })(name),
  gemini: (name) => createGoogleGenerativeAI({ ...options, baseURL: `${url}/v1beta` })(name),
};
const WEATHER = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const tools = {
  get_weather: tool({
    description: "The weather in a city.",
    inputSchema: jsonSchema(WEATHER),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
};
// The second step has the tool's result.
const loop = { tools, stopWhen: stepCountIs(3), prompt: 'call:get_weather {"city":"Oslo"}' };

const cases = {
  async text(shared) {
    const { text } = await generateText({ ...shared, prompt: "hello" });
    assert.equal(text, "echo: hello");
  },
  async stream(shared) {
    assert.equal(await streamText({ ...shared, prompt: "hello" }).text, "echo: hello");
  },
  async tools(shared) {
    const { text, steps } = await generateText({ ...shared, ...loop });
    assert.match(text, /sunny in Oslo/);
    assert.equal(steps.length, 2);
  },
  async "streamed tools"(shared) {
    const streamed = streamText({ ...shared, ...loop });
    assert.match(await streamed.text, /sunny in Oslo/);
    assert.equal((await streamed.steps).length, 2);
  },
  async "structured output"(shared) {
    const output = Output.object({ schema: jsonSchema(WEATHER) });
    const { output: city } = await generateText({ ...shared, output, prompt: "a city" });
    assert.equal(typeof city.city, "string");
  },
};

const results = {};
for (const name of names) {
  const shared = { model: models[dialect](name), maxRetries: 0 };
  for (const [title, run] of Object.entries(cases)) {
    const told = await run(shared).then(() => "ok", (error) => `${error.stack}\n${error.responseBody ?? ""}`);
    results[`${name}, ${title}`] = told;
  }
}
console.log(JSON.stringify(results));
