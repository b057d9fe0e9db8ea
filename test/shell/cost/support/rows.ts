import type { Clock } from "../../../../src/core/clock.ts";
import type { LedgerRow } from "../../../../src/shell/cost/row.ts";

export const NOW = Date.UTC(2026, 8, 1, 12);

export function row(exchange: number, changes: Partial<LedgerRow> = {}): LedgerRow {
  return {
    timeMs: NOW,
    exchange,
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
    ...changes,
  };
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
