import type { Payload } from "../../core/dialect.ts";
import { callId } from "./answer.ts";
import { type Call, type CallKind, inputKey } from "./items.ts";
import { createPlaces, idOf, type Place } from "./places.ts";
import type { Chunks } from "./stream-chunks.ts";
import { type Given, give, missing, nothingGiven } from "./text-progress.ts";

type CallState = {
  readonly given: Given;
  readonly isPlaceless: boolean;
  kind: CallKind;
  /** Undefined until its name is known, and the client can be told of it. */
  told: { readonly index: number; readonly id: string | undefined } | undefined;
  /** Input came before the name. It is not kept: what tells the end of the call repeats it. */
  isBehind: boolean;
  /** An item that is no call of the client's tools; what is said of its input goes nowhere. */
  isForeign: boolean;
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
  /** A call of the whole answer. */
  readonly answerEnd: (place: Place, call: Call) => readonly Payload[];
  readonly count: () => number;
  readonly hasTold: () => boolean;
  /** Has a call come whose name has not? */
  readonly hasNameless: () => boolean;
};

/** `exchangeId` makes the ids of calls that have none. */
export function createCallStream(chunks: Chunks, exchangeId: string): CallStream {
  const places = createPlaces<CallState>();
  const byCallId = new Map<string, CallState>();
  let told = 0;

  const add = (place: Place, kind: CallKind): CallState =>
    places.add(place, {
      given: nothingGiven(),
      isPlaceless: place.index === undefined && place.id === undefined,
      kind,
      told: undefined,
      isBehind: false,
      isForeign: false,
    });
  const stateAt = (place: Place, kind: CallKind): CallState => {
    const isNamed = place.index !== undefined || place.id !== undefined;
    return (isNamed ? places.find(place) : places.all().findLast((state) => !state.isForeign)) ?? add(place, kind);
  };
  /** The call that an item is, even where another one has had its place before. */
  const stateOf = (place: Place, call: Call): CallState | undefined => {
    const id = idOf(call.id);
    const known = id === undefined ? undefined : byCallId.get(id);
    if (known !== undefined) return known;
    const found = places.find(place);
    const isOther = found?.told !== undefined && found.told.id !== undefined && id !== undefined && found.told.id !== id;
    return isOther ? undefined : found;
  };
  const tell = (state: CallState, call: Call): readonly Payload[] => {
    const { kind, name } = call;
    if (state.told !== undefined || name === undefined) return NOTHING;
    const index = told++;
    const id = callId(call, index, exchangeId);
    state.kind = kind;
    state.isForeign = false;
    state.told = { index, id: idOf(call.id) };
    if (state.told.id !== undefined) byCallId.set(state.told.id, state);
    return [chunks.delta({ tool_calls: [{ index, id, type: kind, [kind]: { name, [inputKey(kind)]: "" } }] })];
  };
  const giveInput = (state: CallState, text: string): readonly Payload[] => {
    if (state.told === undefined || text === "") return NOTHING;
    give(state.given, text);
    const { index } = state.told;
    return [chunks.delta({ tool_calls: [{ index, [state.kind]: { [inputKey(state.kind)]: text } }] })];
  };
  const end = (state: CallState, call: Call): readonly Payload[] => {
    const first = tell(state, call);
    return [...first, ...giveInput(state, missing(state.given, call.input))];
  };
  const untold = (isMeant: (state: CallState) => boolean): CallState | undefined =>
    places.all().find((state) => state.told === undefined && !state.isForeign && isMeant(state));

  return {
    ignore(place) {
      const state = places.find(place) ?? add(place, "function");
      if (state.told === undefined) state.isForeign = true;
    },
    begin(place, call) {
      return tell(stateOf(place, call) ?? add(place, call.kind), call);
    },
    delta(place, kind, text) {
      const state = stateAt(place, kind);
      if (text !== "" && state.told === undefined) state.isBehind = true;
      return state.isBehind ? NOTHING : giveInput(state, text);
    },
    inputEnd(place, kind, input) {
      const state = stateAt(place, kind);
      return giveInput(state, missing(state.given, input));
    },
    itemEnd: (place, call) => end(stateOf(place, call) ?? untold((state) => state.isPlaceless) ?? add(place, call.kind), call),
    answerEnd: (place, call) => end(stateOf(place, call) ?? untold(() => true) ?? add(place, call.kind), call),
    count: () => places.all().length,
    hasTold: () => told > 0,
    hasNameless: () => untold(() => true) !== undefined,
  };
}

const NOTHING: readonly Payload[] = [];
