import { describe, expect, test } from "bun:test";
import type { ResponseCreateParams, ResponseStreamEvent } from "openai/resources/responses/responses";
import { chat } from "../../../src/dialects/chat.ts";
import { responses } from "../../../src/dialects/responses.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { responsesToChat } from "../../../src/translate/responses-to-chat.ts";
import { ANSWERS, type AnswerName, collected, ENVELOPE } from "../../dialects/serve.ts";
import { CHUNK, chunk, clientOf, context, eventsFor, payloadOf, payloadsFor, USAGE, USAGE_CHUNK } from "./support.ts";

/** The events in one line each: type, place, and what they bring. */
function told(events: readonly ResponseStreamEvent[]): readonly string[] {
  return events.map((event) => {
    const fields = event as unknown as JsonObject;
    const item = fields.item as JsonObject | undefined;
    const place = fields.output_index === undefined ? "" : ` ${fields.output_index}`;
    const brought = fields.delta ?? fields.text ?? fields.arguments ?? fields.input ?? fields.refusal ?? item?.type;
    return `${event.type.replace("response.", "")}${place}${brought === undefined ? "" : ` ${brought}`}`;
  });
}

const BEGIN = ["created", "in_progress"];
const message = (index: number, ...deltas: readonly string[]) => [
  `output_item.added ${index} message`,
  `content_part.added ${index}`,
  ...deltas.map((delta) => `output_text.delta ${index} ${delta}`),
  `output_text.done ${index} ${deltas.join("")}`,
  `content_part.done ${index}`,
  `output_item.done ${index} message`,
];
const reasoning = (index: number, ...deltas: readonly string[]) => [
  `output_item.added ${index} reasoning`,
  `reasoning_summary_part.added ${index}`,
  ...deltas.map((delta) => `reasoning_summary_text.delta ${index} ${delta}`),
  `reasoning_summary_text.done ${index} ${deltas.join("")}`,
  `reasoning_summary_part.done ${index}`,
  `output_item.done ${index} reasoning`,
];
const call = (index: number, ...deltas: readonly string[]) => [
  `output_item.added ${index} function_call`,
  ...deltas.map((delta) => `function_call_arguments.delta ${index} ${delta}`),
  `function_call_arguments.done ${index} ${deltas.join("")}`,
  `output_item.done ${index} function_call`,
];

const piece = (given: JsonObject) => chunk({ tool_calls: [given] });
const STOP = chunk({}, "stop");
const CALLS = chunk({}, "tool_calls");

describe("chunks become events", () => {
  const rows: readonly (readonly [
    name: string,
    chunks: readonly (JsonObject | string)[],
    events: readonly string[],
    tools?: ResponseCreateParams["tools"],
  ])[] = [
    [
      "a text",
      [chunk({ role: "assistant", content: "" }), chunk({ content: "Hel" }), chunk({ content: "lo" }), STOP, USAGE_CHUNK, "[DONE]"],
      [...BEGIN, ...message(0, "Hel", "lo"), "completed"],
    ],
    ["nothing", [chunk({ role: "assistant", content: null }), STOP, "[DONE]"], [...BEGIN, "completed"]],
    ["no [DONE], no usage", [chunk({ content: "Hi" }), STOP], [...BEGIN, ...message(0, "Hi"), "completed"]],
    ["the reason in the last piece", [chunk({ content: "Hi" }, "stop")], [...BEGIN, ...message(0, "Hi"), "completed"]],
    [
      "what comes behind the reason",
      [chunk({ content: "H" }, "stop"), chunk({ content: "i" }), "[DONE]"],
      [...BEGIN, ...message(0, "H", "i"), "completed"],
    ],
    [
      "Azure's first chunk",
      [{ ...CHUNK, choices: [], prompt_filter_results: [] }, chunk({ content: "Hi" }, "stop")],
      [...BEGIN, ...message(0, "Hi"), "completed"],
    ],
    ["what is no chunk", ["", "ping", "[]", "null", chunk({ content: "Hi" }, "stop")], [...BEGIN, ...message(0, "Hi"), "completed"]],
    [
      "other choices",
      [{ ...CHUNK, choices: [{ index: 1, delta: { content: "No" }, finish_reason: "stop" }] }, chunk({ content: "Hi" }, "stop")],
      [...BEGIN, ...message(0, "Hi"), "completed"],
    ],
    ["cut by length", [chunk({ content: "Hi" }, "length")], [...BEGIN, ...message(0, "Hi"), "incomplete"]],
    ["filtered", [chunk({ content: "Hi" }, "content_filter")], [...BEGIN, ...message(0, "Hi"), "incomplete"]],
    [
      "a refusal behind a text",
      [chunk({ content: "Hm." }), chunk({ refusal: "N" }), chunk({ refusal: "o." }, "stop")],
      [
        ...BEGIN,
        ...message(0, "Hm.").slice(0, -1),
        "content_part.added 0",
        "refusal.delta 0 N",
        "refusal.delta 0 o.",
        "refusal.done 0 No.",
        "content_part.done 0",
        "output_item.done 0 message",
        "completed",
      ],
    ],
    [
      "citations",
      [chunk({ content: "Hi" }), chunk({ annotations: [{ type: "url_citation", url_citation: { url: "https://x" } }] }, "stop")],
      [...BEGIN, ...message(0, "Hi").slice(0, 3), "output_text.annotation.added 0", ...message(0, "Hi").slice(3), "completed"],
    ],
    [
      "reasoning, then text",
      [chunk({ role: "assistant", reasoning_content: "H" }), chunk({ reasoning: "m." }), chunk({ content: "Hi" }, "stop")],
      [...BEGIN, ...reasoning(0, "H", "m."), ...message(1, "Hi"), "completed"],
    ],
    [
      "reasoning and text by turns",
      [chunk({ reasoning: "a" }), chunk({ content: "b" }), chunk({ reasoning: "c" }), chunk({ content: "d" }, "stop")],
      [...BEGIN, ...reasoning(0, "a"), ...message(1, "b"), ...reasoning(2, "c"), ...message(3, "d"), "completed"],
    ],
    [
      "parts of Databricks",
      [
        chunk({ content: [{ type: "reasoning", summary: [{ type: "summary_text", text: "Hm." }] }] }),
        chunk({ content: [{ type: "text", text: "Hi" }] }, "stop"),
      ],
      [...BEGIN, ...reasoning(0, "Hm."), ...message(1, "Hi"), "completed"],
    ],
    [
      "a call",
      [
        piece({ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }),
        piece({ index: 0, function: { arguments: '{"a"' } }),
        piece({ index: 0, function: { arguments: ":1}" } }),
        CALLS,
        USAGE_CHUNK,
      ],
      [...BEGIN, ...call(0, '{"a"', ":1}"), "completed"],
    ],
    [
      "a text closes before the call behind it",
      [chunk({ content: "Wait." }), piece({ index: 0, id: "a", function: { name: "f", arguments: "{}" } }), CALLS],
      [...BEGIN, ...message(0, "Wait."), ...call(1, "{}"), "completed"],
    ],
    [
      "text behind a call is another message, and shows the call first",
      [piece({ index: 0, id: "a", function: { name: "f" } }), chunk({ content: "Done." }), CALLS],
      [
        ...BEGIN,
        ...call(0).slice(0, 1),
        ...message(1, "Done.").slice(0, 3),
        "function_call_arguments.delta 0 {}",
        "function_call_arguments.done 0 {}",
        "output_item.done 0 function_call",
        ...message(1, "Done.").slice(3),
        "completed",
      ],
    ],
    [
      "pieces of two calls, mixed",
      [
        piece({ index: 0, id: "a", function: { name: "f", arguments: "" } }),
        piece({ index: 1, id: "b", function: { name: "g", arguments: "1" } }),
        piece({ index: 0, function: { arguments: "2" } }),
        piece({ index: 1, function: { arguments: "3" } }),
        CALLS,
      ],
      [
        ...BEGIN,
        "output_item.added 0 function_call",
        "output_item.added 1 function_call",
        "function_call_arguments.delta 1 1",
        "function_call_arguments.delta 0 2",
        "function_call_arguments.delta 1 3",
        ...call(0, "2").slice(-2),
        ...call(1, "13").slice(-2),
        "completed",
      ],
    ],
    [
      "whole calls in one chunk, all of index 0",
      [
        chunk(
          {
            tool_calls: [
              { index: 0, id: "a", function: { name: "f", arguments: "1" } },
              { index: 0, id: "b", function: { name: "f", arguments: "2" } },
            ],
          },
          "tool_calls",
        ),
      ],
      [...BEGIN, ...call(0, "1").slice(0, 2), ...call(1, "2").slice(0, 2), ...call(0, "1").slice(2), ...call(1, "2").slice(2), "completed"],
    ],
    [
      "index 0 for both, id and name with every piece, mixed",
      [
        piece({ index: 0, id: "a", function: { name: "f", arguments: "1" } }),
        piece({ index: 0, id: "b", function: { name: "g", arguments: "2" } }),
        piece({ index: 0, id: "a", function: { name: "f", arguments: "3" } }),
        piece({ index: 0, id: "b", function: { name: "g", arguments: "4" } }),
        CALLS,
      ],
      [
        ...BEGIN,
        ...call(0, "1").slice(0, 2),
        ...call(1, "2").slice(0, 2),
        "function_call_arguments.delta 0 3",
        "function_call_arguments.delta 1 4",
        ...call(0, "13").slice(-2),
        ...call(1, "24").slice(-2),
        "completed",
      ],
    ],
    [
      "no index, ids repeated",
      [
        piece({ id: "a", function: { name: "f", arguments: "1" } }),
        piece({ id: "a", function: { name: "f", arguments: "2" } }),
        piece({ id: "b", function: { name: "f", arguments: "3" } }),
        CALLS,
      ],
      [
        ...BEGIN,
        ...call(0, "1", "2").slice(0, 3),
        ...call(1, "3").slice(0, 2),
        ...call(0, "12").slice(-2),
        ...call(1, "3").slice(2),
        "completed",
      ],
    ],
    [
      "no index, no ids",
      [piece({ function: { name: "f" } }), piece({ function: { arguments: "1" } }), piece({ function: { arguments: "2" } }), CALLS],
      [...BEGIN, ...call(0, "1", "2"), "completed"],
    ],
    [
      "a new id with every piece, without a name",
      [
        piece({ index: 0, id: "a", function: { name: "f", arguments: "1" } }),
        piece({ index: 0, id: "x", function: { arguments: "2" } }),
        CALLS,
      ],
      [...BEGIN, ...call(0, "1", "2"), "completed"],
    ],
    [
      "a whole message in a chunk",
      [{ ...CHUNK, choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }] }, "[DONE]"],
      [...BEGIN, ...message(0, "Hi"), "completed"],
    ],
    [
      "a whole message of calls in a chunk, all of one id",
      [
        {
          ...CHUNK,
          choices: [
            {
              delta: null,
              message: { tool_calls: ["1", "2"].map((text) => ({ id: "a", function: { name: "f", arguments: text } })) },
              finish_reason: "tool_calls",
            },
          ],
        },
      ],
      [...BEGIN, ...call(0, "1").slice(0, 2), ...call(1, "2").slice(0, 2), ...call(0, "1").slice(2), ...call(1, "2").slice(2), "completed"],
    ],
    [
      "a message that repeats what has come, beside each delta",
      [
        { ...CHUNK, choices: [{ delta: { content: "H" }, message: { content: "H" } }] },
        { ...CHUNK, choices: [{ delta: { content: "i" }, message: { content: "Hi" }, finish_reason: "stop" }] },
      ],
      [...BEGIN, ...message(0, "H", "i"), "completed"],
    ],
    [
      "the call of old",
      [
        chunk({ function_call: { name: "f", arguments: "" } }),
        chunk({ function_call: { arguments: "1" } }),
        chunk({ function_call: { arguments: "2" } }),
        chunk({}, "function_call"),
      ],
      [...BEGIN, ...call(0, "1", "2"), "completed"],
    ],
    [
      "the call of old that is none",
      [chunk({ content: "Hi", function_call: {} }), chunk({ function_call: { name: "", arguments: "" } }, "stop")],
      [...BEGIN, ...message(0, "Hi"), "completed"],
    ],
    [
      "arguments that are JSON already",
      [piece({ index: 0, id: "a", function: { name: "f", arguments: { x: 1 } } }), CALLS],
      [...BEGIN, ...call(0, '{"x":1}'), "completed"],
    ],
    [
      "a name that comes late",
      [
        piece({ index: 0, id: "a", function: { arguments: "1" } }),
        chunk({ content: "Hi" }),
        piece({ index: 0, function: { name: "f", arguments: "2" } }),
        chunk({ content: "Ho" }),
        CALLS,
      ],
      [
        ...BEGIN,
        ...message(0, "Hi"),
        ...call(1, "1", "2").slice(0, 3),
        ...message(2, "Ho").slice(0, 3),
        ...call(1, "12").slice(-2),
        ...message(2, "Ho").slice(3),
        "completed",
      ],
    ],
    [
      "a call that was cut before it had a name",
      [chunk({ content: "Hi" }), piece({ index: 0, id: "a", function: { arguments: "" } }), chunk({}, "length")],
      [...BEGIN, ...message(0, "Hi"), "incomplete"],
    ],
    [
      "a custom tool's call",
      [
        piece({ index: 0, id: "a", type: "custom", custom: { name: "p", input: "" } }),
        piece({ index: 0, custom: { input: "*** " } }),
        piece({ index: 0, custom: { input: "Begin" } }),
        CALLS,
      ],
      [
        ...BEGIN,
        "output_item.added 0 custom_tool_call",
        "custom_tool_call_input.delta 0 *** ",
        "custom_tool_call_input.delta 0 Begin",
        "custom_tool_call_input.done 0 *** Begin",
        "output_item.done 0 custom_tool_call",
        "completed",
      ],
      [{ type: "custom", name: "p" }],
    ],
    [
      "a custom tool that is called as a function",
      [
        piece({ index: 0, id: "a", function: { name: "p", arguments: '{"input":' } }),
        piece({ index: 0, function: { arguments: '"*** Begin"}' } }),
        CALLS,
      ],
      [
        ...BEGIN,
        "output_item.added 0 custom_tool_call",
        "custom_tool_call_input.delta 0 *** Begin",
        "custom_tool_call_input.done 0 *** Begin",
        "output_item.done 0 custom_tool_call",
        "completed",
      ],
      [{ type: "custom", name: "p" }],
    ],
  ];
  test.each(rows.map(([name, chunks, expected, tools = []]) => ({ name, chunks, expected, tools })))(
    "$name",
    ({ chunks, expected, tools }) => {
      const events = eventsFor(chunks, context({ model: "asked-for", input: "Hi", tools }));
      expect(told(events)).toEqual(expected);
      expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
    },
  );

  test("the name of an event is its type", () => {
    for (const { event, data } of payloadsFor([chunk({ content: "Hi" }, "stop")])) expect(JSON.parse(data).type).toBe(event);
  });

  test("a name in pieces, and one that is repeated", () => {
    const events = eventsFor([
      piece({ index: 0, id: "a", function: { name: "get_" } }),
      piece({ index: 0, function: { name: "weather", arguments: "{" } }),
      piece({ index: 0, function: { name: "get_weather", arguments: "}" } }),
      CALLS,
    ]);
    expect(events.find(({ type }) => type === "response.output_item.done")).toMatchObject({
      item: { name: "get_weather", arguments: "{}", call_id: "a" },
    });
  });

  test("the response begins with what was asked for, and ends with the usage", () => {
    const events = eventsFor([chunk({ content: "Hi" }), STOP, USAGE_CHUNK, "[DONE]"]);
    expect(events[0]).toMatchObject({ response: { id: "resp_1", status: "in_progress", model: "asked-for", output: [], usage: null } });
    expect(events.at(-1)).toMatchObject({
      response: { id: "resp_1", status: "completed", usage: { input_tokens: USAGE.prompt_tokens, total_tokens: USAGE.total_tokens } },
    });
  });

  test("usage that comes with the reason, or with each chunk, is the last that came", () => {
    const early = chunk({ content: "Hi" }, null, { usage: { ...USAGE, completion_tokens: 1 } });
    const events = eventsFor([early, chunk({}, "stop", { usage: USAGE }), "[DONE]"]);
    expect(events.at(-1)).toMatchObject({ response: { usage: { output_tokens: USAGE.completion_tokens } } });
  });
});

describe("the end", () => {
  test("comes with the usage, and nothing comes after it", () => {
    const stream = responsesToChat.stream(context());
    stream.onPayload(payloadOf(chunk({ content: "Hi" }, "stop")));
    expect(stream.isOver()).toBe(false);
    expect(stream.onPayload(payloadOf(USAGE_CHUNK)).at(-1)?.event).toBe("response.completed");
    expect(stream.isOver()).toBe(true);
    expect([...stream.onPayload(payloadOf("[DONE]")), ...stream.onPayload(payloadOf(chunk({ content: "x" }))), ...stream.onEnd()]).toEqual(
      [],
    );
  });

  const NO_END = "The answer of the target ended before it was whole: nothing says why the model stopped.";
  const NAMELESS = { code: "nameless_tool_call", message: "The answer of the target has a tool call without a name." };
  const rows: readonly (readonly [name: string, chunks: readonly (JsonObject | string)[], error: JsonObject, begun: boolean])[] = [
    ["a cut", [chunk({ content: "Hi" })], { code: "server_error", message: NO_END }, true],
    ["no bytes at all", [], { code: "server_error", message: NO_END }, false],
    ["[DONE] without a reason", [chunk({ content: "Hi" }), "[DONE]"], { code: "server_error", message: NO_END }, true],
    [
      "an error",
      [chunk({ content: "Hi" }), { error: { message: "Too long.", type: "invalid_request_error", code: "context_length_exceeded" } }],
      { code: "context_length_exceeded", message: "Too long." },
      true,
    ],
    ["an error at once", [{ error: { message: "Slow down.", code: 429 } }], { code: "rate_limit_exceeded", message: "Slow down." }, false],
    ["an error as a text", [{ error: "Gone." }], { code: "server_error", message: "Gone." }, false],
    ["a flat error", [{ object: "error", message: "Full.", code: 503 }], { code: "server_is_overloaded", message: "Full." }, false],
    [
      "an error beside choices",
      [chunk({ content: "" }, "error", { error: { code: 502, message: "Lost." } })],
      { code: "server_error", message: "Lost." },
      false,
    ],
    [
      "a reason that is an error",
      [chunk({ content: "Hi" }, "error")],
      { code: "server_error", message: "The target broke off its answer: its finish_reason is error." },
      true,
    ],
    [
      "a reason that says abort",
      [chunk({ content: "Hi" }), chunk({}, "abort"), USAGE_CHUNK, "[DONE]"],
      { code: "server_error", message: "The target broke off its answer: its finish_reason is abort." },
      true,
    ],
    [
      "a reason that says that there is no room",
      [chunk({ content: "Hi" }, "insufficient_system_resource")],
      {
        code: "server_is_overloaded",
        message: "The target broke off its answer: its finish_reason is insufficient_system_resource.",
      },
      true,
    ],
    ["a call without a name", [piece({ index: 0, id: "a", function: { arguments: "{}" } }), CALLS], NAMELESS, true],
    ["a call with an empty name", [piece({ index: 0, id: "a", function: { name: "", arguments: "{}" } }), CALLS], NAMELESS, true],
    ["arguments of no call", [piece({ function: { arguments: "{}" } }), CALLS], NAMELESS, true],
    [
      "a call without a name behind one with a name",
      [chunk({ content: "Hi" }), ...["f", undefined].map((name, index) => piece({ index, function: { name, arguments: "{}" } })), CALLS],
      NAMELESS,
      true,
    ],
    ["a custom tool's call without a name", [piece({ index: 0, type: "custom", custom: { input: "x" } }), CALLS], NAMELESS, true],
    [
      "a whole message that has a call without a name",
      [{ ...CHUNK, choices: [{ message: { tool_calls: [{ id: "a", function: { arguments: "{}" } }] }, finish_reason: "stop" }] }],
      NAMELESS,
      true,
    ],
    [
      "calls without names and without an end",
      [chunk({ tool_calls: Array.from({ length: 70_000 }, (_, index) => ({ index, id: `${index}` })) })],
      { code: "server_error", message: "The answer of the target is longer than 16777216 characters." },
      true,
    ],
    [
      "an answer without an end",
      Array.from({ length: 18 }, () => chunk({ content: "x".repeat(1024 * 1024) })),
      { code: "server_error", message: "The answer of the target is longer than 16777216 characters." },
      true,
    ],
    [
      "calls without an end",
      [
        chunk({ tool_calls: Array.from({ length: 70_000 }, (_, index) => ({ index, id: `${index}`, function: { name: "f" } })) }),
        ...Array.from({ length: 2 }, () => chunk({ content: "x" })),
      ],
      { code: "server_error", message: "The answer of the target is longer than 16777216 characters." },
      true,
    ],
  ];
  test.each(rows)("%s is a failure that every client sees", (_name, chunks, error, begun) => {
    const events = eventsFor(chunks);
    const [first, last] = events.slice(-2);
    expect(first as unknown).toMatchObject({ type: "error", error: { ...error, param: null } });
    expect(last).toMatchObject({ type: "response.failed", response: { status: "failed", error, id: begun ? "resp_1" : "resp_ctx0" } });
    expect(events[0]?.type).toBe(begun ? "response.created" : "error");
    expect(events.some(({ type }) => /completed|incomplete/.test(type))).toBe(false);
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index));
  });
});

describe("an event that is called error is one, whatever it says", () => {
  const rows: readonly (readonly [name: string, data: string, code: string, message: string])[] = [
    ["a text", "upstream died", "server_error", "upstream died"],
    ["a page", "<html><body><h1>502</h1> Bad\nGateway</body></html>", "server_error", "502 Bad Gateway"],
    ["nothing", " ", "server_error", "The target broke off its answer with an error."],
    ["JSON", '{"message":"Full.","code":503}', "server_is_overloaded", "Full."],
    ["JSON that says nothing", "{}", "server_error", "The target broke off its answer with an error."],
    ["JSON that is broken", '{"message":"Fu', "server_error", '{"message":"Fu'],
  ];
  test.each(rows)("%s", (_name, data, code, message) => {
    const stream = responsesToChat.stream(context());
    stream.onPayload(payloadOf(chunk({ content: "Hi" })));
    const events = stream.onPayload({ event: "error", data }).map((payload) => JSON.parse(payload.data));
    expect(events).toMatchObject([
      { type: "error", error: { type: "server_error", code, message, param: null } },
      { type: "response.failed", response: { status: "failed", error: { code, message } } },
    ]);
    expect(stream.isOver()).toBe(true);
  });
});

describe("the events come in the order of the service", () => {
  const names = Object.keys(ANSWERS) as readonly AnswerName[];
  /** How a text is cut into pieces is no matter of order. */
  const order = (types: readonly string[]) => types.filter((type, index) => !type.endsWith(".delta") || type !== types[index - 1]);

  test.each(names)("%s", (name) => {
    const facts = { usageInStream: true };
    const stream = responsesToChat.stream(context());
    const made = chat.frames(ANSWERS[name], ENVELOPE, facts).flatMap((payload) => stream.onPayload(payload));
    const expected = responses.frames(ANSWERS[name], ENVELOPE, facts);
    const keys = (payloads: readonly { readonly data: string }[]) =>
      payloads.map(({ data }) => {
        const { type, response, ...fields } = JSON.parse(data);
        return [type, Object.keys(fields), Object.keys(response ?? {}).filter((key) => key !== "access_programs")];
      });
    const calls = ANSWERS[name].toolCalls.length;
    // Two calls are open side by side here: the service itself ends one before it begins the next.
    if (calls < 2) expect(order(made.map(({ event }) => event ?? ""))).toEqual(order(expected.map(({ event }) => event ?? "")));
    const sorted = (payloads: readonly { readonly data: string }[]) =>
      [...new Set(keys(payloads).map((one) => JSON.stringify(one)))].sort();
    expect(sorted(made)).toEqual(sorted(expected));
  });
});

describe("the official client accepts the events", () => {
  const names = Object.keys(ANSWERS) as readonly AnswerName[];
  const request = { model: "asked-for", input: "Hi" };

  test.each(names)("%s", async (name) => {
    const answer = ANSWERS[name];
    const stream = responsesToChat.stream(context());
    const payloads = chat.frames(answer, ENVELOPE, { usageInStream: true }).flatMap((payload) => stream.onPayload(payload));
    const client = clientOf(payloads);
    const final = await client.responses.stream(request).finalResponse();
    const whole = JSON.parse(payloads.at(-1)?.data ?? "").response;
    expect(final.output_text).toBe(answer.text.join(""));
    expect(final.status).toBe(whole.status);
    expect(final.output.map(({ type }) => type)).toEqual(whole.output.map(({ type }: { type: string }) => type));
    expect(final.output.flatMap((item) => (item.type === "function_call" ? [[item.call_id, item.name, item.arguments]] : []))).toEqual(
      answer.toolCalls.map(({ id, name, argumentsText }) => [`call_${id}`, name, argumentsText]),
    );
    expect(final.usage).toMatchObject({ input_tokens: answer.inputTokens, output_tokens: answer.outputTokens });
    expect(await collected(await client.responses.create({ ...request, stream: true }))).toHaveLength(payloads.length);
  });

  test("with reasoning, citations, custom tools and calls by turns", async () => {
    const payloads = payloadsFor(
      [
        chunk({ reasoning: "Hm." }),
        chunk({ content: "Hi" }),
        chunk({ annotations: [{ type: "url_citation", url_citation: { url: "https://x" } }] }),
        chunk({ refusal: "No." }),
        piece({ index: 0, id: "a", function: { name: "f", arguments: "1" } }),
        piece({ index: 1, id: "b", type: "custom", custom: { name: "p", input: "2" } }),
        piece({ index: 0, function: { arguments: "1" } }),
        chunk({ content: "Done." }),
        CALLS,
      ],
      context({ input: "Hi", tools: [{ type: "custom", name: "p" }] }),
    );
    const final = await clientOf(payloads).responses.stream(request).finalResponse();
    expect(final.output).toMatchObject([
      { type: "reasoning", summary: [{ text: "Hm." }] },
      { type: "message", content: [{ text: "Hi", annotations: [{ url: "https://x" }] }, { refusal: "No." }] },
      { type: "function_call", arguments: "11" },
      { type: "custom_tool_call", input: "2" },
      { type: "message", content: [{ text: "Done." }] },
    ]);
  });

  test("a failure is an error there", async () => {
    const payloads = payloadsFor([chunk({ content: "Hi" }), { error: { message: "Slow down.", code: 429 } }]);
    const answer = clientOf(payloads).responses.stream(request).finalResponse();
    expect(answer).rejects.toThrow("Slow down.");
  });
});
