import fc from "fast-check";
import type { Payload } from "../../../src/core/dialect.ts";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { event } from "./helpers.ts";

/** Set to replay a failure: `FAULTPROXY_TEST_SEED=123 bun test`. fast-check prints the seed of a failed run. */
const seedText = process.env.FAULTPROXY_TEST_SEED;
export const PROPERTY_OPTIONS: fc.Parameters<unknown> = {
  numRuns: 500,
  ...(seedText === undefined ? {} : { seed: Number(seedText) }),
};

// ---- requests ----

const words = fc.string({ maxLength: 12, unit: "binary" });
const names = fc.constantFrom("f", "g", "weather");
const schema = fc.constantFrom<JsonObject>({}, { type: "object", properties: {} });
const orNull = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ weight: 5, arbitrary }, { weight: 1, arbitrary: fc.constant(null) });
const record = (model: Record<string, fc.Arbitrary<unknown>>, requiredKeys: string[]): fc.Arbitrary<JsonObject> =>
  fc.record(model, { requiredKeys });

const textPart = record({ type: fc.constant("text"), text: words }, ["type", "text"]);
const userPart = fc.oneof(
  textPart,
  record({ type: fc.constant("image_url"), image_url: record({ url: fc.webUrl(), detail: fc.constantFrom("low", "high") }, ["url"]) }, [
    "type",
    "image_url",
  ]),
  record({ type: fc.constant("file"), file: record({ file_id: fc.constant("file-1"), filename: words }, ["file_id"]) }, ["type", "file"]),
);
const contentOf = (part: fc.Arbitrary<JsonObject>) => fc.oneof(words, fc.array(part, { minLength: 1, maxLength: 3 }));
const call = fc.oneof(
  record({ id: fc.uuid(), type: fc.constant("function"), function: record({ name: names, arguments: words }, ["name", "arguments"]) }, [
    "id",
    "type",
    "function",
  ]),
  record({ id: fc.uuid(), type: fc.constant("custom"), custom: record({ name: names, input: words }, ["name", "input"]) }, [
    "id",
    "type",
    "custom",
  ]),
);

/** One turn: a message, or calls with their results. */
const turn: fc.Arbitrary<readonly JsonObject[]> = fc.oneof(
  record({ role: fc.constantFrom("system", "developer"), content: contentOf(textPart), name: words }, ["role", "content"]).map((m) => [m]),
  record({ role: fc.constant("user"), content: contentOf(userPart), name: words }, ["role", "content"]).map((m) => [m]),
  record({ role: fc.constant("assistant"), content: contentOf(textPart), refusal: orNull(words), reasoning_content: words }, [
    "role",
    "content",
  ]).map((m) => [m]),
  fc
    .array(fc.tuple(call, contentOf(textPart)), { minLength: 1, maxLength: 3 })
    .map((calls) => [
      { role: "assistant", content: null, tool_calls: calls.map(([made]) => made) },
      ...calls.map(([{ id }, content]) => ({ role: "tool", tool_call_id: id, content })),
    ]),
);

const tool = fc.oneof(
  record(
    {
      type: fc.constant("function"),
      function: record({ name: names, description: words, parameters: schema, strict: fc.boolean() }, ["name"]),
    },
    ["type", "function"],
  ),
  record({ type: fc.constant("custom"), custom: record({ name: names, format: fc.constant({ type: "text" }) }, ["name"]) }, [
    "type",
    "custom",
  ]),
);
const toolChoice = fc.constantFrom<unknown>("none", "auto", "required", { type: "function", function: { name: "f" } });
const responseFormat = fc.constantFrom(
  { type: "text" },
  { type: "json_object" },
  { type: "json_schema", json_schema: { name: "n", schema: {} } },
);

/** Each parameter that a request may have, unknown ones among them. */
const PARAMETERS: Record<string, fc.Arbitrary<unknown>> = {
  model: words,
  stream: fc.boolean(),
  store: fc.boolean(),
  temperature: fc.double({ min: 0, max: 2, noNaN: true }),
  top_p: fc.double({ min: 0, max: 1, noNaN: true }),
  top_logprobs: fc.nat({ max: 20 }),
  logprobs: fc.boolean(),
  parallel_tool_calls: fc.boolean(),
  metadata: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
  user: words,
  service_tier: fc.constantFrom("auto", "flex"),
  prompt_cache_key: words,
  prompt_cache_options: fc.constant({ mode: "explicit" }),
  prompt_cache_retention: fc.constant("24h"),
  safety_identifier: words,
  max_tokens: fc.integer({ min: 1, max: 1e6 }),
  max_completion_tokens: fc.integer({ min: 1, max: 1e6 }),
  stream_options: record({ include_usage: fc.boolean(), include_obfuscation: fc.boolean() }, []),
  response_format: responseFormat,
  reasoning_effort: fc.constantFrom("low", "high"),
  verbosity: fc.constantFrom("low", "high"),
  tools: fc.array(tool, { maxLength: 3 }),
  tool_choice: toolChoice,
  modalities: fc.constantFrom([], ["text"]),
  n: fc.integer({ min: 1, max: 3 }),
  seed: fc.integer(),
  stop: fc.oneof(words, fc.array(words, { maxLength: 4 })),
  frequency_penalty: fc.constantFrom(0, -1, 0.5),
  presence_penalty: fc.constantFrom(0, 1),
  logit_bias: fc.dictionary(fc.constantFrom("1", "2"), fc.integer({ min: -100, max: 100 })),
  prediction: fc.constant({ type: "content", content: "x" }),
  web_search_options: fc.constant({}),
  moderation: fc.constant({ model: "m" }),
  top_k: fc.nat(),
  constructor: fc.boolean(),
};

export const chatRequest: fc.Arbitrary<JsonObject> = fc
  .tuple(
    fc.array(turn, { minLength: 1, maxLength: 5 }),
    record(Object.fromEntries(Object.entries(PARAMETERS).map(([name, arbitrary]) => [name, orNull(arbitrary)])), []),
  )
  .map(([turns, parameters]) => ({ ...parameters, messages: turns.flat() }));

/** A request in which one value, however deep, is another one. */
export const damagedRequest: fc.Arbitrary<JsonObject> = fc
  .tuple(chatRequest, fc.array(fc.nat({ max: 50 }), { minLength: 1, maxLength: 6 }), fc.jsonValue({ maxDepth: 3 }))
  .map(([request, steps, value]) => ({ ...request, ...Object(replaced(request, steps, value)) }));

function replaced(holder: unknown, [step, ...more]: readonly number[], value: unknown): unknown {
  if (step === undefined || typeof holder !== "object" || holder === null) return value;
  const keys = Object.keys(holder);
  const key = keys[step % Math.max(keys.length, 1)];
  if (key === undefined) return value;
  if (Array.isArray(holder)) return holder.map((member, index) => (String(index) === key ? replaced(member, more, value) : member));
  return Object.fromEntries(Object.entries(holder).map(([name, member]) => [name, name === key ? replaced(member, more, value) : member]));
}

// ---- answers and their streams ----

/** How a stream names its items. */
type Naming = "both" | "index" | "id" | "changing ids";

type Part = { readonly type: "output_text" | "refusal"; readonly pieces: readonly string[] };

/** The events that bring a message's texts. */
type Means = { readonly byDeltas: boolean; readonly byText: boolean; readonly byPart: boolean; readonly byItem: boolean };

type Item =
  | ({ readonly kind: "message"; readonly parts: readonly Part[] } & Means)
  | { readonly kind: "reasoning" }
  | {
      readonly kind: "call";
      readonly isCustom: boolean;
      readonly pieces: readonly string[];
      readonly isAnnounced: boolean;
      readonly byDeltas: boolean;
      readonly byDone: boolean;
      readonly byItem: boolean;
    };

const pieces = fc.array(words, { maxLength: 4 });
const part: fc.Arbitrary<Part> = fc.record({
  type: fc.constantFrom("output_text", "refusal"),
  pieces,
});
const item: fc.Arbitrary<Item> = fc.oneof(
  fc.record({
    kind: fc.constant("message" as const),
    parts: fc.array(part, { maxLength: 3 }),
    byDeltas: fc.boolean(),
    byText: fc.boolean(),
    byPart: fc.boolean(),
    byItem: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("reasoning" as const) }),
  fc.record({
    kind: fc.constant("call" as const),
    isCustom: fc.boolean(),
    pieces,
    isAnnounced: fc.boolean(),
    byDeltas: fc.boolean(),
    byDone: fc.boolean(),
    byItem: fc.boolean(),
  }),
);

export type Streamed = { readonly response: JsonObject; readonly events: readonly Payload[]; readonly request: JsonObject };

/**
 * A response and a stream of it. Calls interleave with each other and with the messages; each text comes by deltas, by
 * any of the events that tell its end, by both, or not before the whole response.
 */
export const streamed: fc.Arbitrary<Streamed> = fc
  .record({
    items: fc.array(item, { maxLength: 6 }),
    naming: fc.constantFrom<Naming[]>("both", "index", "id", "changing ids"),
    order: fc.infiniteStream(fc.nat()),
    ending: fc.constantFrom<JsonObject[]>(
      { status: "completed" },
      { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } },
      { status: "incomplete", incomplete_details: { reason: "content_filter" } },
    ),
    usage: fc.option(fc.record({ input_tokens: fc.nat(), output_tokens: fc.nat() }), { nil: null }),
    include_usage: fc.boolean(),
    isCreated: fc.boolean(),
  })
  .map(({ items, naming, order, ending, usage, include_usage, isCreated }) => {
    const output = items.map((made, index) => itemOf(made, index));
    const response = { id: "resp_1", created_at: 1_700_000_000, model: "backend", ...ending, output, usage };
    const chainOf = (made: Item, index: number) => eventsOf(made, index, output[index] ?? {}, naming);
    // After a message that only the whole response brings no other one can come in its order.
    const firstLate = items.findIndex((made) => made.kind === "message" && !isBrought(made));
    const isEarly = (index: number) => firstLate < 0 || index < firstLate;
    const messages = items.flatMap((made, index) => (made.kind === "message" && isEarly(index) ? chainOf(made, index) : []));
    const others = items.flatMap((made, index) => (made.kind === "message" ? [] : [chainOf(made, index)]));
    const last = event(ending.status === "completed" ? "response.completed" : "response.incomplete", { response });
    const created = isCreated
      ? [event("response.created", { response: { ...response, status: "in_progress", output: [], usage: null } })]
      : [];
    return {
      response,
      events: [...created, ...merged([messages, ...others], order), last],
      request: { stream_options: { include_usage } },
    };
  });

function isBrought({ byDeltas, byText, byPart, byItem }: Means): boolean {
  return byDeltas || byText || byPart || byItem;
}

/** Takes the next of any chain, as the numbers say. */
function merged(chains: readonly (readonly Payload[])[], order: Iterator<number>): readonly Payload[] {
  const left = chains.map((chain) => [...chain]);
  const result: Payload[] = [];
  for (;;) {
    const filled = left.filter((chain) => chain.length > 0);
    const next = filled[Number(order.next().value) % Math.max(filled.length, 1)]?.shift();
    if (next === undefined) return result;
    result.push(next);
  }
}

function itemOf(made: Item, index: number): JsonObject {
  if (made.kind === "reasoning") return { type: "reasoning", id: `rs_${index}`, summary: [] };
  if (made.kind === "message") {
    const content = made.parts.map(({ type, pieces: texts }) =>
      type === "refusal" ? { type, refusal: texts.join("") } : { type, text: texts.join(""), annotations: [] },
    );
    return { type: "message", id: `msg_${index}`, role: "assistant", status: "completed", content };
  }
  const said = made.pieces.join("");
  const call_id = `call_${index}`;
  return made.isCustom
    ? { type: "custom_tool_call", id: `ctc_${index}`, call_id, name: `tool_${index}`, input: said }
    : { type: "function_call", id: `fc_${index}`, call_id, name: `tool_${index}`, arguments: said };
}

function eventsOf(made: Item, output_index: number, whole: JsonObject, naming: Naming): readonly Payload[] {
  let changes = 0;
  const idOf = () => (naming === "changing ids" ? `${whole.id}_${changes++}` : whole.id);
  const place = () => ({ ...(naming !== "id" && { output_index }), ...(naming !== "index" && { item_id: idOf() }) });
  const ofItem = (type: string, more: JsonObject) =>
    event(type, {
      ...(naming !== "id" && { output_index }),
      item: { ...whole, ...(naming === "index" ? { id: undefined } : { id: idOf() }), ...more },
    });
  if (made.kind === "reasoning") return [ofItem("response.output_item.added", {}), ofItem("response.output_item.done", {})];
  if (made.kind === "message") {
    return [
      ofItem("response.output_item.added", { content: [] }),
      ...made.parts.flatMap((given, content_index) => partEvents(given, made, () => ({ ...place(), content_index }))),
      ...(made.byItem ? [ofItem("response.output_item.done", {})] : []),
    ];
  }
  const name = made.isCustom ? "response.custom_tool_call_input" : "response.function_call_arguments";
  const key = made.isCustom ? "input" : "arguments";
  return [
    ...(made.isAnnounced ? [ofItem("response.output_item.added", { [key]: "" })] : []),
    ...(made.byDeltas ? made.pieces.map((delta) => event(`${name}.delta`, { ...place(), delta })) : []),
    ...(made.byDone ? [event(`${name}.done`, { ...place(), [key]: made.pieces.join("") })] : []),
    ...(made.byItem ? [ofItem("response.output_item.done", {})] : []),
  ];
}

function partEvents({ type, pieces: texts }: Part, { byDeltas, byText, byPart }: Means, place: () => JsonObject): readonly Payload[] {
  const isRefusal = type === "refusal";
  const name = isRefusal ? "response.refusal" : "response.output_text";
  const key = isRefusal ? "refusal" : "text";
  const said = texts.join("");
  return [
    ...(byDeltas ? texts.map((delta) => event(`${name}.delta`, { ...place(), delta })) : []),
    ...(byText ? [event(`${name}.done`, { ...place(), [key]: said })] : []),
    ...(byPart ? [event("response.content_part.done", { ...place(), part: { type, [key]: said } })] : []),
  ];
}

// ---- payloads of any kind ----

const TYPES = [
  "response.created",
  "response.output_text.delta",
  "response.output_text.done",
  "response.output_text.annotation.added",
  "response.refusal.delta",
  "response.refusal.done",
  "response.content_part.done",
  "response.function_call_arguments.delta",
  "response.function_call_arguments.done",
  "response.custom_tool_call_input.delta",
  "response.custom_tool_call_input.done",
  "response.output_item.added",
  "response.output_item.done",
  "response.completed",
  "response.incomplete",
  "response.failed",
  "error",
  "__proto__",
] as const;

const anyItem = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  record(
    {
      type: fc.constantFrom("message", "function_call", "custom_tool_call", "reasoning"),
      id: fc.constantFrom("a", "b", 5, null),
      call_id: fc.constantFrom("c", "d", "", null),
      name: fc.constantFrom("f", "", 5),
      arguments: fc.oneof(words, fc.jsonValue({ maxDepth: 1 })),
      input: words,
      content: fc.oneof(
        fc.jsonValue({ maxDepth: 2 }),
        fc.array(
          record({ type: fc.constantFrom("output_text", "refusal"), text: words, refusal: words, annotations: fc.jsonValue() }, ["type"]),
        ),
      ),
    },
    ["type"],
  ),
);

const anyEvent: fc.Arbitrary<JsonObject> = record(
  {
    type: fc.constantFrom(...TYPES),
    output_index: fc.oneof(fc.nat({ max: 3 }), fc.jsonValue({ maxDepth: 0 })),
    item_id: fc.constantFrom("a", "b", 5),
    delta: fc.oneof(words, fc.jsonValue({ maxDepth: 1 })),
    text: fc.oneof(words, fc.constant(null)),
    arguments: words,
    refusal: words,
    input: words,
    logprobs: fc.jsonValue({ maxDepth: 3 }),
    annotation: fc.jsonValue({ maxDepth: 2 }),
    part: fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      record({ type: fc.constantFrom("output_text", "refusal"), text: words, refusal: words }, []),
    ),
    item: anyItem,
    response: fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      record(
        {
          id: fc.jsonValue({ maxDepth: 0 }),
          status: fc.constantFrom("completed", "failed", 5),
          output: fc.array(anyItem, { maxLength: 4 }),
        },
        [],
      ),
    ),
    error: fc.jsonValue({ maxDepth: 2 }),
  },
  ["type"],
);

export const anyPayload: fc.Arbitrary<Payload> = fc.record({
  event: fc.constantFrom(undefined, "error", ...TYPES),
  data: fc.oneof(
    { weight: 6, arbitrary: anyEvent.map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
    { weight: 1, arbitrary: fc.constantFrom("[DONE]", "", "{", "null") },
  ),
});
