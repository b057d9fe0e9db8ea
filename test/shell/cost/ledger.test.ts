import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isInputError } from "../../../src/core/errors.ts";
import type { GatewayFacts } from "../../../src/core/event.ts";
import type { Tried } from "../../../src/core/gateway.ts";
import { readFailed } from "../../../src/shell/cost/failed-report.ts";
import { openLedger } from "../../../src/shell/cost/ledger.ts";
import { firstIdOf } from "../../../src/shell/cost/ledger-ids.ts";
import { defaultLedgerPath } from "../../../src/shell/cost/ledger-path.ts";
import { readReport } from "../../../src/shell/cost/report.ts";
import { COLUMN_NAMES, rowOf } from "../../../src/shell/cost/row.ts";
import { exchangeEvent, temporaryFolder } from "../support.ts";
import { canMount, onOwnDisk, said, WRITER } from "./support/own-disk.ts";
import { manualClock, NOW, row, turns } from "./support/rows.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

let folder: ReturnType<typeof temporaryFolder>;
let counter = 0;
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => folder.remove());

function freshPath(): string {
  return join(folder.path, String(++counter), "ledger.sqlite");
}

function opened(path = freshPath(), keepDays = 90) {
  const warnings: string[] = [];
  const clock = manualClock();
  const ledger = openLedger({ path, keepDays, clock, warn: (text) => warnings.push(text) });
  return { path, warnings, clock, ledger };
}

function rowsIn(path: string): readonly Record<string, unknown>[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.query<Record<string, unknown>, []>("SELECT * FROM exchange ORDER BY id").all();
  } finally {
    database.close();
  }
}

function exchangesIn(path: string): readonly unknown[] {
  return rowsIn(path).map(({ exchange }) => exchange);
}

describe("a row", () => {
  test("is kept with all that is known of it, and what is not known is null", () => {
    const { path, ledger, warnings } = opened();
    ledger.add(
      row(7, {
        timeMs: NOW + 1,
        provider: "anthropic",
        dialect: "messages",
        model: "claude-sonnet-4-5",
        answeredModel: "claude-sonnet-4-5-20250929",
        stream: true,
        status: 200,
        done: "client_gone",
        error: null,
        failure: "local_rate_limit",
        attempts: 3,
        durationMs: 812.25,
        firstTokenMs: 90.5,
        usage: { inputTokens: 500, cacheReadTokens: 300, cacheWriteTokens: 100, outputTokens: 50, reasoningTokens: 20 },
        costUsd: 0.00123,
        key: "aaaaaaaaaaaa",
        user: "bbbbbbbbbbbb",
        target: "anthropic/claude-sonnet-4-5",
        failed: [{ target: "openai", class: "degraded", status: 503, reason: null, attempts: 2, ms: 700 }],
      }),
    );
    ledger.add(
      row(8, {
        dialect: null,
        model: null,
        answeredModel: null,
        status: null,
        done: "reset",
        error: "no_upstream",
        usage: null,
        costUsd: null,
        key: null,
      }),
    );
    ledger.close();
    expect(warnings).toEqual([]);
    expect(rowsIn(path).map(({ id: _id, ...columns }) => columns)).toEqual([
      {
        time_ms: NOW + 1,
        exchange: 7,
        provider: "anthropic",
        dialect: "messages",
        model: "claude-sonnet-4-5",
        answered_model: "claude-sonnet-4-5-20250929",
        stream: 1,
        status: 200,
        done: "client_gone",
        error: null,
        failure: "local_rate_limit",
        attempts: 3,
        duration_ms: 812.25,
        first_token_ms: 90.5,
        input_tokens: 500,
        cache_read_tokens: 300,
        cache_write_tokens: 100,
        output_tokens: 50,
        reasoning_tokens: 20,
        cost_usd: 0.00123,
        key: "aaaaaaaaaaaa",
        user: "bbbbbbbbbbbb",
        target: "anthropic/claude-sonnet-4-5",
        failed: '[{"target":"openai","class":"degraded","status":503,"reason":null,"attempts":2,"ms":700}]',
      },
      {
        time_ms: NOW,
        exchange: 8,
        provider: "openai",
        dialect: null,
        model: null,
        answered_model: null,
        stream: 0,
        status: null,
        done: "reset",
        error: "no_upstream",
        failure: null,
        attempts: 1,
        duration_ms: 12.5,
        first_token_ms: null,
        input_tokens: null,
        cache_read_tokens: null,
        cache_write_tokens: null,
        output_tokens: null,
        reasoning_tokens: null,
        cost_usd: null,
        key: null,
        user: null,
        target: null,
        failed: null,
      },
    ]);
  });

  const GATEWAY: GatewayFacts = {
    stream: true,
    attempts: 2,
    failure: null,
    answeredModel: "m".repeat(1_000),
    firstTokenMs: 3,
    usage: null,
    costUsd: 0,
    key: "0123456789ab",
    user: "alice@example.com",
    limit: null,
    answeredBy: null,
    tried: [],
    reached: true,
  };

  function madeOf(gateway: GatewayFacts): Readonly<Record<string, unknown>> {
    const values = rowOf(exchangeEvent(5, { model: "gpt-4o", gateway })) ?? [];
    expect(values).toHaveLength(COLUMN_NAMES.length);
    return Object.fromEntries(COLUMN_NAMES.map((name, index) => [name, values[index]]));
  }

  test("comes from an event of an inference request through the gateway, and from no other", () => {
    expect(rowOf(exchangeEvent(1))).toBeUndefined();
    const made = madeOf(GATEWAY);
    expect(made).toMatchObject({ exchange: 5, model: "gpt-4o", attempts: 2, cost_usd: 0, time_ms: Date.parse("2026-01-02T03:04:05.678Z") });
    expect(made.answered_model).toHaveLength(200);
    expect(made.user).toMatch(/^[0-9a-f]{12}$/);
    expect(JSON.stringify(made)).not.toContain("alice");
  });

  const tried = (changes: Partial<Tried>): Tried => ({
    target: "openai/gpt-4o",
    attempts: 1,
    status: 200,
    failure: undefined,
    reason: undefined,
    durationMs: 12,
    ...changes,
  });
  const claude = tried({ target: "anthropic/claude" });
  const down = tried({ status: 503, failure: "degraded", attempts: 3, durationMs: 1_234 });
  const downJson = { target: "openai/gpt-4o", class: "degraded", status: 503, reason: null, attempts: 3, ms: 1_234 };
  const ROUTED: readonly (readonly [string, Partial<GatewayFacts>, object, readonly object[] | null])[] = [
    ["without a route", {}, { provider: "openai", target: null }, null],
    [
      "whose first target answered",
      { answeredBy: "openai", tried: [tried({})] },
      { provider: "openai", model: "gpt-4o", target: "openai/gpt-4o" },
      null,
    ],
    [
      "that another provider's target answered",
      { answeredBy: "anthropic", tried: [down, claude] },
      { provider: "anthropic", model: "gpt-4o", target: "anthropic/claude" },
      [downJson],
    ],
    [
      "whose first target was passed over",
      { answeredBy: "anthropic", tried: [tried({ attempts: 0, status: undefined, reason: "cooldown" }), claude] },
      { provider: "anthropic", target: "anthropic/claude" },
      null,
    ],
    [
      "that nobody answered",
      { failure: "degraded", tried: [down, tried({ target: "x", status: undefined, failure: "degraded", reason: "upstream_timeout" })] },
      { provider: "openai", target: null, failure: "degraded" },
      [downJson, { target: "x", class: "degraded", status: null, reason: "upstream_timeout", attempts: 1, ms: 12 }],
    ],
    [
      "whose stream broke off for good",
      { failure: "degraded", answeredBy: "openai", tried: [tried({ failure: "degraded", reason: "upstream_closed" })] },
      { provider: "openai", target: null },
      [{ target: "openai/gpt-4o", class: "degraded", status: 200, reason: "upstream_closed", attempts: 1, ms: 12 }],
    ],
    [
      "whose stream broke off and was gone on with elsewhere",
      { answeredBy: "anthropic", tried: [tried({ failure: "degraded", reason: "upstream_closed" }), claude] },
      { provider: "anthropic", target: "anthropic/claude" },
      [{ target: "openai/gpt-4o", class: "degraded", status: 200, reason: "upstream_closed", attempts: 1, ms: 12 }],
    ],
    [
      "that could not be said to a target",
      { answeredBy: "anthropic", tried: [tried({ attempts: 0, status: 400, failure: "client", reason: "untranslatable" }), claude] },
      { provider: "anthropic", target: "anthropic/claude" },
      [{ target: "openai/gpt-4o", class: "client", status: 400, reason: "untranslatable", attempts: 0, ms: 12 }],
    ],
  ];
  test.each(ROUTED)("of a request %s tells who answered and what failed", (_, facts, expected, failed) => {
    const made = madeOf({ ...GATEWAY, ...facts });
    expect(made).toMatchObject(expected);
    expect(typeof made.failed === "string" ? JSON.parse(made.failed) : made.failed).toEqual(failed);
  });

  test("is written in the next turn, together with those of the same turn", async () => {
    const { path, ledger } = opened();
    ledger.add(row(1));
    expect(ledger.health().pending).toBe(1);
    await turns(1);
    expect(exchangesIn(path)).toEqual([1]);
    ledger.add(row(2));
    ledger.add(row(3));
    expect(ledger.health()).toEqual({ isUp: true, detail: undefined, pending: 2, dropped: 0 });
    await turns(1);
    expect(exchangesIn(path)).toEqual([1, 2, 3]);
    expect(ledger.flush()).toBe(true);
    ledger.close();
  });

  test("that was lost on its way is told, also where none follows", async () => {
    const { path, ledger, warnings } = opened();
    ledger.miss(0);
    ledger.miss(3);
    await turns(1);
    ledger.miss(2);
    ledger.close();
    const told = (rows: number) => `the ledger ${path} is written again; ${rows} rows are missing, which found no room while they waited`;
    expect(warnings).toEqual([told(3), told(2)]);
  });

  test("of thousands is not lost at a normal stop", () => {
    const { path, ledger } = opened();
    for (let exchange = 1; exchange <= 3_000; exchange++) ledger.add(row(exchange));
    ledger.close();
    ledger.add(row(9_999));
    ledger.close();
    expect(exchangesIn(path)).toEqual(Array.from({ length: 3_000 }, (_, index) => index + 1));
  });
});

test("folder and file are nobody else's to read; those that were there stay as they were", () => {
  const umask = process.umask(0);
  try {
    const path = join(folder.path, "made/by/us/ledger.sqlite");
    opened(path).ledger.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder.path, "made/by/us")).mode & 0o777).toBe(0o700);
    const theirs = join(folder.path, "theirs");
    mkdirSync(theirs, { mode: 0o755 });
    const file = join(theirs, "ledger.sqlite");
    writeFileSync(file, "", { mode: 0o640 });
    const { ledger } = opened(file);
    ledger.add(row(1));
    ledger.flush();
    expect(statSync(theirs).mode & 0o777).toBe(0o755);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    ledger.close();
  } finally {
    process.umask(umask);
  }
});

test("a ledger of version 1 is renumbered, and nothing of it is lost", () => {
  const path = freshPath();
  const first = opened(path);
  for (let exchange = 1; exchange <= 2_500; exchange++) first.ledger.add(row(exchange, { timeMs: NOW + Math.floor(exchange / 10) }));
  first.ledger.close();
  const before = rowsIn(path);
  const old = new Database(path);
  old.run("UPDATE exchange SET id = -id");
  old.run("UPDATE exchange SET id = exchange");
  old.run("CREATE INDEX exchange_time ON exchange (time_ms)");
  withoutRouteColumns(old);
  old.run("PRAGMA user_version = 1");
  old.close();
  const { ledger, warnings } = opened(path);
  ledger.add(row(2_501, { timeMs: NOW + 1_000 }));
  ledger.close();
  const inOrder = (rows: readonly Record<string, unknown>[]) =>
    rows.map(({ id: _id, ...rest }) => rest).toSorted((a, b) => Number(a.exchange) - Number(b.exchange));
  expect(inOrder(rowsIn(path)).slice(0, -1)).toEqual(inOrder(before));
  const report = readReport(path, "provider", NOW + 250);
  expect(isInputError(report) ? report : report.total.requests).toBe(2);
  expect(warnings).toEqual([]);
});

function withoutRouteColumns(database: Database): void {
  for (const name of ["target", "failed"]) database.run(`ALTER TABLE exchange DROP COLUMN ${name}`);
}

describe("a ledger of version 2", () => {
  const FAILED = [{ target: "openai", class: "degraded", status: 503, reason: null, attempts: 2, ms: 700 }];

  function ofVersion2(): string {
    const { path, ledger } = opened();
    for (let exchange = 1; exchange <= 3; exchange++) ledger.add(row(exchange));
    ledger.close();
    const old = new Database(path);
    withoutRouteColumns(old);
    old.run("PRAGMA user_version = 2");
    old.close();
    return path;
  }

  test("gets the columns that came with routes, and nothing of it is lost", () => {
    const path = ofVersion2();
    const before = rowsIn(path);
    const { ledger, warnings } = opened(path);
    ledger.add(row(4, { target: "anthropic", failed: FAILED }));
    ledger.close();
    expect(warnings).toEqual([]);
    const after = rowsIn(path).toSorted((a, b) => Number(a.exchange) - Number(b.exchange));
    expect(after.slice(0, -1)).toEqual(before.map((each) => ({ ...each, target: null, failed: null })));
    expect(after.at(-1)).toMatchObject({ exchange: 4, target: "anthropic", failed: JSON.stringify(FAILED) });
    const database = new Database(path, { readonly: true });
    expect(database.query("PRAGMA user_version").get()).toEqual({ user_version: 3 });
    database.close();
  });

  test("is summed up as it is by whoever only reads it", () => {
    const path = ofVersion2();
    const report = readReport(path, "model", 0);
    expect(isInputError(report) ? report : [report.total.requests, report.withFailedTarget]).toEqual([3, 0]);
    expect(readFailed(path, 0)).toEqual([]);
  });

  test("is written on by an older daemon that has it open meanwhile", () => {
    const path = ofVersion2();
    const older = new Database(path);
    older.run("PRAGMA journal_mode = WAL");
    const { names, values } = { names: COLUMN_NAMES.slice(0, -2), values: row(9).slice(0, -2) };
    const insert = older.prepare(`INSERT INTO exchange (id, ${names.join(", ")}) VALUES (?, ${names.map(() => "?").join(", ")})`);
    insert.run(firstIdOf(NOW), ...values);
    const { ledger, warnings } = opened(path);
    insert.run(firstIdOf(NOW) - 1, ...values);
    ledger.add(row(4));
    ledger.close();
    insert.finalize();
    older.close();
    expect(warnings).toEqual([]);
    expect(exchangesIn(path).toSorted()).toEqual([1, 2, 3, 4, 9, 9]);
  });
});

describe("old rows", () => {
  test("are taken out when it is opened, and each hour", async () => {
    const path = freshPath();
    const first = opened(path, 10);
    first.ledger.add(row(1, { timeMs: NOW - 11 * DAY_MS }));
    first.ledger.add(row(2, { timeMs: NOW - 9 * DAY_MS }));
    first.ledger.add(row(3));
    first.ledger.close();

    const second = opened(path, 10);
    expect(exchangesIn(path)).toEqual([2, 3]);
    await second.clock.advance(HOUR_MS);
    expect(exchangesIn(path)).toEqual([2, 3]);
    await second.clock.advance(DAY_MS);
    expect(exchangesIn(path)).toEqual([3]);
    second.ledger.close();
  });

  test("are taken out some at a time, however many there are", async () => {
    const path = freshPath();
    const first = opened(path, 10);
    for (let exchange = 1; exchange <= 1_700; exchange++) first.ledger.add(row(exchange, { timeMs: NOW - 11 * DAY_MS }));
    first.ledger.add(row(9_999));
    first.ledger.close();
    const { ledger, clock } = opened(path, 10);
    expect(exchangesIn(path)).toHaveLength(1_201);
    for (let i = 0; i < 4; i++) await clock.advance(50);
    expect(exchangesIn(path)).toEqual([9_999]);
    ledger.close();
  });
});

describe("what cannot be used is told once, and traffic goes on", () => {
  /** A ledger that is asked to keep two rows, some time apart. */
  async function troubled(path: string) {
    const { ledger, warnings, clock } = opened(path);
    ledger.add(row(1));
    await turns();
    await clock.advance(60_000);
    ledger.add(row(2));
    await clock.advance(60_000);
    const health = ledger.health();
    return { ledger, warnings, clock, health };
  }

  test("a newer version, which is left as it is to the byte; when it has gone, what waited is written", async () => {
    const path = freshPath();
    opened(path).ledger.close();
    const newer = new Database(path);
    newer.run("PRAGMA user_version = 4");
    newer.run("PRAGMA journal_mode = DELETE");
    newer.close();
    const before = readFileSync(path);
    const { ledger, warnings, health, clock } = await troubled(path);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(warnings).toEqual([
      `the ledger ${path} was written by a newer faultproxy (version 4, this one knows 3) and is left as it is: update this program, or name another file in cost.ledger, or "" for none. Requests go on, and up to 20000 rows wait`,
    ]);
    expect(health).toMatchObject({ isUp: false, pending: 2 });
    expect(health.detail).toContain("newer");

    rmSync(path);
    await clock.advance(60_000);
    expect(ledger.health()).toEqual({ isUp: true, detail: undefined, pending: 0, dropped: 0 });
    expect(warnings[1]).toBe(`the ledger ${path} is written again; no row is missing`);
    expect(warnings).toHaveLength(2);
    ledger.close();
    expect(exchangesIn(path)).toEqual([1, 2]);
  });

  test("a newer version that only its write-ahead log tells of", async () => {
    const path = freshPath();
    opened(path).ledger.close();
    const newer = new Database(path);
    newer.run("PRAGMA journal_mode = WAL");
    newer.run("PRAGMA wal_autocheckpoint = 0");
    newer.run("PRAGMA user_version = 4");
    const { warnings, ledger } = await troubled(path);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("newer faultproxy (version 4");
    ledger.close();
    newer.close();
    expect(exchangesIn(path)).toEqual([]);
  });

  const foreign: readonly (readonly [string, (path: string) => void])[] = [
    ["a text", (path) => writeFileSync(path, "these are my notes\n".repeat(20))],
    ["a few bytes", (path) => writeFileSync(path, "hi")],
    [
      "a database of another program",
      (path) => {
        const database = new Database(path);
        database.run("CREATE TABLE notes (text TEXT)");
        database.close();
      },
    ],
    [
      "a database with another program's mark",
      (path) => {
        const database = new Database(path);
        database.run("PRAGMA application_id = 252006674");
        database.close();
      },
    ],
  ];
  test.each(foreign)("%s, which is left as it is", async (_what, make) => {
    const path = freshPath();
    mkdirSync(join(path, ".."), { recursive: true });
    make(path);
    const before = readFileSync(path);
    const { ledger, warnings, health } = await troubled(path);
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(warnings).toEqual([
      `${path} is no ledger of faultproxy and is left as it is: name another file in cost.ledger, or "" for none. Requests go on, and up to 20000 rows wait`,
    ]);
    expect(health).toMatchObject({ isUp: false, pending: 2 });
    ledger.close();
    expect(warnings[1]).toMatch(/^2 rows are lost: .* is no ledger of faultproxy/);
  });

  test("a folder that cannot be made", async () => {
    const file = join(folder.path, "a-file");
    writeFileSync(file, "");
    const path = join(file, "below/ledger.sqlite");
    const { ledger, warnings, health } = await troubled(path);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^the folder .*a-file\/below for the ledger cannot be made \(ENOTDIR\): make it, or name another file/);
    expect(health).toMatchObject({ isUp: false, pending: 2 });
    ledger.close();
  });

  test("a folder in its place", async () => {
    const path = freshPath();
    mkdirSync(path, { recursive: true });
    const { ledger, warnings } = await troubled(path);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`the ledger ${path} cannot be written (EISDIR)`);
    ledger.close();
  });

  test("a ledger that was damaged", async () => {
    const path = freshPath();
    opened(path).ledger.close();
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 100);
    writeFileSync(path, bytes);
    const { ledger, warnings, clock } = await troubled(path);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/is damaged \(SQLITE_(CORRUPT|NOTADB)\): move it away, and a new one is made/);
    renameSync(path, `${path}.damaged`);
    await clock.advance(60_000);
    ledger.close();
    expect(exchangesIn(path)).toEqual([1, 2]);
  });

  test("rows beyond those that can wait are counted and told", async () => {
    const path = freshPath();
    mkdirSync(path, { recursive: true });
    const { ledger, warnings, clock } = await troubled(path);
    for (let exchange = 3; exchange <= 20_005; exchange++) ledger.add(row(exchange));
    expect(ledger.health()).toMatchObject({ pending: 20_000, dropped: 5 });
    rmSync(path, { recursive: true });
    await clock.advance(60_000);
    expect(warnings[1]).toBe(`the ledger ${path} is written again; 5 rows are missing, which found no room while they waited`);
    ledger.close();
    expect(rowsIn(path)).toHaveLength(20_000);
    expect(warnings).toHaveLength(2);
  });
});

describe("another program's lock", () => {
  test("is waited for, and told of only when it lasts", async () => {
    const { path, ledger, warnings, clock } = opened();
    const other = new Database(path);
    other.run("BEGIN IMMEDIATE");
    await clock.advance(1_000);
    ledger.add(row(1));
    await turns();
    expect(ledger.health()).toMatchObject({ isUp: false, pending: 1 });
    expect(warnings).toEqual([]);
    await clock.advance(1_000);
    other.run("COMMIT");
    await clock.advance(1_000);
    expect(ledger.health()).toMatchObject({ isUp: true, pending: 0 });
    expect(warnings).toEqual([]);

    other.run("BEGIN IMMEDIATE");
    await clock.advance(1_000);
    ledger.add(row(2));
    await turns();
    for (let i = 0; i < 12; i++) await clock.advance(1_000);
    expect(warnings).toEqual([
      `the ledger ${path} is locked by another program: end what holds it. Requests go on, and up to 20000 rows wait`,
    ]);
    other.run("COMMIT");
    other.close();
    await clock.advance(30_000);
    expect(warnings[1]).toContain("no row is missing");
    ledger.close();
    expect(exchangesIn(path)).toEqual([1, 2]);
  });
});

test("a file that is moved away has what was written before; the rest goes into a new one", async () => {
  const { path, ledger, clock, warnings } = opened();
  ledger.add(row(1));
  ledger.flush();
  renameSync(path, `${path}.old`);
  await clock.advance(2_000);
  ledger.add(row(2));
  ledger.flush();
  ledger.close();
  expect(exchangesIn(`${path}.old`)).toEqual([1]);
  expect(exchangesIn(path)).toEqual([2]);
  expect(warnings).toEqual([]);
});

function spawnWriter(...words: readonly string[]) {
  return Bun.spawn([process.execPath, WRITER, ...words], { stdout: "pipe", stderr: "inherit" });
}

test("a process that is killed loses nothing that it told of", async () => {
  for (let round = 0; round < 3; round++) {
    const path = freshPath();
    const child = spawnWriter("acknowledge", path);
    const reader = child.stdout.getReader();
    const decoder = new TextDecoder();
    let text = "";
    // Killed wherever it is, after it has told of some.
    while (text.split("\n").length < 20 + round * 15) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the writer ended by itself");
      text += decoder.decode(value, { stream: true });
    }
    child.kill("SIGKILL");
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += decoder.decode(next.value, { stream: true });
    await child.exited;
    const acknowledged = Math.max(...text.split("\n").slice(0, -1).map(Number));
    expect(acknowledged).toBeGreaterThan(500);

    // As the next start finds it.
    const { ledger, warnings } = opened(path);
    ledger.add(row(0, { timeMs: NOW + HOUR_MS }));
    ledger.close();
    expect(warnings).toEqual([]);
    const kept = exchangesIn(path);
    expect(kept.slice(0, acknowledged)).toEqual(Array.from({ length: acknowledged }, (_, index) => index + 1));
    const database = new Database(path, { readonly: true });
    expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
    database.close();
  }
}, 30_000);

test("several processes share one file, from its making on", async () => {
  const path = freshPath();
  const told = await Promise.all([1, 2, 3].map(() => said(spawnWriter("share", path, "1500"))));
  for (const lines of told) expect(lines).toEqual(["ready", { warnings: [] }]);
  const kept = exchangesIn(path).map(Number);
  expect(kept).toHaveLength(4_500);
  for (const exchange of [1, 750, 1_500]) expect(kept.filter((each) => each === exchange)).toHaveLength(3);
}, 30_000);

describe.skipIf(!canMount)("on a disk of its own", () => {
  test("that is full, rows wait until there is room again, and none is lost", async () => {
    const disk = join(folder.path, "disk");
    mkdirSync(disk);
    const copy = join(folder.path, "full.sqlite");
    const script = '"$BUN" "$WRITER" fill "$DISK"; cat "$DISK/own/ledger.sqlite" > "$COPY"';
    const [told] = await onOwnDisk("512k", script, { DISK: disk, COPY: copy });
    const { warnings, full, after, exchange } = told as {
      readonly warnings: readonly string[];
      readonly full: { readonly isUp: boolean; readonly pending: number };
      readonly after: unknown;
      readonly exchange: number;
    };
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(
      /^the ledger .*ledger\.sqlite has no room on its disk: make some, or name another file in cost\.ledger, or "" for none\. Requests go on/,
    );
    expect(warnings[1]).toMatch(/is written again; no row is missing$/);
    expect(full.isUp).toBe(false);
    expect(full.pending).toBeGreaterThan(0);
    expect(after).toEqual({ isUp: true, pending: 0, dropped: 0 });
    expect(exchangesIn(copy)).toEqual(Array.from({ length: exchange }, (_, index) => index + 1));
  });

  test("that may only be read, it says so once", async () => {
    const disk = join(folder.path, "read-only");
    mkdirSync(disk);
    const script = 'touch "$DISK/ledger.sqlite"; mount -o remount,ro "$DISK"; "$BUN" "$WRITER" readOnly "$DISK/ledger.sqlite"';
    const [told] = await onOwnDisk("512k", script, { DISK: disk });
    const { warnings, health } = told as { readonly warnings: readonly string[]; readonly health: unknown };
    expect(warnings).toEqual([
      expect.stringMatching(/^the ledger .*ledger\.sqlite may not be written \(EROFS\): allow it, or name another file in cost\.ledger/),
    ]);
    expect(health).toMatchObject({ isUp: false, pending: 1 });
  });
});

test.each([
  [{ STATE_DIRECTORY: "/var/lib/faultproxy", XDG_STATE_HOME: "/s", HOME: "/h" }, "/var/lib/faultproxy/ledger.sqlite"],
  [{ STATE_DIRECTORY: "/var/lib/a:/var/lib/b", HOME: "/h" }, "/var/lib/a/ledger.sqlite"],
  [{ XDG_STATE_HOME: "/s", HOME: "/h" }, "/s/faultproxy/ledger.sqlite"],
  [{ XDG_STATE_HOME: "relative", HOME: "/h" }, "/h/.local/state/faultproxy/ledger.sqlite"],
  [{ STATE_DIRECTORY: "", XDG_STATE_HOME: "", HOME: "/h" }, "/h/.local/state/faultproxy/ledger.sqlite"],
])("with %j its place is %s", (environment, expected) => {
  expect(defaultLedgerPath(environment)).toBe(expected);
});
