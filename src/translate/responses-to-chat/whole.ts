import { isObject, type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";
import { type ErrorFacts, openaiError, statusOfError } from "../errors.ts";
import type { AnswerContext, TranslatedAnswer } from "../translation.ts";
import { brokenOff, errorIn200, NAMELESS_CALL, NO_MESSAGE, serverError, TOO_LONG } from "./failure.ts";
import { createOutput } from "./output.ts";
import { broughtByWhole } from "./reading.ts";
import { headOf, responseTo, stateOf, usageOf } from "./response.ts";
import { offeredTools } from "./tools.ts";

export function translateWhole(answer: JsonObject, context: AnswerContext): TranslatedAnswer {
  const inside = errorIn200(answer);
  if (inside !== undefined) return failed(statusOfError(inside), inside);
  const choice = objectsOf(answer.choices)[0];
  if (choice === undefined || !isObject(choice.message)) return failed(502, serverError(NO_MESSAGE));
  const trouble = brokenOff(choice.finish_reason);
  if (trouble !== undefined) return failed(Math.max(502, statusOfError(trouble)), trouble);
  const state = stateOf(choice.finish_reason);
  const head = headOf(answer, context);
  const output = createOutput(head.id, offeredTools(context.request), () => {});
  output.add(broughtByWhole(choice.message, choice.logprobs));
  if (output.isTooLong()) return failed(502, serverError(TOO_LONG));
  if (output.hasNameless() && state.status === "completed") return failed(502, NAMELESS_CALL);
  const items = output.close(state.status);
  return { status: 200, body: responseTo(context.request, head, state, items, usageOf(answer.usage), textOf(answer.service_tier)) };
}

function failed(status: number, facts: ErrorFacts): TranslatedAnswer {
  return { status, body: openaiError(status, facts) };
}
