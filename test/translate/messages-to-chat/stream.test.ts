import { describe, expect, test } from "bun:test";
import type { Payload } from "../../../src/core/dialect.ts";
import { chat } from "../../../src/dialects/chat.ts";
import { messages } from "../../../src/dialects/messages.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { messagesToChat } from "../../../src/translate/messages-to-chat.ts";
import { ANSWERS, type AnswerName, ENVELOPE } from "../../dialects/serve.ts";
import {
  accumulated,
  argumentsPiece,
  CONTEXT,
  call,
  callDelta,
  chunk,
  eventsOf,
  framed,
  type Given,
  payloadOf,
  streamed,
  told,
  USAGE,
  USAGE_CHUNK,
} from "./helpers.ts";

const text = (content: unknown) => chunk({ content });
const FIRST = chunk({ role: "assistant", content: "" });
const END: readonly Given[] = [chunk({}, "stop"), USAGE_CHUNK, "[DONE]"];
const CALLS_END: readonly Given[] = [chunk({}, "tool_calls"), USAGE_CHUNK, "[DONE]"];
const TEXT_EVENTS = ["0 start text", "0 Hel", "0 lo", "0 stop"];

/** Two calls one after the other, each with these pieces of arguments. */
const callEvents = (index: number, ...pieces: readonly string[]) => [
  `${index} start tool_use`,
  `${index} `,
  ...pieces.map((piece) => `${index} ${piece}`),
  `${index} stop`,
];

describe("events as the service sends them", () => {
  test("the first and the last ones, in full", () => {
    const chunks = [
      FIRST,
      text("Hi"),
      chunk({}, "stop"),
      { ...USAGE_CHUNK, usage: { ...USAGE, prompt_tokens_details: { cached_tokens: 4 } } },
    ];
    const events = eventsOf(streamed(chunks));
    expect(events[0]).toEqual({
      type: "message_start",
      message: {
        model: "claude-test",
        id: "msg_abc",
        type: "message",
        role: "assistant",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        stop_details: null,
        usage: {
          input_tokens: 0,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 0,
          cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
          output_tokens: 0,
          service_tier: "standard",
        },
      },
    });
    expect(events.slice(-2)).toEqual([
      {
        type: "message_delta",
        delta: { stop_reason: "end_turn", stop_sequence: null, stop_details: null },
        usage: { input_tokens: 8, cache_creation_input_tokens: 0, cache_read_input_tokens: 4, output_tokens: 6 },
      },
      { type: "message_stop" },
    ]);
  });

  test("every payload's event is its type", () => {
    const payloads = streamed([FIRST, text("Hi"), ...END]);
    expect(payloads.map(({ event }) => event)).toEqual(eventsOf(payloads).map(({ type }) => type));
  });

  // The refusal's text is a block here; the built-in provider, like the service, tells it beside the content.
  const names = (Object.keys(ANSWERS) as AnswerName[]).filter((name) => name !== "refusal");
  test.each(names)("the built-in provider's answer in Chat Completions (%s) becomes its answer in Messages", (name) => {
    const answer = ANSWERS[name];
    const given = chat.frames(answer, ENVELOPE, { usageInStream: true });
    const stream = messagesToChat.stream({ ...CONTEXT, request: { ...CONTEXT.request, model: ENVELOPE.model } });
    const got = [...given.flatMap((payload) => stream.onPayload(payload)), ...stream.onEnd()];
    const expected = messages.frames(answer, ENVELOPE, { usageInStream: true });
    const comparable = (payloads: readonly Payload[]) =>
      eventsOf(payloads).map((event) => {
        if (event.type === "message_start") return { ...event, message: { ...(event.message as JsonObject), usage: undefined } };
        // Each API has its own ids, and only this one tells the tokens of thinking.
        const { output_tokens_details: _, ...usage } = (event.usage ?? {}) as JsonObject;
        return { ...JSON.parse(JSON.stringify(event).replace(/"(?:call|toolu)_abc/g, '"abc')), usage };
      });
    expect(comparable(got)).toEqual(comparable(expected));
  });
});

describe("chunks and what becomes of them", () => {
  const rows: readonly (readonly [string, readonly Given[], readonly string[]])[] = [
    ["text", [FIRST, text("Hel"), text("lo"), ...END], framed(TEXT_EVENTS, "end_turn")],
    [
      "null and empty deltas bring nothing",
      [chunk({ role: "assistant", content: null, tool_calls: null }), text("Hel"), chunk({}), text(""), text(null), text("lo"), ...END],
      framed(TEXT_EVENTS, "end_turn"),
    ],
    [
      "content in parts",
      [
        text([{ type: "text", text: "Hel" }]),
        text([
          { type: "text", text: "l" },
          { type: "text", text: "o" },
        ]),
        ...END,
      ],
      framed(["0 start text", "0 Hel", "0 lo", "0 stop"], "end_turn"),
    ],
    ["no content at all", [FIRST, ...END], ["message_start", "ping", "message_delta end_turn", "message_stop"]],
    [
      "one chunk with everything",
      [chunk({ role: "assistant", content: "Hello" }, "stop", { usage: USAGE })],
      framed(["0 start text", "0 Hello", "0 stop"], "end_turn"),
    ],
    [
      "a whole message in a chunk",
      [{ id: "a", choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] }, "[DONE]"],
      framed(["0 start text", "0 Hello", "0 stop"], "end_turn"),
    ],
    ["no usage, no terminator", [text("Hel"), text("lo"), chunk({}, "stop")], framed(TEXT_EVENTS, "end_turn")],
    [
      "usage in every chunk",
      [
        chunk({ content: "Hel" }, null, { usage: USAGE }),
        chunk({ content: "lo" }, null, { usage: USAGE }),
        chunk({}, "stop", { usage: USAGE }),
        "[DONE]",
      ],
      framed(TEXT_EVENTS, "end_turn"),
    ],
    [
      "a reason that is given early or twice",
      [text("Hel"), chunk({ content: "lo" }, "stop"), chunk({}, "stop"), "[DONE]"],
      framed(TEXT_EVENTS, "end_turn"),
    ],
    [
      "a reason, and chunks without one behind it",
      [text("Hel"), chunk({ content: "lo" }, "length"), chunk({}), "[DONE]"],
      framed(TEXT_EVENTS, "max_tokens"),
    ],
    ["empty reasons", [chunk({ content: "Hel" }, ""), chunk({ content: "lo" }, ""), ...END], framed(TEXT_EVENTS, "end_turn")],
    [
      "Azure's chunk without choices, other choices, and what is no chunk",
      [
        { choices: [], id: "", model: "" },
        "nonsense",
        "[1]",
        { type: "ping" },
        { choices: [{ index: 1, delta: { content: "x" } }] },
        text("Hel"),
        text("lo"),
        ...END,
      ],
      framed(TEXT_EVENTS, "end_turn"),
    ],
    ["a refusal", [chunk({ refusal: "Hel" }), chunk({ refusal: "lo" }), ...END], framed(TEXT_EVENTS, "refusal")],
    ["a filter", [text("Hel"), text("lo"), chunk({}, "content_filter"), "[DONE]"], framed(TEXT_EVENTS, "refusal")],
    [
      "thinking, then text",
      [chunk({ reasoning_content: "Hm" }), chunk({ reasoning_content: "m" }), text("A"), ...END],
      framed(["0 start thinking", "0 Hm", "0 m", "0 signature_delta", "0 stop", "1 start text", "1 A", "1 stop"], "end_turn"),
    ],
    [
      "thinking and text in one chunk, by turns",
      [chunk({ reasoning: "Hm", content: "A" }), chunk({ reasoning: "So" }), ...END],
      framed(
        [
          "0 start thinking",
          "0 Hm",
          "0 signature_delta",
          "0 stop",
          "1 start text",
          "1 A",
          "1 stop",
          "2 start thinking",
          "2 So",
          "2 signature_delta",
          "2 stop",
        ],
        "end_turn",
      ),
    ],
    [
      "a call",
      [call(0, "a", "f"), argumentsPiece(0, '{"x"'), argumentsPiece(0, ":1}")]
        .map((delta) => chunk(delta))
        .concat(CALLS_END as JsonObject[]),
      framed(callEvents(0, '{"x"', ":1}"), "tool_use"),
    ],
    [
      "text, then calls one after the other",
      [
        text("A"),
        ...[call(0, "a", "f"), argumentsPiece(0, "{}"), call(1, "b", "g"), argumentsPiece(1, "{"), argumentsPiece(1, "}")].map((delta) =>
          chunk(delta),
        ),
        ...CALLS_END,
      ],
      framed(["0 start text", "0 A", "0 stop", ...callEvents(1, "{}"), ...callEvents(2, "{", "}")], "tool_use"),
    ],
    [
      "whole calls, one to a chunk or several",
      [
        chunk(call(0, "a", "f", "{}")),
        chunk({ tool_calls: [...(call(1, "b", "g", "{}").tool_calls as []), ...(call(2, "c", "h", "{}").tool_calls as [])] }),
        ...CALLS_END,
      ],
      framed([...callEvents(0, "{}"), ...callEvents(1, "{}"), ...callEvents(2, "{}")], "tool_use"),
    ],
    [
      "calls that grow by turns",
      [
        ...[
          call(0, "a", "f"),
          call(1, "b", "g"),
          argumentsPiece(0, '{"x":'),
          argumentsPiece(1, '{"y":'),
          argumentsPiece(0, "1}"),
          argumentsPiece(1, "2}"),
        ].map((delta) => chunk(delta)),
        ...CALLS_END,
      ],
      framed([...callEvents(0, '{"x":', "1}"), ...callEvents(1, '{"y":', "2}")], "tool_use"),
    ],
    [
      "calls without arguments",
      [chunk(call(0, "a", "f")), chunk(call(1, "b", "g")), ...CALLS_END],
      framed([...callEvents(0), ...callEvents(1)], "tool_use"),
    ],
    [
      "text behind a call, whole or not",
      [
        chunk(call(0, "a", "f", "{}")),
        text("A"),
        chunk(call(1, "b", "g", "{")),
        text("B"),
        chunk(argumentsPiece(1, "}")),
        text("C"),
        ...CALLS_END,
      ],
      framed(
        [...callEvents(0, "{}"), "1 start text", "1 A", "1 stop", ...callEvents(2, "{", "}"), "3 start text", "3 B", "3 C", "3 stop"],
        "tool_use",
      ),
    ],
    [
      "blanks behind whole arguments",
      [chunk(call(0, "a", "f", "{}")), chunk(call(1, "b", "g", "{}")), chunk(argumentsPiece(0, " \n")), ...CALLS_END],
      framed([...callEvents(0, "{}"), ...callEvents(1, "{}")], "tool_use"),
    ],
    [
      "braces inside of texts",
      [chunk(call(0, "a", "f", '{"x":"}\\"}"')), chunk(call(1, "b", "g", "{}")), chunk(argumentsPiece(0, "}")), ...CALLS_END],
      framed([...callEvents(0, '{"x":"}\\"}"', "}"), ...callEvents(1, "{}")], "tool_use"),
    ],
    [
      "id and name in every piece",
      [call(0, "a", "f", "{"), call(0, "a", "f", "}"), call(1, "b", "f", "{}")]
        .map((delta) => chunk(delta))
        .concat(CALLS_END as JsonObject[]),
      framed([...callEvents(0, "{", "}"), ...callEvents(1, "{}")], "tool_use"),
    ],
    [
      "the same index for all calls",
      [call(0, "a", "f", "{}"), call(0, "b", "f", '{"x":1}')].map((delta) => chunk(delta)).concat(CALLS_END as JsonObject[]),
      framed([...callEvents(0, "{}"), ...callEvents(1, '{"x":1}')], "tool_use"),
    ],
    [
      "no index",
      [
        chunk({ tool_calls: [{ id: "a", function: { name: "f", arguments: "{" } }] }),
        chunk({ tool_calls: [{ function: { arguments: "}" } }] }),
        chunk({ tool_calls: [{ id: "b", function: { name: "f", arguments: "{}" } }] }),
        ...CALLS_END,
      ],
      framed([...callEvents(0, "{", "}"), ...callEvents(1, "{}")], "tool_use"),
    ],
    [
      "no index, the id in every piece",
      [
        chunk({ tool_calls: [{ id: "a", function: { name: "f", arguments: "{" } }] }),
        chunk({ tool_calls: [{ id: "a", function: { arguments: "}" } }] }),
        ...CALLS_END,
      ],
      framed(callEvents(0, "{", "}"), "tool_use"),
    ],
    [
      "another id in every piece",
      [chunk(call(0, "a", "f", "{")), chunk(callDelta(0, { id: "b", function: { arguments: "}" } })), ...CALLS_END],
      framed(callEvents(0, "{", "}"), "tool_use"),
    ],
    [
      "a whole message of calls in a chunk, all of one id",
      [
        {
          choices: [
            {
              message: { tool_calls: [1, 2].map((x) => ({ id: "a", function: { name: "f", arguments: { x } } })) },
              finish_reason: "tool_calls",
            },
          ],
        },
      ],
      framed([...callEvents(0, '{"x":1}'), ...callEvents(1, '{"x":2}')], "tool_use"),
    ],
    [
      "the call of old",
      [{ name: "f", arguments: "" }, { arguments: '{"x"' }, { arguments: ":1}" }]
        .map((function_call) => chunk({ function_call }))
        .concat(chunk({}, "function_call")),
      framed(callEvents(0, '{"x"', ":1}"), "tool_use"),
    ],
    [
      "the call of old that is none",
      [chunk({ content: "Hel", function_call: {} }), chunk({ content: "lo", function_call: { name: "", arguments: "" } }), ...END],
      framed(TEXT_EVENTS, "end_turn"),
    ],
    [
      "arguments that are JSON already",
      [chunk(callDelta(0, { id: "a", function: { name: "f", arguments: { x: 1 } } })), ...CALLS_END],
      framed(callEvents(0, '{"x":1}'), "tool_use"),
    ],
    [
      "a name that comes late",
      [
        chunk(callDelta(0, { id: "a", function: { arguments: "{" } })),
        chunk(callDelta(0, { function: { name: "f", arguments: "}" } })),
        ...CALLS_END,
      ],
      framed(callEvents(0, "{", "}"), "tool_use"),
    ],
    [
      "a call that was cut before it had a name",
      [text("Hel"), text("lo"), chunk(callDelta(0, { id: "a", function: { arguments: "" } })), chunk({}, "length"), "[DONE]"],
      framed(TEXT_EVENTS, "max_tokens"),
    ],
    ["calls that end with another word", [chunk(call(0, "a", "f", "{}")), ...END], framed(callEvents(0, "{}"), "tool_use")],
    [
      "a call cut by the limit",
      [chunk(call(0, "a", "f", '{"x":')), chunk({}, "length"), "[DONE]"],
      framed(callEvents(0, '{"x":'), "max_tokens"),
    ],
  ];
  test.each([...rows])("%s", (_name, given, expected) => {
    expect(told(streamed(given))).toEqual([...expected]);
  });

  test("a call has its id and name, and one without an id gets one", () => {
    const starts = eventsOf(
      streamed([
        chunk(call(0, "functions.f:0", "f", "{}")),
        chunk(callDelta(1, { function: { name: "g", arguments: "{}" } })),
        ...CALLS_END,
      ]),
    )
      .filter(({ type }) => type === "content_block_start")
      .map(({ content_block }) => content_block);
    expect(starts).toEqual([
      { type: "tool_use", id: "functions.f:0", name: "f", input: {}, caller: { type: "direct" } },
      { type: "tool_use", id: `toolu_${CONTEXT.id}1`, name: "g", input: {}, caller: { type: "direct" } },
    ]);
  });

  test("the first chunk's usage is told at the start", () => {
    const [start] = eventsOf(streamed([chunk({ content: "A" }, null, { usage: USAGE }), ...END]));
    expect(start).toMatchObject({ message: { usage: { input_tokens: 12, output_tokens: 6 } } });
  });
});

test("the stop sequence is told where the backend tells it", () => {
  const choices = [{ index: 0, delta: {}, finish_reason: "stop", stop_reason: "END" }];
  const given = [text("A"), { ...chunk({}), choices }, chunk({}), "[DONE]"];
  const events = eventsOf(streamed(given, { ...CONTEXT, request: { ...CONTEXT.request, stop_sequences: ["END"] } }));
  expect(events.at(-2)).toMatchObject({ delta: { stop_reason: "stop_sequence", stop_sequence: "END" } });
});

describe("nothing is kept back that can go on", () => {
  test("each text goes on with its chunk, and so does each piece of the call that is open", () => {
    const stream = messagesToChat.stream(CONTEXT);
    const given = [
      FIRST,
      text("Hel"),
      text("lo"),
      chunk(call(0, "a", "f", "{")),
      chunk(argumentsPiece(0, "}")),
      chunk(call(1, "b", "g")),
      chunk(argumentsPiece(1, "{")),
    ];
    expect(given.map((one) => told(stream.onPayload(payloadOf(one))))).toEqual([
      ["message_start"],
      ["0 start text", "ping", "0 Hel"],
      ["0 lo"],
      ["0 stop", "1 start tool_use", "1 ", "1 {"],
      ["1 }"],
      ["1 stop", "2 start tool_use", "2 "],
      ["2 {"],
    ]);
  });

  test("the end waits for the usage, and says nothing twice", () => {
    const stream = messagesToChat.stream(CONTEXT);
    const given = [text("A"), chunk({}, "stop"), USAGE_CHUNK, "[DONE]", text("B")];
    expect(given.map((one) => told(stream.onPayload(payloadOf(one))).length)).toEqual([4, 0, 3, 0, 0]);
    expect(stream.isOver()).toBe(true);
    expect(stream.onEnd()).toEqual([]);
  });

  test("it is over only when the last event was given", () => {
    const stream = messagesToChat.stream(CONTEXT);
    for (const one of [text("A"), chunk({}, "stop")]) {
      stream.onPayload(payloadOf(one));
      expect(stream.isOver()).toBe(false);
    }
    expect(told(stream.onEnd())).toEqual(["0 stop", "message_delta end_turn", "message_stop"]);
    expect(stream.isOver()).toBe(true);
  });
});

describe("an answer that is not whole", () => {
  const BEGUN = ["message_start", "0 start text", "ping", "0 Hel"];
  const NAMELESS = "the backend's answer has a tool call without a name";
  const rows: readonly (readonly [string, readonly Given[], readonly string[], string])[] = [
    ["cut at once", [], ["error api_error"], "the backend's stream ended before its answer was finished"],
    ["cut in a text", [text("Hel")], [...BEGUN, "error api_error"], "the backend's stream ended before its answer was finished"],
    [
      "ended as if nothing had happened",
      [text("Hel"), "[DONE]", text("lo")],
      [...BEGUN, "error api_error"],
      "the backend's stream ended before its answer was finished",
    ],
    ["an error at first", [{ error: { message: "Overloaded", code: "server_is_overloaded" } }], ["error overloaded_error"], "Overloaded"],
    [
      "an error in a text",
      [text("Hel"), { error: { message: "Slow down", type: "tokens", code: "rate_limit_exceeded" } }, "[DONE]", text("lo")],
      [...BEGUN, "error rate_limit_error"],
      "Slow down",
    ],
    [
      "an error beside a choice",
      [text("Hel"), { ...chunk({ content: "" }, "error"), error: { code: 502, message: "Provider disconnected" } }],
      [...BEGUN, "error api_error"],
      "Provider disconnected",
    ],
    ["an error behind the reason", [text("Hel"), chunk({}, "stop"), { error: "gone" }], [...BEGUN, "error api_error"], "gone"],
    ["vLLM's flat error", [text("Hel"), { object: "error", message: "Bad", code: 400 }], [...BEGUN, "error invalid_request_error"], "Bad"],
    [
      "a call without a name",
      [text("Hel"), chunk(callDelta(0, { id: "a", function: { arguments: "{}" } })), ...CALLS_END],
      [...BEGUN, "0 stop", "error api_error"],
      NAMELESS,
    ],
    [
      "a call with an empty name behind one with a name",
      [chunk(call(0, "a", "f", "{}")), chunk(call(1, "b", "", "{}")), ...CALLS_END],
      ["message_start", "0 start tool_use", "ping", "0 ", "0 {}", "0 stop", "error api_error"],
      NAMELESS,
    ],
    [
      "arguments of no call",
      [text("Hel"), chunk({ tool_calls: [{ function: { arguments: "{}" } }] }), ...END],
      [...BEGUN, "0 stop", "error api_error"],
      NAMELESS,
    ],
    [
      "broken off",
      [text("Hel"), chunk({}, "insufficient_system_resource")],
      [...BEGUN, "error overloaded_error"],
      "the backend broke off its answer (finish_reason insufficient_system_resource)",
    ],
    [
      "arguments for a call that was over",
      [chunk(call(0, "a", "f", "{}")), chunk(call(1, "b", "g", "{}")), chunk(argumentsPiece(0, '{"x":1}'))],
      ["message_start", "0 start tool_use", "ping", "0 ", "0 {}", "0 stop", "1 start tool_use", "1 ", "1 {}", "error api_error"],
      "the backend sent arguments for a tool call whose arguments were complete",
    ],
    [
      "more held back than can be",
      [chunk(call(0, "a", "f", "{")), chunk(call(1, "b", "g", "x".repeat(600_000))), chunk(argumentsPiece(1, "x".repeat(600_000)))],
      ["message_start", "0 start tool_use", "ping", "0 ", "0 {", "error api_error"],
      "the backend sent more than can be held back for several tool calls at once",
    ],
    [
      "more calls than can be",
      [
        chunk(call(0, "a", "f", "{")),
        chunk({ tool_calls: Array.from({ length: 1_024 }, (_, index) => ({ index: index + 1, function: { name: "f" } })) }),
      ],
      ["message_start", "0 start tool_use", "ping", "0 ", "0 {", "error api_error"],
      "the backend's answer has more than 1024 tool calls",
    ],
  ];
  test.each([...rows])("%s ends with an error and nothing after it", async (_name, given, expected, message) => {
    const payloads = streamed(given);
    expect(told(payloads)).toEqual([...expected]);
    expect(eventsOf(payloads).at(-1)).toMatchObject({ type: "error", error: { message } });
    expect(await accumulated(payloads).catch((error) => error)).toMatchObject({ error: { error: { message } } });
  });

  test("an event that is called error, with whatever it says", () => {
    const stream = messagesToChat.stream(CONTEXT);
    expect(eventsOf(stream.onPayload({ event: "error", data: "gone" }))).toEqual([
      { type: "error", error: { type: "api_error", message: "gone" } },
    ]);
    expect(stream.isOver()).toBe(true);
  });
});
