import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { PROPERTY_OPTIONS } from "../stream/properties.ts";
import { ANY_VALUE, type Json, placesOf, withValue } from "./support/any-json.ts";
import { ENGINES, type TestDaemon } from "./support/daemon.ts";
import { post, startTranslating } from "./support/translating.ts";

const SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

/** Requests with something of everything. */
const CHAT: Json = {
  model: "gpt-5.1",
  messages: [
    { role: "system", content: "Be brief." },
    {
      role: "user",
      name: "ann",
      content: [
        { type: "text", text: "hi" },
        { type: "image_url", image_url: { url: "https://x.example/a.png", detail: "low" } },
      ],
    },
    {
      role: "assistant",
      content: "Let me see.",
      refusal: null,
      tool_calls: [
        { id: "call_1", type: "function", function: { name: "get_weather", arguments: '{"city":"Oslo"}' } },
        { id: "call_2", type: "custom", custom: { name: "grep", input: "x" } },
      ],
    },
    { role: "tool", tool_call_id: "call_1", content: "rain" },
    { role: "tool", tool_call_id: "call_2", content: [{ type: "text", text: "y" }] },
  ],
  tools: [
    { type: "function", function: { name: "get_weather", parameters: SCHEMA, strict: true } },
    { type: "custom", custom: { name: "grep" } },
  ],
  tool_choice: { type: "function", function: { name: "get_weather" } },
  response_format: { type: "json_schema", json_schema: { name: "place", schema: SCHEMA, strict: true } },
  stream: true,
  stream_options: { include_usage: true },
  max_completion_tokens: 20,
  temperature: 0,
  stop: ["END"],
  logit_bias: { "1": 2 },
  reasoning_effort: "low",
  metadata: { a: "b" },
};
const RESPONSES: Json = {
  model: "gpt-5.1",
  instructions: "Be brief.",
  input: [
    {
      type: "message",
      role: "user",
      content: [
        { type: "input_text", text: "hi" },
        { type: "input_image", image_url: "https://x.example/a.png", detail: "low" },
      ],
    },
    { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "hm" }], encrypted_content: "abc" },
    { type: "function_call", call_id: "call_1", name: "get_weather", arguments: "{}" },
    { type: "function_call_output", call_id: "call_1", output: "rain" },
    { role: "assistant", content: [{ type: "output_text", text: "It rains.", annotations: [] }] },
    { role: "user", content: "And now?" },
  ],
  tools: [
    { type: "function", name: "get_weather", parameters: SCHEMA, strict: false },
    { type: "custom", name: "grep" },
  ],
  tool_choice: "auto",
  text: { format: { type: "json_object" }, verbosity: "low" },
  reasoning: { effort: "low", summary: "auto" },
  max_output_tokens: 20,
  stream: true,
  store: false,
};
const MESSAGES: Json = {
  model: "claude-opus-4-5",
  max_tokens: 20,
  system: [{ type: "text", text: "Be brief.", cache_control: { type: "ephemeral" } }],
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "hi" },
        { type: "image", source: { type: "url", url: "https://x.example/a.png" } },
      ],
    },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "hm", signature: "s" },
        { type: "tool_use", id: "toolu_1", name: "get_weather", input: {} },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "toolu_1", content: [{ type: "text", text: "rain" }], is_error: false },
        { type: "text", text: "And now?" },
      ],
    },
  ],
  tools: [{ name: "get_weather", description: "d", input_schema: SCHEMA }],
  tool_choice: { type: "auto", disable_parallel_tool_use: true },
  thinking: { type: "enabled", budget_tokens: 1024 },
  stop_sequences: ["END"],
  stream: true,
  metadata: { user_id: "u" },
};

const CLIENTS = [
  ["/v1/chat/completions", "responses", CHAT],
  ["/v1/responses", "chat", RESPONSES],
  ["/v1/messages", "chat", MESSAGES],
  ["/v1/messages", "responses", MESSAGES],
] as const;

describe.each(ENGINES)("any request, with the %s engine", (engine) => {
  describe.each(CLIENTS)("%s before a target that speaks %s", (path, dialect, base) => {
    let daemon: TestDaemon;
    beforeAll(async () => {
      daemon = await startTranslating(
        engine,
        ['endpoint = "simulated"', `dialect = "${dialect}"`],
        ["--tokens", "3", "--log-level", "silent"],
      );
    });
    afterAll(() => daemon.stop());
    const asked = (body: unknown) => post(daemon, path, body, path.endsWith("messages") ? { "anthropic-version": "2023-06-01" } : {});

    test("with something of everything is answered", async () => {
      const { status, text } = await asked(base);
      expect({ status, text }).toMatchObject({ status: 200, text: expect.stringMatching(/\n\n$/) });
    });

    test("with anything at any place is answered, or refused with the place named; never a mistake of the proxy's own", async () => {
      const places = placesOf(base);
      await fc.assert(
        fc.asyncProperty(fc.constantFrom(...places), ANY_VALUE, async (place, value) => {
          const body = withValue(base, place, value);
          const { status, text, headers } = await asked(body === undefined ? "" : body);
          expect([200, 400, 422]).toContain(status);
          if (status === 200) return;
          const { error } = JSON.parse(text) as { error: { message: string; type: string } };
          expect(error.type).toBe("invalid_request_error");
          expect(error.message.length).toBeGreaterThan(10);
          expect(headers.get("x-faultproxy-error")).not.toBe("internal_error");
        }),
        { ...PROPERTY_OPTIONS, numRuns: 300 },
      );
    });
  });
});
