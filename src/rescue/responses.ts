import type { Payload } from "../core/dialect.ts";
import { isObject, type JsonObject, parseObject } from "../dialects/shared.ts";
import type { Before, ErrorToTell, PartialAnswer, RescueDialect } from "./partial-answer.ts";
import { createPlace } from "./responses/place.ts";
import { createSplice } from "./responses/splice.ts";
import { eventOf } from "./rewritten.ts";
import { toldOf } from "./seam.ts";

export const responses: RescueDialect = {
  partial: createPartial,
  error: errorEvents,
  terminator: [],
  finish: createFinish,
};

function createPartial(): PartialAnswer {
  const place = createPlace();
  const isFinished = createFinish();
  let isOver = false;
  return {
    note(payload) {
      isOver = isFinished(payload);
      place.note(payload);
    },
    id: () => place.now().id,
    isEmpty: () => !isOver && place.text() === "",
    continuing(request) {
      const text = place.text();
      return isOver || text === undefined ? undefined : withPrefill(request, toldOf(text));
    },
    splice: () => createSplice(place.now(), place.text() ?? ""),
  };
}

// ---- the request that goes on ----

/** The client may have begun the answer itself: then its last item goes on. */
function withPrefill(request: JsonObject, told: string): JsonObject | undefined {
  const items = itemsOf(request.input);
  if (items === undefined) return undefined;
  if (told === "") return request;
  const last: unknown = items.at(-1);
  const isBegun = isObject(last) && last.role === "assistant" && (last.type === undefined || last.type === "message");
  const input = isBegun
    ? items.with(-1, { ...last, content: goneOn(last.content, told) })
    : [...items, { type: "message", role: "assistant", content: [textPart(told)] }];
  return { ...request, input };
}

/** A stored conversation goes on without any. */
function itemsOf(input: unknown): readonly unknown[] | undefined {
  if (typeof input === "string") return [{ type: "message", role: "user", content: input }];
  if (input === undefined || input === null) return [];
  return Array.isArray(input) ? input : undefined;
}

function goneOn(content: unknown, told: string): unknown {
  if (!Array.isArray(content)) return typeof content === "string" ? content + told : [textPart(told)];
  const last: unknown = content.at(-1);
  if (!isObject(last) || typeof last.text !== "string") return [...content, textPart(told)];
  return content.with(-1, { ...last, text: last.text + told });
}

function textPart(text: string): JsonObject {
  return { type: "output_text", text, annotations: [] };
}

// ---- the end ----

/** The words that Codex decides by: with these it asks again. */
function wordsOf(status: number): { readonly type: string; readonly code: string } {
  return status === 429 ? { type: "rate_limit_error", code: "rate_limit_exceeded" } : { type: "server_error", code: "server_error" };
}

/**
 * The official clients stop at `error`, Codex at `response.failed`. The service has the error's words inside the event, its specification
 * has them beside the type: readers of either find them.
 */
function errorEvents({ message, status }: ErrorToTell, { frames, id }: Before): readonly Payload[] {
  const { type, code } = wordsOf(status);
  const error = { type, code, message, param: null };
  const response = {
    ...(id !== undefined && { id }),
    object: "response",
    status: "failed",
    error: { code, message },
    incomplete_details: null,
    output: [],
    usage: null,
    metadata: {},
  };
  return [
    eventOf("error", { sequence_number: frames, code, message, param: null, error }),
    eventOf("response.failed", { sequence_number: frames + 1, response }),
  ];
}

const FINISHES: ReadonlySet<unknown> = new Set(["response.completed", "response.incomplete"]);

function createFinish(): (payload: Payload) => boolean {
  let isOver = false;
  return ({ data }) => {
    isOver ||= data.includes('"response.') && FINISHES.has(parseObject(data)?.type);
    return isOver;
  };
}
