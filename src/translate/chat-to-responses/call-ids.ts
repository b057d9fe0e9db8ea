import { ITEM_ID_CHARACTERS_MAX } from "./places.ts";

/**
 * Clients tell calls apart by their ids; there are servers that give all the same. The second of an id gets `_2`. An id
 * that is too long to be kept stays as it is.
 */
export function createIds(): (id: string) => string {
  const used = new Set<string>();
  const counts = new Map<string, number>();
  return (id) => {
    if (id.length > ITEM_ID_CHARACTERS_MAX) return id;
    let result = id;
    let count = counts.get(id) ?? 1;
    while (used.has(result)) result = `${id}_${++count}`;
    if (count > 1) counts.set(id, count);
    used.add(result);
    return result;
  };
}
