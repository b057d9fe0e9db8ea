import { describe, expect, test } from "bun:test";
import type { Message } from "@anthropic-ai/sdk/resources/messages";
import { messages } from "../../src/dialects/messages.ts";
import {
  ANSWERS,
  type AnswerName,
  collected,
  ENVELOPE,
  errorFacts,
  rendered,
  rewrittenPayloads,
  streamOf,
  TEXT,
  withClients,
} from "./serve.ts";

const REQUEST = { model: "test-model", max_tokens: 100, messages: [{ role: "user" as const, content: "Hi" }] };

function whole(body: string): Promise<Message> {
  return withClients(body, ({ anthropic }) => anthropic.messages.create(REQUEST));
}

function streamed(body: string): Promise<Message> {
  return withClients(body, ({ anthropic }) => anthropic.messages.stream(REQUEST).finalMessage());
}

function events(body: string) {
  return withClients(body, async ({ anthropic }) => collected(await anthropic.messages.create({ ...REQUEST, stream: true })));
}

const CALL_INPUT = JSON.parse(ANSWERS.call.toolCalls[0].argumentsText);
const TEXT_BLOCK = { type: "text", text: TEXT.text.join("") };

describe("Messages answers through the official client", () => {
  const cases: readonly (readonly [AnswerName, string, readonly object[]])[] = [
    ["text", "end_turn", [TEXT_BLOCK]],
    ["length", "max_tokens", [TEXT_BLOCK]],
    ["filtered", "refusal", [TEXT_BLOCK]],
    ["empty", "end_turn", []],
    ["refusal", "refusal", []],
    ["call", "tool_use", [{ type: "tool_use", id: "toolu_abc1", name: "get_weather", input: CALL_INPUT }]],
    [
      "twoCallsAndText",
      "tool_use",
      [
        TEXT_BLOCK,
        { type: "tool_use", id: "toolu_abc1", name: "get_weather", input: CALL_INPUT },
        { type: "tool_use", id: "toolu_abc2", name: "no_arguments", input: {} },
      ],
    ],
  ];
  test.each([...cases])("%s: whole and streamed say the same", async (name, stopReason, content) => {
    for (const message of [await whole(messages.whole(ANSWERS[name], ENVELOPE)), await streamed(streamOf(messages, ANSWERS[name]))]) {
      expect(message.stop_reason).toBe(stopReason as "end_turn");
      expect(message.content).toMatchObject([...content]);
      expect(message.content).toHaveLength(content.length);
      expect(message.id).toBe(`msg_${ENVELOPE.id}`);
      expect(message.usage).toMatchObject({ input_tokens: TEXT.inputTokens, output_tokens: ANSWERS[name].outputTokens });
      if (name === "refusal") expect(message.stop_details?.explanation).toBe(ANSWERS.refusal.refusal);
    }
  });

  test("broken arguments come as they are in a stream, and not at all in a whole answer", async () => {
    const all = await events(streamOf(messages, ANSWERS.brokenCall));
    const json = all
      .map((event) => (event.type === "content_block_delta" && event.delta.type === "input_json_delta" ? event.delta.partial_json : ""))
      .join("");
    expect(json).toBe('{"location":"Paris, Fra');
    expect((await whole(messages.whole(ANSWERS.brokenCall, ENVELOPE))).content).toMatchObject([{ type: "tool_use", input: {} }]);
  });

  test("the stream is message_start … message_stop with a ping", () => {
    expect(messages.frames({ ...TEXT, text: ["a"] }, ENVELOPE, { usageInStream: true }).map(({ event }) => event)).toEqual([
      "message_start",
      "content_block_start",
      "ping",
      "content_block_delta",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });
});

describe("Messages requests", () => {
  test("say model, stream, limits, tools and prompt", () => {
    const facts = messages.facts("/v1/messages", "", {
      model: "claude",
      stream: true,
      max_tokens: 77,
      system: [{ type: "text", text: "x".repeat(20), cache_control: { type: "ephemeral" } }],
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "look" },
            { type: "image", source: { type: "base64", media_type: "image/png", data: "A".repeat(1000) } },
          ],
        },
        { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "f", input: { a: "bcd" } }] },
        { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "res" }] },
      ],
      tools: [{ name: "f", description: "does f", input_schema: { type: "object" } }],
    });
    expect(facts).toEqual({
      model: "claude",
      stream: true,
      session: undefined,
      user: undefined,
      // 20 + 4 + 1 + 3 + 3 characters of the conversation, 1 + 6 of the tool.
      inputCharacters: 38,
      inputTokens: Math.ceil(38 / 4),
      outputTokensMax: 77,
      tools: ["f"],
      prompt: "look",
      afterToolResult: true,
      usageInStream: true,
    });
  });

  test.each([
    ["user_0123_account__session_11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-555555555555"],
    ["user_0123_account_aaaa_session_bbbb", "bbbb"],
    ['{"device_id":"d","account_uuid":"","session_id":"cccc"}', "cccc"],
    ["session_dddd", "dddd"],
    ["alice", undefined],
    ["", undefined],
    ["{broken", undefined],
  ])("session of %s", (user_id, expected) => {
    expect(messages.facts("/v1/messages", "", { metadata: { user_id } }).session).toBe(expected);
  });
});

describe("Messages users", () => {
  test.each([
    ["alice", "alice"],
    ["user_0123_account_aaaa_session_bbbb", "user_0123_account_aaaa"],
    ["user_0123_account__session_11111111-2222-3333-4444-555555555555", "user_0123_account_"],
    ["session_dddd", undefined],
    ['{"device_id":"d","account_uuid":"a","session_id":"cccc"}', "a"],
    ['{"device_id":"d","account_uuid":"","session_id":"cccc"}', "d"],
    ['{"session_id":"cccc"}', undefined],
    ['{"name":"alice"}', '{"name":"alice"}'],
    ["{broken", "{broken"],
    ["", undefined],
    [7, undefined],
    [null, undefined],
  ])("%s is %p", (user_id, expected) => {
    expect(messages.facts("/v1/messages", "", { metadata: { user_id } }).user).toBe(expected as string);
  });
});

describe("Messages errors in a stream", () => {
  test("are seen by the official client, first of all or after output", async () => {
    const before = rendered(messages.frames(TEXT, ENVELOPE, { usageInStream: true }).slice(0, 4));
    for (const entry of messages.streamErrors) {
      for (const body of [entry.text(errorFacts()), before + entry.text(errorFacts())]) {
        const error = await streamed(body).catch((thrown: Error) => thrown);
        expect(error).toBeInstanceOf(Error);
        expect(String(error)).toContain("_error");
      }
    }
  });

  test("are byte for byte what was seen", () => {
    expect(messages.streamErrors[0].text(errorFacts())).toMatch(
      /^event: error\ndata: \{"type":"error","error":\{"details":null,"type":"overloaded_error","message":"Overloaded"\},"request_id":"req_011C[A-Za-z0-9]{20}"\}\n\n$/,
    );
    expect(messages.streamErrors[1]?.text(errorFacts())).toBe(
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
    );
    expect(messages.streamErrors.every(({ done }) => !done)).toBe(true);
  });
});

describe("Messages rewriters", () => {
  test("leave out the usage and the client still reads the answer", async () => {
    const payloads = rewrittenPayloads(messages.frames(TEXT, ENVELOPE, { usageInStream: true }), messages.withoutUsage());
    const message = await streamed(rendered(payloads));
    expect(message.content).toMatchObject([TEXT_BLOCK]);
    expect(message.usage.output_tokens ?? null).toBeNull();
  });

  test.each([0, 1, 3, 6, 100])("end a stream by length after %p tokens", async (tokens) => {
    const payloads = messages.frames(ANSWERS.twoCallsAndText, ENVELOPE, { usageInStream: true });
    const rewrite = messages.endedByLength(tokens);
    const kept = payloads.flatMap(({ event, data }) => {
      const changed = rewrite(data);
      return changed === undefined ? [] : [{ event, data: changed }];
    });
    const message = await streamed(rendered(kept));
    expect(message.stop_reason).toBe("max_tokens");
    const text = message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
    expect(text).toBe(TEXT.text.slice(0, tokens).join(""));
    expect(message.content).toHaveLength(tokens === 0 ? 0 : tokens <= 6 ? 1 : 3);
    expect(kept.at(-1)?.event).toBe("message_stop");
    const starts = kept.filter(({ event }) => event === "content_block_start").length;
    expect(kept.filter(({ event }) => event === "content_block_stop")).toHaveLength(starts);
  });

  test("end a whole answer by length", async () => {
    const message = await whole(messages.endedByLength(2)(messages.whole(ANSWERS.twoCallsAndText, ENVELOPE)) ?? "");
    expect(message).toMatchObject({ stop_reason: "max_tokens", content: [{ type: "text", text: "Hello, w" }] });
  });
});
