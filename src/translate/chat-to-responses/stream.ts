import type { Payload } from "../../core/dialect.ts";
import { isObject, type JsonObject, objectsOf, parseObject, textOf } from "../../dialects/shared.ts";
import { BROKEN_JSON, isBrokenJson } from "../broken-json.ts";
import { createChunks, errorPayload } from "../chat/chunks.ts";
import type { ErrorFacts } from "../errors.ts";
import type { AnswerContext, StreamTranslation } from "../translation.ts";
import { envelopeOf, NO_OUTPUT } from "./answer.ts";
import { errorOr, failureOf, finishReason } from "./finish.ts";
import { type Call, type CallKind, isText, readCall } from "./items.ts";
import { type Place, placeOf, placeOfItem } from "./places.ts";
import { saidInput, saidText } from "./said.ts";
import { createCallStream } from "./stream-calls.ts";
import { createMessageStream } from "./stream-messages.ts";
import { chatUsage } from "./usage.ts";

/** A hundred times what the longest answers have; what is kept of an item is some hundred bytes. */
export const STREAM_ITEMS_MAX = 10_000;

type Handler = (event: JsonObject) => readonly Payload[];

export function createStream(context: AnswerContext): StreamTranslation {
  const chunks = createChunks((response) => envelopeOf(response, context), context.request);
  const messages = createMessageStream(chunks, context.request.logprobs === true);
  const calls = createCallStream(chunks, context.id);
  let isOver = false;

  const fail = (facts: ErrorFacts): readonly Payload[] => {
    isOver = true;
    return [errorPayload(facts)];
  };
  const lifecycle: Handler = ({ response }) => {
    chunks.begin(isObject(response) ? response : {});
    return chunks.role();
  };

  const itemBegin: Handler = ({ output_index, item }) => {
    if (!isObject(item)) return NOTHING;
    const place = placeOfItem(output_index, item);
    const call = readCall(item);
    if (call !== undefined) return calls.begin(place, call);
    if (item.type === "message") messages.begin(place);
    else calls.ignore(place);
    return NOTHING;
  };
  const itemEnd: Handler = ({ output_index, item }) => {
    if (!isObject(item)) return NOTHING;
    const place = placeOfItem(output_index, item);
    const call = readCall(item);
    if (call !== undefined) return calls.itemEnd(place, call);
    if (item.type === "message") return messages.itemEnd(place, item);
    calls.ignore(place);
    return NOTHING;
  };
  const inputDelta =
    (kind: CallKind): Handler =>
    (event) =>
      calls.delta(placeOf(event), kind, saidInput(event.delta));
  const partEnd: Handler = (event) => {
    const { part } = event;
    if (!isObject(part)) return NOTHING;
    if (part.type === "refusal") return messages.partEnd(placeOf(event), "refusal", "part", saidText(part.refusal), undefined);
    return isText(part) ? messages.partEnd(placeOf(event), "text", "part", saidText(part.text), part.logprobs) : NOTHING;
  };

  const end = (event: JsonObject, isIncomplete: boolean): readonly Payload[] => {
    const response = isObject(event.response) ? event.response : {};
    chunks.begin(response);
    const failure = isIncomplete ? undefined : failureOf(response);
    if (failure !== undefined) return fail(failure);
    const isCut = isIncomplete || response.status === "incomplete";
    const isSilent = messages.count() === 0 && !calls.hasTold() && !calls.hasNameless();
    if (!isCut && isSilent && !Array.isArray(response.output)) return fail(serverError("bad_gateway", NO_OUTPUT));
    const items = objectsOf(response.output).map((item, index) => [placeOfItem(index, item), item] as const);
    const payloads = [...messages.answerEnd(items.filter(([, item]) => item.type === "message"))];
    const called: (readonly [Place, Call])[] = [];
    for (const [place, item] of items) {
      const call = readCall(item);
      if (call !== undefined) called.push([place, call]);
      else if (item.type !== "message") calls.ignore(place);
    }
    for (const payload of [...calls.answerEnd(called), ...calls.rest()]) payloads.push(payload);
    if (calls.count() > STREAM_ITEMS_MAX) return [...chunks.role(), ...payloads, ...fail(TOO_MANY_ITEMS)];
    if (calls.hasNameless() && !isCut) return [...chunks.role(), ...payloads, ...fail(NAMELESS_CALL)];
    if (calls.hasLost() && !isCut) return [...chunks.role(), ...payloads, ...fail(LOST_INPUT)];
    isOver = true;
    const reason = finishReason(response, isCut, calls.hasTold());
    const tier = textOf(response.service_tier);
    return [...chunks.role(), ...payloads, chunks.finish(reason, tier), ...chunks.end(chatUsage(response.usage), tier)];
  };

  const output: Readonly<Record<string, Handler>> = {
    "response.output_text.delta": (event) => messages.delta(placeOf(event), "text", saidText(event.delta), event.logprobs),
    "response.output_text.done": (event) => messages.partEnd(placeOf(event), "text", "text", saidText(event.text), event.logprobs),
    "response.output_text.annotation.added": (event) => messages.annotation(placeOf(event), event.annotation),
    "response.refusal.delta": (event) => messages.delta(placeOf(event), "refusal", saidText(event.delta), undefined),
    "response.refusal.done": (event) => messages.partEnd(placeOf(event), "refusal", "text", saidText(event.refusal), undefined),
    "response.content_part.done": partEnd,
    "response.function_call_arguments.delta": inputDelta("function"),
    "response.function_call_arguments.done": (event) => calls.inputEnd(placeOf(event), "function", saidInput(event.arguments)),
    "response.custom_tool_call_input.delta": inputDelta("custom"),
    "response.custom_tool_call_input.done": (event) => calls.inputEnd(placeOf(event), "custom", saidInput(event.input)),
    "response.output_item.added": itemBegin,
    "response.output_item.done": itemEnd,
  };
  const withRole =
    (handler: Handler): Handler =>
    (event) => {
      const payloads = handler(event);
      if (calls.count() + messages.count() > STREAM_ITEMS_MAX) return fail(TOO_MANY_ITEMS);
      const role = chunks.role();
      return role.length === 0 ? payloads : [...role, ...payloads];
    };

  const handlers: ReadonlyMap<unknown, Handler> = new Map<unknown, Handler>([
    ...Object.entries(output).map(([type, handler]) => [type, withRole(handler)] as const),
    ["response.created", lifecycle],
    ["response.queued", lifecycle],
    ["response.in_progress", lifecycle],
    ["response.completed", (event) => end(event, false)],
    ["response.incomplete", (event) => end(event, true)],
    [
      "response.failed",
      ({ response }) => fail(errorOr(isObject(response) ? response : {}, "The backend's response failed, and it did not say why.")),
    ],
    ["error", (event) => fail(errorOr(event, "The backend reported an error without a text."))],
  ]);

  return {
    onPayload({ event: name, data }) {
      if (isOver) return NOTHING;
      const event = parseObject(data);
      if (event === undefined) return isBrokenJson(data) ? fail(BROKEN) : NOTHING;
      const handler = handlers.get(typeof event.type === "string" ? event.type : (typeOf(event) ?? name));
      return handler === undefined ? NOTHING : handler(event);
    },
    onEnd: () => (isOver ? NOTHING : fail(CUT)),
    isOver: () => isOver,
  };
}

const NOTHING: readonly Payload[] = [];

/** Servers and gateways exist whose errors in a stream are no events of the API: `{"error": {…}}`, `{"object": "error", …}`. */
function typeOf({ error, object }: JsonObject): string | undefined {
  return isObject(error) || object === "error" ? "error" : undefined;
}

function serverError(code: string, message: string): ErrorFacts {
  return { message, type: "server_error", code, param: null };
}

const CUT = serverError("stream_incomplete", "The backend's stream ended before the response was complete.");
const BROKEN = serverError("stream_malformed", BROKEN_JSON);
const TOO_MANY_ITEMS = serverError("too_many_items", `The backend's response has more than ${STREAM_ITEMS_MAX} items.`);
const LOST_INPUT = serverError("lost_tool_input", "The backend sent a tool call's input before its name, and did not repeat it.");
const NAMELESS_CALL = serverError("nameless_tool_call", "The backend's response has a tool call without a name.");
