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

type Column = {
  readonly name: string;
  /** In SQLite. */
  readonly type: string;
  readonly summary: string;
  readonly value: (row: LedgerRow) => Value;
};

function column(name: string, type: string, summary: string, value: Column["value"]): Column {
  return { name, type, summary, value };
}

/** How a row is kept. What may be null is unknown then, or there was none. */
export const COLUMNS: readonly Column[] = [
  column("time_ms", "INTEGER NOT NULL", "when it ended: Unix time in milliseconds", (row) => row.timeMs),
  column("exchange", "INTEGER NOT NULL", "the request's number in its process, as in log lines and events", (row) => row.exchange),
  column("provider", "TEXT NOT NULL", "openai, anthropic and so on", (row) => row.provider),
  column("dialect", "TEXT", "chat, responses, messages or gemini", (row) => row.dialect),
  column("model", "TEXT", "the model that was asked for", (row) => row.model),
  column("answered_model", "TEXT", "the model that the answer names", (row) => row.answeredModel),
  column("stream", "INTEGER NOT NULL", "1 where a stream was asked for", (row) => (row.stream ? 1 : 0)),
  column("status", "INTEGER", "the status that the client got", (row) => row.status),
  column("done", "TEXT NOT NULL", "delivered, cut, client_gone, hang, reset or close", (row) => row.done),
  column("error", "TEXT", "why the proxy itself answered, as in x-faultproxy-error", (row) => row.error),
  column("failure", "TEXT", "the class of the target's last failure", (row) => row.failure),
  column("attempts", "INTEGER NOT NULL", "how often a target was asked", (row) => row.attempts),
  column("duration_ms", "REAL NOT NULL", "from the request to the end of the answer", (row) => row.durationMs),
  column("first_token_ms", "REAL", "from the request to the first output of a stream", (row) => row.firstTokenMs),
  column("input_tokens", "INTEGER", "all input, cached tokens among it", (row) => row.usage?.inputTokens ?? null),
  column("cache_read_tokens", "INTEGER", "the part that came from a cache", (row) => row.usage?.cacheReadTokens ?? null),
  column("cache_write_tokens", "INTEGER", "the part that was written into a cache", (row) => row.usage?.cacheWriteTokens ?? null),
  column("output_tokens", "INTEGER", "all output, reasoning among it", (row) => row.usage?.outputTokens ?? null),
  column("reasoning_tokens", "INTEGER", "the part that was reasoning", (row) => row.usage?.reasoningTokens ?? null),
  column("cost_usd", "REAL", "what it cost in US dollars", (row) => row.costUsd),
  column("key", "TEXT", "short hash of the client's key, never the key", (row) => row.key),
  column("user", "TEXT", "short hash of the user, never the name", (row) => row.user),
];

export const COLUMN_NAMES: readonly string[] = COLUMNS.map(({ name }) => name);

export const COLUMN_DEFINITIONS = COLUMNS.map(({ name, type }) => `${name} ${type}`).join(",\n  ");

/** In the order of the names. */
export function valuesOf(row: LedgerRow): Value[] {
  return COLUMNS.map(({ value }) => value(row));
}

/** One line of JSON: the columns, with the time as RFC 3339 and the switch as one. */
export function lineOf(row: LedgerRow): string {
  const columns = Object.fromEntries(COLUMNS.slice(1).map(({ name, value }) => [name, value(row)]));
  return `${JSON.stringify({ time: new Date(row.timeMs).toISOString(), ...columns, stream: row.stream })}\n`;
}
