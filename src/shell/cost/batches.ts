import type { Clock } from "../../core/clock.ts";
import type { LedgerRow } from "./row.ts";

/** Where rows are kept. */
export type Sink = {
  /** All of them or none; without a row it is only opened. Throws `Unwritable`. */
  readonly write: (rows: readonly LedgerRow[]) => void;
  /** Throws nothing. */
  readonly close: () => void;
};

/** Why rows cannot be written now: one sentence that says what and where, and what to do. */
export class Unwritable extends Error {
  /** `isBusy`: somebody else writes at the moment; it is told only when that lasts. */
  constructor(
    message: string,
    readonly isBusy = false,
  ) {
    super(message);
  }
}

export type LedgerHealth = {
  readonly isUp: boolean;
  /** What is wrong, for people. */
  readonly detail: string | undefined;
  /** Rows that are not written yet. */
  readonly pending: number;
  /** Rows that found no room while they waited; told and forgotten when it is written again. */
  readonly dropped: number;
};

export type Ledger = {
  /** Takes a row, to be written in the next turn; never throws, never waits. */
  readonly add: (row: LedgerRow) => void;
  /** So many rows were lost on their way here. */
  readonly miss: (rows: number) => void;
  /** Writes what waits, now. Is all written? */
  readonly flush: () => boolean;
  readonly health: () => LedgerHealth;
  /** Writes what waits, and ends. */
  readonly close: () => void;
};

/** Rows that wait while they cannot be written; more are dropped and counted. Some 10 MB. */
export const WAITING_MAX = 20_000;

/** Between tries while writing fails. */
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 30_000;

/** How long somebody else may write before it is told. */
const BUSY_MS_MAX = 10_000;

type Trouble = { readonly sinceMs: number; readonly detail: string; readonly isTold: boolean; readonly retryMs: number };

/** Writes rows that came in one turn together. A sink that fails costs nobody anything: rows wait, and one warning is given. */
export function createBatches(name: string, sink: Sink, clock: Clock, warn: (text: string) => void): Ledger {
  const closing = new AbortController();
  let waiting: LedgerRow[] = [];
  let dropped = 0;
  let isScheduled = false;
  let isClosed = false;
  let trouble: Trouble | undefined;

  function schedule(): void {
    if (isScheduled || isClosed) return;
    isScheduled = true;
    const run = () => {
      isScheduled = false;
      if (!isClosed) writeAndGoOn();
    };
    if (trouble === undefined) setImmediate(run);
    else void clock.sleep(trouble.retryMs, closing.signal).then(() => setImmediate(run));
  }

  function writeAndGoOn(): void {
    write();
    if (trouble !== undefined) schedule();
  }

  function write(): boolean {
    try {
      sink.write(waiting);
    } catch (error) {
      fail(error);
      return false;
    }
    waiting = [];
    recover();
    return true;
  }

  function fail(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    const now = clock.monotonicMs();
    const sinceMs = trouble?.sinceMs ?? now;
    const isBusy = error instanceof Unwritable && error.isBusy && now - sinceMs < BUSY_MS_MAX;
    const wasTold = trouble?.isTold === true;
    if (!isBusy && !wasTold && !isClosed) warn(`${detail}. Requests go on, and up to ${WAITING_MAX} rows wait`);
    const retryMs = trouble === undefined || isBusy ? RETRY_MS_MIN : Math.min(trouble.retryMs * 2, RETRY_MS_MAX);
    trouble = { sinceMs, detail, isTold: wasTold || !isBusy, retryMs };
  }

  function recover(): void {
    const missing = dropped === 0 ? "no row is missing" : `${dropped} rows are missing, which found no room while they waited`;
    if (trouble?.isTold || dropped > 0) warn(`${name} is written again; ${missing}`);
    trouble = undefined;
    dropped = 0;
  }

  const flush = () => (waiting.length === 0 && dropped === 0) || write();

  // Nothing is written yet, but what is wrong is told at the start and not with the first request.
  writeAndGoOn();

  return {
    add(row) {
      if (isClosed) return;
      if (waiting.length < WAITING_MAX) waiting.push(row);
      else dropped++;
      schedule();
    },
    miss(rows) {
      dropped += rows;
      if (rows > 0) schedule();
    },
    flush,
    health: () => ({ isUp: trouble === undefined, detail: trouble?.detail, pending: waiting.length, dropped }),
    close() {
      if (isClosed) return;
      isClosed = true;
      closing.abort();
      if (!flush()) warn(`${waiting.length + dropped} rows are lost: ${trouble?.detail}`);
      waiting = [];
      sink.close();
    },
  };
}
