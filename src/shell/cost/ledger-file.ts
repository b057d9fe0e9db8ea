import { Database } from "bun:sqlite";
import { chmodSync, closeSync, constants, existsSync, mkdirSync, openSync, readSync } from "node:fs";
import { dirname } from "node:path";
import { type InputError, inputError } from "../../core/errors.ts";
import { codeOf } from "../socket-path.ts";
import { Unwritable } from "./batches.ts";
import { firstIdSql, IDS_PER_MS } from "./ledger-ids.ts";
import { COLUMN_DEFINITIONS, ROUTE_COLUMNS } from "./row.ts";

/** The form of the tables. A file with a higher one belongs to a newer program. */
export const SCHEMA_VERSION = 3;

/** "FPLG" in ASCII, kept in the file's header: it is a ledger, and no other program's database. */
const APPLICATION_ID = 0x46504c47;

/** At the start, where tables are made; afterwards rows are gathered meanwhile, and tried again. */
const BUSY_MS_AT_START = 2_000;
const BUSY_MS = 20;

/** Larger pages than usual, and checkpoints further apart: rows at load take a quarter less of the processor (docs/decisions). */
const PAGE_BYTES = 16_384;
const CHECKPOINT_PAGES = 2_000;

/** Of SQLite's file format: magic, user_version, application_id (https://www.sqlite.org/fileformat.html#the_database_header). */
const MAGIC = "SQLite format 3\0";
const HEADER_BYTES = 100;
const USER_VERSION_AT = 60;
const APPLICATION_ID_AT = 68;

const ELSEWHERE = 'name another file in cost.ledger, or "" for none';

/** Opens the ledger, made where it is not there. Throws `Unwritable`; a file that is not ours, or newer, is not touched. */
export function openLedgerFile(path: string): Database {
  makeFile(path);
  checkHeader(path);
  let database: Database | undefined;
  try {
    database = new Database(path, { readwrite: true });
    prepare(database, path);
    return database;
  } catch (error) {
    database?.close();
    throw error instanceof Unwritable ? error : unwritable(error, path);
  }
}

/** A folder and a file of our own making are nobody else's to read. */
function makeFile(path: string): void {
  const folder = dirname(path);
  try {
    if (mkdirSync(folder, { recursive: true, mode: 0o700 }) !== undefined) chmodSync(folder, 0o700);
  } catch (error) {
    throw new Unwritable(`the folder ${folder} for the ledger cannot be made (${codeOf(error)}): make it, or ${ELSEWHERE}`);
  }
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600));
  } catch (error) {
    throw unwritable(error, path);
  }
}

/** For whoever only reads. */
export function checkLedgerHeader(path: string): InputError | undefined {
  try {
    checkHeader(path);
    return undefined;
  } catch (error) {
    return inputError(error instanceof Unwritable ? error.message : `cannot read the ledger ${path} (${codeOf(error)})`);
  }
}

/** Looks without SQLite, which would make files beside it. */
function checkHeader(path: string): void {
  const header = Buffer.alloc(HEADER_BYTES);
  const file = openSync(path, "r");
  const length = readSync(file, header, 0, HEADER_BYTES, 0);
  closeSync(file);
  if (length === 0) return;
  if (length < HEADER_BYTES || header.toString("latin1", 0, MAGIC.length) !== MAGIC) throw noLedger(path);
  checkIdentity(path, header.readInt32BE(APPLICATION_ID_AT), header.readInt32BE(USER_VERSION_AT));
}

function checkIdentity(path: string, applicationId: number, version: number): void {
  // Nothing has been written into it yet, but in what its write-ahead log may hold.
  if (applicationId === 0 && version === 0) return;
  if (applicationId !== APPLICATION_ID) throw noLedger(path);
  if (version > SCHEMA_VERSION)
    throw new Unwritable(
      `the ledger ${path} was written by a newer faultproxy (version ${version}, this one knows ${SCHEMA_VERSION}) and is left as it is: update this program, or ${ELSEWHERE}`,
    );
}

function noLedger(path: string): Unwritable {
  return new Unwritable(`${path} is no ledger of faultproxy and is left as it is: ${ELSEWHERE}`);
}

function prepare(database: Database, path: string): void {
  database.run(`PRAGMA busy_timeout = ${BUSY_MS_AT_START}`);
  checkIdentity(path, numberOf(database, "application_id"), numberOf(database, "user_version"));
  const version = numberOf(database, "user_version");
  if (version === 0) {
    database.run(`PRAGMA page_size = ${PAGE_BYTES}`);
    makeTables(database, path);
  }
  if (version === 1) renumber(database);
  if (version === 1 || version === 2) addRouteColumns(database);
  database.run("PRAGMA journal_mode = WAL");
  database.run(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  // A lost process loses nothing; a lost machine at most the last moments.
  database.run("PRAGMA synchronous = NORMAL");
  database.run(`PRAGMA busy_timeout = ${BUSY_MS}`);
}

/** Another daemon may be doing the same at this moment. */
function makeTables(database: Database, path: string): void {
  database
    .transaction(() => {
      const version = numberOf(database, "user_version");
      if (version !== 0) return;
      if (askedOnce(database, "SELECT name FROM sqlite_schema LIMIT 1") !== null) throw noLedger(path);
      database.run(`CREATE TABLE exchange (\n  id INTEGER PRIMARY KEY,\n  ${COLUMN_DEFINITIONS}\n)`);
      database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
      database.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    })
    .immediate();
}

/** Version 1 numbered its rows from 1 and had an index of their times. */
function renumber(database: Database): void {
  database
    .transaction(() => {
      if (numberOf(database, "user_version") !== 1) return;
      database.run("DROP INDEX exchange_time");
      // By way of numbers that none of them has.
      database.run("UPDATE exchange SET id = -id");
      database.run(`UPDATE exchange SET id = ${firstIdSql("time_ms")} - id % ${IDS_PER_MS}`);
      database.run("PRAGMA user_version = 2");
    })
    .immediate();
}

/** Version 2 knew no routes. Whoever still has it open as such goes on writing its rows. */
function addRouteColumns(database: Database): void {
  database
    .transaction(() => {
      if (numberOf(database, "user_version") !== 2) return;
      for (const { name, type } of ROUTE_COLUMNS) database.run(`ALTER TABLE exchange ADD COLUMN ${name} ${type}`);
      database.run("PRAGMA user_version = 3");
    })
    .immediate();
}

function numberOf(database: Database, pragma: "application_id" | "user_version"): number {
  return askedOnce<Record<string, number>>(database, `PRAGMA ${pragma}`)?.[pragma] ?? 0;
}

/** A statement that lives on would keep the file open behind the end of its connection. */
function askedOnce<Row>(database: Database, sql: string): Row | null {
  const statement = database.prepare<Row, []>(sql);
  try {
    return statement.get();
  } finally {
    statement.finalize();
  }
}

/** What an error of SQLite or of the file system means for whoever runs the program. */
export function unwritable(error: unknown, path: string): Unwritable {
  const code = codeOf(error);
  const told = (what: string, isBusy = false) => new Unwritable(`the ledger ${path} ${what}`, isBusy);
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) return told("is locked by another program: end what holds it", true);
  if (code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT") return told(`has no room on its disk: make some, or ${ELSEWHERE}`);
  if (/^SQLITE_READONLY|^EACCES|^EROFS|^EPERM/.test(code)) return told(`may not be written (${code}): allow it, or ${ELSEWHERE}`);
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) return told(`is damaged (${code}): move it away, and a new one is made`);
  return told(`cannot be written (${code}): ${existsSync(dirname(path)) ? "" : "its folder is gone; "}look after it, or ${ELSEWHERE}`);
}
