import type { Payload } from "../../core/dialect.ts";
import { isObject, type JsonObject, objectsOf, parseObject, textOf } from "../../dialects/shared.ts";
import { BROKEN_JSON, isBrokenJson } from "../broken-json.ts";
import type { ErrorFacts } from "../errors.ts";
import type { AnswerContext, StreamTranslation } from "../translation.ts";
import { BROKEN_OFF, brokenOff, errorIn200, errorInEvent, NAMELESS_CALL, NO_END, serverError, streamCode, TOO_LONG } from "./failure.ts";
import { createOutput, type Output } from "./output.ts";
import { type Brought, broughtBy, broughtByWhole } from "./reading.ts";
import { type EndState, type Head, headOf, IN_PROGRESS, responseTo, stateOf, usageOf } from "./response.ts";
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
  let state: EndState | undefined;
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
    if (begun === undefined || state === undefined) return fail(serverError(NO_END));
    const { head, output } = begun;
    // Where the answer was cut, the call had only begun, and is left out.
    if (output.hasNameless() && state.status === "completed") return fail(NAMELESS_CALL);
    isOver = true;
    const items = output.close(state.status);
    emit(`response.${state.status}`, { response: responseTo(request, head, state, items, usage, serviceTier) });
  };
  const read = ({ event, data }: Payload) => {
    if (data.trim() === "[DONE]") return finish();
    const chunk = parseObject(data);
    if (chunk === undefined && event === "error") return fail(errorInEvent(data));
    if (chunk === undefined) return isBrokenJson(data) ? fail(serverError(BROKEN_JSON)) : undefined;
    const error = errorIn200(chunk) ?? (event === "error" ? serverError(BROKEN_OFF) : undefined);
    if (error !== undefined) return fail(error);
    begun ??= begin(chunk);
    usage = usageOf(chunk.usage) ?? usage;
    serviceTier = textOf(chunk.service_tier) ?? serviceTier;
    const choice = objectsOf(chunk.choices).find(({ index }) => index === 0 || index === undefined);
    if (choice !== undefined) begun.output.add(broughtIn(choice));
    if (begun.output.isTooLong()) return fail(serverError(TOO_LONG));
    const reason = textOf(choice?.finish_reason);
    const trouble = brokenOff(reason);
    if (trouble !== undefined) return fail(trouble);
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
    onPayload: (payload) => eventsOf(() => read(payload)),
    onEnd: () => eventsOf(finish),
    isOver: () => isOver,
  };
}

/** Some servers send a whole message in one chunk; some repeat beside each delta what has come so far. */
function broughtIn({ delta, message, logprobs }: JsonObject): Brought {
  return isObject(delta) || !isObject(message) ? broughtBy(isObject(delta) ? delta : {}, logprobs) : broughtByWhole(message, logprobs);
}
