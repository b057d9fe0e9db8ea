import type { Payload } from "../core/dialect.ts";
import type { JsonObject } from "../dialects/shared.ts";

/** No answer is nested like that, and what is nested some ten thousand levels deep takes a second until it turns out not to be writable. */
const LEVELS_MAX = 128;

/** Cheap for every payload of a usual size. */
export function isTooDeep({ data }: Payload, json: JsonObject): boolean {
  return data.length > 2 * LEVELS_MAX && isDeeper(json, LEVELS_MAX);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1));
}

/** The payload with this for its data; as it came where it is nested too deep to be written. */
export function rewritten(payload: Payload, json: JsonObject): Payload {
  return isTooDeep(payload, json) ? payload : { event: payload.event, data: JSON.stringify(json) };
}

/** An event of our own, named as its payload is. */
export function eventOf(type: string, rest: JsonObject): Payload {
  return { event: type, data: JSON.stringify({ type, ...rest }) };
}
