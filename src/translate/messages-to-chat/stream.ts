import type { Payload } from "../../core/dialect.ts";
import { isObject, type JsonObject, parseObject, textOf } from "../../dialects/shared.ts";
import { BROKEN_JSON, isBrokenJson } from "../broken-json.ts";
import { anthropicError, type ErrorFacts, statusOfError } from "../errors.ts";
import type { AnswerContext, StreamTranslation } from "../translation.ts";
import { errorOf, NAMELESS_CALL, plainError } from "./answer-error.ts";
import { createBlocks } from "./blocks.ts";
import { brokenOff, endOf, isCutShort, matchedStop } from "./end.ts";
import { type Pieces, piecesOf, piecesOfWhole } from "./pieces.ts";
import { usageOf } from "./usage.ts";
import { firstChoice, messageOf } from "./whole.ts";

/** The chunks of a streamed Chat Completions answer as the events of a message. */
export function translateStream(context: AnswerContext): StreamTranslation {
  const blocks = createBlocks(context);
  let hasBegun = false;
  let isOver = false;
  let isRefused = false;
  let finish: string | undefined;
  let matched: string | undefined;
  let usage: JsonObject | undefined;

  /** The service says nothing after an error, and leaves its blocks open. */
  const fail = (status: number, facts: ErrorFacts): readonly Payload[] => {
    isOver = true;
    return [{ event: "error", data: JSON.stringify(anthropicError(status, facts)) }];
  };

  const complete = (): readonly Payload[] => {
    if (blocks.hasNameless() && !isCutShort(finish)) return fail(502, NAMELESS_CALL);
    isOver = true;
    const delta = endOf({ finish, matched, hasCalls: blocks.hasCalls(), isRefused }, context.request);
    return [...blocks.end(), event("message_delta", { delta, usage: usageOf(usage) }), event("message_stop", {})];
  };

  /** Nothing more comes. Without a reason to finish, the answer was cut, and the client must not take it for whole. */
  const finished = (): readonly Payload[] =>
    finish === undefined ? fail(502, plainError("the backend's stream ended before its answer was finished")) : complete();

  const onChunk = (chunk: JsonObject): readonly Payload[] => {
    const tellsUsage = isObject(chunk.usage);
    if (isObject(chunk.usage)) usage = chunk.usage;
    const choice = firstChoice(chunk);
    const events: Payload[] = [];
    // Azure's first chunk has no choice, no id and no model.
    if (choice !== undefined) {
      if (!hasBegun) events.push(event("message_start", { message: messageOf(chunk, context, [], NO_END, usageOf(usage)) }));
      hasBegun = true;
      const pieces = broughtBy(choice);
      isRefused ||= pieces.isRefused;
      const written = blocks.push(pieces);
      if (typeof written === "string") return [...events, ...fail(502, plainError(written))];
      events.push(...written);
      const reason = textOf(choice.finish_reason);
      const trouble = brokenOff(reason);
      if (trouble !== undefined) return [...events, ...fail(statusOfError(trouble), trouble)];
      finish = reason ?? finish;
      matched = matchedStop(choice) ?? matched;
    }
    // The usage comes with the last chunk or in one of its own behind it; where it does not come, the end of the stream does.
    return finish !== undefined && tellsUsage ? [...events, ...complete()] : events;
  };

  return {
    onPayload({ event: name, data }) {
      if (isOver) return [];
      if (data.trim() === "[DONE]") return finished();
      const chunk = parseObject(data);
      if (chunk === undefined) {
        if (name === "error") return fail(500, plainError(data.trim() || "the backend reported an error"));
        return isBrokenJson(data) ? fail(502, plainError(BROKEN_JSON)) : [];
      }
      const error = errorOf(chunk, name);
      return error === undefined ? onChunk(chunk) : fail(statusOfError(error), error);
    },
    onEnd: () => (isOver ? [] : finished()),
    isOver: () => isOver,
  };
}

/** Some servers send a whole message in one chunk; some repeat beside each delta what has come so far. */
function broughtBy({ delta, message }: JsonObject): Pieces {
  return isObject(delta) || !isObject(message) ? piecesOf(isObject(delta) ? delta : {}) : piecesOfWhole(message);
}

const NO_END = { stop_reason: null, stop_sequence: null, stop_details: null } as const;

function event(type: string, rest: JsonObject): Payload {
  return { event: type, data: JSON.stringify({ type, ...rest }) };
}
