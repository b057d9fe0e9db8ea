import { Worker } from "node:worker_threads";
import type { Settings } from "../config/settings.ts";
import type { Clock } from "../core/clock.ts";
import type { ExchangeEvent } from "../core/event.ts";
import { type LedgerHealth, WAITING_MAX } from "./cost/batches.ts";
import { defaultLedgerPath } from "./cost/ledger-path.ts";
import { createPacker, memoryOf } from "./cost/packed-rows.ts";
import type { FromWorker, ToWorker } from "./cost/records-worker.ts";
import { rowOf } from "./cost/row.ts";

/** Where inference requests are written down: the ledger, JSON lines, both or neither. */
export type Records = {
  /** Resolves when what cannot be written has been told. */
  readonly ready: Promise<void>;
  /** Takes the row of an inference request, to be written soon; never throws, never waits. */
  readonly add: (event: ExchangeEvent) => void;
  /** Undefined where nothing is written. */
  readonly health: () => LedgerHealth | undefined;
  /** Writes what waits, and ends. */
  readonly close: () => Promise<void>;
};

/** At load, rows of so long a time go together. The first after a pause goes at once. */
const GATHER_MS = 25;

/** How long a disk may take at the end. */
const CLOSE_MS_MAX = 10_000;

/** Compiled, the thread's module stands below the root of the program's own files. */
const WORKER = new URL(import.meta.path.endsWith(".ts") ? "./cost/records-worker.ts" : "./shell/cost/records-worker.js", import.meta.url);

const NOTHING_WRITTEN: Records = { ready: Promise.resolve(), add: () => {}, health: () => undefined, close: async () => {} };

export function createRecords(
  settings: Pick<Settings, "ledgerFile" | "ledgerKeepDays" | "ledgerLinesFile">,
  environment: Readonly<Record<string, string | undefined>>,
  clock: Clock,
  warn: (text: string) => void,
): Records {
  const path = settings.ledgerFile ?? defaultLedgerPath(environment);
  const { ledgerKeepDays: keepDays, ledgerLinesFile: lines } = settings;
  if (path === "" && lines === undefined) return NOTHING_WRITTEN;
  const thread = new Worker(WORKER);
  const say = (what: ToWorker) => thread.postMessage(what);
  const ready = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const closing = new AbortController();
  let health: LedgerHealth = { isUp: true, detail: undefined, pending: 0, dropped: 0 };
  const memory = memoryOf(WAITING_MAX);
  const packer = createPacker(memory);
  let missed = 0;
  /** Rows of each message that the thread has not dealt with yet, and how many messages it has. */
  const underway: number[] = [];
  let underwayRows = 0;
  let dealtWith = 0;
  let isScheduled = false;
  let sentAtMs = Number.NEGATIVE_INFINITY;

  const send = () => {
    isScheduled = false;
    if (packer.waiting() === 0 && missed === 0) return;
    const taken = packer.take();
    say({ kind: "rows", rows: taken, missed });
    underway.push(taken.rows);
    underwayRows += taken.rows;
    missed = 0;
    sentAtMs = clock.monotonicMs();
  };
  const schedule = () => {
    isScheduled = true;
    if (clock.monotonicMs() - sentAtMs > GATHER_MS) setImmediate(send);
    else void clock.sleep(GATHER_MS, closing.signal).then(send);
  };
  const ended = (why: string) => {
    if (!closing.signal.aborted && health.isUp) warn(`${why}; nothing is written any more: start again, and please report it`);
    health = { ...health, isUp: false, detail: why };
    ready.resolve();
    closed.resolve();
  };

  thread.on("message", (message: FromWorker) => {
    switch (message.kind) {
      case "warn":
        warn(message.text);
        break;
      case "health":
        health = message.health;
        for (; dealtWith < message.dealtWith; dealtWith++) {
          const rows = underway.shift() ?? 0;
          packer.free(rows);
          underwayRows -= rows;
        }
        ready.resolve();
        break;
      case "closed":
        underwayRows = 0;
        closed.resolve();
    }
  });
  thread.on("error", (error: unknown) =>
    ended(`the ledger's thread has failed (${error instanceof Error ? error.message : String(error)})`),
  );
  thread.on("exit", () => ended("the ledger's thread has ended"));
  say({ kind: "open", ledger: path === "" ? undefined : { path, keepDays }, lines, memory });

  let end: Promise<void> | undefined;
  const close = async () => {
    send();
    closing.abort();
    say({ kind: "close" });
    const late = new AbortController();
    await Promise.race([closed.promise, clock.sleep(CLOSE_MS_MAX, late.signal)]);
    late.abort();
    if (underwayRows > 0) warn(`${underwayRows} rows are lost: the ledger's disk has not taken them within ${CLOSE_MS_MAX / 1_000} s`);
    await thread.terminate();
  };

  return {
    ready: ready.promise,
    add(event) {
      const row = end === undefined ? rowOf(event) : undefined;
      if (row === undefined) return;
      if (!packer.add(row)) missed++;
      if (!isScheduled) schedule();
    },
    health: () => ({ ...health, pending: health.pending + underwayRows + packer.waiting(), dropped: health.dropped + missed }),
    close() {
      end ??= close();
      return end;
    },
  };
}
