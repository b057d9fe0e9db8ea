import { isObject, type JsonObject, textOf } from "../../dialects/shared.ts";
import type { FinishReason } from "../chat/chunks.ts";
import { type ErrorFacts, errorIn } from "../errors.ts";

const FINISH_REASONS: ReadonlyMap<string | undefined, FinishReason> = new Map([
  ["max_tokens", "length"],
  ["model_context_window_exceeded", "length"],
  ["refusal", "content_filter"],
]);

/**
 * The calls decide, not the word: servers exist that end with `end_turn` though there are calls, and a client that reads
 * `tool_calls` without one waits for it. `pause_turn` is about tools of the service's own, which it is never offered.
 */
export function finishReason(stopReason: string | undefined, hasCalls: boolean): FinishReason {
  return FINISH_REASONS.get(stopReason) ?? (hasCalls ? "tool_calls" : "stop");
}

/** Why the model refused, in words, where the service tells them: of a message, or of the delta at its end. */
export function refusalOf({ stop_reason, stop_details }: JsonObject): string | undefined {
  return stop_reason === "refusal" && isObject(stop_details) ? textOf(stop_details.explanation) : undefined;
}

/** The error that an answer or an event is, told by its type, or by an error beside it that says something. */
export function errorOf(json: JsonObject, event?: string): ErrorFacts | undefined {
  const isMarked = isObject(json.error) || textOf(json.error) !== undefined || json.type === "error" || event === "error";
  return isMarked ? (errorIn(json) ?? serverError("backend_error", "The backend reported an error without a text.")) : undefined;
}

export function serverError(code: string, message: string): ErrorFacts {
  return { message, type: "server_error", code, param: null };
}

export const NAMELESS_CALL = serverError("nameless_tool_call", "The backend's answer has a tool call without a name.");
