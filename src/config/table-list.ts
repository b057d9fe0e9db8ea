import { didYouMean } from "../core/nearest.ts";
import type { Parsed } from "../rules/values.ts";
import { tomlText } from "./toml-text.ts";
import { isTable, type ValueKind } from "./value-kinds.ts";

/** One key of each table in a list of tables. */
export type Column = {
  /** In the value that is read. */
  readonly name: string;
  readonly expected: string;
  /** Undefined where it is not what was expected. */
  readonly read: (value: unknown) => unknown;
  readonly isRequired?: true;
  readonly isSecret?: (value: unknown) => boolean;
};

/** A list of tables such as `[[limits.override]]`. `check` says what is wrong with a table as a whole. */
export function tableList<Row extends object>(
  columns: Readonly<Record<string, Column>>,
  check: (row: Row) => string | undefined,
): ValueKind<readonly Row[]> {
  return {
    hint: "TABLES",
    tomlTypes: [],
    parse: () => ({ ok: false, expected: "a list of tables in the file" }),
    fromToml(value) {
      const tables = Array.isArray(value) && value.every(isTable) ? value : undefined;
      if (tables === undefined) return { ok: false, expected: "a list of tables, each below a line of its own in double brackets" };
      const rows: Row[] = [];
      for (const [index, table] of tables.entries()) {
        const row = rowOf<Row>(table, columns, [String(index)]);
        if (!row.ok) return row;
        const mistake = check(row.value);
        if (mistake !== undefined) return { ok: false, expected: mistake, at: [String(index)] };
        rows.push(row.value);
      }
      return { ok: true, value: rows };
    },
    toToml: (rows) => tomlText(rows.map((row) => written(row, columns))),
  };
}

function rowOf<Row>(
  table: Readonly<Record<string, unknown>>,
  columns: Readonly<Record<string, Column>>,
  at: readonly string[],
): Parsed<Row> {
  const row: Record<string, unknown> = {};
  const known = Object.keys(columns);
  for (const [key, value] of Object.entries(table)) {
    const column = Object.hasOwn(columns, key) ? columns[key] : undefined;
    if (column === undefined) {
      return { ok: false, expected: `no key "${key}"${didYouMean(key, known)} (known: ${known.join(", ")})`, at: [...at, key] };
    }
    const read = column.read(value);
    if (read === undefined) return { ok: false, expected: column.expected, at: [...at, key] };
    row[column.name] = read;
  }
  const missing = known.find((key) => columns[key]?.isRequired === true && !Object.hasOwn(table, key));
  if (missing !== undefined) return { ok: false, expected: `${missing} in each table: ${columns[missing]?.expected}`, at };
  return { ok: true, value: row as Row };
}

const MASK = "********";

function written(row: object, columns: Readonly<Record<string, Column>>): Readonly<Record<string, unknown>> {
  const values = row as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(columns).flatMap(([key, { name, isSecret }]) => {
      const value = values[name];
      return value === undefined ? [] : [[key, isSecret?.(value) === true ? MASK : value]];
    }),
  );
}
