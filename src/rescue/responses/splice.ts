import type { Payload } from "../../core/dialect.ts";
import { countOf, isObject, type JsonObject, objectsOf, parseObject, textOf } from "../../dialects/shared.ts";
import { eventOf, isTooDeep } from "../rewritten.ts";
import { type Closing, closings, partClosings } from "./closing.ts";
import { createJoint, type Joint, type PartPlace, partPlaceOf } from "./joint.ts";
import { createPlace, type OpenMessage, type Place } from "./place.ts";

/** Where the events of one of the continuation's items go; `id` where they go into an item that is there. */
type Goal = { readonly outputIndex: number; readonly id: unknown };

const LIFECYCLE_STARTS: ReadonlySet<unknown> = new Set(["response.created", "response.queued", "response.in_progress"]);

/**
 * Where the client has an open text, the first text goes on in it, in the same part of the same item; whatever comes else stands in items
 * behind those that are there. Events that repeat the text repeat all of it, and the last one every item.
 */
export function createSplice(start: Place, text: string): (payload: Payload) => readonly Payload[] {
  /** Follows what goes to the client from here. */
  const watch = createPlace(start);
  const isBehindText = text !== "" || start.open !== undefined;
  const goals = new Map<unknown, Goal | undefined>();
  /** The continuation's first item that is no thought. */
  let first: { readonly index: unknown; readonly joint: Joint | undefined } | undefined;
  let partPlace: PartPlace | undefined;
  /** The client's items before the continuation's first. */
  let before = start.done;

  const send = (payload: Payload): Payload => {
    watch.note(payload);
    return payload;
  };
  const pass = (payload: Payload, event: JsonObject): Payload => {
    const { sequenceNumber } = watch.now();
    const isNumbered = sequenceNumber !== undefined && countOf(event.sequence_number) !== undefined;
    return send({ event: payload.event, data: JSON.stringify(isNumbered ? { ...event, sequence_number: sequenceNumber } : event) });
  };
  const add = ([type, fields]: Closing): Payload => {
    const { sequenceNumber } = watch.now();
    return send(eventOf(type, { ...(sequenceNumber !== undefined && { sequence_number: sequenceNumber }), ...fields }));
  };
  const close = (): readonly Payload[] => {
    const { open } = watch.now();
    const closed = open === undefined ? [] : closings(open).map(add);
    if (first === undefined) before = watch.now().done;
    return closed;
  };

  const begin = (payload: Payload, event: JsonObject, item: JsonObject): readonly Payload[] => {
    const { output_index: index } = event;
    if (item.type === "reasoning" && isBehindText && first === undefined) {
      goals.set(index, undefined);
      return [];
    }
    const isAtSeam = first === undefined && item.type === "message";
    const open = isAtSeam && canGoOn(start.open) ? start.open : undefined;
    const closed = open === undefined ? close() : [];
    first ??= { index, joint: isAtSeam ? createJoint(open, text) : undefined };
    const outputIndex = open?.outputIndex ?? watch.now().nextOutputIndex;
    goals.set(index, { outputIndex, id: open?.item.id });
    return open === undefined ? [...closed, pass(payload, { ...event, output_index: outputIndex })] : [];
  };

  /** In an event of the message at the seam everything that repeats the text repeats what was there before it. */
  const join = (payload: Payload, event: JsonObject, joint: Joint): readonly Payload[] => {
    if (event.type === "response.output_item.done") {
      const closed = partPlace === undefined ? partClosingsOf(joint) : [];
      return [...closed, pass(payload, { ...event, ...(isObject(event.item) && { item: joint.fitItem(event.item) }) })];
    }
    const index = countOf(event.content_index);
    if (index === undefined) return [pass(payload, event)];
    const closed = partPlace === undefined ? beginPart(event, joint) : [];
    const placed = { ...event, content_index: index + (partPlace?.shift ?? 0) };
    return [...closed, ...(index === partPlace?.textIndex ? joinText(payload, placed, joint) : [pass(payload, placed)])];
  };
  const beginPart = (event: JsonObject, joint: Joint): readonly Payload[] => {
    partPlace = partPlaceOf(event, joint.open);
    return partPlace.textIndex === undefined ? partClosingsOf(joint) : [];
  };
  const partClosingsOf = ({ open }: Joint): readonly Payload[] => {
    const now = watch.now().open;
    return open === undefined || now === undefined ? [] : partClosings(now).map(add);
  };
  const joinText = (payload: Payload, event: JsonObject, joint: Joint): readonly Payload[] => {
    const { type, delta, part, item_id, output_index, content_index } = event;
    if (type === "response.output_text.delta" && typeof delta === "string") {
      const fitted = joint.fitPiece(delta);
      return fitted === "" && delta !== "" ? [] : [pass(payload, { ...event, delta: fitted })];
    }
    if (type !== "response.content_part.added" || !isObject(part)) return [pass(payload, joint.fitEvent(event))];
    const fitted = joint.fitPiece(textOf(part.text) ?? "");
    if (joint.open?.part === undefined) return [pass(payload, { ...event, part: { ...part, text: fitted } })];
    return fitted === ""
      ? []
      : [add(["response.output_text.delta", { item_id, output_index, content_index, delta: fitted, logprobs: [] }])];
  };

  const goOn = (payload: Payload, event: JsonObject): readonly Payload[] => {
    const goal = goals.get(event.output_index);
    if (event.type === "response.output_item.done") goals.delete(event.output_index);
    if (goal === undefined) return [];
    const isRenamed = goal.id !== undefined && "item_id" in event;
    const placed = { ...event, output_index: goal.outputIndex, ...(isRenamed && { item_id: goal.id }) };
    const joint = first?.index === event.output_index ? first?.joint : undefined;
    return joint === undefined ? [pass(payload, placed)] : join(payload, placed, joint);
  };

  const outputOf = (output: unknown): readonly JsonObject[] => {
    const items = objectsOf(output);
    const from = isBehindText ? items.findIndex(({ type }) => type !== "reasoning") : 0;
    const [head, ...rest] = from < 0 ? [] : items.slice(from);
    // Some servers end with an empty list.
    if (head === undefined) return watch.now().done;
    const joint = head.type === "message" ? first?.joint : undefined;
    return [...before, joint === undefined ? head : joint.fitItem(head), ...rest];
  };
  const end = (payload: Payload, event: JsonObject, response: JsonObject): readonly Payload[] => {
    const closed = close();
    const envelope = {
      ...(start.id !== undefined && { id: start.id }),
      ...(start.createdAt !== undefined && { created_at: start.createdAt }),
    };
    return [...closed, pass(payload, { ...event, response: { ...response, ...envelope, output: outputOf(response.output) } })];
  };

  return (payload) => {
    const event = parseObject(payload.data);
    if (event === undefined || isTooDeep(payload, event)) return [payload];
    if (LIFECYCLE_STARTS.has(event.type)) return start.hasBegun ? [] : [pass(payload, event)];
    if (isObject(event.response)) return end(payload, event, event.response);
    if (event.type === "response.output_item.added" && isObject(event.item)) return begin(payload, event, event.item);
    if (event.output_index !== undefined) return goOn(payload, event);
    return countOf(event.sequence_number) === undefined ? [payload] : [pass(payload, event)];
  };
}

/** A message whose text is done stands for itself. */
function canGoOn(open: OpenMessage | undefined): open is OpenMessage {
  return open !== undefined && (open.part === undefined ? open.parts.length === 0 : !open.part.isSaid);
}
