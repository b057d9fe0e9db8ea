import type { InputError } from "../../core/errors.ts";
import { type LedgerReader, readLedger } from "./ledger-reader.ts";

export const REPORT_GROUPS = ["model", "provider", "key", "day"] as const;
export type ReportGroup = (typeof REPORT_GROUPS)[number];

export type ReportNumbers = {
  readonly requests: number;
  /** Without a good answer to the end; a client that left has not failed. */
  readonly failed: number;
  readonly inputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  /** USD of the requests whose cost is known; null where it is of none. */
  readonly costUsd: number | null;
  /** Requests that may have cost something, nobody knows how much. */
  readonly costUnknown: number;
};

/** What the requests of a group have in common; null: not known. */
export type ReportRow = ReportNumbers & { readonly group: readonly (string | null)[] };

export type Report = {
  readonly rows: readonly ReportRow[];
  readonly total: ReportNumbers;
  /** Models whose tokens are known and whose price is not, the most used first. */
  readonly withoutPrice: readonly string[];
  /** Requests whose cost is unknown because they told no tokens. */
  readonly withoutTokens: number;
  /** Requests for which a target of a route failed, whoever answered them then. */
  readonly withFailedTarget: number;
};

/** What a row is put together by, and how it is called. A request that failed names no model that answered, so the one that was asked for counts; behind a route the one that answered. */
const GROUPS: Readonly<Record<ReportGroup, readonly (readonly [name: string, sql: string])[]>> = {
  provider: [["provider", "provider"]],
  model: [
    ["provider", "provider"],
    ["model", "CASE WHEN target IS NULL AND failed IS NULL THEN coalesce(model, answered_model) ELSE coalesce(answered_model, model) END"],
  ],
  key: [["key", "key"]],
  day: [["day", "date(time_ms / 1000, 'unixepoch', 'localtime')"]],
};

export function groupNames(by: ReportGroup): readonly string[] {
  return GROUPS[by].map(([name]) => name);
}

const FAILED = "(failure IS NOT NULL OR (done <> 'client_gone' AND (done <> 'delivered' OR status IS NULL OR status >= 400)))";

/** Providers take nothing for a request that they refuse. */
const UNKNOWN = "(cost_usd IS NULL AND NOT (input_tokens IS NULL AND (status IS NULL OR status >= 400)))";

const NUMBERS = `count(*) AS requests,
  coalesce(sum(${FAILED}), 0) AS failed,
  coalesce(sum(input_tokens), 0) AS inputTokens,
  coalesce(sum(cache_read_tokens), 0) AS cacheReadTokens,
  coalesce(sum(cache_write_tokens), 0) AS cacheWriteTokens,
  coalesce(sum(output_tokens), 0) AS outputTokens,
  coalesce(sum(reasoning_tokens), 0) AS reasoningTokens,
  sum(cost_usd) AS costUsd,
  coalesce(sum(${UNKNOWN}), 0) AS costUnknown`;

const WITHOUT_PRICE_MAX = 5;

/** Sums up a ledger, which a daemon may be writing to. Days are those of the local time. */
export function readReport(path: string, by: ReportGroup, sinceMs: number): Report | InputError {
  return readLedger(path, sinceMs, (ledger) => report(ledger, by), EMPTY);
}

function report({ all }: LedgerReader, by: ReportGroup): Report {
  const columns = GROUPS[by].map(([, sql], index) => `${sql} AS g${index}`);
  const order = by === "day" ? "g0" : "costUsd DESC NULLS LAST, requests DESC, g0";
  const places = columns.map((_, index) => `g${index}`);
  const rows = all<ReportNumbers & Readonly<Record<string, string | null>>>(
    `SELECT ${columns.join(", ")}, ${NUMBERS} FROM kept GROUP BY ${places.join(", ")} ORDER BY ${order}`,
  );
  const [total = NOTHING] = all<ReportNumbers>(`SELECT ${NUMBERS} FROM kept`);
  const unpriced = all<{ model: string | null }>(
    `SELECT coalesce(answered_model, model) AS model FROM kept WHERE ${UNKNOWN} AND input_tokens IS NOT NULL
     GROUP BY 1 ORDER BY count(*) DESC LIMIT ${WITHOUT_PRICE_MAX}`,
  );
  const count = (condition: string) => all<{ count: number }>(`SELECT count(*) AS count FROM kept WHERE ${condition}`)[0]?.count ?? 0;
  return {
    rows: rows.map((row) => ({ ...numbersOf(row), group: places.map((place) => row[place] ?? null) })),
    total: numbersOf(total),
    withoutPrice: unpriced.flatMap(({ model }) => model ?? []),
    withoutTokens: count(`${UNKNOWN} AND input_tokens IS NULL`),
    withFailedTarget: count("failed IS NOT NULL"),
  };
}

const NOTHING: ReportNumbers = {
  requests: 0,
  failed: 0,
  inputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  costUsd: 0,
  costUnknown: 0,
};

const EMPTY: Report = { rows: [], total: NOTHING, withoutPrice: [], withoutTokens: 0, withFailedTarget: 0 };

/** Where nothing was to be paid, nought is known. */
function numbersOf(row: ReportNumbers): ReportNumbers {
  const { requests, failed, inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens, reasoningTokens, costUnknown } = row;
  const costUsd = row.costUsd ?? (costUnknown === 0 ? 0 : null);
  return { requests, failed, inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens, reasoningTokens, costUsd, costUnknown };
}
