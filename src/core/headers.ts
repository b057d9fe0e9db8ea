import { KEY_FIELD } from "./access.ts";

/** A field, and the whole line that it came in, line end included, so that it can go on as it came. */
export type HeaderField = readonly [name: string, value: string, line?: string];

/** Header fields in the order they came, duplicates kept, names as spelled on the wire (RFC 9110 section 5). */
export type HeaderList = readonly HeaderField[];

/** The first value of a field, or undefined. `name` must be given in lower case. */
export function headerValue(headers: HeaderList, name: string): string | undefined {
  for (const [fieldName, value] of headers) {
    if (fieldName.length === name.length && (fieldName === name || fieldName.toLowerCase() === name)) return value;
  }
  return undefined;
}

/** The list without the named fields. Names must be given in lower case. */
export function withoutHeaders(headers: HeaderList, names: ReadonlySet<string>): HeaderList {
  return headers.filter(([name]) => !names.has(name.toLowerCase()));
}

/** The list with every field of this name replaced by one. */
export function withHeader(headers: HeaderList, name: string, value: string): HeaderList {
  const lower = name.toLowerCase();
  const others: HeaderField[] = [];
  for (const field of headers) {
    const [other] = field;
    if (other.length !== name.length || other.toLowerCase() !== lower) others.push(field);
  }
  others.push([name, value]);
  return others;
}

/**
 * Fields that belong to one connection only (RFC 9110 section 7.6.1), `proxy-connection`, which old clients still send, and the proxy's own
 * key, which no target may see.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  KEY_FIELD,
]);

const HOP_BY_HOP_LENGTHS: ReadonlySet<number> = new Set([...HOP_BY_HOP].map(({ length }) => length));

function isHopByHop(name: string): boolean {
  return HOP_BY_HOP_LENGTHS.has(name.length) && HOP_BY_HOP.has(name.toLowerCase());
}

/** What says where a message ends and whom it is for stays, whatever `Connection` names. */
const NEVER_NAMED: ReadonlySet<string> = new Set(["content-length", "expect", "host"]);

/** End-to-end fields: without hop-by-hop fields and those that `Connection` names. */
export function endToEndHeaders(headers: HeaderList): HeaderList {
  let isPlain = true;
  for (const [name] of headers) isPlain &&= !isHopByHop(name);
  return isPlain ? headers : withoutHopByHop(headers);
}

function withoutHopByHop(headers: HeaderList): HeaderList {
  const named = new Set<string>();
  for (const [name, value] of headers) {
    if (name.toLowerCase() === "connection") for (const option of value.toLowerCase().split(",")) named.add(option.trim());
  }
  return headers.filter(([name]) => {
    const lower = name.toLowerCase();
    return !isHopByHop(name) && (!named.has(lower) || NEVER_NAMED.has(lower));
  });
}
