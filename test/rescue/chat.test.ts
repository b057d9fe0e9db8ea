import { describe, expect, test } from "bun:test";
import type { Payload } from "../../src/core/dialect.ts";
import type { JsonObject } from "../../src/dialects/shared.ts";
import { chat } from "../../src/rescue/chat.ts";
import { framesOf, REQUESTS, seen } from "./story.ts";

const DONE: Payload = { event: undefined, data: "[DONE]" };

function chunk(delta: JsonObject, finish_reason: string | null = null, index = 0): Payload {
  return payload({ id: "first", created: 1, model: "a", choices: [{ index, delta, finish_reason }] });
}

function payload(json: JsonObject): Payload {
  return { event: undefined, data: JSON.stringify(json) };
}

function noted(...payloads: readonly Payload[]) {
  const partial = chat.partial();
  for (const one of payloads) partial.note(one);
  return partial;
}

const ROLE = chunk({ role: "assistant", content: "" });

function spliced(first: readonly Payload[], second: readonly Payload[]): readonly unknown[] {
  const splice = noted(...first).splice();
  return second.flatMap((one) => splice(one)).map(({ data }) => (data === "[DONE]" ? data : JSON.parse(data)));
}

describe("what goes on behind a Chat Completions answer", () => {
  test("has the first answer's id and time, its own model, no role, and the white space once", () => {
    const second = [
      payload({ id: "second", object: "o", created: 2, model: "b", choices: [{ index: 0, delta: { role: "assistant", content: " " } }] }),
      payload({ id: "second", object: "o", created: 2, model: "b", choices: [{ index: 0, delta: { content: " \nyou" } }] }),
      payload({ id: "second", object: "o", created: 2, model: "b", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
      payload({ id: "second", object: "o", created: 2, model: "b", choices: [], usage: { completion_tokens: 3 } }),
      DONE,
    ];
    const envelope = { id: "first", object: "o", created: 1, model: "b" };
    expect(spliced([ROLE, chunk({ content: "Hi  " })], second)).toEqual([
      { ...envelope, choices: [{ index: 0, delta: { content: "\nyou" } }] },
      { ...envelope, choices: [{ index: 0, delta: {}, finish_reason: "stop" }] },
      { ...envelope, choices: [], usage: { completion_tokens: 3 } },
      "[DONE]",
    ]);
  });

  test("has no thoughts, which the client would find behind the text, and keeps them where there is no text yet", () => {
    const second = [
      chunk({ role: "assistant", reasoning_content: "Hm", reasoning: "Hm", reasoning_details: [{ text: "Hm" }] }),
      chunk({ content: " you", reasoning_content: null }),
    ];
    const deltas = (first: readonly Payload[]) =>
      spliced(first, second).map((one) => JSON.stringify(one).match(/"delta":(\{.*?\})[,}]/)?.[1]);
    expect(deltas([ROLE, chunk({ content: "Hi" })])).toEqual(['{"content":" you"}']);
    expect(spliced([ROLE], second)).toHaveLength(2);
    expect(JSON.stringify(spliced([ROLE], second))).toContain('"reasoning_content":"Hm"');
  });

  test("may come as parts", () => {
    const parts = (text: string) => chunk({ content: [{ type: "text", text }] });
    const got = spliced([ROLE, chunk({ content: [{ type: "text", text: "Hi \n" }] })], [parts(" "), parts("\nyou")]);
    expect(got).toEqual([JSON.parse(parts("you").data)]);
  });

  test("may be a call", async () => {
    const splice = noted(...framesOf("chat", {}, 0).slice(0, 4)).splice();
    const call = { id: "c", name: "f", argumentsText: '{"a":1}' };
    const second = framesOf("chat", { text: [], toolCalls: [call], finish: "tool_calls" }, 1).flatMap((one) => splice(one));
    expect(await seen("chat", [...framesOf("chat", {}, 0).slice(0, 4), ...second])).toMatchObject({
      text: "Hello, wörld",
      calls: ['{"a":1}'],
      finish: "tool_calls",
    });
  });

  test("keeps what a chunk says beside a text that is there already", () => {
    expect(spliced([ROLE, chunk({ content: "Hi " })], [chunk({ content: " " }, "length")])).toEqual([
      { id: "first", created: 1, model: "a", choices: [{ index: 0, delta: { content: "" }, finish_reason: "length" }] },
    ]);
  });

  test("passes errors as they are", () => {
    const error = payload({ id: "second", error: { message: "M" }, choices: [{ index: 0, delta: { role: "assistant" } }] });
    expect(noted(ROLE).splice()(error)).toEqual([error]);
  });
});

describe("a Chat Completions request that goes on", () => {
  const TEXT = chunk({ content: "you \n" });
  const user = { role: "user", content: "Hi" };

  test.each<[string, readonly JsonObject[], readonly JsonObject[]]>([
    ["behind a user's message", [user], [user, { role: "assistant", content: "you" }]],
    ["behind nothing", [], [{ role: "assistant", content: "you" }]],
    [
      "in the client's own beginning",
      [user, { role: "assistant", content: "How are ", prefix: true }],
      [user, { role: "assistant", content: "How are you", prefix: true }],
    ],
    [
      "in the client's own beginning of parts",
      [{ role: "assistant", content: [{ type: "text", text: "How are " }] }],
      [
        {
          role: "assistant",
          content: [
            { type: "text", text: "How are " },
            { type: "text", text: "you" },
          ],
        },
      ],
    ],
    [
      "behind calls",
      [
        { role: "assistant", content: null, tool_calls: [{ id: "c" }] },
        { role: "tool", tool_call_id: "c", content: "1" },
      ],
      [
        { role: "assistant", content: null, tool_calls: [{ id: "c" }] },
        { role: "tool", tool_call_id: "c", content: "1" },
        { role: "assistant", content: "you" },
      ],
    ],
  ])("%s", (_name, messages, expected) => {
    const request = { model: "m", tools: [], messages };
    expect(noted(ROLE, TEXT).continuing(request)).toEqual({ ...request, messages: expected });
  });

  test.each<[string, readonly Payload[], boolean]>([
    ["thoughts that are over", [chunk({ reasoning_content: "Hm" }), TEXT], true],
    ["thoughts alone", [chunk({ reasoning_content: "Hm" })], false],
    ["signed thoughts", [chunk({ reasoning_details: [{ type: "reasoning.text", text: "Hm", signature: "s" }] }), TEXT], false],
    ["encrypted thoughts", [chunk({ reasoning_details: [{ type: "reasoning.encrypted", data: "s" }] }), TEXT], false],
    ["a call", [TEXT, chunk({ tool_calls: [{ index: 0 }] })], false],
    ["no call", [TEXT, chunk({ tool_calls: [], function_call: null, refusal: null })], true],
    ["a refusal", [TEXT, chunk({ refusal: "No" })], false],
    ["sound", [TEXT, chunk({ audio: { id: "a" } })], false],
    ["a part that is no text", [TEXT, chunk({ content: [{ type: "image_url" }] })], false],
    ["a second choice", [TEXT, chunk({ content: "you" }, null, 1)], false],
    ["an end", [TEXT, chunk({}, "stop")], false],
    ["an end that is none", [TEXT, chunk({}, "error")], true],
    ["what has no choices", [payload({ id: "", choices: [], prompt_filter_results: [] }), TEXT], true],
  ])("is there or not behind %s", (_name, payloads, expected) => {
    expect(noted(ROLE, ...payloads).isEmpty()).toBe(false);
    expect(noted(ROLE, ...payloads).continuing(REQUESTS.chat) !== undefined).toBe(expected);
  });

  test.each([
    [1, true],
    [null, true],
    [2, false],
  ])("for n %p is there: %p", (n, expected) => {
    expect(noted(ROLE, TEXT).continuing({ ...REQUESTS.chat, n }) !== undefined).toBe(expected);
  });
});

describe("the end of a Chat Completions answer", () => {
  const finished = (...payloads: readonly Payload[]) => payloads.map(chat.finish());

  test("is that of every choice that has begun", () => {
    expect(finished(chunk({}, null, 0), chunk({}, null, 1), chunk({}, "stop", 0), chunk({}, "length", 1))).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });

  test.each(["error", "abort", "insufficient_system_resource", ""])("is not the reason %p", (reason) => {
    expect(finished(chunk({}, reason))).toEqual([false]);
  });

  test("is [DONE] too, and stays", () => {
    expect(finished(ROLE, DONE, payload({ choices: [], usage: {} }))).toEqual([false, true, true]);
  });

  test("is not lost in more choices than a server gives", () => {
    const many = Array.from({ length: 1_000 }, (_, index) => chunk({}, null, index));
    expect(finished(...many).at(-1)).toBe(false);
  });
});

test("a Chat Completions error has OpenAI's words", () => {
  expect(chat.error({ message: "M", status: 502 }, { frames: 3 })).toEqual([
    payload({ error: { message: "M", type: "server_error", param: null, code: null } }),
  ]);
  expect(chat.error({ message: "M", status: 429 }, { frames: 3 })).toEqual([
    payload({ error: { message: "M", type: "rate_limit_error", param: null, code: "rate_limit_exceeded" } }),
  ]);
});

test("the id is the first that is one", () => {
  expect(noted().id()).toBeUndefined();
  expect(noted(payload({ id: "", choices: [] }), ROLE).id()).toBe("first");
});
