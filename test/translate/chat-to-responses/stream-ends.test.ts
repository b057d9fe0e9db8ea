import { expect, test } from "bun:test";
import type { Payload } from "../../../src/core/dialect.ts";
import { responses } from "../../../src/dialects/responses.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { parseObject } from "../../../src/dialects/shared.ts";
import { SSE } from "../../../src/stream/sse.ts";
import { ITEM_ID_CHARACTERS_MAX } from "../../../src/translate/chat-to-responses/places.ts";
import { STREAM_ITEMS_MAX } from "../../../src/translate/chat-to-responses/stream.ts";
import { chatToResponses } from "../../../src/translate/chat-to-responses.ts";
import { errorFacts } from "../../dialects/serve.ts";
import { CREATED, completed, contextOf, event, join, type Played, play } from "./helpers.ts";

const TEXT = event("response.output_text.delta", { output_index: 0, delta: "Hi" });
const CALL = event("response.output_item.added", { output_index: 1, item: { type: "function_call", call_id: "c", name: "f" } });
const incomplete = (reason?: string) =>
  event("response.incomplete", { response: { status: "incomplete", incomplete_details: reason === undefined ? null : { reason } } });
const failed = (error: unknown) => event("response.failed", { response: { id: "resp_1", status: "failed", error } });

test.each<[string, readonly Payload[]]>([
  ["stop", [TEXT, completed()]],
  ["tool_calls", [TEXT, CALL, completed()]],
  ["length", [TEXT, incomplete("max_output_tokens")]],
  ["length", [TEXT, CALL, incomplete("max_output_tokens")]],
  ["content_filter", [TEXT, incomplete("content_filter")]],
  ["length", [TEXT, incomplete()]],
  ["length", [TEXT, completed({ status: "incomplete" })]],
  ["length", [event("response.function_call_arguments.delta", { output_index: 1, delta: "{" }), incomplete("max_output_tokens")]],
])("finish_reason %s", (finishReason, events) => {
  const { payloads } = play([CREATED, ...events]);
  expect(payloads.at(-1)).toBe("[DONE]");
  expect(parseObject(payloads.at(-2))).toMatchObject({ choices: [{ delta: {}, finish_reason: finishReason }] });
});

/** The last payload is an error, and it stands where a finish would. */
function expectError(played: Played, error: JsonObject): void {
  const { payloads, isOver } = played;
  expect(parseObject(payloads.at(-1))).toEqual({ error: { param: null, code: null, ...error } });
  expect(payloads.filter((payload) => payload.includes('"error"'))).toHaveLength(1);
  expect(payloads).not.toContain("[DONE]");
  expect(join(played).finishReason).toBeUndefined();
  expect(isOver).toBe(true);
}

const QUOTA = { type: "insufficient_quota", code: "insufficient_quota", message: "You exceeded your current quota." };

test.each<[string, readonly Payload[], JsonObject]>([
  [
    "response.failed",
    [failed({ code: "rate_limit_exceeded", message: "Slow down." })],
    { message: "Slow down.", type: "rate_limit_error", code: "rate_limit_exceeded" },
  ],
  [
    "response.failed without a reason",
    [failed(null)],
    { message: "The backend's response failed, and it did not say why.", type: "server_error" },
  ],
  [
    "response.failed without a response",
    [event("response.failed")],
    { message: "The backend's response failed, and it did not say why.", type: "server_error" },
  ],
  [
    "a flat error",
    [event("error", { code: "ERR", message: "Something went wrong", param: "p" })],
    { message: "Something went wrong", type: "server_error", code: "ERR", param: "p" },
  ],
  ["a nested error before response.failed", [event("error", { error: { ...QUOTA, param: null } }), failed(QUOTA)], QUOTA],
  [
    "an error without a text",
    [event("error", { sequence_number: 1 })],
    { message: "The backend reported an error without a text.", type: "server_error" },
  ],
  [
    "an error that is no event of the API",
    [{ event: undefined, data: '{"error":{"message":"CUDA out of memory","code":500}}' }],
    { message: "CUDA out of memory", type: "server_error", code: 500 },
  ],
  [
    "a bare error object",
    [{ event: undefined, data: '{"object":"error","message":"CUDA out of memory","code":500}' }],
    { message: "CUDA out of memory", type: "server_error", code: 500 },
  ],
  [
    "an error that only its frame names",
    [{ event: "error", data: '{"message":"Overloaded"}' }],
    { message: "Overloaded", type: "server_error" },
  ],
  [
    "response.completed that failed",
    [completed({ status: "failed", error: { code: "server_error", message: "Sorry" } })],
    { message: "Sorry", type: "server_error", code: "server_error" },
  ],
  [
    "response.completed that was cancelled",
    [completed({ status: "cancelled" })],
    { message: "The backend's response was cancelled before it was complete.", type: "server_error" },
  ],
  [
    "a call without a name",
    [event("response.function_call_arguments.delta", { output_index: 1, delta: "{}" }), completed()],
    { message: "The backend's response has a tool call without a name.", type: "server_error", code: "nameless_tool_call" },
  ],
  [
    "bytes that end too early",
    [],
    { message: "The backend's stream ended before the response was complete.", type: "server_error", code: "stream_incomplete" },
  ],
  [
    "[DONE] without an end",
    [{ event: undefined, data: "[DONE]" }],
    { message: "The backend's stream ended before the response was complete.", type: "server_error", code: "stream_incomplete" },
  ],
])("an error takes the place of the finish: %s", (_title, events, error) => {
  expectError(play([CREATED, TEXT, ...events]), error);
  expectError(play(events), error);
});

test("after the end there is nothing", () => {
  for (const last of [completed(), incomplete(), failed(null), event("error", { message: "x" })]) {
    const stream = chatToResponses.stream(contextOf());
    expect(stream.isOver()).toBe(false);
    stream.onPayload(CREATED);
    expect(stream.onPayload(last)).not.toEqual([]);
    expect(stream.isOver()).toBe(true);
    expect([TEXT, completed(), failed(null), { event: undefined, data: "[DONE]" }].flatMap((payload) => stream.onPayload(payload))).toEqual(
      [],
    );
    expect(stream.onEnd()).toEqual([]);
  }
  const cut = chatToResponses.stream(contextOf());
  expect(cut.onEnd()).toHaveLength(1);
  expect(cut.onEnd()).toEqual([]);
  expect(cut.onPayload(TEXT)).toEqual([]);
});

test.each(responses.streamErrors.map((entry) => [entry.variant, entry] as const))(
  "the %s error that providers send in a stream",
  (_variant, entry) => {
    const facts = errorFacts({ index: 2, firstData: CREATED.data });
    const splitter = SSE.splitter();
    const frames = [...splitter.push(new TextEncoder().encode(entry.text(facts))), ...splitter.end()];
    const payloads = frames.flatMap(({ event: name, data }) => (data === undefined ? [] : [{ event: name, data }]));
    const played = play([CREATED, TEXT, ...payloads]);
    expect(join(played)).toMatchObject({ error: { message: expect.any(String) }, finishReason: undefined, isDone: false });
  },
);

test.each<[string, (index: number) => Payload]>([
  [
    "calls",
    (index) =>
      event("response.output_item.added", { output_index: index, item: { type: "function_call", call_id: `c${index}`, name: "f" } }),
  ],
  ["calls that have no name", (index) => event("response.function_call_arguments.delta", { output_index: index, delta: "x" })],
  ["messages", (index) => event("response.output_text.delta", { output_index: index, delta: "x" })],
  ["other items", (index) => event("response.output_item.added", { output_index: index, item: { type: "reasoning", id: `r${index}` } })],
])("a response of too many items ends with an error: %s", (_title, itemAt) => {
  const stream = chatToResponses.stream(contextOf());
  let last: readonly Payload[] = [];
  for (let index = 0; !stream.isOver() && index <= 2 * STREAM_ITEMS_MAX; index++) {
    last = stream.onPayload(itemAt(index));
    if (index < STREAM_ITEMS_MAX) expect(stream.isOver()).toBe(false);
  }
  expect(parseObject(last.at(-1)?.data)).toMatchObject({ error: { code: "too_many_items" } });
});

test("a whole answer of too many calls at the end of a stream ends with an error", () => {
  const output = Array.from({ length: STREAM_ITEMS_MAX + 1 }, (_call, index) => ({
    type: "function_call",
    call_id: `c${index}`,
    name: "f",
    arguments: "",
  }));
  expect(join(play([CREATED, completed({ output })]))).toMatchObject({ error: { code: "too_many_items" }, isDone: false });
});

test("ids that are too long are not kept, and the calls go on by their index", () => {
  const long = "i".repeat(ITEM_ID_CHARACTERS_MAX + 1);
  const item = { type: "function_call", id: long, call_id: long, name: "f", arguments: "" };
  const events = [
    event("response.output_item.added", { output_index: 0, item }),
    event("response.function_call_arguments.delta", { output_index: 0, item_id: long, delta: "1" }),
    event("response.output_item.done", { output_index: 0, item: { ...item, arguments: "12" } }),
  ];
  const call = { id: long, type: "function", function: { name: "f", arguments: "12" } };
  expect(join(play([CREATED, ...events, completed({ output: [{ ...item, arguments: "12" }] })]))).toMatchObject({ toolCalls: [call] });
});
