import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Payload } from "../../src/core/dialect.ts";
import type { JsonObject } from "../../src/dialects/shared.ts";
import { responses } from "../../src/rescue/responses.ts";
import { at, framesOf, HABITS, pieces, REQUESTS, rescued, SEED, seen } from "./story.ts";

/** Events of one answer, numbered. */
function answer(id: string, ...events: readonly JsonObject[]): readonly Payload[] {
  const begun = { id, object: "response", created_at: id === "resp_1" ? 1 : 2, model: id, status: "in_progress", output: [] };
  return [{ type: "response.created", response: begun }, { type: "response.in_progress", response: begun }, ...events].map(
    (event, index) => ({
      event: String(event.type),
      data: JSON.stringify({ ...event, sequence_number: index }),
    }),
  );
}

const part = (text: string) => ({ type: "output_text", annotations: [], logprobs: [], text });
const message = (id: string, ...texts: readonly string[]) => ({
  id,
  type: "message",
  role: "assistant",
  status: "completed",
  content: texts.map(part),
});
const added = (output_index: number, item: JsonObject) => ({
  type: "response.output_item.added",
  output_index,
  item: { ...item, status: "in_progress", content: [] },
});
const itemDone = (output_index: number, item: JsonObject) => ({ type: "response.output_item.done", output_index, item });
const inPart = (type: string, item_id: string, output_index: number, rest: JsonObject, content_index = 0) => ({
  type: `response.${type}`,
  item_id,
  output_index,
  content_index,
  ...rest,
});
const partAdded = (id: string, index: number, inner: JsonObject = part(""), content = 0) =>
  inPart("content_part.added", id, index, { part: inner }, content);
const partDone = (id: string, index: number, inner: JsonObject, content = 0) =>
  inPart("content_part.done", id, index, { part: inner }, content);
const delta = (id: string, index: number, text: string, content = 0) =>
  inPart("output_text.delta", id, index, { delta: text, logprobs: [] }, content);
const textDone = (id: string, index: number, text: string, content = 0) =>
  inPart("output_text.done", id, index, { text, logprobs: [] }, content);
const said = (id: string, index: number, text: string) => [
  added(index, message(id)),
  partAdded(id, index),
  delta(id, index, text),
  textDone(id, index, text),
  partDone(id, index, part(text)),
  itemDone(index, message(id, text)),
];
const completed = (id: string, ...output: readonly JsonObject[]) => ({
  type: "response.completed",
  response: { id, object: "response", created_at: 2, model: id, status: "completed", output, usage: { output_tokens: 9 } },
});
const THOUGHT = { id: "rs_1", type: "reasoning", summary: [{ type: "summary_text", text: "Hm" }] };
const CALL = { id: "fc_1", type: "function_call", call_id: "call_1", name: "f", arguments: '{"a":1}', status: "completed" };
const called = (index: number) => [
  { type: "response.output_item.added", output_index: index, item: { ...CALL, arguments: "", status: "in_progress" } },
  { type: "response.function_call_arguments.done", item_id: CALL.id, output_index: index, arguments: CALL.arguments },
  itemDone(index, CALL),
];
const thought = (index: number, item: JsonObject = THOUGHT) => [
  { type: "response.output_item.added", output_index: index, item: { ...item, summary: [] } },
  {
    type: "response.reasoning_summary_part.added",
    item_id: item.id,
    output_index: index,
    summary_index: 0,
    part: { type: "summary_text", text: "" },
  },
  itemDone(index, item),
];

function noted(payloads: readonly Payload[]) {
  const partial = responses.partial();
  for (const one of payloads) partial.note(one);
  return partial;
}

/** The events of the continuation without their numbers, once these have been seen to go on. */
function spliced(first: readonly Payload[], second: readonly Payload[]): readonly unknown[] {
  const splice = noted(first).splice();
  const events = second.flatMap((one) => splice(one)).map(({ data }) => JSON.parse(data));
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => first.length + index));
  return events.map(({ sequence_number: _number, ...rest }) => rest);
}

const FIRST = answer("resp_1", added(0, message("msg_1")), partAdded("msg_1", 0), delta("msg_1", 0, "Hi \n"));
const ended = (...output: readonly JsonObject[]) => ({
  type: "response.completed",
  response: { ...completed("resp_2").response, id: "resp_1", created_at: 1, output },
});

describe("what goes on behind a Responses answer", () => {
  const cases: readonly (readonly [string, readonly Payload[], readonly JsonObject[], readonly JsonObject[]])[] = [
    [
      "goes on in the part that is open",
      FIRST,
      [...said("msg_2", 0, " \nyou"), completed("resp_2", message("msg_2", " \nyou"))],
      [
        delta("msg_1", 0, "you"),
        textDone("msg_1", 0, "Hi \nyou"),
        partDone("msg_1", 0, part("Hi \nyou")),
        itemDone(0, message("msg_1", "Hi \nyou")),
        ended(message("msg_1", "Hi \nyou")),
      ],
    ],
    [
      "leaves out thoughts and keeps calls",
      FIRST,
      [...thought(0), ...said("msg_2", 1, "you"), ...called(2), completed("resp_2", THOUGHT, message("msg_2", "you"), CALL)],
      [
        delta("msg_1", 0, "you"),
        textDone("msg_1", 0, "Hi \nyou"),
        partDone("msg_1", 0, part("Hi \nyou")),
        itemDone(0, message("msg_1", "Hi \nyou")),
        ...called(1),
        ended(message("msg_1", "Hi \nyou"), CALL),
      ],
    ],
    [
      "closes the text before a call",
      FIRST,
      [...called(0), completed("resp_2", CALL)],
      [
        textDone("msg_1", 0, "Hi \n"),
        partDone("msg_1", 0, part("Hi \n")),
        itemDone(0, message("msg_1", "Hi \n")),
        ...called(1),
        ended(message("msg_1", "Hi \n"), CALL),
      ],
    ],
    [
      "closes the text before the end",
      FIRST,
      [completed("resp_2")],
      [
        textDone("msg_1", 0, "Hi \n"),
        partDone("msg_1", 0, part("Hi \n")),
        itemDone(0, message("msg_1", "Hi \n")),
        ended(message("msg_1", "Hi \n")),
      ],
    ],
    [
      "closes the text before a refusal in the same message",
      FIRST,
      [
        added(0, message("msg_2")),
        partAdded("msg_2", 0, { type: "refusal", refusal: "" }),
        inPart("refusal.done", "msg_2", 0, { refusal: "No" }),
        partDone("msg_2", 0, { type: "refusal", refusal: "No" }),
        itemDone(0, { ...message("msg_2"), content: [{ type: "refusal", refusal: "No" }] }),
        completed("resp_2", { ...message("msg_2"), content: [{ type: "refusal", refusal: "No" }] }),
      ],
      [
        textDone("msg_1", 0, "Hi \n"),
        partDone("msg_1", 0, part("Hi \n")),
        partAdded("msg_1", 0, { type: "refusal", refusal: "" }, 1),
        inPart("refusal.done", "msg_1", 0, { refusal: "No" }, 1),
        partDone("msg_1", 0, { type: "refusal", refusal: "No" }, 1),
        itemDone(0, { ...message("msg_1"), content: [part("Hi \n"), { type: "refusal", refusal: "No" }] }),
        ended({ ...message("msg_1"), content: [part("Hi \n"), { type: "refusal", refusal: "No" }] }),
      ],
    ],
    [
      "has a message of its own where the text is done",
      [
        ...FIRST,
        ...answer("", textDone("msg_1", 0, "Hi \n"))
          .slice(2)
          .map(({ data, event }) => ({ event, data: data.replace(/"sequence_number":2/, '"sequence_number":5') })),
      ],
      [...said("msg_2", 0, " \nyou"), completed("resp_2", message("msg_2", " \nyou"))],
      [
        partDone("msg_1", 0, part("Hi \n")),
        itemDone(0, message("msg_1", "Hi \n")),
        ...said("msg_2", 1, "you"),
        ended(message("msg_1", "Hi \n"), message("msg_2", "you")),
      ],
    ],
    [
      "has a message of its own where the message is done, behind thoughts that were",
      answer("resp_1", ...thought(0), ...said("msg_1", 1, "Hi ")),
      [...said("msg_2", 0, "you"), completed("resp_2", message("msg_2", "you"))],
      [...said("msg_2", 2, "you"), ended(THOUGHT, message("msg_1", "Hi "), message("msg_2", "you"))],
    ],
    [
      "fills a message that has only begun",
      answer("resp_1", added(0, message("msg_1"))),
      [...said("msg_2", 0, "you"), completed("resp_2", message("msg_2", "you"))],
      [...said("msg_1", 0, "you").slice(1), ended(message("msg_1", "you"))],
    ],
    [
      "closes a message that stays without a part",
      FIRST,
      [added(0, message("msg_2")), itemDone(0, message("msg_2")), completed("resp_2", message("msg_2"))],
      [
        textDone("msg_1", 0, "Hi \n"),
        partDone("msg_1", 0, part("Hi \n")),
        itemDone(0, message("msg_1", "Hi \n")),
        ended(message("msg_1", "Hi \n")),
      ],
    ],
    [
      "takes a text that comes with its part",
      FIRST,
      [added(0, message("msg_2")), partAdded("msg_2", 0, part(" \nyou")), delta("msg_2", 0, "!")],
      [delta("msg_1", 0, "you"), delta("msg_1", 0, "!")],
    ],
    [
      "has its items at the end where the last event has none",
      FIRST,
      [...said("msg_2", 0, "you"), ...called(1), completed("resp_2")],
      [
        delta("msg_1", 0, "you"),
        textDone("msg_1", 0, "Hi \nyou"),
        partDone("msg_1", 0, part("Hi \nyou")),
        itemDone(0, message("msg_1", "Hi \nyou")),
        ...called(1),
        ended(message("msg_1", "Hi \nyou"), CALL),
      ],
    ],
    [
      "closes what the continuation leaves open",
      FIRST,
      [added(0, message("msg_2")), partAdded("msg_2", 0), delta("msg_2", 0, "you"), completed("resp_2", message("msg_2", "you"))],
      [
        delta("msg_1", 0, "you"),
        textDone("msg_1", 0, "Hi \nyou"),
        partDone("msg_1", 0, part("Hi \nyou")),
        itemDone(0, message("msg_1", "Hi \nyou")),
        ended(message("msg_1", "Hi \nyou")),
      ],
    ],
    [
      "has its second part behind the text",
      FIRST,
      [
        added(0, message("msg_2")),
        partAdded("msg_2", 0),
        delta("msg_2", 0, "you"),
        partAdded("msg_2", 0, part(""), 1),
        delta("msg_2", 0, " \nx", 1),
      ],
      [delta("msg_1", 0, "you"), partAdded("msg_1", 0, part(""), 1), delta("msg_1", 0, " \nx", 1)],
    ],
    ["leaves out what belongs to no item", FIRST, [delta("msg_9", 7, "lost"), { type: "keepalive" }], [{ type: "keepalive" }]],
  ];
  test.each([...cases])("%s", (_name, first, second, expected) => {
    expect(spliced(first, answer("resp_2", ...second))).toEqual([...expected]);
  });

  test("is one response for the official client", async () => {
    const splice = noted(FIRST).splice();
    const second = answer(
      "resp_2",
      ...thought(0),
      ...said("msg_2", 1, "you"),
      ...called(2),
      completed("resp_2", THOUGHT, message("msg_2", "you"), CALL),
    );
    expect(await seen("responses", [...FIRST, ...second.flatMap((one) => splice(one))])).toEqual({
      id: "resp_1",
      text: "Hi \nyou",
      calls: ['{"a":1}'],
      finish: "completed",
      outputTokens: 9,
      parts: ["message", "function_call"],
    });
  });

  test("is not numbered where nothing is", () => {
    const bare = (payloads: readonly Payload[]) =>
      payloads.map(({ event, data }) => {
        const { sequence_number: _number, ...rest } = JSON.parse(data);
        return { event, data: JSON.stringify(rest) };
      });
    const splice = noted(bare(FIRST)).splice();
    const second = bare(answer("resp_2", ...called(0), completed("resp_2", CALL))).flatMap((one) => splice(one));
    expect(second.map(({ data }) => JSON.parse(data).sequence_number)).toEqual(second.map(() => undefined));
  });

  test("cut several times, is numbered without a gap and repeats in its last events what the deltas brought", () => {
    const cut = fc.record({ frames: fc.nat(14), habit: fc.constantFrom(...HABITS), inPieces: fc.array(fc.nat(20), { maxLength: 4 }) });
    fc.assert(
      fc.property(pieces, fc.array(cut, { maxLength: 4 }), (whole, cuts) => {
        const story = rescued("responses", whole, cuts);
        const events: readonly JsonObject[] = story.payloads.map(({ data }) => JSON.parse(data));
        expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
        expect(story.payloads.map(({ event }) => event)).toEqual(events.map(({ type }) => String(type)));
        const texts = new Map<string, string>();
        for (const event of events) {
          const key = `${event.output_index}/${event.content_index}`;
          if (event.type === "response.output_text.delta") texts.set(key, (texts.get(key) ?? "") + event.delta);
          if (event.type === "response.output_text.done") expect(event.text).toBe(texts.get(key) ?? "");
          if (event.type === "response.content_part.done") expect(at(event, "part", "text")).toBe(texts.get(key) ?? "");
        }
        const done = events.filter(({ type }) => type === "response.output_item.done").map(({ item }) => item);
        expect(at(events.at(-1), "response", "output")).toEqual(done);
        expect(
          done
            .flatMap((item) => at(item, "content"))
            .map((inner) => at(inner, "text"))
            .join(""),
        ).toBe(story.text);
        expect(new Set(events.flatMap(({ response }) => at(response, "id") ?? [])).size).toBe(1);
      }),
      { numRuns: 300, ...SEED },
    );
  });
});

describe("a Responses request that goes on", () => {
  const told = { type: "message", role: "assistant", content: [{ type: "output_text", text: "Hi", annotations: [] }] };

  test.each<[string, unknown, readonly unknown[]]>([
    ["behind a text", "Hello", [{ type: "message", role: "user", content: "Hello" }, told]],
    ["behind items", [{ role: "user", content: "Hello" }], [{ role: "user", content: "Hello" }, told]],
    ["behind a stored conversation", undefined, [told]],
    ["in the client's own beginning", [{ role: "assistant", content: "He said " }], [{ role: "assistant", content: "He said Hi" }]],
    [
      "in the client's own beginning of parts",
      [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "He said ", annotations: [] }] }],
      [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "He said Hi", annotations: [] }] }],
    ],
  ])("%s", (_name, input, expected) => {
    expect(noted(FIRST).continuing({ model: "m", ...(input !== undefined && { input }) })).toEqual({ model: "m", input: expected });
  });

  test.each<[string, readonly JsonObject[], boolean]>([
    ["a text", [...said("msg_1", 0, "Hi")], true],
    ["two texts", [...said("msg_1", 0, "Hi"), ...said("msg_2", 1, "you")], true],
    ["nothing", [], true],
    ["a message that has only begun", [added(0, message("msg_1"))], true],
    ["thoughts that are over", [...thought(0), ...said("msg_1", 1, "Hi")], true],
    ["thoughts alone", thought(0), false],
    ["signed thoughts", [...thought(0, { ...THOUGHT, encrypted_content: "s" }), ...said("msg_1", 1, "Hi")], false],
    ["a call", called(0), false],
    ["a refusal", [added(0, message("msg_1")), partAdded("msg_1", 0, { type: "refusal", refusal: "" })], false],
    ["a source", [...said("msg_1", 0, "Hi").slice(0, 3), inPart("output_text.annotation.added", "msg_1", 0, { annotation: {} })], false],
    ["a text in no part", [added(0, message("msg_1")), delta("msg_1", 0, "Hi")], false],
    ["an end", [...said("msg_1", 0, "Hi"), completed("resp_1")], false],
  ])("is there or not behind %s", (name, events, expected) => {
    expect(noted(answer("resp_1", ...events)).isEmpty()).toBe(["nothing", "a message that has only begun"].includes(name));
    expect(noted(answer("resp_1", ...events)).continuing(REQUESTS.responses) !== undefined).toBe(expected);
  });

  test("knows a text that came without pieces", () => {
    const partial = noted(answer("resp_1", added(0, message("msg_1")), partAdded("msg_1", 0), textDone("msg_1", 0, "Hi")));
    expect(JSON.stringify(partial.continuing(REQUESTS.responses))).toContain('"text":"Hi"');
  });
});

describe("a Responses error", () => {
  test.each([
    [429, "rate_limit_error", "rate_limit_exceeded"],
    [502, "server_error", "server_error"],
    [503, "server_error", "server_error"],
  ])("of status %p has the words %s and %s, numbered on", (status, type, code) => {
    const [error, failed] = responses.error({ message: "M", status }, { frames: 7, id: "resp_1" }).map(({ data }) => JSON.parse(data));
    expect(error).toEqual({
      type: "error",
      sequence_number: 7,
      code,
      message: "M",
      param: null,
      error: { type, code, message: "M", param: null },
    });
    expect(failed).toMatchObject({
      type: "response.failed",
      sequence_number: 8,
      response: { id: "resp_1", status: "failed", error: { code, message: "M" } },
    });
  });

  test("is a failed response for who reads no error events", async () => {
    const [, failed] = responses.error({ message: "M", status: 502 }, { frames: 5, id: "resp_1" });
    expect(await seen("responses", [...FIRST, ...(failed === undefined ? [] : [failed])])).toMatchObject({
      finish: "failed",
      id: "resp_1",
    });
  });
});

test("a long stream of items is not kept", () => {
  const partial = responses.partial();
  for (const payload of framesOf("responses", {}, 0).slice(0, 4)) partial.note(payload);
  const item = JSON.stringify({ type: "response.output_item.done", output_index: 0, item: message("msg", "x".repeat(500_000)) });
  for (let count = 0; count < 10; count++) partial.note({ event: undefined, data: item });
  expect(partial.continuing(REQUESTS.responses)).toBeUndefined();
});
