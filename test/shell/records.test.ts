import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { GatewayFacts } from "../../src/core/event.ts";
import { REAL_CLOCK } from "../../src/shell/real-clock.ts";
import { createRecords } from "../../src/shell/records.ts";
import { exchangeEvent, temporaryFolder } from "./support.ts";

let folder: ReturnType<typeof temporaryFolder>;
let counter = 0;
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => folder.remove());

const GATEWAY: GatewayFacts = {
  stream: false,
  attempts: 1,
  failure: null,
  answeredModel: "gpt-4o-2024-08-06",
  firstTokenMs: null,
  usage: { inputTokens: 3, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 4, reasoningTokens: 0 },
  costUsd: 0.5,
  key: "0123456789ab",
  user: null,
  limit: null,
  answeredBy: null,
  tried: [],
  reached: true,
};

function event(exchange: number) {
  return exchangeEvent(exchange, { model: "gpt-4o", gateway: GATEWAY });
}

async function opened(paths: { readonly ledger?: string; readonly lines?: string }) {
  const warnings: string[] = [];
  const records = createRecords(
    { ledgerFile: paths.ledger ?? "", ledgerKeepDays: 90, ledgerLinesFile: paths.lines },
    {},
    REAL_CLOCK,
    (text) => warnings.push(text),
  );
  await records.ready;
  return { records, warnings };
}

function exchangesIn(path: string): readonly unknown[] {
  const database = new Database(path, { readonly: true });
  try {
    return database
      .query<{ exchange: number }, []>("SELECT exchange FROM exchange ORDER BY id")
      .all()
      .map(({ exchange }) => exchange);
  } finally {
    database.close();
  }
}

const freshPath = () => join(folder.path, String(++counter), "ledger.sqlite");

describe("records", () => {
  test("are written in a thread, and all are there when it is closed", async () => {
    const ledger = freshPath();
    const lines = join(folder.path, `${counter}.jsonl`);
    const { records, warnings } = await opened({ ledger, lines });
    for (let exchange = 1; exchange <= 12_000; exchange++) records.add(event(exchange));
    records.add(exchangeEvent(12_001));
    expect(records.health()).toMatchObject({ isUp: true, pending: 12_000, dropped: 0 });
    await Promise.all([records.close(), records.close()]);
    records.add(event(12_002));
    const all = Array.from({ length: 12_000 }, (_, index) => index + 1);
    expect(exchangesIn(ledger)).toEqual(all);
    const written = readFileSync(lines, "utf8").trimEnd().split("\n");
    expect(written.map((line) => JSON.parse(line).exchange)).toEqual(all);
    expect(warnings).toEqual([]);
  });

  test("what cannot be written is told before the start is over, and written when it can be", async () => {
    const ledger = freshPath();
    mkdirSync(ledger, { recursive: true });
    const { records, warnings } = await opened({ ledger });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`the ledger ${ledger}`);
    expect(records.health()).toMatchObject({ isUp: false });
    records.add(event(1));
    rmSync(ledger, { recursive: true });
    await records.close();
    expect(exchangesIn(ledger)).toEqual([1]);
    expect(warnings.slice(1)).toEqual([`the ledger ${ledger} is written again; no row is missing`]);
  });

  test("beyond those that can wait are counted and told", async () => {
    const ledger = freshPath();
    const { records, warnings } = await opened({ ledger });
    // The thread's answers are only read when this turn is over.
    for (let exchange = 1; exchange <= 20_005; exchange++) records.add(event(exchange));
    expect(records.health()).toMatchObject({ pending: 20_000, dropped: 5 });
    await records.close();
    expect(exchangesIn(ledger)).toHaveLength(20_000);
    expect(warnings).toEqual([`the ledger ${ledger} is written again; 5 rows are missing, which found no room while they waited`]);
  });

  test("nowhere cost nothing", async () => {
    const { records, warnings } = await opened({});
    records.add(event(1));
    expect(records.health()).toBeUndefined();
    await records.close();
    expect(warnings).toEqual([]);
  });
});
