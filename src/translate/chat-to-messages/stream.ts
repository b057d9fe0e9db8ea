import type { Payload } from "../../core/dialect.ts";
import type { Usage } from "../../core/usage.ts";
import { messagesUsage } from "../../dialects/messages/usage.ts";
import { isObject, type JsonObject, parseObject, textOf } from "../../dialects/shared.ts";
import { BROKEN_JSON, isBrokenJson } from "../broken-json.ts";
import { createChunks, errorPayload } from "../chat/chunks.ts";
import type { ErrorFacts } from "../errors.ts";
import type { AnswerContext, StreamTranslation } from "../translation.ts";
import { envelopeOf } from "./answer.ts";
import { errorOf, finishReason, refusalOf, serverError } from "./end.ts";
import { createBlockStream } from "./stream-blocks.ts";
import { chatUsage } from "./usage.ts";

type Handler = (event: JsonObject) => readonly Payload[] | ErrorFacts;

/**
 * The events of a streamed message as chunks. The reason for the end goes on when it comes; the usage waits for the last
 * event or the end of the bytes, for services exist that correct it until then.
 */
export function translateStream(context: AnswerContext): StreamTranslation {
  const chunks = createChunks((message) => envelopeOf(message, context), context.request);
  const blocks = createBlockStream(chunks, context);
  let usage: Usage | undefined;
  let isFinished = false;
  let isOver = false;

  const fail = (facts: ErrorFacts): readonly Payload[] => {
    isOver = true;
    return [errorPayload(facts)];
  };
  const complete = (): readonly Payload[] => {
    if (!isFinished) return fail(CUT);
    isOver = true;
    return chunks.end(chatUsage(usage));
  };
  const messageEnd: Handler = (event) => {
    usage = messagesUsage(event, usage);
    const { delta } = event;
    const reason = isObject(delta) ? textOf(delta.stop_reason) : undefined;
    if (!isObject(delta) || reason === undefined || isFinished) return NOTHING;
    isFinished = true;
    const refusal = refusalOf(delta);
    return [
      ...chunks.role(),
      ...blocks.rest(),
      ...(refusal === undefined ? NOTHING : [chunks.delta({ refusal })]),
      chunks.finish(finishReason(reason, blocks.hasCalls())),
    ];
  };
  /** Nothing belongs to the answer behind its end. */
  const withRole =
    (handler: Handler): Handler =>
    (event) => {
      if (isFinished) return NOTHING;
      const role = chunks.role();
      const result = handler(event);
      return isFacts(result) || role.length === 0 ? result : [...role, ...result];
    };

  const handlers: ReadonlyMap<unknown, Handler> = new Map<unknown, Handler>([
    [
      "message_start",
      (event) => {
        usage = messagesUsage(event, usage);
        chunks.begin(isObject(event.message) ? event.message : {});
        return chunks.role();
      },
    ],
    ["content_block_start", withRole(blocks.begin)],
    ["content_block_delta", withRole(blocks.delta)],
    ["content_block_stop", withRole(blocks.end)],
    ["message_delta", messageEnd],
    ["message_stop", complete],
  ]);

  return {
    onPayload({ event: name, data }) {
      if (isOver) return NOTHING;
      const event = parseObject(data);
      if (event === undefined) {
        if (name === "error") return fail(serverError("backend_error", data.trim() || "The backend reported an error without a text."));
        return isBrokenJson(data) ? fail(serverError("stream_malformed", BROKEN_JSON)) : NOTHING;
      }
      const error = errorOf(event, name);
      if (error !== undefined) return fail(error);
      const result = handlers.get(textOf(event.type) ?? name)?.(event) ?? NOTHING;
      return isFacts(result) ? fail(result) : result;
    },
    onEnd: () => (isOver ? NOTHING : complete()),
    isOver: () => isOver,
  };
}

function isFacts(result: readonly Payload[] | ErrorFacts): result is ErrorFacts {
  return !Array.isArray(result);
}

const NOTHING: readonly Payload[] = [];
const CUT = serverError("stream_incomplete", "The backend's stream ended before the answer was complete.");
