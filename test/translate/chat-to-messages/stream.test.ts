import { describe, expect, test } from "bun:test";
import type { Payload } from "../../../src/core/dialect.ts";
import { DIALECTS } from "../../../src/dialects/index.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import {
  accumulated,
  begin,
  callEvents,
  chunksOf,
  delta,
  end,
  event,
  finished,
  json,
  MESSAGE,
  play,
  START,
  STOP,
  textEvents,
  told,
  toolUse,
} from "./helpers.ts";

const ROLE = { role: "assistant" };
const content = (text: string) => ({ content: text });
const call = (index: number, id: string, name: string) => ({
  tool_calls: [{ index, id, type: "function", function: { name, arguments: "" } }],
});
const piece = (index: number, text: string) => ({ tool_calls: [{ index, function: { arguments: text } }] });
const thinking = (index: number, ...pieces: readonly string[]) => [
  begin(index, { type: "thinking", thinking: "", signature: "" }),
  ...pieces.map((text) => delta(index, { type: "thinking_delta", thinking: text })),
  delta(index, { type: "signature_delta", signature: "abc" }),
  end(index),
];
const PING: Payload = { event: "ping", data: '{"type": "ping"}' };

type Row = readonly [title: string, given: readonly Payload[], expected: readonly unknown[]];

const STREAMS: readonly Row[] = [
  ["a text", [START, ...textEvents(0, "He", "llo"), finished("end_turn"), STOP], [ROLE, content("He"), content("llo"), "stop", "[DONE]"]],
  [
    "pings and unknown events are passed over",
    [START, PING, ...textEvents(0, "A"), event("ping", {}), { event: "x", data: '{"type":"x"}' }, finished("end_turn"), STOP],
    [ROLE, content("A"), "stop", "[DONE]"],
  ],
  [
    "thinking before a text",
    [START, ...thinking(0, "h", "m"), ...textEvents(1, "A"), finished("end_turn"), STOP],
    [ROLE, { reasoning_content: "h" }, { reasoning_content: "m" }, content("A"), "stop", "[DONE]"],
  ],
  [
    "a call",
    [START, ...callEvents(0, "t1", "f", '{"a"', ":1}"), finished("tool_use"), STOP],
    [ROLE, call(0, "t1", "f"), piece(0, '{"a"'), piece(0, ":1}"), "tool_calls", "[DONE]"],
  ],
  [
    "calls are counted among themselves, whatever the index of their block",
    [START, ...textEvents(0, "A"), ...callEvents(1, "t1", "f", "{}"), ...callEvents(3, "t2", "g", "[]"), finished("tool_use"), STOP],
    [ROLE, content("A"), call(0, "t1", "f"), piece(0, "{}"), call(1, "t2", "g"), piece(1, "[]"), "tool_calls", "[DONE]"],
  ],
  [
    "calls that come mixed",
    [
      START,
      begin(0, toolUse("t1", "f")),
      begin(1, toolUse("t2", "g")),
      delta(1, json("B")),
      delta(0, json("A")),
      end(0),
      end(1),
      finished("tool_use"),
      STOP,
    ],
    [ROLE, call(0, "t1", "f"), call(1, "t2", "g"), piece(1, "B"), piece(0, "A"), "tool_calls", "[DONE]"],
  ],
  [
    "a call without arguments has empty ones",
    [START, ...callEvents(0, "t1", "f"), finished("tool_use"), STOP],
    [ROLE, call(0, "t1", "f"), piece(0, "{}"), "tool_calls", "[DONE]"],
  ],
  [
    "a call whose input comes with its beginning",
    [START, begin(0, toolUse("t1", "f", { a: 1 })), end(0), finished("tool_use"), STOP],
    [ROLE, call(0, "t1", "f"), piece(0, '{"a":1}'), "tool_calls", "[DONE]"],
  ],
  [
    "a call that nobody ended",
    [START, begin(0, toolUse("t1", "f", { a: 1 })), finished("tool_use"), STOP],
    [ROLE, call(0, "t1", "f"), piece(0, '{"a":1}'), "tool_calls", "[DONE]"],
  ],
  [
    "calls that all have one index",
    [
      START,
      begin(0, toolUse("t1", "f")),
      delta(0, json("1")),
      begin(0, toolUse("t2", "g")),
      delta(0, json("2")),
      end(0),
      finished("tool_use"),
      STOP,
    ],
    [ROLE, call(0, "t1", "f"), piece(0, "1"), call(1, "t2", "g"), piece(1, "2"), "tool_calls", "[DONE]"],
  ],
  [
    "a call without an id gets one",
    [START, begin(0, { type: "tool_use", name: "f" }), end(0), finished("tool_use"), STOP],
    [ROLE, call(0, "call_x10", "f"), piece(0, "{}"), "tool_calls", "[DONE]"],
  ],
  [
    "tools of the service's own, citations and unknown blocks are passed over",
    [
      START,
      begin(0, { type: "server_tool_use", id: "s", name: "web_search", input: {} }),
      delta(0, json('{"q":')),
      end(0),
      begin(1, { type: "web_search_tool_result", tool_use_id: "s", content: [] }),
      end(1),
      begin(2, { type: "redacted_thinking", data: "x" }),
      end(2),
      begin(3, { type: "text", text: "", citations: [] }),
      delta(3, { type: "citations_delta", citation: {} }),
      delta(3, { type: "text_delta", text: "A" }),
      end(3),
      finished("end_turn"),
      STOP,
    ],
    [ROLE, content("A"), "stop", "[DONE]"],
  ],
  [
    "a text that comes with its beginning",
    [START, begin(0, { type: "text", text: "A" }), end(0), finished("end_turn"), STOP],
    [ROLE, content("A"), "stop", "[DONE]"],
  ],
  ["no beginning of the message", [...textEvents(0, "A"), finished("end_turn"), STOP], [ROLE, content("A"), "stop", "[DONE]"]],
  ["nothing but an end", [finished("end_turn"), STOP], [ROLE, "stop", "[DONE]"]],
  [
    "events told by their names alone",
    [{ event: "content_block_delta", data: '{"index":0,"delta":{"type":"text_delta","text":"A"}}' }, finished("end_turn"), STOP],
    [ROLE, content("A"), "stop", "[DONE]"],
  ],
  [
    "usage before the end",
    [START, ...textEvents(0, "A"), finished(null), finished("end_turn"), STOP],
    [ROLE, content("A"), "stop", "[DONE]"],
  ],
  [
    "nothing behind the end belongs to the answer",
    [START, ...textEvents(0, "A"), finished("end_turn"), ...textEvents(1, "B"), finished("max_tokens"), STOP, ...textEvents(2, "C"), STOP],
    [ROLE, content("A"), "stop", "[DONE]"],
  ],
  ["bytes that end behind the reason", [START, ...textEvents(0, "A"), finished("end_turn")], [ROLE, content("A"), "stop", "[DONE]"]],
  [
    "a refusal and its words",
    [
      START,
      ...textEvents(0, "A"),
      finished("refusal", {}, { stop_details: { type: "refusal", category: "cyber", explanation: "No." } }),
      STOP,
    ],
    [ROLE, content("A"), { refusal: "No." }, "content_filter", "[DONE]"],
  ],
];

describe("a stream", () => {
  test.each([...STREAMS])("%s", (_title, given, expected) => {
    const played = play(given);
    expect(told(played)).toEqual([...expected]);
    expect(played.isOver).toBe(true);
  });

  test.each([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["pause_turn", "stop"],
    ["tool_use", "stop"],
    ["constructor", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["refusal", "content_filter"],
  ])("ends by %s with %s", (reason, finish) => {
    expect(told(play([START, ...textEvents(0, "A"), finished(reason), STOP])).at(-2)).toBe(finish);
  });

  test.each([
    ["end_turn", "tool_calls"],
    ["max_tokens", "length"],
  ])("with calls ends by %s with %s", (reason, finish) => {
    expect(told(play([START, ...callEvents(0, "t", "f", "{}"), finished(reason), STOP])).at(-2)).toBe(finish);
  });

  test("every chunk says the same of the answer: its id and model, and when the exchange was", () => {
    for (const chunk of chunksOf(
      play([START, ...textEvents(0, "A"), finished("end_turn"), STOP], { stream_options: { include_usage: true } }),
    )) {
      expect(chunk).toMatchObject({ id: "msg_1", object: "chat.completion.chunk", created: 1_760_000_000, model: "claude-answering" });
    }
    expect(chunksOf(play([finished("end_turn")]))[0]).toMatchObject({ id: "chatcmpl-x1", model: "claude-sonnet-4-5" });
  });

  test("each event gives its chunks at once", () => {
    const given = [START, ...textEvents(0, "He", "llo"), ...callEvents(1, "t", "f", "{", "}"), finished("tool_use"), STOP];
    for (let length = 1; length < given.length; length++) {
      const before = told(play(given.slice(0, length - 1))).length;
      const brings = ["He", "llo", '"{"', '"}"', "message_start", '"tool_use"', "message_stop"].some((word) =>
        given[length - 1]?.data.includes(word),
      );
      // The error at the end of a cut stream stands in both.
      if (brings) expect(told(play(given.slice(0, length))).length).toBe(before + 1);
    }
  });
});

describe("a custom tool", () => {
  const request = {
    tools: [
      { type: "custom", custom: { name: "c" } },
      { type: "function", function: { name: "f" } },
    ],
  };
  const begun = (index: number, id: string) => ({ tool_calls: [{ index, id, type: "custom", custom: { name: "c", input: "" } }] });
  const input = (index: number, text: string) => ({ tool_calls: [{ index, custom: { input: text } }] });

  test("gets its input in one piece, and functions go on beside it", () => {
    const given = [
      START,
      begin(0, toolUse("t1", "c")),
      delta(0, json('{"input":"l')),
      begin(1, toolUse("t2", "f")),
      delta(1, json("{}")),
      delta(0, json('s"}')),
      end(0),
      end(1),
      finished("tool_use"),
      STOP,
    ];
    expect(told(play(given, request))).toEqual([
      ROLE,
      begun(0, "t1"),
      call(1, "t2", "f"),
      piece(1, "{}"),
      input(0, "ls"),
      "tool_calls",
      "[DONE]",
    ]);
  });

  test("gets what the model wrote where that is no such input", () => {
    const given = [START, ...callEvents(0, "t1", "c", '{"input":'), finished("max_tokens"), STOP];
    expect(told(play(given, request))).toEqual([ROLE, begun(0, "t1"), input(0, '{"input":'), "length", "[DONE]"]);
  });

  test("whose input comes with its beginning", () => {
    const given = [START, begin(0, toolUse("t1", "c", { input: "ls" })), finished("tool_use"), STOP];
    expect(told(play(given, request))).toEqual([ROLE, begun(0, "t1"), input(0, "ls"), "tool_calls", "[DONE]"]);
  });

  test("and what comes with the beginning of calls is not held without end", () => {
    const large = { input: "x".repeat(9 * 1024 * 1024) };
    const given = [START, begin(0, toolUse("t1", "c", large)), begin(1, toolUse("t2", "c", large)), STOP];
    expect(told(play(given, request)).at(-1)).toMatchObject({ error: { code: "too_long" } });
  });

  test("that writes without end is an error", () => {
    const many = Array.from({ length: 17 }, () => delta(0, json("x".repeat(1024 * 1024))));
    expect(told(play([START, begin(0, toolUse("t1", "c")), ...many, STOP], request)).at(-1)).toMatchObject({ error: { code: "too_long" } });
  });
});

describe("usage", () => {
  const cached = {
    ...MESSAGE,
    usage: { input_tokens: 10, cache_creation_input_tokens: 20, cache_read_input_tokens: 30, output_tokens: 1 },
  };
  const rows: readonly (readonly [string, readonly JsonObject[], JsonObject])[] = [
    [
      "of the beginning and the end",
      [{ output_tokens: 6 }],
      { prompt_tokens: 12, completion_tokens: 6, total_tokens: 18, prompt_tokens_details: { cached_tokens: 0 } },
    ],
    [
      "of the last word about it",
      [{ output_tokens: 6 }, { input_tokens: 13, output_tokens: 7 }],
      { prompt_tokens: 13, completion_tokens: 7, total_tokens: 20, prompt_tokens_details: { cached_tokens: 0 } },
    ],
    [
      "with thinking",
      [{ output_tokens: 6, output_tokens_details: { thinking_tokens: 4 } }],
      {
        prompt_tokens: 12,
        completion_tokens: 6,
        total_tokens: 18,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 4 },
      },
    ],
  ];
  const streamed = (usages: readonly JsonObject[], message: JsonObject = MESSAGE) =>
    play([event("message_start", { message }), ...textEvents(0, "A"), ...usages.map((usage) => finished("end_turn", usage)), STOP], {
      stream_options: { include_usage: true },
    });

  test.each([...rows])("%s", (_title, usages, usage) => {
    const chunks = chunksOf(streamed(usages));
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage });
    expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  });

  test("what came from the cache and went into it are among the prompt's tokens", () => {
    expect(chunksOf(streamed([{ output_tokens: 6 }], cached)).at(-1)).toMatchObject({
      usage: {
        prompt_tokens: 60,
        completion_tokens: 6,
        total_tokens: 66,
        prompt_tokens_details: { cached_tokens: 30, cache_write_tokens: 20 },
      },
    });
  });

  test("is not told to those who did not ask, and not made up", () => {
    expect(chunksOf(play([START, finished("end_turn"), STOP])).some((chunk) => "usage" in chunk)).toBe(false);
    const silent = play([...textEvents(0, "A"), finished("end_turn", {}), STOP], { stream_options: { include_usage: true } });
    expect(told(silent)).toEqual([ROLE, content("A"), "stop", "[DONE]"]);
  });
});

describe("a stream that goes wrong ends with an error, without a reason and without [DONE]", () => {
  const error = (type: string, message: string) => event("error", { error: { details: null, type, message }, request_id: "req_1" });
  const facts = (message: string, type: string, code: string | null = null) => ({ error: { message, type, param: null, code } });
  const rows: readonly Row[] = [
    [
      "an error in its middle",
      [START, ...textEvents(0, "A"), error("overloaded_error", "Overloaded"), finished("end_turn"), STOP],
      [ROLE, content("A"), facts("Overloaded", "overloaded_error")],
    ],
    ["an error as its first event", [error("api_error", "Internal server error")], [facts("Internal server error", "api_error")]],
    ["an error behind the reason", [START, finished("end_turn"), error("api_error", "Broke")], [ROLE, "stop", facts("Broke", "api_error")]],
    [
      "an error that is no JSON",
      [START, { event: "error", data: "upstream died" }],
      [ROLE, facts("upstream died", "server_error", "backend_error")],
    ],
    [
      "an error without words",
      [{ event: "error", data: "{}" }],
      [facts("The backend reported an error without a text.", "server_error", "backend_error")],
    ],
    [
      "an error of another shape",
      [START, { event: undefined, data: '{"error":{"message":"No","code":503}}' }],
      [ROLE, { error: { message: "No", type: "server_error", param: null, code: 503 } }],
    ],
    [
      "bytes that end",
      [START, ...textEvents(0, "A")],
      [ROLE, content("A"), facts("The backend's stream ended before the answer was complete.", "server_error", "stream_incomplete")],
    ],
    [
      "bytes that end in a call",
      [START, begin(0, toolUse("t", "f")), delta(0, json("{"))],
      [
        ROLE,
        call(0, "t", "f"),
        piece(0, "{"),
        facts("The backend's stream ended before the answer was complete.", "server_error", "stream_incomplete"),
      ],
    ],
    [
      "an end without a reason",
      [START, ...textEvents(0, "A"), STOP],
      [ROLE, content("A"), facts("The backend's stream ended before the answer was complete.", "server_error", "stream_incomplete")],
    ],
    ["nothing", [], [facts("The backend's stream ended before the answer was complete.", "server_error", "stream_incomplete")]],
    [
      "a call without a name",
      [START, begin(0, { type: "tool_use", id: "t", input: {} }), finished("tool_use"), STOP],
      [ROLE, facts("The backend's answer has a tool call without a name.", "server_error", "nameless_tool_call")],
    ],
    [
      "input for a call that never began",
      [START, delta(0, json("{}")), finished("tool_use"), STOP],
      [ROLE, facts("The backend sent input for a tool call that is not on its way.", "server_error", "lost_tool_input")],
    ],
    [
      "input behind the end of its call",
      [START, ...callEvents(0, "t", "f", "{"), delta(0, json("}")), finished("tool_use"), STOP],
      [
        ROLE,
        call(0, "t", "f"),
        piece(0, "{"),
        facts("The backend sent input for a tool call that is not on its way.", "server_error", "lost_tool_input"),
      ],
    ],
    [
      "calls without end",
      [START, ...Array.from({ length: 10_001 }, (_, index) => begin(index, toolUse("t", "f")))],
      [
        ROLE,
        ...Array.from({ length: 10_000 }, (_, index) => call(index, "t", "f")),
        facts("The backend's answer has more than 10000 blocks.", "server_error", "too_many_items"),
      ],
    ],
  ];
  test.each([...rows])("%s", (_title, given, expected) => {
    const played = play(given);
    expect(told(played)).toEqual([...expected]);
    expect(played.isOver).toBe(true);
  });
});

describe("the official client", () => {
  test("puts a stream together", async () => {
    const played = play(
      [
        START,
        ...thinking(0, "hm"),
        ...textEvents(1, "He", "llo"),
        ...callEvents(2, "t1", "f", '{"a"', ":1}"),
        ...callEvents(3, "t2", "g"),
        finished("tool_use"),
        STOP,
      ],
      {
        stream_options: { include_usage: true },
      },
    );
    expect(await accumulated(played)).toMatchObject({
      id: "msg_1",
      model: "claude-answering",
      choices: [
        {
          finish_reason: "tool_calls",
          message: {
            role: "assistant",
            content: "Hello",
            tool_calls: [
              { id: "t1", type: "function", function: { name: "f", arguments: '{"a":1}' } },
              { id: "t2", type: "function", function: { name: "g", arguments: "{}" } },
            ],
          },
        },
      ],
      usage: { prompt_tokens: 12, completion_tokens: 6, total_tokens: 18 },
    });
  });

  test("throws the error of a stream", async () => {
    const played = play([START, ...textEvents(0, "A"), event("error", { error: { type: "overloaded_error", message: "Overloaded" } })]);
    expect(await accumulated(played).catch((error: unknown) => error)).toMatchObject({ type: "overloaded_error" });
  });

  test("reads what the built-in provider streams", async () => {
    const answer = {
      text: ["It", " rains"],
      refusal: undefined,
      toolCalls: [{ id: "1", name: "f", argumentsText: '{"a":1}' }],
      finish: "tool_calls" as const,
      inputTokens: 5,
      outputTokens: 7,
    };
    const frames = DIALECTS.messages.frames(answer, { id: "a", model: "m", createdSeconds: 1 }, { usageInStream: true });
    expect(await accumulated(play(frames, { stream_options: { include_usage: true } }))).toMatchObject({
      id: "msg_a",
      choices: [
        {
          finish_reason: "tool_calls",
          message: { content: "It rains", tool_calls: [{ id: "toolu_1", function: { name: "f", arguments: '{"a":1}' } }] },
        },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 7 },
    });
  });
});
