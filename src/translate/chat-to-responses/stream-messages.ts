import type { Payload } from "../../core/dialect.ts";
import { isObject, type JsonObject } from "../../dialects/shared.ts";
import type { Chunks } from "../chat/chunks.ts";
import { chatAnnotation, readMessages } from "./items.ts";
import { chatLogprobs, choiceLogprobs } from "./logprobs.ts";
import { createPlaces, type Place } from "./places.ts";
import { createTextProgress, give, giveOfPart, missing, missingOfPart, type PartEnd, type TextProgress } from "./text-progress.ts";

/** What has been given of one message. */
type MessageState = {
  readonly text: TextProgress;
  readonly refusal: TextProgress;
  /** Characters of the whole answer before this message, and before the part on its way; undefined until a text comes. */
  start: number | undefined;
  partStart: number | undefined;
  annotations: number;
  /** Events named no place when it began. */
  readonly isPlaceless: boolean;
  isOver: boolean;
};

type TextKind = "text" | "refusal";

/** Turns what events say of messages into chunks. Every text is given once: by deltas, or where none came by what tells the end. */
export type MessageStream = {
  /** The item has begun. */
  readonly begin: (place: Place) => void;
  readonly delta: (place: Place, kind: TextKind, text: string, logprobs: unknown) => readonly Payload[];
  readonly partEnd: (place: Place, kind: TextKind, saidBy: PartEnd, text: string, logprobs: unknown) => readonly Payload[];
  readonly annotation: (place: Place, annotation: unknown) => readonly Payload[];
  readonly itemEnd: (place: Place, item: JsonObject) => readonly Payload[];
  /** All messages of the whole answer, with their places in its output. */
  readonly answerEnd: (items: readonly (readonly [Place, JsonObject])[]) => readonly Payload[];
  readonly count: () => number;
};

export function createMessageStream(chunks: Chunks, withLogprobs: boolean): MessageStream {
  const places = createPlaces<MessageState>();
  const given = { text: 0, refusal: 0, annotations: 0 };

  const add = (place: Place): MessageState => places.add(place, createState(isNowhere(place)));
  const find = (place: Place): MessageState | undefined =>
    isNowhere(place) ? places.last() : (places.find(place) ?? places.all().findLast((state) => state.isPlaceless && !state.isOver));
  /** The message on its way there; one that is over is not meant by what begins. */
  const open = (place: Place): MessageState => {
    const found = find(place);
    return found === undefined || found.isOver ? add(place) : found;
  };
  const chunkOf = (kind: TextKind, text: string, logprobs: readonly JsonObject[]): Payload => {
    given[kind] += text.length;
    return kind === "text" ? chunks.content(text, choiceLogprobs(logprobs)) : chunks.delta({ refusal: text });
  };
  const logprobsOf = (logprobs: unknown): readonly JsonObject[] => (withLogprobs ? chatLogprobs(logprobs) : NONE);
  const annotationChunks = (annotations: readonly JsonObject[]): readonly Payload[] => {
    if (annotations.length === 0) return NOTHING;
    given.annotations += annotations.length;
    return [chunks.delta({ annotations })];
  };
  const beginPart = (state: MessageState, kind: TextKind): void => {
    if (kind !== "text") return;
    state.start ??= given.text;
    if (state.text.part.length === 0) state.partStart = given.text;
  };

  const endItem = (state: MessageState, item: JsonObject): readonly Payload[] => {
    const message = readMessages([item], state.start ?? given.text, withLogprobs);
    state.isOver = true;
    const payloads: Payload[] = [];
    for (const kind of ["text", "refusal"] as const) {
      const { whole } = state[kind];
      const rest = missing(whole, message[kind]);
      if (rest === "") continue;
      payloads.push(chunkOf(kind, rest, whole.length === 0 ? message.logprobs : NONE));
      give(whole, rest);
    }
    const annotations = message.annotations.slice(state.annotations);
    state.annotations += annotations.length;
    return [...payloads, ...annotationChunks(annotations)];
  };

  return {
    begin: open,
    delta(place, kind, text, logprobs) {
      if (text === "") return NOTHING;
      const state = open(place);
      beginPart(state, kind);
      giveOfPart(state[kind], place.part, text);
      return [chunkOf(kind, text, logprobsOf(logprobs))];
    },
    partEnd(place, kind, saidBy, text, logprobs) {
      const state = find(place) ?? add(place);
      if (state.isOver) return NOTHING;
      const isWhole = state[kind].part.length === 0;
      const rest = missingOfPart(state[kind], place.part, saidBy, text);
      if (rest === "") return NOTHING;
      if (isWhole) beginPart(state, kind);
      give(state[kind].whole, rest);
      return [chunkOf(kind, rest, isWhole ? logprobsOf(logprobs) : NONE)];
    },
    annotation(place, annotation) {
      const state = find(place) ?? add(place);
      const found = isObject(annotation) ? chatAnnotation(annotation, state.partStart ?? given.text) : undefined;
      if (found === undefined) return NOTHING;
      state.annotations++;
      return annotationChunks([found]);
    },
    itemEnd: (place, item) => endItem(find(place) ?? add(place), item),
    answerEnd(items) {
      const all = readMessages(
        items.map(([, item]) => item),
        0,
        false,
      );
      const isWhole = all.text.length <= given.text && all.refusal.length <= given.refusal && all.annotations.length <= given.annotations;
      return isWhole
        ? NOTHING
        : matched(items, places.all(), places.find).flatMap(([item, state]) => endItem(state ?? createState(false), item));
    },
    count: () => places.all().length,
  };
}

const NOTHING: readonly Payload[] = [];
const NONE: readonly JsonObject[] = [];

function isNowhere({ index, id }: Place): boolean {
  return index === undefined && id === undefined;
}

function createState(isPlaceless: boolean): MessageState {
  return {
    text: createTextProgress(),
    refusal: createTextProgress(),
    start: undefined,
    partStart: undefined,
    annotations: 0,
    isPlaceless,
    isOver: false,
  };
}

/**
 * Which of the messages of the whole answer is which of the stream: by its place, and those whose place says nothing, as
 * with backends that leave items out of the whole answer, in their order.
 */
function matched(
  items: readonly (readonly [Place, JsonObject])[],
  states: readonly MessageState[],
  find: (place: Place) => MessageState | undefined,
): readonly (readonly [JsonObject, MessageState | undefined])[] {
  const free = new Set(states);
  const byPlace = items.map(([place]) => {
    const state = find(place);
    return state !== undefined && free.delete(state) ? state : undefined;
  });
  const others = free.values();
  return items.map(([, item], index) => [item, byPlace[index] ?? others.next().value]);
}
