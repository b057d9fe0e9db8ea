/** Character classes of RFC 9110 section 5, over bytes that were read as Latin-1. */

function charTable(isIn: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (isIn(code) ? 1 : 0));
}

/** tchar (RFC 9110 section 5.6.2). */
const TOKEN = charTable((code) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)));

/** field-vchar, SP and HTAB (RFC 9110 section 5.5): no other control character, above all no NUL, CR or LF. */
const FIELD_VALUE = charTable((code) => code === 0x09 || (code >= 0x20 && code !== 0x7f));

/** What a request target may be made of: no white space, no control character, no fragment. Wider than RFC 3986, as clients are. */
const TARGET = charTable((code) => code > 0x20 && code !== 0x7f && code !== 0x23);

/** uri-host and port (RFC 3986 section 3.2.2), without percent signs that could hide a separator from one reader. */
const HOST = charTable((code) => /[A-Za-z0-9\-._~!$&'()*+;=:[\]%]/.test(String.fromCharCode(code)));

function consistsOf(table: Uint8Array, text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (table[text.charCodeAt(i)] !== 1) return false;
  }
  return true;
}

export function isToken(text: string, start = 0, end = text.length): boolean {
  return end > start && consistsOf(TOKEN, text, start, end);
}

export function isFieldValue(text: string, start: number, end: number): boolean {
  return consistsOf(FIELD_VALUE, text, start, end);
}

export function isTarget(text: string): boolean {
  return text.length > 0 && consistsOf(TARGET, text, 0, text.length);
}

export function isHost(text: string): boolean {
  return consistsOf(HOST, text, 0, text.length);
}

/** OWS (RFC 9110 section 5.6.3). */
export function isSpaceOrTab(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
