import type { Clock } from "../../../../src/core/clock.ts";
import type { Usage } from "../../../../src/core/usage.ts";
import type { LedgerRow } from "../../../../src/shell/cost/row.ts";

export const NOW = Date.UTC(2026, 8, 1, 12);

/** What a test says of a row. */
export type Told = {
  readonly timeMs: number;
  readonly provider: string;
  readonly dialect: string | null;
  readonly model: string | null;
  readonly answeredModel: string | null;
  readonly stream: boolean;
  readonly status: number | null;
  readonly done: string;
  readonly error: string | null;
  readonly failure: string | null;
  readonly attempts: number;
  readonly durationMs: number;
  readonly firstTokenMs: number | null;
  readonly usage: Usage | null;
  readonly costUsd: number | null;
  readonly key: string | null;
  readonly user: string | null;
  readonly target: string | null;
  readonly failed: readonly object[] | null;
};

export function row(exchange: number, changes: Partial<Told> = {}): LedgerRow {
  const told: Told = {
    timeMs: NOW,
    provider: "openai",
    dialect: "chat",
    model: "gpt-4o",
    answeredModel: "gpt-4o-2024-08-06",
    stream: false,
    status: 200,
    done: "delivered",
    error: null,
    failure: null,
    attempts: 1,
    durationMs: 12.5,
    firstTokenMs: null,
    usage: { inputTokens: 100, cacheReadTokens: 40, cacheWriteTokens: 0, outputTokens: 20, reasoningTokens: 5 },
    costUsd: 0.0025,
    key: "0123456789ab",
    user: null,
    target: null,
    failed: null,
    ...changes,
  };
  const { timeMs, provider, dialect, model, answeredModel, stream, status, done, error, failure, attempts, durationMs } = told;
  const { firstTokenMs, usage, costUsd, key, user, target, failed } = told;
  const tokens = [usage?.inputTokens, usage?.cacheReadTokens, usage?.cacheWriteTokens, usage?.outputTokens, usage?.reasoningTokens];
  return [
    timeMs,
    ...[
      exchange,
      provider,
      dialect,
      model,
      answeredModel,
      stream ? 1 : 0,
      status,
      done,
      error,
      failure,
      attempts,
      durationMs,
      firstTokenMs,
    ],
    ...tokens.map((count) => count ?? null),
    ...[costUsd, key, user, target, failed === null ? null : JSON.stringify(failed)],
  ];
}

/** A clock that stands still until it is told. */
export function manualClock(): Clock & { readonly advance: (ms: number) => Promise<void> } {
  let now = 0;
  let sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  return {
    monotonicMs: () => now,
    wallMs: () => NOW + now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        sleepers.push({ atMs: now + ms, wake: resolve });
        signal.addEventListener("abort", () => resolve());
      }),
    async advance(ms) {
      now += ms;
      const due = sleepers.filter(({ atMs }) => atMs <= now);
      sleepers = sleepers.filter(({ atMs }) => atMs > now);
      for (const { wake } of due) wake();
      await turns();
    },
  };
}

/** Lets everything run that waits for a turn of the event loop. */
export async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
