import type { Payload } from "../../core/dialect.ts";
import type { Chunks } from "../chat/chunks.ts";
import { callId } from "./answer.ts";
import { createIds } from "./call-ids.ts";
import { type Call, type CallKind, inputKey } from "./items.ts";
import { createPlaces, idOf, type Place } from "./places.ts";
import { type Given, give, missing, nothingGiven } from "./text-progress.ts";

/** For all calls of a stream together, in characters: a hundred times what long arguments have. */
export const HELD_CHARACTERS_MAX = 1_048_576;

type CallState = {
  readonly given: Given;
  readonly place: Place;
  kind: CallKind;
  /** Undefined until its name is known, and the client can be told of it. */
  told: { readonly index: number; readonly id: string | undefined; readonly name: string | undefined } | undefined;
  /** Input that came before the name. */
  held: string;
  /** Input that came with the beginning: all of it, or a mere beginning that the deltas repeat. */
  announced: string;
  /** Input came that is not kept; the client gets it from what tells the end of the call. */
  isBehind: boolean;
  /** Something told the end of the input. */
  isRepeated: boolean;
  /** An item that is no call of the client's tools; what is said of its input goes nowhere. */
  isForeign: boolean;
  /** An event told the end of the item. */
  isOver: boolean;
  /** The whole answer has an item that is this one. */
  isAnswered: boolean;
};

/** Turns what events say of tool calls into chunks. Calls are numbered in the order in which the client is told of them. */
export type CallStream = {
  /** There is an item at this place that is no call. */
  readonly ignore: (place: Place) => void;
  /** The item has begun; its input comes later. */
  readonly begin: (place: Place, call: Call) => readonly Payload[];
  readonly delta: (place: Place, kind: CallKind, text: string) => readonly Payload[];
  readonly inputEnd: (place: Place, kind: CallKind, input: string) => readonly Payload[];
  readonly itemEnd: (place: Place, call: Call) => readonly Payload[];
  /** All calls of the whole answer, with their places in its output. */
  readonly answerEnd: (items: readonly (readonly [Place, Call])[]) => readonly Payload[];
  /** After all of the answer: input that came with the beginning of a call and never again. */
  readonly rest: () => readonly Payload[];
  readonly count: () => number;
  readonly hasTold: () => boolean;
  /** Has a call come whose name has not? */
  readonly hasNameless: () => boolean;
  /** Has the client been told of a call without some of its input? */
  readonly hasLost: () => boolean;
};

/** `exchangeId` makes the ids of calls that have none. */
export function createCallStream(chunks: Chunks, exchangeId: string): CallStream {
  const places = createPlaces<CallState>();
  const byCallId = new Map<string, CallState[]>();
  const unused = createIds();
  let told = 0;
  let heldCharacters = 0;

  const add = (place: Place, kind: CallKind): CallState => places.add(place, createState(place, kind));
  const stateAt = (place: Place, kind: CallKind): CallState => {
    const found = isNowhere(place) ? places.all().findLast((state) => !state.isForeign) : places.find(place);
    return found ?? add(place, kind);
  };
  const withId = ({ id }: Call): readonly CallState[] => byCallId.get(idOf(id) ?? "") ?? NO_STATES;
  /** The call that an item of the stream is. Its place says so first, for there are servers that give all calls one id. */
  const streamed = (place: Place, call: Call, isEnd: boolean): CallState | undefined => {
    const found = places.find(place);
    if (found !== undefined && !isOther(found, place, call)) return found;
    return withId(call).find((state) => !isOther(state, place, call) && (isEnd ? mayBeMoved(state, place, call) : isNear(state, place)));
  };
  /** The call that an item of the whole answer is. Places may have moved, and each call is found once. */
  const answered = (place: Place, call: Call): CallState | undefined => {
    const found = places.find(place);
    const isMeant = (state: CallState | undefined) => state !== undefined && !state.isAnswered && state.told?.name === idOf(call.name);
    const known = withId(call);
    if (found !== undefined && isMeant(found) && known.includes(found)) return found;
    const byId = known.find(isMeant) ?? known.find((state) => !state.isAnswered);
    const isFree = found !== undefined && !found.isAnswered && !hasOtherId(found, call);
    return byId ?? (isFree ? found : undefined);
  };
  const tell = (state: CallState, call: Call): readonly Payload[] => {
    const { kind, name } = call;
    if (state.told !== undefined || name === undefined) return NOTHING;
    const index = told++;
    const id = unused(callId(call, index, exchangeId));
    state.kind = kind;
    state.isForeign = false;
    state.told = { index, id: idOf(call.id), name: idOf(name) };
    if (state.told.id !== undefined) byCallId.set(state.told.id, withAdded(byCallId.get(state.told.id), state));
    return [chunks.delta({ tool_calls: [{ index, id, type: kind, [kind]: { name, [inputKey(kind)]: "" } }] })];
  };
  const giveInput = (state: CallState, text: string): readonly Payload[] => {
    if (state.told === undefined || text === "") return NOTHING;
    give(state.given, text);
    const { index } = state.told;
    return [chunks.delta({ tool_calls: [{ index, [state.kind]: { [inputKey(state.kind)]: text } }] })];
  };
  const release = (state: CallState): string => {
    const { held } = state;
    heldCharacters -= held.length;
    state.held = "";
    return held;
  };
  const hold = (state: CallState, text: string): void => {
    if (state.isBehind) return;
    heldCharacters += text.length;
    state.held += text;
    if (heldCharacters <= HELD_CHARACTERS_MAX) return;
    release(state);
    state.isBehind = true;
  };
  /** All of the input, which what is held may only be the beginning of; of a call that was cut it may be the other way round. */
  const endInput = (state: CallState, input: string): readonly Payload[] => {
    const held = release(state);
    const all = held.startsWith(input) ? held : input;
    if (input !== "") state.isRepeated = true;
    if (state.told !== undefined) return giveInput(state, missing(state.given, all));
    if (all !== "") state.isBehind = false;
    hold(state, all);
    return NOTHING;
  };
  const end = (state: CallState, call: Call): readonly Payload[] => {
    const first = tell(state, call);
    return [...first, ...endInput(state, call.input)];
  };
  const untold = (isMeant: (state: CallState) => boolean): CallState | undefined =>
    places.all().find((state) => state.told === undefined && !state.isForeign && isMeant(state));

  return {
    ignore(place) {
      const state = places.find(place) ?? add(place, "function");
      if (state.told !== undefined) return;
      state.isForeign = true;
      if (release(state) !== "") state.isBehind = true;
    },
    begin(place, call) {
      const state = streamed(place, call, false) ?? add(place, call.kind);
      const payloads = tell(state, call);
      if (state.announced === "" && heldCharacters + call.input.length <= HELD_CHARACTERS_MAX) {
        state.announced = call.input;
        heldCharacters += call.input.length;
      }
      return state.told === undefined ? payloads : [...payloads, ...giveInput(state, release(state))];
    },
    delta(place, kind, text) {
      const state = stateAt(place, kind);
      if (text === "") return NOTHING;
      if (state.isForeign) state.isBehind = true;
      else if (state.told === undefined) hold(state, text);
      return state.isBehind ? NOTHING : giveInput(state, text);
    },
    inputEnd(place, kind, input) {
      const state = stateAt(place, kind);
      return state.isForeign ? NOTHING : endInput(state, input);
    },
    itemEnd(place, call) {
      const state = streamed(place, call, true) ?? untold(({ place: own }) => isNowhere(own)) ?? add(place, call.kind);
      state.isOver = true;
      return end(state, call);
    },
    answerEnd(items) {
      const found = items.map(([place, call]) => {
        const state = answered(place, call);
        if (state !== undefined) state.isAnswered = true;
        return state;
      });
      return items.flatMap(([place, call], index) => {
        const state = found[index] ?? untold(({ isAnswered }) => !isAnswered) ?? add(place, call.kind);
        state.isAnswered = true;
        return end(state, call);
      });
    },
    rest: () =>
      places.all().flatMap((state) => (state.isBehind || state.isRepeated ? [] : giveInput(state, missing(state.given, state.announced)))),
    count: () => places.all().length,
    hasTold: () => told > 0,
    hasNameless: () => untold(() => true) !== undefined,
    hasLost: () => places.all().some((state) => state.told !== undefined && state.isBehind && !state.isRepeated),
  };
}

const NOTHING: readonly Payload[] = [];
const NO_STATES: readonly CallState[] = [];

function createState(place: Place, kind: CallKind): CallState {
  return {
    given: nothingGiven(),
    place,
    kind,
    told: undefined,
    held: "",
    announced: "",
    isBehind: false,
    isRepeated: false,
    isForeign: false,
    isOver: false,
    isAnswered: false,
  };
}

function withAdded(states: CallState[] | undefined, state: CallState): CallState[] {
  if (states === undefined) return [state];
  states.push(state);
  return states;
}

function isNowhere({ index, id }: Place): boolean {
  return index === undefined && id === undefined;
}

function differ<T>(a: T | undefined, b: T | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}

function hasOtherId({ told }: CallState, call: Call): boolean {
  return differ(told?.id, idOf(call.id));
}

/** Is this item another call than the one that has had its place, or its id, before? Item ids alone may change from event to event. */
function isOther(state: CallState, place: Place, call: Call): boolean {
  if (state.told === undefined) return false;
  return hasOtherId(state, call) || (differ(state.place.id, place.id) && differ(state.told.name, idOf(call.name)));
}

function isNear(state: CallState, place: Place): boolean {
  return !differ(state.place.index, place.index);
}

/** The end of an item that began under another index, of which nothing says that it is another call. */
function mayBeMoved(state: CallState, place: Place, call: Call): boolean {
  return isNear(state, place) || !(state.isOver || differ(state.place.id, place.id) || differ(state.told?.name, idOf(call.name)));
}
