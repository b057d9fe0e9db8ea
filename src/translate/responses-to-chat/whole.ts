import { isObject, type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";
import { type ErrorFacts, openaiError, statusOfError } from "../errors.ts";
import type { AnswerContext, TranslatedAnswer } from "../translation.ts";
import { BROKEN_OFF, errorIn200, NO_MESSAGE, serverError, TOO_LONG } from "./failure.ts";
import { createOutput } from "./output.ts";
import { broughtBy } from "./reading.ts";
import { headOf, responseTo, stateOf, usageOf } from "./response.ts";
import { offeredTools } from "./tools.ts";

export function translateWhole(answer: JsonObject, context: AnswerContext): TranslatedAnswer {
  const inside = errorIn200(answer);
  if (inside !== undefined) return failed(statusOfError(inside), inside);
  const choice = objectsOf(answer.choices)[0];
  if (choice === undefined || !isObject(choice.message)) return failed(502, serverError(NO_MESSAGE));
  const state = stateOf(choice.finish_reason);
  if (state === undefined || state.status === "in_progress") return failed(502, serverError(BROKEN_OFF));
  const head = headOf(answer, context);
  const output = createOutput(head.id, offeredTools(context.request), () => {});
  const { calls, ...rest } = broughtBy(choice.message, choice.logprobs);
  // Each is a call of its own, whatever its id; only those of a stream have an index.
  output.add({ ...rest, calls: calls.map((call, index) => ({ ...call, index })) });
  if (output.isTooLong()) return failed(502, serverError(TOO_LONG));
  const items = output.close(state.status);
  return { status: 200, body: responseTo(context.request, head, state, items, usageOf(answer.usage), textOf(answer.service_tier)) };
}

function failed(status: number, facts: ErrorFacts): TranslatedAnswer {
  return { status, body: openaiError(status, facts) };
}
