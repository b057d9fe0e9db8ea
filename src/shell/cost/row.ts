import { createHash } from "node:crypto";
import type { DialectName } from "../../core/dialect.ts";
import type { DoneWord, ExchangeEvent } from "../../core/event.ts";
import type { FailureClass } from "../../core/failure.ts";
import type { ProviderName } from "../../core/provider.ts";
import type { Usage } from "../../core/usage.ts";

/** What is kept of one inference request. Null: not known, or there was none. */
export type LedgerRow = {
  /** Unix time of its end. */
  readonly timeMs: number;
  readonly exchange: number;
  readonly provider: ProviderName;
  readonly dialect: DialectName | null;
  /** As asked for. */
  readonly model: string | null;
  readonly answeredModel: string | null;
  readonly stream: boolean;
  readonly status: number | null;
  readonly done: DoneWord;
  /** The reason in `x-faultproxy-error` where the answer was our own. */
  readonly error: string | null;
  readonly failure: FailureClass | null;
  readonly attempts: number;
  readonly durationMs: number;
  readonly firstTokenMs: number | null;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  /** Short hash of the client's key; never the key. */
  readonly key: string | null;
  /** Short hash of the user; never the name. */
  readonly user: string | null;
};

/** Names of models come from the wire. */
const NAME_CHARACTERS_MAX = 200;

const HASH_DIGITS = 12;

/** Undefined for what is no inference request through the gateway. */
export function rowOf(event: ExchangeEvent): LedgerRow | undefined {
  const { gateway, exchange, provider, dialect, status, done, error, durationMs } = event;
  if (gateway === undefined) return undefined;
  const { stream, failure, attempts, firstTokenMs, usage, costUsd, key, user } = gateway;
  return {
    timeMs: Date.parse(event.time),
    exchange,
    provider,
    dialect,
    model: cut(event.model),
    answeredModel: cut(gateway.answeredModel),
    stream,
    status,
    done,
    error,
    failure,
    attempts,
    durationMs,
    firstTokenMs,
    usage,
    costUsd,
    key,
    user: user === null ? null : createHash("sha256").update(user).digest("hex").slice(0, HASH_DIGITS),
  };
}

function cut(name: string | null): string | null {
  return name !== null && name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX - 1)}…` : name;
}

type Value = string | number | null;

/** How a row is kept: the name of each column, its type and its value. */
const COLUMNS: readonly (readonly [name: string, type: string, value: (row: LedgerRow) => Value])[] = [
  ["time_ms", "INTEGER NOT NULL", (row) => row.timeMs],
  ["exchange", "INTEGER NOT NULL", (row) => row.exchange],
  ["provider", "TEXT NOT NULL", (row) => row.provider],
  ["dialect", "TEXT", (row) => row.dialect],
  ["model", "TEXT", (row) => row.model],
  ["answered_model", "TEXT", (row) => row.answeredModel],
  ["stream", "INTEGER NOT NULL", (row) => (row.stream ? 1 : 0)],
  ["status", "INTEGER", (row) => row.status],
  ["done", "TEXT NOT NULL", (row) => row.done],
  ["error", "TEXT", (row) => row.error],
  ["failure", "TEXT", (row) => row.failure],
  ["attempts", "INTEGER NOT NULL", (row) => row.attempts],
  ["duration_ms", "REAL NOT NULL", (row) => row.durationMs],
  ["first_token_ms", "REAL", (row) => row.firstTokenMs],
  ["input_tokens", "INTEGER", (row) => row.usage?.inputTokens ?? null],
  ["cache_read_tokens", "INTEGER", (row) => row.usage?.cacheReadTokens ?? null],
  ["cache_write_tokens", "INTEGER", (row) => row.usage?.cacheWriteTokens ?? null],
  ["output_tokens", "INTEGER", (row) => row.usage?.outputTokens ?? null],
  ["reasoning_tokens", "INTEGER", (row) => row.usage?.reasoningTokens ?? null],
  ["cost_usd", "REAL", (row) => row.costUsd],
  ["key", "TEXT", (row) => row.key],
  ["user", "TEXT", (row) => row.user],
];

export const COLUMN_NAMES: readonly string[] = COLUMNS.map(([name]) => name);

export const COLUMN_DEFINITIONS = COLUMNS.map(([name, type]) => `${name} ${type}`).join(",\n  ");

/** In the order of the names. */
export function valuesOf(row: LedgerRow): Value[] {
  return COLUMNS.map(([, , value]) => value(row));
}

/** One line of JSON: the columns, with the time as RFC 3339 and the switch as one. */
export function lineOf(row: LedgerRow): string {
  const columns = Object.fromEntries(COLUMNS.slice(1).map(([name, , value]) => [name, value(row)]));
  return `${JSON.stringify({ time: new Date(row.timeMs).toISOString(), ...columns, stream: row.stream })}\n`;
}
