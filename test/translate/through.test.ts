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

function streamed(frames: readonly Payload[]): readonly Readonly<Record<string, unknown>>[] {
  const stream = translation().stream(context);
  const payloads = [...frames.flatMap((frame) => stream.onPayload(frame)), ...stream.onEnd()];
  expect(stream.isOver()).toBe(true);
  return payloads.map(({ data }) => parseObject(data) ?? {});
}
