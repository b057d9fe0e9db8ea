import type { HeaderList } from "../../../core/headers.ts";
import { isFieldValue, isSpaceOrTab, listMembers, tokenEnd } from "./grammar.ts";
import { FIELDS_MAX } from "./limits.ts";
import { type MessageError, messageError } from "./message.ts";

export type Field = readonly [name: string, value: string, line: string];

const FOLDED = messageError("folded_field", "a header line begins with white space (obsolete line folding)");
const BAD_NAME = messageError(
  "bad_field_name",
  "a header name is empty or holds a character that is not allowed, such as a space before the colon",
);
const BAD_VALUE = messageError("bad_field_value", "a header value holds a control character");
const TOO_MANY = messageError("too_many_fields", `more than ${FIELDS_MAX} header fields`, 431);

/** Reads the field line (RFC 9112 section 5) that stands in `text` from `start` to `end`, without its CRLF, onto the list. */
export function readField(text: string, start: number, end: number, onto: Field[]): MessageError | undefined {
  if (isSpaceOrTab(text.charCodeAt(start))) return FOLDED;
  const colon = tokenEnd(text, start);
  if (colon === start || text.charCodeAt(colon) !== 0x3a) return BAD_NAME;
  let from = colon + 1;
  let to = end;
  while (from < to && isSpaceOrTab(text.charCodeAt(from))) from++;
  while (to > from && isSpaceOrTab(text.charCodeAt(to - 1))) to--;
  if (!isFieldValue(text, from, to)) return BAD_VALUE;
  if (onto.length === FIELDS_MAX) return TOO_MANY;
  onto.push([text.slice(start, colon), text.slice(from, to), text.slice(start, end + 2)]);
  return undefined;
}

/** All values of a field, in order. `name` in lower case. */
export function fieldValues(fields: HeaderList, name: string): readonly string[] {
  const values: string[] = [];
  for (const [fieldName, value] of fields) {
    if (fieldName.length === name.length && fieldName.toLowerCase() === name) values.push(value);
  }
  return values;
}

/** Does a list-valued field name this option, case ignored (RFC 9110 section 5.6.1)? `option` in lower case. */
export function hasOption(fields: HeaderList, name: string, option: string): boolean {
  for (const [fieldName, value] of fields) {
    if (fieldName.length === name.length && fieldName.toLowerCase() === name && listMembers(value).includes(option)) return true;
  }
  return false;
}
