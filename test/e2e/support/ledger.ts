import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./daemon.ts";

/** What tests look at of a row. */
export type Row = {
  readonly exchange: number;
  readonly provider: string;
  readonly dialect: string | null;
  readonly model: string | null;
  readonly answered_model: string | null;
  readonly stream: number;
  readonly status: number | null;
  readonly done: string;
  readonly error: string | null;
  readonly attempts: number;
  readonly input_tokens: number | null;
  readonly cache_read_tokens: number | null;
  readonly cache_write_tokens: number | null;
  readonly output_tokens: number | null;
  readonly reasoning_tokens: number | null;
  readonly cost_usd: number | null;
  readonly key: string | null;
  readonly user: string | null;
};

/** Where a daemon keeps its ledger whose XDG_STATE_HOME this is. */
export function ledgerIn(stateFolder: string): string {
  return join(stateFolder, "faultproxy/ledger.sqlite");
}

/** The rows so far, in the order in which they were written; none where there is no ledger yet. */
export function rowsOf(path: string): readonly Row[] {
  if (!existsSync(path)) return [];
  const database = new Database(path, { readwrite: true });
  try {
    // Whoever writes at this moment is waited for.
    database.run("PRAGMA busy_timeout = 2000");
    const isMade = database.query("SELECT 1 FROM sqlite_schema WHERE name = 'exchange'").get() !== null;
    if (!isMade) return [];
    return database.query<Row, []>("SELECT * FROM exchange ORDER BY id").all();
  } finally {
    database.close();
  }
}

/** Waits until there are so many. */
export function rowsWhen(path: string, count: number): Promise<readonly Row[]> {
  return eventually(() => {
    const rows = rowsOf(path);
    return rows.length >= count ? rows : undefined;
  }, `row ${count} of the ledger`);
}
