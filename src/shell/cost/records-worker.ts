import { parentPort } from "node:worker_threads";
import { REAL_CLOCK } from "../real-clock.ts";
import type { Ledger, LedgerHealth } from "./batches.ts";
import { openJsonLines } from "./json-lines.ts";
import { openLedger } from "./ledger.ts";
import { createUnpacker, type PackedRows } from "./packed-rows.ts";

/** What the thread is told. */
export type ToWorker =
  | {
      readonly kind: "open";
      readonly ledger: { readonly path: string; readonly keepDays: number } | undefined;
      readonly lines: string | undefined;
    }
  /** `missed`: rows that found no room before them. */
  | { readonly kind: "rows"; readonly rows: PackedRows; readonly missed: number }
  | { readonly kind: "close" };

/** What it tells: how it is and how many messages of rows it has dealt with, a line for people, and that everything is closed. */
export type FromWorker =
  | { readonly kind: "health"; readonly dealtWith: number; readonly health: LedgerHealth }
  | { readonly kind: "warn"; readonly text: string }
  | { readonly kind: "closed" };

/**
 * The thread in which ledger and JSON lines are written. A disk that is slow, a lock that is waited for, a checkpoint of the write-ahead log
 * hold up nobody's traffic here.
 */
const ledgers: Ledger[] = [];
const unpacked = createUnpacker();
let dealtWith = 0;

function tell(what: FromWorker): void {
  parentPort?.postMessage(what);
}

function warn(text: string): void {
  tell({ kind: "warn", text });
  setImmediate(tellHealth);
}

function tellHealth(): void {
  tell({ kind: "health", dealtWith, health: healthOf(ledgers.map((ledger) => ledger.health())) });
}

/** Of all as of one. */
function healthOf(each: readonly LedgerHealth[]): LedgerHealth {
  return {
    isUp: each.every(({ isUp }) => isUp),
    detail: each.find(({ detail }) => detail !== undefined)?.detail,
    pending: each.reduce((sum, { pending }) => sum + pending, 0),
    dropped: each.reduce((sum, { dropped }) => sum + dropped, 0),
  };
}

parentPort?.on("message", (message: ToWorker) => {
  switch (message.kind) {
    case "open": {
      const { ledger, lines } = message;
      if (ledger !== undefined) ledgers.push(openLedger({ ...ledger, clock: REAL_CLOCK, warn }));
      if (lines !== undefined) ledgers.push(openJsonLines({ path: lines, clock: REAL_CLOCK, warn }));
      tellHealth();
      break;
    }
    case "rows": {
      const rows = unpacked(message.rows);
      for (const ledger of ledgers) {
        ledger.miss(message.missed);
        for (const row of rows) ledger.add(row);
      }
      dealtWith++;
      // Behind the write, which is next.
      setImmediate(tellHealth);
      break;
    }
    case "close":
      for (const ledger of ledgers) ledger.close();
      tell({ kind: "closed" });
      parentPort?.close();
  }
});
