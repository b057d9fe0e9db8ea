import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { type InputError, inputError, isInputError } from "../../core/errors.ts";
import { codeOf } from "../socket-path.ts";
import { checkLedgerHeader } from "./ledger-file.ts";
import { firstIdSql } from "./ledger-ids.ts";
import { ROUTE_COLUMNS } from "./row.ts";

/** The rows from a time on, each with all columns; `sql` says what is asked of the table `kept`. */
export type LedgerReader = { readonly all: <Row>(sql: string) => readonly Row[] };

/** The first parameter is the time. */
const SINCE = `(id >= ${firstIdSql("?1")} AND time_ms >= ?1)`;

const BUSY_MS = 2_000;

/** Reads a ledger as it is at one moment; a daemon may be writing to it. */
export function readLedger<Value>(path: string, sinceMs: number, read: (ledger: LedgerReader) => Value, empty: Value): Value | InputError {
  if (!existsSync(path)) return inputError(`there is no ledger ${path}`);
  let database: Database | undefined;
  try {
    const mistake = checkLedgerHeader(path);
    if (isInputError(mistake)) return mistake;
    const opened = new Database(path, { readonly: true });
    database = opened;
    opened.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
    return opened.transaction(() => {
      const columns = opened.query<{ name: string }, []>("SELECT name FROM pragma_table_info('exchange')").all();
      // A ledger that has just been made has no table yet.
      if (columns.length === 0) return empty;
      const rows = rowsSql(columns.map(({ name }) => name));
      return read({ all: <Row>(sql: string) => opened.query<Row, [number]>(`${rows} ${sql}`).all(sinceMs) });
    })();
  } catch (error) {
    return inputError(`cannot read the ledger ${path} (${codeOf(error)})`);
  } finally {
    database?.close();
  }
}

/** One that nobody has written to since an older version lacks columns. */
function rowsSql(columns: readonly string[]): string {
  const missing = ROUTE_COLUMNS.filter(({ name }) => !columns.includes(name)).map(({ name }) => `, NULL AS ${name}`);
  return `WITH kept AS (SELECT *${missing.join("")} FROM exchange WHERE ${SINCE})`;
}
