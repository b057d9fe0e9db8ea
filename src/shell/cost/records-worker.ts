import { setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { REAL_CLOCK } from "../real-clock.ts";
import type { Ledger, LedgerHealth } from "./batches.ts";
import { openJsonLines } from "./json-lines.ts";
import { openLedger } from "./ledger.ts";
import { createUnpacker, type PackedRows } from "./packed-rows.ts";

/**
 * The thread in which ledger and JSON lines are written. A disk that is slow, a lock that is waited for, a checkpoint of the write-ahead log
 * hold up nobody's traffic here.
 */

/** What the thread is told. */
export type ToWorker =
  | {
      readonly kind: "open";
      readonly ledger: { readonly path: string; readonly keepDays: number } | undefined;
      readonly lines: string | undefined;
      /** Where rows will stand. */
      readonly memory: SharedArrayBuffer;
    }
  /** `missed`: rows that found no room before them. */
  | { readonly kind: "rows"; readonly rows: PackedRows; readonly missed: number }
  | { readonly kind: "close" };

/** What it tells: how it is and how many messages of rows it has dealt with, a line for people, and that everything is closed. */
export type FromWorker =
  | { readonly kind: "health"; readonly dealtWith: number; readonly health: LedgerHealth }
  | { readonly kind: "warn"; readonly text: string }
  | { readonly kind: "closed" };

const ledgers: Ledger[] = [];

/** Where processors are scarce, traffic comes first: of one that is busy the thread still gets a tenth. */
const NICE = 10;
let unpacked: ReturnType<typeof createUnpacker> = () => [];
let dealtWith = 0;

/** On Linux 0 is the calling thread (setpriority(2), section "C library/kernel differences"); elsewhere it would be the whole program. */
function giveWay(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(0, NICE);
  } catch {
    // Whoever forbids it loses some speed.
  }
}

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
      giveWay();
      const { ledger, lines, memory } = message;
      unpacked = createUnpacker(memory);
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
