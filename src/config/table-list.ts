import { didYouMean } from "../core/nearest.ts";
import { tomlKey, tomlText } from "./toml-text.ts";
import { tomlValue } from "./toml-value.ts";
import { isTable, type Mistake, type Table, type TomlParsed, type ValueKind } from "./value-kinds.ts";

/** One key of a table that stands in a list, or inside another value. */
export type Column = {
  /** In the value that is read. */
  readonly name: string;
  readonly value: ValueKind<unknown>;
  /** For people, where the value itself does not say it. */
  readonly summary?: string;
  /** What counts where it is not set, for people. */
  readonly defaultText?: string;
  /** A value in TOML, where the default is none. */
  readonly example?: string;
  readonly isRequired?: true;
  readonly isSecret?: (value: unknown) => boolean;
};

export type Columns = Readonly<Record<string, Column>>;

/** What is wrong with a value as a whole, or where inside it. */
type Check<Value> = (value: Value) => string | Mistake | undefined;

/** By which lists of tables are known. */
export const TABLES_HINT = "TABLES";

export type TableKind<Value> = ValueKind<Value> & Required<Pick<ValueKind<Value>, "fromToml" | "toToml">>;

/** A list of tables such as `[[limits.override]]`. */
export function tableList<Row extends object>(
  columns: Columns,
  checkRow: Check<Row> = () => undefined,
  checkAll: Check<readonly Row[]> = () => undefined,
): TableKind<readonly Row[]> {
  return {
    hint: TABLES_HINT,
    tomlTypes: [],
    parse: () => ({ ok: false, expected: "a list of tables in the file" }),
    fromToml(value) {
      const tables = Array.isArray(value) && value.every(isTable) ? value : undefined;
      if (tables === undefined) return { ok: false, expected: "a list of tables, each below a line of its own in double brackets" };
      const read = tables.map((table) => rowOf(table, columns, checkRow));
      const mistakes = read.flatMap((row, index) => (row.ok ? [] : inside([String(index)], row)));
      const rows = read.flatMap((row) => (row.ok ? [row.value] : []));
      return checked(rows, mistakes, checkAll);
    },
    toToml: (rows) => `[${rows.map((row) => written(row, columns)).join(", ")}]`,
  };
}

/** A table with keys of its own inside another, such as `{ frames = 256 }`. */
export function innerTable<Row extends object>(columns: Columns, expected: string, checkRow: Check<Row> = () => undefined): TableKind<Row> {
  return {
    hint: "TABLE",
    tomlTypes: [],
    parse: () => ({ ok: false, expected }),
    fromToml: (value) => (isTable(value) ? rowOf(value, columns, checkRow) : { ok: false, expected }),
    toToml: (row) => written(row, columns),
  };
}

/** The same in the file, and another value in the program. */
export function mapped<Written, Value>(
  { hint, tomlTypes, parse, fromToml, toToml }: TableKind<Written>,
  read: (written: Written) => Value,
  write: (value: Value) => Written,
): TableKind<Value> {
  const finished = <Found extends { readonly ok: false }>(found: { readonly ok: true; readonly value: Written } | Found) =>
    found.ok ? ({ ok: true, value: read(found.value) } as const) : found;
  return {
    hint,
    tomlTypes,
    parse: (text) => finished(parse(text)),
    fromToml: (value) => finished(fromToml(value)),
    toToml: (value) => toToml(write(value)),
  };
}

function rowOf<Row extends object>(table: Table, columns: Columns, check: Check<Row>): TomlParsed<Row> {
  const row: Record<string, unknown> = {};
  const known = Object.keys(columns);
  const mistakes: Mistake[] = [];
  let isMisspelt = false;
  for (const [key, value] of Object.entries(table)) {
    const column = Object.hasOwn(columns, key) ? columns[key] : undefined;
    if (column === undefined) {
      isMisspelt = true;
      mistakes.push({ expected: `no key "${key}"${didYouMean(key, known)} (known: ${known.join(", ")})`, at: [key] });
      continue;
    }
    const read = tomlValue(value, column.value);
    if (read.ok) row[column.name] = read.value;
    else mistakes.push(...inside([key], read));
  }
  // What is misspelt has been told already.
  const missing = isMisspelt ? [] : known.filter((key) => columns[key]?.isRequired === true && !Object.hasOwn(table, key));
  for (const key of missing) mistakes.push({ expected: `${key} in each table: ${columns[key]?.summary ?? expectedOf(columns[key])}` });
  return checked(row as Row, mistakes, check);
}

/** What may be written, in the words of the refusal of what may not. */
function expectedOf(column: Column | undefined): string {
  const refused = column?.value.parse(" ");
  return refused === undefined || refused.ok ? "" : refused.expected;
}

/** A value whose parts are wrong is not looked at as a whole. */
function checked<Value>(value: Value, mistakes: readonly Mistake[], check: Check<Value>): TomlParsed<Value> {
  const found = mistakes.length > 0 ? undefined : check(value);
  const [first, ...further] = found === undefined ? mistakes : [typeof found === "string" ? { expected: found } : found];
  return first === undefined ? { ok: true, value } : { ok: false, ...first, at: first.at ?? [], further };
}

function inside(at: readonly string[], { expected, at: inner = [], further = [] }: TomlParsed<never> & { ok: false }): readonly Mistake[] {
  return [{ expected, at: inner }, ...further].map((each) => ({ ...each, at: [...at, ...(each.at ?? [])] }));
}

const MASK = "********";

/** As the file has it, in one line. */
function written(row: object, columns: Columns): string {
  const values = row as Readonly<Record<string, unknown>>;
  const members = Object.entries(columns).flatMap(([key, { name, value: kind, isSecret }]) => {
    const value = values[name];
    if (value === undefined) return [];
    const text = isSecret?.(value) === true ? tomlText(MASK) : (kind.toToml?.(value) ?? tomlText(value));
    return [`${tomlKey(key)} = ${text}`];
  });
  return members.length === 0 ? "{}" : `{ ${members.join(", ")} }`;
}
