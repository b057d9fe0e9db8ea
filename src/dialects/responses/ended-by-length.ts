import { createBudget, isObject, type JsonObject, objectsOf, parseObject, textOf } from "../shared.ts";

/** Fields in which a closing event or an item repeats what its deltas brought. */
const TEXT_KEYS = ["text", "refusal", "arguments", "input", "code", "transcript"] as const;

/**
 * Ends a Responses answer by length: further deltas and items are left out, and every later event that repeats a text
 * repeats it as far as it came. `response.completed` becomes `response.incomplete`, and numbers go on without a gap.
 */
export function endedByLength(contentFramesMax: number): (payload: string) => string | undefined {
  let contentFrames = 0;
  let dropped = 0;
  const cut = createCut();

  const keep = (payload: string, before: JsonObject, after: JsonObject): string => {
    const number = before.sequence_number;
    const moved = dropped > 0 && typeof number === "number" ? { ...after, sequence_number: number - dropped } : after;
    return moved === before ? payload : JSON.stringify(moved);
  };

  return (payload) => {
    const json = parseObject(payload);
    if (json === undefined) return payload;
    if (json.object === "response") return JSON.stringify(wholeEnded(json, contentFramesMax));
    if (typeof json.type !== "string") return payload;
    if (isObject(json.response)) return keep(payload, json, endLifecycle(json, json.response, cut));
    if (cut.hasDropped(json.output_index)) {
      dropped++;
      return undefined;
    }
    const isOver = contentFrames >= contentFramesMax;
    if (isOver && json.type === "response.output_item.added") {
      cut.dropItem(json.output_index);
      dropped++;
      return undefined;
    }
    const delta = json.type.endsWith(".delta") ? textOf(json.delta) : undefined;
    if (isOver && (delta !== undefined || json.type.endsWith("annotation.added"))) {
      if (delta !== undefined) cut.loseDelta(json);
      dropped++;
      return undefined;
    }
    if (delta !== undefined) {
      contentFrames++;
      cut.keepDelta(json, delta);
    }
    return keep(payload, json, cut.applied(json));
  };
}

/** What came of each text, and which texts and items are not whole. */
type Cut = {
  readonly keepDelta: (event: JsonObject, delta: string) => void;
  readonly loseDelta: (event: JsonObject) => void;
  readonly dropItem: (outputIndex: unknown) => void;
  readonly hasDropped: (outputIndex: unknown) => boolean;
  /** The same object where nothing of it is cut. */
  readonly applied: (event: JsonObject) => JsonObject;
  readonly items: (output: readonly unknown[]) => readonly unknown[];
};

function createCut(): Cut {
  const texts = new Map<string, string>();
  const cutTexts = new Set<string>();
  const cutItems = new Set<unknown>();
  const droppedItems = new Set<unknown>();

  /** `summary` and `content` of a reasoning item are numbered apart. */
  const keyOf = ({ output_index, content_index, summary_index }: JsonObject): string =>
    `${output_index}/${content_index ?? ""}/${summary_index ?? ""}`;

  const withText = (holder: JsonObject, key: string): JsonObject => {
    if (!cutTexts.has(key)) return holder;
    const name = TEXT_KEYS.find((candidate) => typeof holder[candidate] === "string");
    if (name === undefined) return holder;
    return {
      ...holder,
      [name]: texts.get(key) ?? "",
      ...("annotations" in holder && { annotations: [] }),
      ...("logprobs" in holder && { logprobs: [] }),
    };
  };
  const withTexts = (list: unknown, output_index: unknown, indexName: string): unknown =>
    Array.isArray(list)
      ? list.map((part, index) => (isObject(part) ? withText(part, keyOf({ output_index, [indexName]: index })) : part))
      : list;
  const withItem = (item: JsonObject, output_index: unknown): JsonObject => {
    if (!cutItems.has(output_index)) return item;
    const { content, summary } = item;
    return {
      ...withText(item, keyOf({ output_index })),
      ...("content" in item && { content: withTexts(content, output_index, "content_index") }),
      ...("summary" in item && { summary: withTexts(summary, output_index, "summary_index") }),
      ...("status" in item && { status: "incomplete" }),
    };
  };

  return {
    keepDelta(event, delta) {
      const key = keyOf(event);
      texts.set(key, (texts.get(key) ?? "") + delta);
    },
    loseDelta(event) {
      cutTexts.add(keyOf(event));
      cutItems.add(event.output_index);
    },
    dropItem: (outputIndex) => droppedItems.add(outputIndex),
    hasDropped: (outputIndex) => outputIndex !== undefined && droppedItems.has(outputIndex),
    applied(event) {
      if (!cutItems.has(event.output_index)) return event;
      if (isObject(event.item)) {
        return event.type === "response.output_item.done" ? { ...event, item: withItem(event.item, event.output_index) } : event;
      }
      if (isObject(event.part)) return { ...event, part: withText(event.part, keyOf(event)) };
      return withText(event, keyOf(event));
    },
    items: (output) => output.flatMap((item, index) => (droppedItems.has(index) ? [] : [isObject(item) ? withItem(item, index) : item])),
  };
}

/** `response.created` and its like stay; the last event becomes the one of an answer that was cut. */
function endLifecycle(event: JsonObject, response: JsonObject, cut: Cut): JsonObject {
  if (event.type !== "response.completed" && event.type !== "response.incomplete") return event;
  const output = Array.isArray(response.output) ? cut.items(response.output) : response.output;
  return { ...event, type: "response.incomplete", response: { ...incomplete(response), output } };
}

function incomplete(response: JsonObject): JsonObject {
  return {
    ...response,
    status: "incomplete",
    incomplete_details: { reason: "max_output_tokens" },
    ...("completed_at" in response && { completed_at: null }),
  };
}

function wholeEnded(response: JsonObject, tokens: number): JsonObject {
  const budget = createBudget(tokens);
  const withCutTexts = (holder: JsonObject): JsonObject => {
    const name = TEXT_KEYS.find((candidate) => typeof holder[candidate] === "string");
    return name === undefined ? holder : { ...holder, [name]: budget.take(String(holder[name])) };
  };
  const output = objectsOf(response.output).flatMap((item) => {
    if (budget.isSpent()) return [];
    const cutItem = withCutTexts(item);
    const content = Array.isArray(item.content) ? { content: objectsOf(item.content).map(withCutTexts) } : {};
    const summary = Array.isArray(item.summary) ? { summary: objectsOf(item.summary).map(withCutTexts) } : {};
    return [{ ...cutItem, ...summary, ...content, ...(budget.isSpent() && "status" in item && { status: "incomplete" }) }];
  });
  return { ...incomplete(response), output };
}
