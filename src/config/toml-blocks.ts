import { parse } from "smol-toml";
import { tomlText } from "./toml-text.ts";
import { isTable, type Table } from "./value-kinds.ts";

/** A table of a list, below a line of its own. */
export type TomlBlock = { readonly header: string; readonly lines: readonly string[] };

/** A list of tables that is written in one line, as people write it: each table below a header, and those of lists in it behind it. */
export function tomlBlocks(name: string, list: string): readonly TomlBlock[] {
  const { value } = parse(`value = ${list}`);
  return isListOfTables(value) ? blocksOf(name, value) : [];
}

function blocksOf(name: string, tables: readonly Table[]): readonly TomlBlock[] {
  return tables.flatMap((table) => {
    const members = Object.entries(table);
    const lines = members.flatMap(([key, value]) => (isListOfTables(value) ? [] : [`${key} = ${tomlText(value)}`]));
    const inner = members.flatMap(([key, value]) => (isListOfTables(value) ? blocksOf(`${name}.${key}`, value) : []));
    return [{ header: `[[${name}]]`, lines }, ...inner];
  });
}

export function isListOfTables(value: unknown): value is readonly Table[] {
  return Array.isArray(value) && value.length > 0 && value.every(isTable);
}
