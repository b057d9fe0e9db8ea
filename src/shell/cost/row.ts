import { createHash } from "node:crypto";
import type { ExchangeEvent } from "../../core/event.ts";
import type { Tried } from "../../core/gateway.ts";

/** What is kept of one inference request, in the order of the columns. Null: not known, or there was none. */
export type LedgerRow = readonly [timeMs: number, ...rest: readonly (string | number | null)[]];

/** Names of models come from the wire. */
const NAME_CHARACTERS_MAX = 200;

const HASH_DIGITS = 12;

/** Undefined for what is no inference request through the gateway. */
export function rowOf(event: ExchangeEvent): LedgerRow | undefined {
  const { gateway } = event;
  if (gateway === undefined) return undefined;
  const { usage, user, tried } = gateway;
  return [
    unixMs(event.time),
    event.exchange,
    gateway.answeredBy ?? event.provider,
    event.dialect,
    cut(event.model),
    cut(gateway.answeredModel),
    gateway.stream ? 1 : 0,
    event.status,
    event.done,
    event.error,
    gateway.failure,
    gateway.attempts,
    event.durationMs,
    gateway.firstTokenMs,
    usage === null ? null : usage.inputTokens,
    usage === null ? null : usage.cacheReadTokens,
    usage === null ? null : usage.cacheWriteTokens,
    usage === null ? null : usage.outputTokens,
    usage === null ? null : usage.reasoningTokens,
    gateway.costUsd,
    gateway.key,
    user === null ? null : createHash("sha256").update(user).digest("hex").slice(0, HASH_DIGITS),
    tried.length === 0 ? null : answering(tried),
    tried.length === 0 ? null : failedText(tried),
  ];
}

/** A stream that broke off for good is nobody's answer. */
function answering(tried: readonly Tried[]): string | null {
  return tried.findLast(({ attempts, failure }) => attempts > 0 && failure === undefined)?.target ?? null;
}

/** What failed on the way to an answer, or instead of one; a target that was passed over has not. */
function failedText(tried: readonly Tried[]): string | null {
  const failed = tried.flatMap(({ target, attempts, status, failure, reason, durationMs }) =>
    failure === undefined ? [] : [{ target, class: failure, status: status ?? null, reason: reason ?? null, attempts, ms: durationMs }],
  );
  return failed.length === 0 ? null : JSON.stringify(failed);
}

let lastTime = "";
let lastMs = Number.NaN;

/** Many events fall into one millisecond. */
function unixMs(time: string): number {
  if (time !== lastTime) {
    lastTime = time;
    lastMs = Date.parse(time);
  }
  return lastMs;
}

function cut(name: string | null): string | null {
  return name !== null && name.length > NAME_CHARACTERS_MAX ? `${name.slice(0, NAME_CHARACTERS_MAX - 1)}…` : name;
}

type Column = {
  readonly name: string;
  /** In SQLite. */
  readonly type: string;
  readonly summary: string;
};

function column(name: string, type: string, summary: string): Column {
  return { name, type, summary };
}

/** Those that came with routes, behind all others. */
export const ROUTE_COLUMNS: readonly Column[] = [
  column("target", "TEXT", "the target of a route whose answer it is"),
  column(
    "failed",
    "TEXT",
    "the targets of a route that failed, as a JSON array: target, class, status, reason, attempts, ms; null where none did",
  ),
];

/** How a row is kept. What may be null is unknown then, or there was none. */
export const COLUMNS: readonly Column[] = [
  column("time_ms", "INTEGER NOT NULL", "when it ended: Unix time in milliseconds"),
  column("exchange", "INTEGER NOT NULL", "the request's number in its process, as in log lines and events"),
  column("provider", "TEXT NOT NULL", "openai, anthropic and so on; where a route chose the target, the one that answered"),
  column("dialect", "TEXT", "chat, responses, messages or gemini"),
  column("model", "TEXT", "the model that the client asked for"),
  column("answered_model", "TEXT", "the model that the answer names"),
  column("stream", "INTEGER NOT NULL", "1 where a stream was asked for"),
  column("status", "INTEGER", "the status that the client got"),
  column("done", "TEXT NOT NULL", "delivered, cut, client_gone, hang, reset or close"),
  column("error", "TEXT", "why the proxy itself answered, as in x-faultproxy-error"),
  column("failure", "TEXT", "the class of the target's last failure"),
  column("attempts", "INTEGER NOT NULL", "how often a target was asked"),
  column("duration_ms", "REAL NOT NULL", "from the request to the end of the answer"),
  column("first_token_ms", "REAL", "from the request to the first output of a stream"),
  column("input_tokens", "INTEGER", "all input, cached tokens among it"),
  column("cache_read_tokens", "INTEGER", "the part that came from a cache"),
  column("cache_write_tokens", "INTEGER", "the part that was written into a cache"),
  column("output_tokens", "INTEGER", "all output, reasoning among it"),
  column("reasoning_tokens", "INTEGER", "the part that was reasoning"),
  column("cost_usd", "REAL", "what it cost in US dollars"),
  column("key", "TEXT", "short hash of the client's key, never the key"),
  column("user", "TEXT", "short hash of the user, never the name"),
  ...ROUTE_COLUMNS,
];

export const COLUMN_NAMES: readonly string[] = COLUMNS.map(({ name }) => name);

export const COLUMN_DEFINITIONS = COLUMNS.map(({ name, type }) => `${name} ${type}`).join(",\n  ");

/** One line of JSON: the columns, with the time as RFC 3339, the switch as one and what failed as it is. */
export function lineOf(row: LedgerRow): string {
  const columns = COLUMN_NAMES.slice(1).map((name, index) => [name, jsonOf(name, row[index + 1])]);
  return `${JSON.stringify({ time: new Date(row[0]).toISOString(), ...Object.fromEntries(columns) })}\n`;
}

function jsonOf(name: string, value: LedgerRow[number] | undefined): unknown {
  if (name === "stream") return value === 1;
  return name === "failed" && typeof value === "string" ? JSON.parse(value) : value;
}
