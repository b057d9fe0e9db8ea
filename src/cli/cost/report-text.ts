import { groupNames, type Report, type ReportGroup, type ReportNumbers, type ReportRow } from "../../shell/cost/report.ts";
import type { Style } from "../print.ts";
import { visible } from "../print.ts";

/** How a group is called that has no name. */
const NAMELESS: Readonly<Record<string, string>> = { key: "(no key)", model: "(no model)" };

export type Cell = { readonly text: string; readonly isRight: boolean };

type NumberColumn = { readonly title: string; readonly of: (numbers: ReportNumbers) => number };

const NUMBER_COLUMNS: readonly NumberColumn[] = [
  { title: "REQUESTS", of: ({ requests }) => requests },
  { title: "FAILED", of: ({ failed }) => failed },
  { title: "INPUT", of: ({ inputTokens }) => inputTokens },
  { title: "CACHED", of: ({ cacheReadTokens }) => cacheReadTokens },
  { title: "OUTPUT", of: ({ outputTokens }) => outputTokens },
  { title: "REASONING", of: ({ reasoningTokens }) => reasoningTokens },
];

/** How the table is drawn; on narrow terminals with less. */
type Layout = {
  readonly isShort: boolean;
  /** Titles of columns that are left out. */
  readonly without: readonly string[];
  /** The first names are left out: the last ones say enough. */
  readonly lastNameAlone: boolean;
  /** No name is cut to less. */
  readonly nameCharactersMin: number;
};

const FULL: Layout = { isShort: false, without: [], lastNameAlone: false, nameCharactersMin: Number.POSITIVE_INFINITY };
const SHORT: Layout = { ...FULL, isShort: true, nameCharactersMin: 24 };
/** The widest first. */
const LAYOUTS: readonly Layout[] = [
  FULL,
  { ...FULL, nameCharactersMin: 24 },
  SHORT,
  { ...SHORT, without: ["REASONING"] },
  { ...SHORT, without: ["REASONING", "CACHED"] },
  { ...SHORT, without: ["REASONING", "CACHED"], lastNameAlone: true },
  { ...SHORT, without: ["REASONING", "CACHED"], lastNameAlone: true, nameCharactersMin: 12 },
];

/** The report as a table that fits the width as far as it can, and what has to be said of it. */
export function reportTable(report: Report, by: ReportGroup, style: Style, width: number): string {
  const drawn = LAYOUTS.map((layout) => draw(report, groupNames(by), layout, width));
  const lines = drawn.find((each) => each.every((line) => line.length <= width)) ?? drawn.at(-1) ?? [];
  return [
    style.bold(lines[0] ?? ""),
    ...lines.slice(1, -1),
    style.bold(lines.at(-1) ?? ""),
    ...notes(report).flatMap((note) => ["", ...note]),
    "",
  ].join("\n");
}

function draw({ rows, total }: Report, groups: readonly string[], layout: Layout, width: number): readonly string[] {
  const names = layout.lastNameAlone ? groups.slice(-1) : groups;
  const columns = NUMBER_COLUMNS.filter(({ title }) => !layout.without.includes(title));
  const header = [...names.map((name) => left(name.toUpperCase())), ...columns.map(({ title }) => right(title)), right("COST"), left("")];
  const cells = rows.map((row) => [...nameCells(row, groups).slice(-names.length), ...numberCells(row, columns, layout)]);
  const sum = [left("TOTAL"), ...names.slice(1).map(() => left("")), ...numberCells(total, columns, layout)];
  return aligned([header, ...cells, sum], names.length - 1, width, layout.nameCharactersMin);
}

export function left(text: string): Cell {
  return { text, isRight: false };
}

export function right(text: string): Cell {
  return { text, isRight: true };
}

function nameCells({ group }: ReportRow, names: readonly string[]): readonly Cell[] {
  return group.map((value, index) => left(visible(value ?? NAMELESS[names[index] ?? ""] ?? "")));
}

function numberCells(numbers: ReportNumbers, columns: readonly NumberColumn[], { isShort }: Layout): readonly Cell[] {
  const { costUsd, costUnknown } = numbers;
  const cost = costUsd === null ? "unknown" : usdText(costUsd);
  const more = costUsd === null || costUnknown === 0 ? "" : `+ ${grouped(costUnknown)} unknown`;
  return [...columns.map(({ of }) => right(isShort ? shortened(of(numbers)) : grouped(of(numbers)))), right(cost), left(more)];
}

/** Columns two spaces apart; the names of one column are cut where the lines would be too wide. */
export function aligned(
  rows: readonly (readonly Cell[])[],
  cutColumn: number,
  width: number,
  nameCharactersMin: number,
): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.text.length ?? 0)));
  const tooWide = widths.reduce((sum, each) => (each === 0 ? sum : sum + each + 2), -2) - width;
  const names = widths[cutColumn] ?? 0;
  if (tooWide > 0) widths[cutColumn] = Math.min(names, Math.max(nameCharactersMin, names - tooWide));
  const shown = ({ text, isRight }: Cell, column: number) => {
    const room = widths[column] ?? 0;
    const fitting = text.length > room ? `${text.slice(0, room - 1)}…` : text;
    return isRight ? fitting.padStart(room) : fitting.padEnd(room);
  };
  return rows.map((row) => row.map(shown).join("  ").trimEnd());
}

/** 1234567 → 1,234,567. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** Three digits of a large number: 1234567 → 1.23M. */
export function shortened(value: number): string {
  if (value < 100_000) return grouped(value);
  const units = ["k", "M", "G", "T"];
  let rest = value / 1_000;
  let unit = 0;
  // 999.5k would become 1000k.
  while (rest >= 999.5 && unit < units.length - 1) {
    rest /= 1_000;
    unit++;
  }
  return `${rest.toPrecision(3)}${units[unit]}`;
}

/** A small sum is not nought. */
export function usdText(usd: number): string {
  if (usd > 0 && usd < 0.00005) return "<$0.0001";
  return `$${usd.toLocaleString("en-US", { minimumFractionDigits: 4, maximumFractionDigits: 4 })}`;
}

function notes({ total, withoutPrice, withoutTokens, withFailedTarget }: Report): readonly (readonly string[])[] {
  const unpriced = total.costUnknown - withoutTokens;
  const requests = (count: number) => `${grouped(count)} ${count === 1 ? "request" : "requests"}`;
  return [
    ...(unpriced === 0
      ? []
      : [
          [
            `${requests(unpriced)} of models without a known price; [[cost.price]] sets one:`,
            ...withoutPrice.map((name) => `  ${visible(name)}`),
          ],
        ]),
    ...(withoutTokens === 0 ? [] : [[`${requests(withoutTokens)} told no tokens, so nobody knows what they cost.`]]),
    ...(withFailedTarget === 0 ? [] : [[`${requests(withFailedTarget)} met a target that failed; --failed tells which.`]]),
  ];
}

const CSV_NUMBERS: readonly (readonly [name: string, of: (numbers: ReportNumbers) => number | null])[] = [
  ["requests", ({ requests }) => requests],
  ["failed", ({ failed }) => failed],
  ["input_tokens", ({ inputTokens }) => inputTokens],
  ["cache_read_tokens", ({ cacheReadTokens }) => cacheReadTokens],
  ["cache_write_tokens", ({ cacheWriteTokens }) => cacheWriteTokens],
  ["output_tokens", ({ outputTokens }) => outputTokens],
  ["reasoning_tokens", ({ reasoningTokens }) => reasoningTokens],
  ["cost_usd", ({ costUsd }) => costUsd],
  ["cost_unknown", ({ costUnknown }) => costUnknown],
];

/** RFC 4180 but for the line ends; without the total, which every reader can sum up. */
export function reportCsv({ rows }: Report, by: ReportGroup): string {
  const header = [...groupNames(by), ...CSV_NUMBERS.map(([name]) => name)];
  const lines = rows.map((row) => [
    ...row.group.map((value) => csvText(value ?? "")),
    ...CSV_NUMBERS.map(([, of]) => String(of(row) ?? "")),
  ]);
  return [header, ...lines].map((line) => `${line.join(",")}\n`).join("");
}

/** Names come from the wire: one that a spreadsheet would calculate is made a text. */
export function csvText(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

export function reportJson({ rows, total }: Report, by: ReportGroup, ledger: string, sinceMs: number): string {
  const names = groupNames(by);
  const value = {
    ledger,
    since: sinceMs === 0 ? null : new Date(sinceMs).toISOString(),
    by,
    groups: rows.map(({ group, ...numbers }) => ({
      ...Object.fromEntries(names.map((name, index) => [name, group[index] ?? null])),
      ...numbers,
    })),
    total,
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}
