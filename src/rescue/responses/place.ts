import type { Payload } from "../../core/dialect.ts";
import { countOf, isObject, type JsonObject, objectsOf, parseObject, textOf } from "../../dialects/shared.ts";
import { isTooDeep } from "../rewritten.ts";
import { ANSWER_CHARACTERS_MAX, createSaid } from "../said.ts";

/** A message that has been opened and not closed. */
export type OpenMessage = {
  /** As it was opened. */
  readonly item: JsonObject;
  readonly outputIndex: number;
  /** Its parts that are done. */
  readonly parts: readonly JsonObject[];
  /** Its text that is not. */
  readonly part: { readonly contentIndex: number; readonly text: string; readonly isSaid: boolean } | undefined;
};

/** Where the client stands in the answer. */
export type Place = {
  readonly hasBegun: boolean;
  readonly id: string | undefined;
  readonly createdAt: unknown;
  /** Of the next event; undefined where the server does not number them. */
  readonly sequenceNumber: number | undefined;
  /** The items that are done, which the last event repeats. */
  readonly done: readonly JsonObject[];
  readonly open: OpenMessage | undefined;
  /** Behind all items. */
  readonly nextOutputIndex: number;
};

export type PlaceWatch = {
  readonly note: (payload: Payload) => void;
  readonly now: () => Place;
  /** Of all messages; undefined where the answer is more than text, or has thoughts and no text yet. */
  readonly text: () => string | undefined;
};

const NOWHERE: Place = {
  hasBegun: false,
  id: undefined,
  createdAt: undefined,
  sequenceNumber: undefined,
  done: [],
  open: undefined,
  nextOutputIndex: 0,
};

export function createPlace(start: Place = NOWHERE): PlaceWatch {
  const said = createSaid();
  let place = start;
  let doneCharacters = 0;
  let hasThought = false;

  const noteResponse = (response: JsonObject) => {
    place = { ...place, hasBegun: true, id: place.id ?? textOf(response.id), createdAt: place.createdAt ?? response.created_at };
  };
  const change = (changes: Partial<OpenMessage>) => {
    if (place.open !== undefined) place = { ...place, open: { ...place.open, ...changes } };
  };

  const added = ({ output_index, item }: JsonObject) => {
    if (!isObject(item)) return;
    const outputIndex = countOf(output_index) ?? place.nextOutputIndex;
    const open = item.type === "message" ? { item, outputIndex, parts: [], part: undefined } : undefined;
    place = { ...place, open, nextOutputIndex: Math.max(place.nextOutputIndex, outputIndex + 1) };
    if (item.type === "reasoning") hasThought = true;
    else if (open === undefined || objectsOf(item.content).length > 0) said.spoil();
  };
  const itemDone = (payload: Payload, { item }: JsonObject) => {
    if (!isObject(item)) return;
    doneCharacters += payload.data.length;
    if (doneCharacters > ANSWER_CHARACTERS_MAX || textOf(item.encrypted_content) !== undefined) said.spoil();
    place = { ...place, open: undefined, done: doneCharacters > ANSWER_CHARACTERS_MAX ? [] : [...place.done, item] };
  };
  const partAdded = ({ content_index, part }: JsonObject) => {
    if (!isObject(part) || part.type === "reasoning_text") return;
    if (part.type !== "output_text" || typeof part.text !== "string") return said.spoil();
    said.add(part.text);
    const contentIndex = countOf(content_index) ?? place.open?.parts.length ?? 0;
    change({ part: { contentIndex, text: part.text, isSaid: false } });
  };
  const textAdded = (delta: unknown) => {
    if (typeof delta !== "string") return;
    said.add(delta);
    const part = place.open?.part;
    if (part === undefined) said.spoil();
    else change({ part: { ...part, text: said.text() === undefined ? "" : part.text + delta } });
  };
  const textDone = (text: unknown) => {
    const part = place.open?.part;
    if (part?.text === "") textAdded(text);
    if (place.open?.part !== undefined) change({ part: { ...place.open.part, isSaid: true } });
  };
  const partDone = ({ part }: JsonObject) => {
    if (isObject(part) && part.type !== "reasoning_text") change({ parts: [...(place.open?.parts ?? []), part], part: undefined });
  };

  return {
    note(payload) {
      const event = parseObject(payload.data);
      if (event === undefined) return;
      const number = countOf(event.sequence_number);
      if (number !== undefined) place = { ...place, sequenceNumber: number + 1 };
      if (isObject(event.response)) return noteResponse(event.response);
      if (isTooDeep(payload, event)) return said.spoil();
      switch (event.type) {
        case "response.output_item.added":
          return added(event);
        case "response.output_item.done":
          return itemDone(payload, event);
        case "response.content_part.added":
          return partAdded(event);
        case "response.content_part.done":
          return partDone(event);
        case "response.output_text.delta":
          return textAdded(event.delta);
        case "response.output_text.done":
          return textDone(event.text);
        default:
          // A source belongs to its place in the text, which no model can be told.
          if (typeof event.type === "string" && /annotation|refusal/.test(event.type)) said.spoil();
      }
    },
    now: () => place,
    text() {
      const text = said.text();
      return text === "" && hasThought ? undefined : text;
    },
  };
}
