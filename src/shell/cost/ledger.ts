import type { Database, Statement } from "bun:sqlite";
import { statSync } from "node:fs";
import type { Clock } from "../../core/clock.ts";
import { codeOf } from "../socket-path.ts";
import { createBatches, type Ledger, type Sink } from "./batches.ts";
import { openLedgerFile, unwritable } from "./ledger-file.ts";
import { createIds, firstIdOf } from "./ledger-ids.ts";
import { COLUMN_NAMES, type LedgerRow } from "./row.ts";

export { defaultLedgerPath } from "./ledger-path.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Rows taken out at a time, and the pause between, so that rows are not held up for long. */
const PRUNED_MAX = 500;
const PRUNE_PAUSE_MS = 50;

/** How often it is looked whether the file is still where it was. */
const LOOK_MS = 1_000;

export type LedgerOptions = {
  readonly path: string;
  /** Older rows are taken out when it is opened, and each hour. */
  readonly keepDays: number;
  readonly clock: Clock;
  /** One line for people; at most one for each trouble and one for its end. */
  readonly warn: (text: string) => void;
};

/** The ledger in an SQLite file, which several daemons may share. Never throws: where it cannot be opened, that is tried again. */
export function openLedger({ path, keepDays, clock, warn }: LedgerOptions): Ledger {
  const sink = sqliteSink(path, clock);
  const ledger = createBatches(`the ledger ${path}`, sink, clock, warn);
  const closing = new AbortController();
  const prune = () => {
    if (closing.signal.aborted) return;
    const isMore = sink.prune(clock.wallMs() - keepDays * DAY_MS);
    void clock.sleep(isMore ? PRUNE_PAUSE_MS : HOUR_MS, closing.signal).then(() => setImmediate(prune));
  };
  prune();
  return {
    ...ledger,
    close() {
      closing.abort();
      ledger.close();
    },
  };
}

type SqliteSink = Sink & {
  /** Takes out some rows from before this time. Were there as many as are taken at a time? Throws nothing. */
  readonly prune: (beforeMs: number) => boolean;
};

type Opened = {
  readonly database: Database;
  readonly insert: Statement;
  readonly begin: Statement;
  readonly commit: Statement;
  readonly prune: Statement;
  readonly inode: bigint;
};

function sqliteSink(path: string, clock: Clock): SqliteSink {
  let opened: Opened | undefined;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  const ids = createIds(Math.random());

  function open(): Opened {
    const now = clock.monotonicMs();
    if (opened !== undefined && now - lookedAtMs > LOOK_MS) {
      lookedAtMs = now;
      if (inodeOf(path) !== opened.inode) leaveMoved(opened.database);
    }
    if (opened !== undefined) return opened;
    const database = openLedgerFile(path);
    lookedAtMs = now;
    opened = {
      database,
      insert: database.prepare(
        `INSERT INTO exchange (id, ${COLUMN_NAMES.join(", ")}) VALUES (?, ${COLUMN_NAMES.map(() => "?").join(", ")})`,
      ),
      begin: database.prepare("BEGIN IMMEDIATE"),
      commit: database.prepare("COMMIT"),
      prune: database.prepare(`DELETE FROM exchange WHERE id IN (SELECT id FROM exchange WHERE id < ? ORDER BY id LIMIT ${PRUNED_MAX})`),
      inode: inodeOf(path),
    };
    return opened;
  }

  /** Another daemon may have taken the id. */
  function put(insert: Statement, row: LedgerRow): void {
    for (;;) {
      try {
        insert.run([ids.next(row[0]), ...row]);
        return;
      } catch (error) {
        if (codeOf(error) !== "SQLITE_CONSTRAINT_PRIMARYKEY") throw error;
      }
    }
  }

  /** SQLite would leave behind what is still in the write-ahead log, for no file that there is. */
  function leaveMoved(database: Database): void {
    try {
      database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // It was taken away altogether, or its disk was.
    }
    close();
  }

  function close(): void {
    if (opened === undefined) return;
    const { database, ...statements } = opened;
    opened = undefined;
    for (const statement of Object.values(statements)) if (typeof statement !== "bigint") statement.finalize();
    database.close();
  }

  return {
    write(rows) {
      const { database, insert, begin, commit } = open();
      if (rows.length === 0) return;
      try {
        begin.run();
        for (const row of rows) put(insert, row);
        commit.run();
      } catch (error) {
        rollBack(database);
        const problem = unwritable(error, path);
        if (!problem.isBusy) close();
        throw problem;
      }
    },
    prune(beforeMs) {
      try {
        return opened !== undefined && opened.prune.run(firstIdOf(beforeMs)).changes >= PRUNED_MAX;
      } catch {
        // Old rows can wait; what is wrong is told when new ones cannot be written.
        return false;
      }
    },
    close,
  };
}

function rollBack(database: Database): void {
  try {
    if (database.inTransaction) database.run("ROLLBACK");
  } catch {
    // The connection is closed next, which does the same.
  }
}

/** 0 where there is none. */
function inodeOf(path: string): bigint {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? 0n;
}
