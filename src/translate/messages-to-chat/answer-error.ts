import { isObject, type JsonObject, textOf } from "../../dialects/shared.ts";
import { type ErrorFacts, errorIn } from "../errors.ts";

/** An error that the target made itself and that needs no more than words. */
export function plainError(message: string): ErrorFacts {
  return { message, type: undefined, code: null, param: null };
}

/** No client can run a call that does not say of what. */
export const NAMELESS_CALL: ErrorFacts = {
  message: "the backend's answer has a tool call without a name",
  type: undefined,
  code: "nameless_tool_call",
  param: null,
};

/** The error that stands in an answer or a chunk, told by `error` or by a word that says so (vLLM: `"object": "error"`). */
export function errorOf(json: JsonObject, event?: string): ErrorFacts | undefined {
  const isMarked = isObject(json.error) || textOf(json.error) !== undefined || [json.object, json.type, event].includes("error");
  return isMarked ? (errorIn(json) ?? plainError("the backend reported an error and said nothing more")) : undefined;
}
