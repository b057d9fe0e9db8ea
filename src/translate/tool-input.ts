import { isObject, type JsonObject } from "../dialects/shared.ts";
import { isTooDeep } from "./limits.ts";

/** The one key of an input that could not be read. */
export const UNREADABLE_ARGUMENTS = "unreadable_arguments";

/**
 * The input of a call: an object always, as the Messages API has it. Arguments that are no JSON object stand as they
 * came under one key: with nothing at all the client would run the tool without its arguments, while a key that no
 * schema knows lets it refuse the call and show the model what it wrote. A call without arguments is an empty text to
 * some backends.
 */
export function inputOf(argumentsText: string): JsonObject {
  if (argumentsText.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(argumentsText);
    if (isObject(value) && !isTooDeep(value)) return value;
  } catch {
    // Not JSON.
  }
  return { [UNREADABLE_ARGUMENTS]: argumentsText };
}
