import type { Payload } from "../../core/dialect.ts";
import { isObject, type JsonObject, objectsOf, parseObject, textOf } from "../../dialects/shared.ts";
import { BROKEN_JSON, isBrokenJson } from "../broken-json.ts";
import type { ErrorFacts } from "../errors.ts";
import type { AnswerContext, StreamTranslation } from "../translation.ts";
import { BROKEN_OFF, errorIn200, NO_END, serverError, streamCode, TOO_LONG } from "./failure.ts";
import { createOutput, type Output } from "./output.ts";
import { broughtBy } from "./reading.ts";
import { type Head, headOf, IN_PROGRESS, responseTo, type State, stateOf, usageOf } from "./response.ts";
import { offeredTools } from "./tools.ts";

/**
 * Chunks into events. Unlike other directions it holds the text of the answer, up to `ANSWER_CHARACTERS_MAX`: the protocol wants
 * it again with the end of each item and with the last event. The last event waits for the usage, which comes in a chunk of its
 * own behind the reason for the end, or for `[DONE]`, or for the end of the bytes: what comes after the reason is no part of the
 * answer, so that nothing but the usage is missing without it.
 */
export function translateStream(context: AnswerContext): StreamTranslation {
  const { request } = context;
  let sent = 0;
  let isOver = false;
  let begun: { readonly head: Head; readonly output: Output } | undefined;
  let state: State | undefined;
  let usage: JsonObject | null = null;
  let serviceTier: string | undefined;
  /** The events for the frame that is being read. */
  let events: Payload[] = [];

  const emit = (type: string, fields: JsonObject) => {
    events.push({ event: type, data: JSON.stringify({ type, sequence_number: sent, ...fields }) });
    sent++;
  };
  const begin = (chunk: JsonObject) => {
    const head = headOf(chunk, context);
    const response = responseTo(request, head, IN_PROGRESS, [], null);
    emit("response.created", { response });
    emit("response.in_progress", { response });
    return { head, output: createOutput(head.id, offeredTools(request), emit) };
  };
  /** The service sends both: some clients read the one, some the other. */
  const fail = (facts: ErrorFacts) => {
    isOver = true;
    const { message, type, param } = facts;
    const code = streamCode(facts);
    emit("error", { error: { type: type ?? "server_error", code, message, param } });
    const head = begun?.head ?? headOf({}, context);
    const response = responseTo(request, head, IN_PROGRESS, [], null);
    emit("response.failed", { response: { ...response, status: "failed", error: { code, message } } });
  };
  const finish = () => {
    if (begun === undefined || state === undefined || state.status === "in_progress") return fail(serverError(NO_END));
    isOver = true;
    const { head, output } = begun;
    const items = output.close(state.status);
    emit(`response.${state.status}`, { response: responseTo(request, head, state, items, usage, serviceTier) });
  };
  const read = (data: string) => {
    if (data.trim() === "[DONE]") return finish();
    const chunk = parseObject(data);
    if (chunk === undefined) return isBrokenJson(data) ? fail(serverError(BROKEN_JSON)) : undefined;
    const error = errorIn200(chunk);
    if (error !== undefined) return fail(error);
    begun ??= begin(chunk);
    usage = usageOf(chunk.usage) ?? usage;
    serviceTier = textOf(chunk.service_tier) ?? serviceTier;
    const choice = objectsOf(chunk.choices).find(({ index }) => index === 0 || index === undefined);
    if (isObject(choice?.delta)) begun.output.add(broughtBy(choice.delta, choice.logprobs));
    if (begun.output.isTooLong()) return fail(serverError(TOO_LONG));
    const reason = textOf(choice?.finish_reason);
    if (reason === "error") return fail(serverError(BROKEN_OFF));
    if (reason !== undefined) state = stateOf(reason);
    const isUsageAlone = usage !== null && Array.isArray(chunk.choices) && chunk.choices.length === 0;
    if (state !== undefined && isUsageAlone) finish();
  };
  const eventsOf = (act: () => void): readonly Payload[] => {
    if (isOver) return [];
    act();
    const made = events;
    events = [];
    return made;
  };
  return {
    onPayload: ({ data }) => eventsOf(() => read(data)),
    onEnd: () => eventsOf(finish),
    isOver: () => isOver,
  };
}
