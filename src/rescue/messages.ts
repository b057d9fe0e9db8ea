import type { Payload } from "../core/dialect.ts";
import { countOf, isObject, type JsonObject, parseObject, textOf } from "../dialects/shared.ts";
import type { PartialAnswer, RescueDialect } from "./partial-answer.ts";
import { eventOf, rewritten } from "./rewritten.ts";
import { createSaid } from "./said.ts";
import { createSeam, toldOf } from "./seam.ts";

export const messages: RescueDialect = {
  partial: createPartial,
  error: ({ message, status }) => [eventOf("error", { error: { type: ERROR_TYPES.get(status) ?? "api_error", message } })],
  terminator: [eventOf("message_stop", {})],
  finish: createFinish,
};

/** docs.claude.com, Errors. A client that is told of anything but the server's fault would not ask again. */
const ERROR_TYPES: ReadonlyMap<number, string> = new Map([
  [429, "rate_limit_error"],
  [503, "overloaded_error"],
  [504, "timeout_error"],
  [529, "overloaded_error"],
]);

// ---- what is there ----

type Place = {
  readonly hasBegun: boolean;
  /** The index of the text block that is open. */
  readonly open: number | undefined;
  /** Behind all blocks. */
  readonly next: number;
};

function createPartial(): PartialAnswer {
  const said = createSaid();
  let place: Place = { hasBegun: false, open: undefined, next: 0 };
  let isOver = false;
  let id: string | undefined;

  const noteStart = (message: unknown) => {
    place = { ...place, hasBegun: true };
    if (!isObject(message)) return;
    id ??= textOf(message.id);
    if (Array.isArray(message.content) && message.content.length > 0) said.spoil();
  };
  const noteBlock = (index: unknown, block: unknown) => {
    const at = countOf(index) ?? place.next;
    place = { ...place, open: at, next: Math.max(place.next, at + 1) };
    if (isObject(block) && block.type === "text") said.add(textOf(block.text) ?? "");
    else said.spoil();
  };
  const noteDelta = (delta: unknown) => {
    if (!isObject(delta)) return;
    if (delta.type === "text_delta") said.add(textOf(delta.text) ?? "");
    else if (delta.type !== "citations_delta") said.spoil();
  };

  return {
    note({ data }) {
      const event = parseObject(data);
      switch (event?.type) {
        case "message_start":
          return noteStart(event.message);
        case "content_block_start":
          return noteBlock(event.index, event.content_block);
        case "content_block_delta":
          return noteDelta(event.delta);
        case "content_block_stop":
          place = { ...place, open: undefined };
          return;
        default:
          isOver ||= event !== undefined && isEnd(event);
      }
    },
    id: () => id,
    isEmpty: () => !isOver && said.text() === "",
    continuing(request) {
      const text = said.text();
      return isOver || text === undefined ? undefined : withPrefill(request, toldOf(text));
    },
    splice: () => createSplice(place, said.text() ?? ""),
  };
}

function isEnd({ type, delta }: JsonObject): boolean {
  return type === "message_stop" || (type === "message_delta" && isObject(delta) && textOf(delta.stop_reason) !== undefined);
}

// ---- going on ----

/** The client may have begun the answer itself: then its last message goes on. Beside a beginning the API refuses to let the model think. */
function withPrefill(request: JsonObject, told: string): JsonObject | undefined {
  const turns = request.messages;
  if (!Array.isArray(turns)) return undefined;
  if (told === "") return request;
  const { thinking: _left, ...rest } = request;
  const last: unknown = turns.at(-1);
  if (!isObject(last) || last.role !== "assistant") return { ...rest, messages: [...turns, { role: "assistant", content: told }] };
  return { ...rest, messages: turns.with(-1, { ...last, content: goneOn(last.content, told) }) };
}

function goneOn(content: unknown, told: string): unknown {
  if (!Array.isArray(content)) return typeof content === "string" ? content + told : told;
  const last: unknown = content.at(-1);
  if (!isObject(last) || typeof last.text !== "string") return [...content, { type: "text", text: told }];
  return content.with(-1, { ...last, text: last.text + told });
}

const THINKING: ReadonlySet<unknown> = new Set(["thinking", "redacted_thinking"]);

/** Where the client has an open text, the first text goes on in it; whatever comes else stands in blocks behind those that are there. */
function createSplice({ hasBegun, open: openAtStart, next: nextAtStart }: Place, text: string): (payload: Payload) => readonly Payload[] {
  /** The client's indexes by the continuation's; undefined for blocks that are left out. */
  const places = new Map<unknown, number | undefined>();
  const isBehindText = text !== "" || openAtStart !== undefined;
  const seam = createSeam(text);
  /** The continuation's block at the seam, once a block has begun that is no thinking. */
  let first: { readonly index: unknown } | undefined;
  let open = openAtStart;
  let next = nextAtStart;

  const close = (): readonly Payload[] => {
    if (open === undefined) return [];
    const closed = eventOf("content_block_stop", { index: open });
    open = undefined;
    return [closed];
  };
  const fitText = (index: unknown, piece: unknown): unknown => (typeof piece === "string" && first?.index === index ? seam(piece) : piece);

  const start = (payload: Payload, event: JsonObject): readonly Payload[] => {
    const { index, content_block: block } = event;
    if (!isObject(block)) return [payload];
    if (THINKING.has(block.type) && isBehindText && first === undefined) {
      places.set(index, undefined);
      return [];
    }
    const isJoined = first === undefined && block.type === "text" && open !== undefined;
    first ??= { index };
    if (block.type !== "text") return begin(payload, event, block);
    const fitted = { ...block, text: fitText(index, block.text) };
    if (!isJoined) return begin(payload, event, fitted);
    places.set(index, open);
    if (textOf(fitted.text) === undefined) return [];
    return [eventOf("content_block_delta", { index: open, delta: { type: "text_delta", text: fitted.text } })];
  };
  const begin = (payload: Payload, event: JsonObject, block: JsonObject): readonly Payload[] => {
    const closed = close();
    places.set(event.index, next);
    return [...closed, rewritten(payload, { ...event, index: next++, content_block: block })];
  };

  const go = (payload: Payload, event: JsonObject): readonly Payload[] => {
    const { index, delta } = event;
    const place = places.get(index);
    if (place === undefined) return [];
    if (!isObject(delta) || delta.type !== "text_delta") return [rewritten(payload, { ...event, index: place })];
    const fitted = fitText(index, delta.text);
    if (fitted === "" && delta.text !== "") return [];
    return [rewritten(payload, { ...event, index: place, delta: { ...delta, text: fitted } })];
  };

  const stop = (payload: Payload, event: JsonObject): readonly Payload[] => {
    const place = places.get(event.index);
    places.delete(event.index);
    if (place === undefined) return [];
    if (place === open) open = undefined;
    return [rewritten(payload, { ...event, index: place })];
  };

  return (payload) => {
    const event = parseObject(payload.data);
    switch (event?.type) {
      case "message_start":
        return hasBegun ? [] : [payload];
      case "content_block_start":
        return start(payload, event);
      case "content_block_delta":
        return go(payload, event);
      case "content_block_stop":
        return stop(payload, event);
      case "message_delta":
      case "message_stop":
        return [...close(), payload];
      default:
        return [payload];
    }
  };
}

// ---- the end ----

function createFinish(): (payload: Payload) => boolean {
  let isOver = false;
  return ({ data }) => {
    if (isOver || !data.includes("message_")) return isOver;
    const event = parseObject(data);
    isOver = event !== undefined && isEnd(event);
    return isOver;
  };
}
