/** Where a key stands, counted from 1. */
export type TomlPosition = { readonly line: number; readonly column: number };

/** Keys that lie deeper are found by the table that holds them; nobody writes such by hand. */
const DEPTH_MAX = 16;

/**
 * Finds keys and table headers in a TOML text that has been parsed without error. Keys inside inline tables are found
 * by the key that the inline table belongs to. Keys of the result are paths joined by NUL; in a list of tables each has its number, from 0,
 * behind the name of the list.
 */
export function tomlPositions(toml: string): ReadonlyMap<string, TomlPosition> {
  const positions = new Map<string, TomlPosition>();
  let table: readonly string[] = [];
  /** Of the table in its list, where it is one of several. */
  let index: string | undefined;
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
  };
  const skipComment = () => {
    while (at < toml.length && toml.charAt(at) !== "\n") at++;
  };
  /** Moves past a value: to the end of its line, or of the line on which its brackets close. */
  const skipValue = () => {
    let depth = 0;
    while (at < toml.length) {
      const character = toml.charAt(at);
      if (character === "\n" && depth === 0) return;
      if (character === '"' || character === "'") skipString();
      else if (character === "#") skipComment();
      else if (character === "\n") newLine();
      else {
        if (character === "[" || character === "{") depth++;
        if (character === "]" || character === "}") depth--;
        at++;
      }
    }
  };

  while (at < toml.length) {
    const character = toml.charAt(at);
    if (character === "\n") newLine();
    else if (character === "#") skipComment();
    else if (/\s/.test(character)) at++;
    else if (character === "[") {
      const start = at;
      while (toml.charAt(at) === "[") at++;
      const nameStart = at;
      while (at < toml.length && toml.charAt(at) !== "]") {
        if (toml.charAt(at) === '"' || toml.charAt(at) === "'") skipString();
        else at++;
      }
      table = keyPath(toml.slice(nameStart, at));
      note(table, start);
      index = undefined;
      if (nameStart - start === 2) {
        const name = table.join("\0");
        const before = counts.get(name) ?? 0;
        counts.set(name, before + 1);
        index = String(before);
        note([...table, index], start);
      }
      while (toml.charAt(at) === "]") at++;
    } else {
      const start = at;
      while (at < toml.length && toml.charAt(at) !== "=") {
        if (toml.charAt(at) === '"' || toml.charAt(at) === "'") skipString();
        else at++;
      }
      const path = keyPath(toml.slice(start, at));
      note([...table, ...path], start);
      if (index !== undefined) note([...table, index, ...path], start);
      skipValue();
    }
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
  return [...text.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s."']+)/g)].map((found) => found[1] ?? found[2] ?? found[3] ?? "");
}
