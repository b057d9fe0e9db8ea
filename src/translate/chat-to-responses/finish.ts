import { isObject, type JsonObject } from "../../dialects/shared.ts";
import type { FinishReason } from "../chat/chunks.ts";
import type { ErrorFacts } from "../errors.ts";
import { errorIn } from "../errors.ts";

/** Whatever else ends a response early has cut it as well. */
export function finishReason(response: JsonObject, isIncomplete: boolean, hasCalls: boolean): FinishReason {
  if (!isIncomplete) return hasCalls ? "tool_calls" : "stop";
  const details = response.incomplete_details;
  return isObject(details) && details.reason === "content_filter" ? "content_filter" : "length";
}

/** Statuses that are no answer, in words; a failed response says itself why. */
const NO_ANSWER: ReadonlyMap<unknown, string> = new Map([
  ["failed", "The backend's response failed, and it did not say why."],
  ["cancelled", "The backend's response was cancelled before it was complete."],
  ["queued", "The backend gave back a response that it has not begun yet."],
  ["in_progress", "The backend gave back a response that is not complete yet."],
]);

/** Why this response is no answer; undefined where it is one. */
export function failureOf(response: JsonObject): ErrorFacts | undefined {
  const text = NO_ANSWER.get(response.status);
  if (text !== undefined) return errorOr(response, text);
  return hasErrorAlone(response) ? errorOr(response, "The backend reported an error without a text.") : undefined;
}

/** Gateways exist that answer 200 with an error alone, some of them in a response that is complete and empty. */
function hasErrorAlone({ output, error }: JsonObject): boolean {
  const isEmpty = output === undefined || output === null || (Array.isArray(output) && output.length === 0);
  return isEmpty && (isObject(error) ? Object.values(error).some((value) => value !== null && value !== "") : Boolean(error));
}

/** What the holder says of its error, else this text. */
export function errorOr(holder: JsonObject, message: string): ErrorFacts {
  return errorIn(holder) ?? { message, type: "server_error", code: null, param: null };
}
