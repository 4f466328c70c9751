// Asks a gateway through an official npm package, one case after the other; prints what came of each as JSON.
// Usage: node ask.mjs chat|responses|messages URL KEY MODEL
import assert from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [dialect, url, key, model] = process.argv.slice(2);
const options = { apiKey: key, maxRetries: 0, timeout: 30_000 };
const openai = new OpenAI({ ...options, baseURL: `${url}/v1` });
const anthropic = new Anthropic({ ...options, baseURL: url });

const GREETING = "Grüße 👋 an alle";
const CALLS = 'call:get_weather {"city":"Zürich"}\ncall:get_weather {"city":"Oslo"}';
const WEATHER = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const PERSON = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};
const RESULTS = ["sunny", "snow"];

// How each dialect says it. `ask` returns {text, calls, finish, tokens, again}; `again` is the request that tells the
// calls' results.
const chat = {
  request: (prompt) => ({ model, messages: [{ role: "user", content: prompt }] }),
  tools: { tools: [{ type: "function", function: { name: "get_weather", parameters: WEATHER } }] },
  schema: { response_format: { type: "json_schema", json_schema: { name: "person", schema: PERSON, strict: true } } },
  finish: { end: "stop", calls: "tool_calls" },
  async ask(request, streamed) {
    const counted = { ...request, stream_options: { include_usage: true } };
    const reply = streamed
      ? await openai.chat.completions.stream(counted).finalChatCompletion()
      : await openai.chat.completions.create(request);
    const { message: whole, finish_reason: finish } = reply.choices[0];
    // The package adds what it parsed, which is no part of the API.
    const { parsed, ...message } = JSON.parse(JSON.stringify(whole));
    const made = message.tool_calls ?? [];
    for (const call of made) delete call.function.parsed_arguments;
    const calls = made.map((call) => JSON.parse(call.function.arguments));
    const told = made.map((call, at) => ({ role: "tool", tool_call_id: call.id, content: RESULTS[at] }));
    const again = { ...request, messages: [...request.messages, message, ...told] };
    return { text: message.content ?? "", calls, finish, tokens: reply.usage.completion_tokens, again };
  },
};

const responses = {
  request: (prompt) => ({ model, store: false, input: [{ role: "user", content: prompt }] }),
  tools: { tools: [{ type: "function", name: "get_weather", parameters: WEATHER, strict: false }] },
  schema: { text: { format: { type: "json_schema", name: "person", schema: PERSON, strict: true } } },
  finish: { end: "completed", calls: "completed" },
  async ask(request, streamed) {
    const reply = streamed
      ? await openai.responses.stream(request).finalResponse()
      : await openai.responses.create(request);
    const made = reply.output.filter((item) => item.type === "function_call");
    const told = made.map((call, at) => ({ type: "function_call_output", call_id: call.call_id, output: RESULTS[at] }));
    const output = reply.output.map(({ parsed_arguments, ...item }) => item);
    const again = { ...request, input: [...request.input, ...output, ...told] };
    const calls = made.map((call) => JSON.parse(call.arguments));
    return { text: reply.output_text, calls, finish: reply.status, tokens: reply.usage.output_tokens, again };
  },
};

const messages = {
  request: (prompt) => ({ model, max_tokens: 1000, messages: [{ role: "user", content: prompt }] }),
  tools: { tools: [{ name: "get_weather", input_schema: WEATHER }] },
  schema: { output_config: { format: { type: "json_schema", schema: PERSON } } },
  finish: { end: "end_turn", calls: "tool_use" },
  async ask(request, streamed) {
    const reply = streamed
      ? await anthropic.messages.stream(request).finalMessage()
      : await anthropic.messages.create(request);
    const text = reply.content.filter((block) => block.type === "text").map((block) => block.text).join("");
    const made = reply.content.filter((block) => block.type === "tool_use");
    const told = made.map((call, at) => ({ type: "tool_result", tool_use_id: call.id, content: RESULTS[at] }));
    const turns = [{ role: "assistant", content: reply.content }, { role: "user", content: told }];
    const again = { ...request, messages: [...request.messages, ...turns] };
    const calls = made.map((call) => call.input);
    return { text, calls, finish: reply.stop_reason, tokens: reply.usage.output_tokens, again };
  },
};

const client = { chat, responses, messages }[dialect];

async function text(streamed) {
  const answer = await client.ask(client.request(GREETING), streamed);
  assert.equal(answer.text, `echo: ${GREETING}`);
  assert.equal(answer.finish, client.finish.end);
  assert.ok(answer.tokens > 0);
}

async function tools(streamed) {
  const request = { ...client.request(CALLS), ...client.tools };
  const answer = await client.ask(request, streamed);
  assert.deepEqual(answer.calls, [{ city: "Zürich" }, { city: "Oslo" }]);
  assert.equal(answer.finish, client.finish.calls);
  const told = await client.ask(answer.again, streamed);
  for (const result of RESULTS) assert.ok(told.text.includes(result), told.text);
}

async function schema(streamed) {
  const answer = await client.ask({ ...client.request("a person"), ...client.schema }, streamed);
  const person = JSON.parse(answer.text);
  assert.deepEqual([typeof person.name, typeof person.age], ["string", "number"]);
}

async function error(streamed) {
  for (const [asked, told] of [["429", 429], ["400", 400], ["500", 502]]) {
    const refused = await client.ask(client.request(`error:${asked}`), streamed).then(() => null, (thrown) => thrown);
    assert.ok(refused instanceof OpenAI.APIError || refused instanceof Anthropic.APIError, String(refused));
    assert.equal(refused.status, told);
  }
}

const CASES = { plain: text, stream: text, tools, "structured output": schema, error };

const results = {};
for (const [name, run] of Object.entries(CASES)) {
  const ways = { plain: [false], stream: [true] }[name] ?? [false, true];
  try {
    for (const streamed of ways) await run(streamed);
    results[name] = "ok";
  } catch (problem) {
    results[name] = String(problem.stack ?? problem);
  }
}
console.log(JSON.stringify(results));
