/** The names of what is left out, each once, in the order found. */
export type Dropped = Set<string>;

/** As names of the API are spelled; a client could send any text as one, and the names go into a header. */
const API_NAME = /^[\w.-]{1,64}$/;

const OTHER = "other";

export function drop(dropped: Dropped, name: string, prefix = ""): void {
  dropped.add(`${prefix}${API_NAME.test(name) ? name : OTHER}`);
}

/** Nothing is lost by leaving it out. */
export function asksForNothing(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
