import { parse } from "smol-toml";

/** Where a key stands, counted from 1. */
export type TomlPosition = { readonly line: number; readonly column: number };

/** Keys that lie deeper are found by the table that holds them; nobody writes such by hand. */
const DEPTH_MAX = 16;

/**
 * Finds keys and table headers in a TOML text that has been parsed without error, also inside inline tables and lists. Keys of the result
 * are paths joined by NUL; in a list each member has its number, from 0, behind the name of the list.
 */
export function tomlPositions(toml: string): ReadonlyMap<string, TomlPosition> {
  const positions = new Map<string, TomlPosition>();
  /** The table that keys belong to, by its name, and by the numbers of the lists that it stands in. */
  let table: readonly string[] = [];
  let place: readonly string[] = [];
  /** Of the tables in each list of tables, by its place. */
  const counts = new Map<string, number>();
  let at = 0;
  let line = 1;
  let lineStart = 0;

  const here = (offset: number): TomlPosition => ({ line, column: offset - lineStart + 1 });
  const note = (path: readonly string[], offset: number) => {
    const position = here(offset);
    const lengthMax = Math.min(path.length, DEPTH_MAX);
    for (let length = 1; length <= lengthMax; length++) {
      const name = path.slice(0, length).join("\0");
      if (length === path.length || !positions.has(name)) positions.set(name, position);
    }
  };
  const newLine = () => {
    at++;
    line++;
    lineStart = at;
  };
  /** Moves past a string that begins here, a long one with its line ends. */
  const skipString = () => {
    const quote = toml.charAt(at);
    const delimiter = toml.startsWith(quote.repeat(3), at) ? quote.repeat(3) : quote;
    at += delimiter.length;
    while (at < toml.length && !toml.startsWith(delimiter, at)) {
      if (toml.charAt(at) === "\\" && quote === '"') at++;
      if (toml.charAt(at) === "\n") newLine();
      else at++;
    }
    at += delimiter.length;
    // A long string may end with quotes of its own.
    if (delimiter.length === 3) while (toml.charAt(at) === quote) at++;
  };
  const skipComment = () => {
    while (at < toml.length && toml.charAt(at) !== "\n") at++;
  };
  /** Moves past white space, line ends and comments. */
  const skipBlank = () => {
    while (at < toml.length) {
      const character = toml.charAt(at);
      if (character === "\n") newLine();
      else if (character === "#") skipComment();
      else if (/\s/.test(character)) at++;
      else return;
    }
  };
  const skipUntil = (end: string) => {
    while (at < toml.length && toml.charAt(at) !== end) {
      if (toml.charAt(at) === '"' || toml.charAt(at) === "'") skipString();
      else at++;
    }
  };
  /** Moves past a key and its value. */
  const skipAssignment = (name: readonly string[], within: readonly string[]) => {
    const start = at;
    skipUntil("=");
    const path = keyPath(toml.slice(start, at));
    note([...within, ...path], start);
    if (name.length !== within.length) note([...name, ...path], start);
    at++;
    skipValue([...within, ...path].slice(0, DEPTH_MAX));
  };
  /** Moves past a value, and notes what is in it. */
  const skipValue = (path: readonly string[]) => {
    while (toml.charAt(at) === " " || toml.charAt(at) === "\t") at++;
    const opening = toml.charAt(at);
    if (opening === '"' || opening === "'") skipString();
    else if (opening === "[" || opening === "{") skipMembers(path, opening);
    else while (at < toml.length && !",]}#\n".includes(toml.charAt(at))) at++;
  };
  const skipMembers = (path: readonly string[], opening: "[" | "{") => {
    at++;
    for (let index = 0; ; index++) {
      skipBlank();
      const character = toml.charAt(at);
      if (character === "" || character === "]" || character === "}") break;
      if (opening === "{") skipAssignment(path, path);
      else {
        const member = [...path, String(index)];
        note(member, at);
        skipValue(member.slice(0, DEPTH_MAX));
      }
      skipBlank();
      if (toml.charAt(at) === ",") at++;
    }
    at++;
  };
  /** Where a table of this name stands: in the last table of each list on the way. */
  const placeOf = (name: readonly string[]): readonly string[] => {
    const found: string[] = [];
    for (const part of name.slice(0, DEPTH_MAX)) {
      found.push(part);
      const count = counts.get(found.join("\0"));
      if (count !== undefined) found.push(String(count - 1));
    }
    return found;
  };
  const skipHeader = () => {
    const start = at;
    while (toml.charAt(at) === "[") at++;
    const nameStart = at;
    skipUntil("]");
    table = keyPath(toml.slice(nameStart, at));
    const isOfList = nameStart - start === 2;
    if (!isOfList || !positions.has(table.slice(0, DEPTH_MAX).join("\0"))) note(table, start);
    if (isOfList) {
      const list = [...placeOf(table.slice(0, -1)), ...table.slice(-1)];
      const joined = list.join("\0");
      const before = counts.get(joined) ?? 0;
      counts.set(joined, before + 1);
      if (before === 0) note(list, start);
      place = [...list, String(before)];
    } else place = placeOf(table);
    note(place, start);
    while (toml.charAt(at) === "]") at++;
  };

  for (skipBlank(); at < toml.length; skipBlank()) {
    if (toml.charAt(at) === "[") skipHeader();
    else skipAssignment(table, place);
  }
  return positions;
}

/** The position of the key, or of the nearest table that holds it. */
export function positionOfKey(positions: ReadonlyMap<string, TomlPosition>, path: readonly string[]): TomlPosition {
  for (let length = Math.min(path.length, DEPTH_MAX); length > 0; length--) {
    const found = positions.get(path.slice(0, length).join("\0"));
    if (found !== undefined) return found;
  }
  return { line: 1, column: 1 };
}

/** `a."b.c".d` → a, b.c, d */
function keyPath(text: string): readonly string[] {
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s."']+)/g)].map(([, quoted, literal, bare]) =>
    quoted === undefined ? (literal ?? bare ?? "") : unescaped(quoted),
  );
}

function unescaped(text: string): string {
  return text.includes("\\") ? String(parse(`key = "${text}"`).key) : text;
}
