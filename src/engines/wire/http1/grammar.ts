/** Character classes of RFC 9110 section 5, over bytes that were read as Latin-1. */

function charTable(isIn: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (isIn(code) ? 1 : 0));
}

/** tchar (RFC 9110 section 5.6.2). */
const TOKEN = charTable((code) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)));

/** field-vchar, SP and HTAB (RFC 9110 section 5.5): no other control character, above all no NUL, CR or LF. */
const FIELD_VALUE = charTable((code) => code === 0x09 || (code >= 0x20 && code !== 0x7f));

/**
 * What a request target may be made of: no white space, no control character, no fragment. Wider than RFC 3986, as clients are: some send
 * braces, bars and UTF-8 (bytes above 0x7f) as they are. These bytes go on unchanged, and no reader sees the end of a target in them.
 */
const TARGET = charTable((code) => code > 0x20 && code !== 0x7f && code !== 0x23);

/** uri-host and port (RFC 3986 section 3.2.2), without percent signs that could hide a separator from one reader. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w\-.~!$&'()*+;=]+)(?::\d{0,5})?$/i;

const SCHEME = /^[a-z][a-z\d+\-.]*:\/\//i;

function consistsOf(table: Uint8Array, text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (table[text.charCodeAt(i)] !== 1) return false;
  }
  return true;
}

export function isToken(text: string, start = 0, end = text.length): boolean {
  return end > start && consistsOf(TOKEN, text, start, end);
}

/** The place behind the token that begins at `start`. */
export function tokenEnd(text: string, start: number): number {
  let end = start;
  while (TOKEN[text.charCodeAt(end)] === 1) end++;
  return end;
}

export function isFieldValue(text: string, start: number, end: number): boolean {
  return consistsOf(FIELD_VALUE, text, start, end);
}

/**
 * One of the four forms of RFC 9112 section 3.2. Others, such as `@host/path`, change the host when they are put behind a base URL. User
 * information, and an authority that is no host and port, are refused for the same reason.
 */
export function isTarget(method: string, text: string): boolean {
  if (text.length === 0 || !consistsOf(TARGET, text, 0, text.length)) return false;
  if (text.charCodeAt(0) === 0x2f) return method !== "CONNECT";
  if (method === "CONNECT") return isHost(text) && /:\d+$/.test(text);
  if (text === "*") return method === "OPTIONS";
  const scheme = SCHEME.exec(text)?.[0];
  return scheme !== undefined && isHost(/^[^/?]*/.exec(text.slice(scheme.length))?.[0] ?? "");
}

export function isHost(text: string): boolean {
  return HOST.test(text);
}

/** OWS (RFC 9110 section 5.6.3). */
export function isSpaceOrTab(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The members of a list (RFC 9110 section 5.6.1) in lower case, empty ones too. Only OWS is taken off them: `trim` takes 0xa0 as well. */
export function listMembers(value: string): readonly string[] {
  return value
    .toLowerCase()
    .split(",")
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""));
}

/** `chunk-ext` (RFC 9112 section 7.1.1), without the white space that it allows for old senders: readers differ in what they do with it. */
const CHUNK_EXTENSIONS =
  /^(?:;[!#$%&'*+\-.^_`|~\dA-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~\dA-Za-z]+|"(?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"))?)*$/;

export function isChunkExtensions(text: string): boolean {
  return CHUNK_EXTENSIONS.test(text);
}
