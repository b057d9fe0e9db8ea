import type { JsonObject } from "../../dialects/shared.ts";

/** How an event names the item that it is about, and the part of a message. */
export type Place = { readonly index: number | undefined; readonly id: string | undefined; readonly part: number | undefined };

/** Ids are some fifty characters long, encrypted ones some hundreds; a longer one is not kept, and its item is found by its index. */
export const ITEM_ID_CHARACTERS_MAX = 1_024;

export function placeOf(event: JsonObject): Place {
  return { index: indexOf(event.output_index), id: idOf(event.item_id), part: indexOf(event.content_index) };
}

/** For events that bring the item itself. */
export function placeOfItem(outputIndex: unknown, item: JsonObject): Place {
  return { index: indexOf(outputIndex), id: idOf(item.id), part: undefined };
}

/** Backends exist that write the number as a text. */
function indexOf(value: unknown): number | undefined {
  if (typeof value === "string" && /^\d{1,9}$/.test(value)) return Number(value);
  return typeof value === "number" ? value : undefined;
}

/** An id that is short enough to be kept. */
export function idOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= ITEM_ID_CHARACTERS_MAX ? value : undefined;
}

/** The items of one family, found by the places that events name. */
export type Places<T> = {
  readonly find: (place: Place) => T | undefined;
  /** For events that name no place. */
  readonly last: () => T | undefined;
  readonly add: (place: Place, value: T) => T;
  /** In the order they were added. */
  readonly all: () => readonly T[];
};

/**
 * The index counts, for there are services whose ids change from event to event. Where several items have the same
 * index, as some backends have it, the id tells them apart, and else the last of them is meant.
 */
export function createPlaces<T>(): Places<T> {
  type Entry = { readonly place: Place; readonly value: T };
  const byIndex = new Map<number, Entry>();
  const byId = new Map<string, Entry>();
  const values: T[] = [];
  return {
    find({ index, id }) {
      const atIndex = index === undefined ? undefined : byIndex.get(index);
      if (atIndex !== undefined && (id === undefined || atIndex.place.id === id)) return atIndex.value;
      const withId = id === undefined ? undefined : byId.get(id);
      const isMeant = withId !== undefined && (atIndex === undefined || withId.place.index === index);
      return isMeant ? withId.value : atIndex?.value;
    },
    last: () => values.at(-1),
    add(place, value) {
      const entry = { place, value };
      if (place.index !== undefined) byIndex.set(place.index, entry);
      if (place.id !== undefined) byId.set(place.id, entry);
      values.push(value);
      return value;
    },
    all: () => values,
  };
}
