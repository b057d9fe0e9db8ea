import { type JsonObject, textOf } from "../../dialects/shared.ts";
import { brokenOffCode } from "../chat-finish-reasons.ts";
import type { ErrorFacts } from "../errors.ts";

/** How an answer ended, as the Messages API tells it. */
export type End = {
  readonly stop_reason: string;
  readonly stop_sequence: string | null;
  readonly stop_details: JsonObject | null;
};

const STOP_REASONS: ReadonlyMap<string, string> = new Map([
  ["length", "max_tokens"],
  // Mistral: the model's context is full, whatever the limit was.
  ["model_length", "model_context_window_exceeded"],
  ["content_filter", "refusal"],
]);

/** What is known when the answer is over. */
export type EndFacts = {
  /** The choice's `finish_reason`. */
  readonly finish: string | undefined;
  /** vLLM tells here which stop sequence was met (`stop_reason` of the choice); others do not tell it. */
  readonly matched: string | undefined;
  readonly hasCalls: boolean;
  readonly isRefused: boolean;
};

/**
 * The calls decide, not the word: Ollama and others end with "stop" though there are calls, and a client that reads
 * `tool_use` without a call waits for one.
 */
export function endOf({ finish, matched, hasCalls, isRefused }: EndFacts, request: JsonObject): End {
  const end = { stop_sequence: null, stop_details: null };
  const reason = isRefused ? "refusal" : STOP_REASONS.get(finish ?? "");
  // The refusal's own words are the answer's text.
  if (reason === "refusal") return { ...end, stop_reason: reason, stop_details: { type: "refusal", category: null, explanation: null } };
  if (reason !== undefined) return { ...end, stop_reason: reason };
  if (hasCalls) return { ...end, stop_reason: "tool_use" };
  const isOwn = matched !== undefined && Array.isArray(request.stop_sequences) && request.stop_sequences.includes(matched);
  return isOwn ? { ...end, stop_reason: "stop_sequence", stop_sequence: matched } : { ...end, stop_reason: "end_turn" };
}

/** Not all was said: what has only begun may be left out. */
export function isCutShort(finish: string | undefined): boolean {
  return finish !== undefined && STOP_REASONS.has(finish);
}

export function brokenOff(finish: string | undefined): ErrorFacts | undefined {
  const code = brokenOffCode(finish);
  if (code === undefined) return undefined;
  return { message: `the backend broke off its answer (finish_reason ${finish})`, type: undefined, code, param: null };
}

export function matchedStop(choice: JsonObject): string | undefined {
  return textOf(choice.stop_reason);
}
