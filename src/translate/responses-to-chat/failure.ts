import { isObject, type JsonObject, textOf } from "../../dialects/shared.ts";
import { brokenOffCode } from "../chat-finish-reasons.ts";
import { type ErrorFacts, errorIn, readError, statusOfError } from "../errors.ts";
import { ANSWER_CHARACTERS_MAX } from "./limits.ts";

export const NO_MESSAGE = "The answer of the target holds no message.";
export const BROKEN_OFF = "The target broke off its answer with an error.";
export const NO_END = "The answer of the target ended before it was whole: nothing says why the model stopped.";
export const TOO_LONG = `The answer of the target is longer than ${ANSWER_CHARACTERS_MAX} characters.`;

export function serverError(message: string): ErrorFacts {
  return { message, type: "server_error", code: "server_error", param: null };
}

/** No client can run a call that does not say of what. */
export const NAMELESS_CALL: ErrorFacts = {
  ...serverError("The answer of the target has a tool call without a name."),
  code: "nameless_tool_call",
};

/** The failure that a reason for the end tells of. */
export function brokenOff(finishReason: unknown): ErrorFacts | undefined {
  const code = brokenOffCode(finishReason);
  if (code === undefined) return undefined;
  return { ...serverError(`The target broke off its answer: its finish_reason is ${finishReason}.`), code };
}

/** An event that is called `error` is one, whatever it says and in whatever form. */
export function errorInEvent(data: string): ErrorFacts {
  return data.trim() === "" ? serverError(BROKEN_OFF) : { ...readError(500, data), code: "server_error" };
}

/**
 * The error in a body or a chunk that came with status 200: `{"error": …}`, or a flat one in place of the choices (older vLLM).
 * A chunk with both (OpenRouter) is an error.
 */
export function errorIn200(json: JsonObject): ErrorFacts | undefined {
  const { error, choices } = json;
  if (isObject(error) || textOf(error) !== undefined) return errorIn(json) ?? serverError(BROKEN_OFF);
  return Array.isArray(choices) ? undefined : errorIn(json);
}

/** The words that Codex decides by (openai/codex codex-rs/codex-api/src/sse/responses.rs); it reads no numbers. */
export function streamCode(facts: ErrorFacts): string {
  if (typeof facts.code === "string") return facts.code;
  const status = statusOfError(facts);
  if (status === 429) return "rate_limit_exceeded";
  return status === 503 || status === 529 ? "server_is_overloaded" : "server_error";
}
