import type { Settings } from "../../config/settings.ts";
import type { ProviderName } from "../../core/provider.ts";
import { wrapped } from "../help.ts";
import { type Style, visible } from "../print.ts";

export type EstimateRow = {
  readonly provider: ProviderName;
  /** Characters a token. */
  readonly figure: number;
  readonly estimated: number;
  /** What the provider says; undefined where it was not asked. */
  readonly measured: number | undefined;
  /** The figure that would have been right. */
  readonly fitting: number | undefined;
};

type Sized = { readonly name: string; readonly characters: number; readonly bytes: number };

/** In shorter texts the few tokens around every message count for much. */
const MEASURED_CHARACTERS_MIN = 1_000;

export function estimateTable({ name, characters, bytes }: Sized, rows: readonly EstimateRow[], settings: Settings, style: Style): string {
  const isMeasured = rows.some(({ measured }) => measured !== undefined);
  const header = ["PROVIDER", "CHARACTERS A TOKEN", "ESTIMATED", ...(isMeasured ? ["MEASURED", "ESTIMATE IS"] : [])];
  const body = rows.map((row) => [
    row.provider,
    String(row.figure),
    grouped(row.estimated),
    ...(isMeasured ? [row.measured === undefined ? "" : grouped(row.measured), offText(row)] : []),
  ]);
  const lines = aligned([header, ...body]);
  const { maxSampleBytes, bytesPerToken } = settings;
  const byLength =
    bytes <= maxSampleBytes
      ? []
      : [
          "",
          ...wrapped(
            `Above ${grouped(maxSampleBytes)} bytes (limits.estimation.max_sample_bytes) the length alone counts, ${bytesPerToken} bytes a token.`,
            0,
          ),
        ];
  return [
    `${visible(name)}: ${grouped(characters)} characters, ${grouped(bytes)} bytes`,
    "",
    style.bold(lines[0] ?? ""),
    ...lines.slice(1),
    ...byLength,
    "",
  ].join("\n");
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

/** How far off the estimate was. */
function offText({ estimated, measured }: EstimateRow): string {
  if (measured === undefined || measured === 0) return "";
  const share = Math.round((estimated / measured - 1) * 100);
  if (share === 0) return "right";
  return share > 0 ? `${share}% high` : `${-share}% low`;
}

/** The first column to the left, numbers to the right. */
function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** What to put into the configuration; nothing where nothing was measured. */
export function figuresText({ characters }: Sized, rows: readonly EstimateRow[], style: Style): string {
  const figures = rows.flatMap(({ provider, fitting }) => (fitting === undefined ? [] : [`${provider} = ${fitting}`]));
  if (figures.length === 0) return "";
  const warning = characters < MEASURED_CHARACTERS_MIN ? ["", ...wrapped(SHORT, 0)] : [];
  return [
    "",
    "The figures that fit this text, for the configuration:",
    "",
    `  ${style.bold("[limits.estimation]")}`,
    `  ${style.bold(`provider_chars_per_token = { ${figures.join(", ")} }`)}`,
    ...warning,
    "",
  ].join("\n");
}

const SHORT = `It is a short text: the tokens that stand around every message make up much of it. Measure one of at least ${MEASURED_CHARACTERS_MIN.toLocaleString("en-US")} characters.`;
