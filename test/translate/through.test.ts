import { describe, expect, test } from "bun:test";
import type { Payload } from "../../src/core/dialect.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import { parseObject } from "../../src/dialects/shared.ts";
import { translationBetween } from "../../src/translate/index.ts";

const messages = {
  model: "claude-sonnet-4-5",
  max_tokens: 100,
  system: "Be brief.",
  stream: true,
  top_k: 3,
  stop_sequences: ["END"],
  messages: [
    { role: "user", content: "What is the weather?" },
    { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "get_weather", input: { city: "Oslo" } }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "rain" }] },
  ],
  tools: [{ name: "get_weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }],
};
const context = { request: messages, id: "abc", createdSeconds: 1_760_000_000 };

const answer = {
  text: ["It", " rains", "."],
  refusal: undefined,
  toolCalls: [{ id: "call_2", name: "get_weather", argumentsText: '{"city":"Bergen"}' }],
  finish: "tool_calls" as const,
  inputTokens: 12,
  outputTokens: 7,
};
const envelope = { id: "abc", model: "gpt-5", createdSeconds: 1_760_000_000 };

const translation = () => {
  const found = translationBetween("messages", "responses");
  if (found === undefined) throw new Error("there is none");
  return found;
};

describe("Messages clients before a Responses target, by way of Chat Completions", () => {
  test("a request", () => {
    const request = translation().request(messages, { systemMessages: "instructions" });
    expect(request).toMatchObject({
      kind: "request",
      dropped: expect.arrayContaining(["top_k", "stop"]),
      body: {
        model: "claude-sonnet-4-5",
        instructions: "Be brief.",
        stream: true,
        max_output_tokens: 100,
        input: [
          { role: "user" },
          { type: "function_call", call_id: "toolu_1", name: "get_weather", arguments: '{"city":"Oslo"}' },
          { type: "function_call_output", call_id: "toolu_1", output: "rain" },
        ],
        tools: [{ type: "function", name: "get_weather" }],
      },
    });
  });

  test("a mistake of either side is told in Anthropic's shape", () => {
    const request = translation().request({ ...messages, messages: 1 }, { systemMessages: "input" });
    expect(request).toMatchObject({ kind: "mistake", status: 400 });
    const failed = { id: "r", status: "failed", error: { code: "rate_limit_exceeded", message: "slow down" }, output: [] };
    expect(translation().whole(failed, context)).toEqual({
      status: 429,
      body: { type: "error", error: { type: "rate_limit_error", message: "slow down" } },
    });
  });

  test("a whole answer and a stream say the same", () => {
    const whole = translation().whole(parseObject(DIALECTS.responses.whole(answer, envelope)) ?? {}, context);
    expect(whole).toMatchObject({
      status: 200,
      body: {
        type: "message",
        stop_reason: "tool_use",
        content: [
          { type: "text", text: "It rains." },
          { type: "tool_use", id: "call_2", name: "get_weather", input: { city: "Bergen" } },
        ],
        usage: { input_tokens: 12, output_tokens: 7 },
      },
    });
    const events = streamed(DIALECTS.responses.frames(answer, envelope, { usageInStream: true }));
    expect(events.map(({ type }) => type).filter((type) => type !== "ping")).toEqual([
      "message_start",
      "content_block_start",
      ...answer.text.map(() => "content_block_delta"),
      "content_block_stop",
      "content_block_start",
      ...events
        .filter(({ delta }) => (delta as { type?: string } | undefined)?.type === "input_json_delta")
        .map(() => "content_block_delta"),
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
    expect(events.find(({ type }) => type === "message_delta")).toMatchObject({
      delta: { stop_reason: "tool_use" },
      usage: { output_tokens: 7 },
    });
  });

  test("a stream that is cut ends with Anthropic's error event", () => {
    const frames = DIALECTS.responses.frames(answer, envelope, { usageInStream: true }).slice(0, 6);
    const events = streamed(frames);
    expect(events.at(-1)).toMatchObject({ type: "error", error: { type: "api_error" } });
    expect(events.some(({ type }) => type === "message_stop")).toBe(false);
  });
});

describe("Responses clients before a Messages target, by way of Chat Completions", () => {
  const backwards = () => {
    const found = translationBetween("responses", "messages");
    if (found === undefined) throw new Error("there is none");
    return found;
  };
  const asked = {
    model: "claude-opus-4-6",
    instructions: "Be brief.",
    input: [
      { role: "developer", content: "Use tools." },
      { role: "user", content: "What is the weather?" },
      { type: "function_call", call_id: "call_1", name: "get_weather", arguments: '{"city":"Oslo"}' },
      { type: "function_call_output", call_id: "call_1", output: "rain" },
    ],
    tools: [
      { type: "function", name: "get_weather", parameters: { type: "object", properties: {} } },
      { type: "custom", name: "apply_patch", format: { type: "grammar", syntax: "lark", definition: "start: X" } },
    ],
    reasoning: { effort: "low", summary: "auto" },
    include: ["reasoning.encrypted_content"],
    store: false,
    stream: true,
    max_output_tokens: 50,
  };
  const about = { ...context, request: asked };

  test("a request", () => {
    const request = backwards().request(asked, { systemMessages: "input" });
    expect(request).toMatchObject({
      kind: "request",
      body: {
        model: "claude-opus-4-6",
        max_tokens: 50,
        system: "Be brief.\n\nUse tools.",
        stream: true,
        output_config: { effort: "low" },
        messages: [
          { role: "user", content: "What is the weather?" },
          { role: "assistant", content: [{ type: "tool_use", id: "call_1", name: "get_weather", input: { city: "Oslo" } }] },
          { role: "user", content: [{ type: "tool_result", tool_use_id: "call_1", content: "rain" }] },
        ],
        tools: [{ name: "get_weather" }, { name: "apply_patch", input_schema: { required: ["input"] } }],
      },
    });
  });

  test("credentials and versions are those of the target", () => {
    expect(backwards().headers([["Authorization", "Bearer sk-1"]])).toEqual([
      ["x-api-key", "sk-1"],
      ["anthropic-version", "2023-06-01"],
    ]);
  });

  const frames = DIALECTS.messages.frames(
    { ...answer, toolCalls: [{ id: "call_2", name: "apply_patch", argumentsText: '{"input":"*** Begin"}' }] },
    envelope,
    { usageInStream: true },
  );
  const types = (given: readonly Payload[]) => {
    const stream = backwards().stream(about);
    const payloads = [...given.flatMap((frame) => stream.onPayload(frame)), ...stream.onEnd()];
    expect(stream.isOver()).toBe(true);
    return payloads.map(({ data }) => parseObject(data) ?? {});
  };

  test("a stream, with a call of a custom tool, and its usage", () => {
    const events = types(frames);
    expect(events[0]).toMatchObject({ type: "response.created" });
    expect(events.at(-1)).toMatchObject({
      type: "response.completed",
      response: {
        status: "completed",
        output: [
          { type: "message", content: [{ type: "output_text", text: "It rains." }] },
          { type: "custom_tool_call", name: "apply_patch", input: "*** Begin" },
        ],
        usage: { input_tokens: 12, output_tokens: 7, total_tokens: 19 },
      },
    });
  });

  test("a whole answer says the same", () => {
    expect(backwards().whole(parseObject(DIALECTS.messages.whole(answer, envelope)) ?? {}, about)).toMatchObject({
      status: 200,
      body: {
        status: "completed",
        output: [
          { type: "message", content: [{ type: "output_text", text: "It rains." }] },
          { type: "function_call", name: "get_weather", arguments: '{"city":"Bergen"}' },
        ],
      },
    });
  });

  test("a stream that is cut, and an error event, are response.failed", () => {
    for (const given of [
      frames.slice(0, 5),
      [...frames.slice(0, 5), { event: "error", data: '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}' }],
    ]) {
      const events = types(given);
      expect(events.at(-1)).toMatchObject({ type: "response.failed" });
      expect(events.some(({ type }) => type === "response.completed")).toBe(false);
    }
  });
});

function streamed(frames: readonly Payload[]): readonly Readonly<Record<string, unknown>>[] {
  const stream = translation().stream(context);
  const payloads = [...frames.flatMap((frame) => stream.onPayload(frame)), ...stream.onEnd()];
  expect(stream.isOver()).toBe(true);
  return payloads.map(({ data }) => parseObject(data) ?? {});
}
