import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shortened, usdText } from "../../src/cli/cost/report-text.ts";
import { momentText, sinceOf } from "../../src/cli/cost/since.ts";
import { isInputError } from "../../src/core/errors.ts";
import { openLedger } from "../../src/shell/cost/ledger.ts";
import type { LedgerRow } from "../../src/shell/cost/row.ts";
import { manualClock, row } from "../shell/cost/support/rows.ts";
import { temporaryFolder } from "../shell/support.ts";
import { faultproxy, onTerminal } from "./support.ts";

const DAY_MS = 86_400_000;
/** What the program sees as now; rows are dated from it. */
const NOW = Date.now();

let folder: ReturnType<typeof temporaryFolder>;
let ledger: string;
beforeAll(() => {
  folder = temporaryFolder();
  ledger = join(folder.path, "ledger.sqlite");
  write(ledger, ROWS);
});
afterAll(() => folder.remove());

function write(path: string, rows: readonly LedgerRow[]): void {
  const opened = openLedger({ path, keepDays: 3_650, clock: manualClock(), warn: (text) => expect(text).toBe("") });
  for (const each of rows) opened.add(each);
  opened.close();
}

function tokens(inputTokens: number, cacheReadTokens: number, outputTokens: number, reasoningTokens: number) {
  return { inputTokens, cacheReadTokens, cacheWriteTokens: 0, outputTokens, reasoningTokens };
}

const CLAUDE = { provider: "anthropic", dialect: "messages", model: "claude-opus-4-5", answeredModel: "claude-opus-4-5-20251101" } as const;
const OWN = { provider: "databricks", model: "databricks-own", answeredModel: "databricks-own" } as const;
const REFUSED = { answeredModel: null, status: 429, failure: "local_rate_limit", usage: null, costUsd: null } as const;

const ROWS: readonly LedgerRow[] = [
  row(1, { ...CLAUDE, timeMs: NOW - 1_000, usage: tokens(1_200_000, 1_000_000, 3_000, 1_000), costUsd: 1.575 }),
  row(2, { ...CLAUDE, timeMs: NOW - 2_000, usage: tokens(1_000, 0, 500, 0), costUsd: 0.0175 }),
  row(3, { timeMs: NOW - 3_000, usage: tokens(100, 40, 20, 5), costUsd: 0.0025 }),
  row(4, { timeMs: NOW - 4_000, ...REFUSED }),
  row(5, { timeMs: NOW - 5_000, done: "client_gone", status: null, usage: null, costUsd: null, answeredModel: null, key: null }),
  // Answered, but it told nothing.
  row(6, { timeMs: NOW - 6_000, usage: null, costUsd: null, key: null }),
  row(7, { ...OWN, timeMs: NOW - 7_000, usage: tokens(10, 0, 5, 0), costUsd: null }),
  row(8, { ...OWN, timeMs: NOW - 8_000, usage: tokens(10, 0, 5, 0), costUsd: null, done: "cut" }),
  row(9, { ...CLAUDE, timeMs: NOW - 10 * DAY_MS, usage: tokens(7, 0, 7, 0), costUsd: 9 }),
];

const LAST_WEEK = ["--since", "7d"];

async function cost(...words: readonly string[]) {
  return faultproxy(["cost", "--ledger", ledger, ...words]);
}

/** The rows of the table by their first words. */
function table(out: string): readonly string[] {
  return out.split("\n").slice(2, out.split("\n").indexOf("", 3));
}

describe("the table", () => {
  test("by model: aligned, the dearest first, the unknown counted and not guessed", async () => {
    const { code, out, err } = await cost(...LAST_WEEK);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe(
      [
        `Requests since ${momentText(NOW - 7 * DAY_MS)}, from ${ledger}`,
        "",
        "PROVIDER    MODEL            REQUESTS  FAILED      INPUT     CACHED  OUTPUT  REASONING     COST",
        "anthropic   claude-opus-4-5         2       0  1,201,000  1,000,000   3,500      1,000  $1.5925",
        "openai      gpt-4o                  4       1        100         40      20          5  $0.0025  + 1 unknown",
        "databricks  databricks-own          2       1         20          0      10          0  unknown",
        "TOTAL                               8       2  1,201,120  1,000,040   3,530      1,005  $1.5950  + 3 unknown",
        "",
        "2 requests of models without a known price; [[cost.price]] sets one:",
        "  databricks-own",
        "",
        "1 request told no tokens, so nobody knows what they cost.",
        "",
      ].join("\n"),
    );
  });

  test("by provider, key and day", async () => {
    expect(table((await cost(...LAST_WEEK, "--by", "provider")).out).map((line) => line.split(/ +/)[0])).toEqual([
      "PROVIDER",
      "anthropic",
      "openai",
      "databricks",
      "TOTAL",
    ]);
    expect(table((await cost(...LAST_WEEK, "--by", "key")).out).map((line) => line.split(/ {2,}/).slice(0, 2))).toEqual([
      ["KEY", "REQUESTS"],
      ["0123456789ab", "6"],
      ["(no key)", "2"],
      ["TOTAL", "8"],
    ]);
    const days = table((await cost("--by", "day")).out).slice(1, -1);
    expect(days.length).toBeGreaterThanOrEqual(2);
    expect(days.map((line) => line.split(" ")[0] ?? "")).toEqual(days.map((line) => line.split(" ")[0] ?? "").sort());
    expect(days[0]).toMatch(/^\d{4}-\d\d-\d\d +1 /);
  });

  test("of all there is, or from a day on", async () => {
    expect((await cost()).out).toStartWith(`All requests, from ${ledger}\n`);
    expect((await cost()).out).toContain("$10.5950  + 3 unknown");
    expect((await cost("--since", "2999-01-01")).out).toBe(`Requests since 2999-01-01 00:00, from ${ledger}\n\nnone\n`);
  });

  test("on a narrow terminal has less, but what was paid, and is coloured", async () => {
    const wide = join(folder.path, "wide.sqlite");
    const usage = tokens(123_456_789, 99_999, 1_000_000, 5);
    write(wide, [
      row(1, { timeMs: NOW, provider: "openrouter", model: `meta-llama/${"x".repeat(100)}`, costUsd: 1, usage }),
      row(2, { timeMs: NOW, provider: "openrouter", model: `meta-llama/${"x".repeat(100)}`, costUsd: null, usage }),
    ]);
    await using terminal = onTerminal(["cost", "--ledger", wide]);
    await terminal.exited;
    const lines = terminal.shown().split("\r\n");
    const line = lines.find((each) => each.startsWith("meta-llama")) ?? "";
    expect(line).toMatch(/^meta-llama\/x+… +2 +0 +247M +2\.00M +\$1\.0000 {2}\+ 1 unknown$/);
    expect(line.length).toBeLessThanOrEqual(80);
    expect(lines.find((each) => each.includes("MODEL"))).not.toContain("REASONING");
    expect(terminal.shown()).toContain("\x1b[1m");
    expect((await faultproxy(["cost", "--ledger", wide])).out).toContain("x".repeat(100));
  });

  test("shows what a name from the wire would do to a terminal", async () => {
    const evil = join(folder.path, "evil.sqlite");
    write(evil, [row(1, { timeMs: NOW, model: "\x1b[2Jname", costUsd: null })]);
    const { out } = await faultproxy(["cost", "--ledger", evil]);
    expect(out).not.toContain("\x1b");
    expect(out).toContain("\\x1b[2Jname");
  });
});

test("--json has all of it", async () => {
  const { out } = await cost(...LAST_WEEK, "--json");
  const { groups, total, by, ledger: path, since } = JSON.parse(out);
  expect({ by, path }).toEqual({ by: "model", path: ledger });
  expect(Math.abs(Date.parse(since) - (NOW - 7 * DAY_MS))).toBeLessThan(60_000);
  expect(groups).toEqual([
    {
      provider: "anthropic",
      model: "claude-opus-4-5",
      requests: 2,
      failed: 0,
      inputTokens: 1_201_000,
      cacheReadTokens: 1_000_000,
      cacheWriteTokens: 0,
      outputTokens: 3_500,
      reasoningTokens: 1_000,
      costUsd: 1.5925,
      costUnknown: 0,
    },
    expect.objectContaining({ model: "gpt-4o", requests: 4, failed: 1, costUsd: 0.0025, costUnknown: 1 }),
    expect.objectContaining({ model: "databricks-own", failed: 1, costUsd: null, costUnknown: 2 }),
  ]);
  expect(total).toMatchObject({ requests: 8, failed: 2, costUnknown: 3 });
  expect(JSON.parse((await cost("--json")).out).since).toBeNull();
});

test("--csv is for spreadsheets, which must not calculate with names", async () => {
  const { out } = await cost(...LAST_WEEK, "--csv");
  expect(out).toBe(
    [
      "provider,model,requests,failed,input_tokens,cache_read_tokens,cache_write_tokens,output_tokens,reasoning_tokens,cost_usd,cost_unknown",
      "anthropic,claude-opus-4-5,2,0,1201000,1000000,0,3500,1000,1.5925,0",
      "openai,gpt-4o,4,1,100,40,0,20,5,0.0025,1",
      "databricks,databricks-own,2,1,20,0,0,10,0,,2",
      "",
    ].join("\n"),
  );
  const evil = join(folder.path, "evil-csv.sqlite");
  write(evil, [row(1, { timeMs: NOW, model: '=HYPERLINK("x"),y' })]);
  expect((await faultproxy(["cost", "--ledger", evil, "--csv"])).out).toContain(`openai,"'=HYPERLINK(""x""),y",1,`);
});

describe("what failed at targets of routes", () => {
  const failure = (target: string, failureClass: string, attempts = 1) => ({
    ...{ target, class: failureClass, status: 503, reason: null, attempts, ms: 12 },
  });
  let routed: string;
  beforeAll(() => {
    routed = join(folder.path, "routed.sqlite");
    const byClaude = { ...CLAUDE, model: "gpt-4o", target: "anthropic/claude-opus-4-5" } as const;
    write(routed, [
      row(1, { ...byClaude, timeMs: NOW - 60_000, failed: [failure("openai/gpt-4o", "degraded", 3)] }),
      row(2, { ...byClaude, timeMs: NOW - 30_000, failed: [failure("openai/gpt-4o", "degraded", 2)] }),
      row(3, {
        ...REFUSED,
        timeMs: NOW - 20_000,
        failed: [failure("openai/gpt-4o", "global_rate_limit"), failure("anthropic/claude-opus-4-5", "auth")],
      }),
      row(4, { timeMs: NOW - 10_000, target: "openai/gpt-4o" }),
      row(5, { timeMs: NOW - 10 * DAY_MS, target: "openai/gpt-4o", failed: [failure("evil\x1b[2J", "quota")] }),
    ]);
  });
  const failed = (...words: readonly string[]) => faultproxy(["cost", "--ledger", routed, ...words]);

  test("is told in a note below the costs, which are of whoever answered", async () => {
    const { out } = await failed(...LAST_WEEK);
    expect(table(out).map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
      ["PROVIDER", "MODEL", "REQUESTS", "FAILED"],
      ["anthropic", "claude-opus-4-5-20251101", "2", "0"],
      ["openai", "gpt-4o-2024-08-06", "1", "0"],
      ["openai", "gpt-4o", "1", "1"],
      ["TOTAL", "4", "1", "300"],
    ]);
    expect(out).toEndWith("\n\n3 requests met a target that failed; --failed tells which.\n");
  });

  test("stands in a table by target and class", async () => {
    const { code, out, err } = await failed("--failed", ...LAST_WEEK);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toBe(
      [
        `Failures of targets since ${momentText(NOW - 7 * DAY_MS)}, from ${routed}`,
        "",
        "TARGET                     CLASS              REQUESTS  ATTEMPTS  ELSEWHERE  LAST",
        `openai/gpt-4o              degraded                  2         5          2  ${momentText(NOW - 30_000)}`,
        `anthropic/claude-opus-4-5  auth                      1         1          0  ${momentText(NOW - 20_000)}`,
        `openai/gpt-4o              global_rate_limit         1         1          0  ${momentText(NOW - 20_000)}`,
        "",
        "ELSEWHERE: answered by another target.",
        "",
      ].join("\n"),
    );
    expect((await failed("--failed")).out).toContain("evil\\x1b[2J");
  });

  test("is given as JSON and CSV", async () => {
    const { ledger: from, since, failed: targets } = JSON.parse((await failed("--failed", "--json")).out);
    expect([from, since, targets.length]).toEqual([routed, null, 4]);
    expect(targets[0]).toEqual({
      target: "openai/gpt-4o",
      class: "degraded",
      requests: 2,
      attempts: 5,
      answeredElsewhere: 2,
      last: new Date(NOW - 30_000).toISOString(),
    });
    expect((await failed("--failed", "--csv", ...LAST_WEEK)).out.split("\n").slice(0, 2)).toEqual([
      "target,class,requests,attempts,answered_elsewhere,last",
      `openai/gpt-4o,degraded,2,5,2,${new Date(NOW - 30_000).toISOString()}`,
    ]);
  });

  test("is none where nothing did", async () => {
    expect((await cost("--failed")).out).toBe(`Failures of targets, from ${ledger}\n\nnone\n`);
    expect(JSON.parse((await cost("--failed", "--json")).out).failed).toEqual([]);
  });
});

test("a request that was refused costs nothing, and that is known", async () => {
  const refused = join(folder.path, "refused.sqlite");
  write(refused, [row(1, { timeMs: NOW, ...REFUSED })]);
  const { out } = await faultproxy(["cost", "--ledger", refused]);
  expect(out).toContain("$0.0000\n");
  expect(out).not.toContain("unknown");
});

describe("where the ledger is", () => {
  test("the configuration says, or the usual place", async () => {
    const file = join(folder.path, "config.toml");
    writeFileSync(file, `[cost]\nledger = "${ledger}"\n`);
    expect((await faultproxy(["cost", "--config", file])).out).toStartWith(`All requests, from ${ledger}\n`);
    const state = join(folder.path, "state");
    write(join(state, "faultproxy/ledger.sqlite"), ROWS);
    const { out } = await faultproxy(["cost"], { environment: { XDG_STATE_HOME: state } });
    expect(out).toStartWith(`All requests, from ${state}/faultproxy/ledger.sqlite\n`);
  });

  test("none yet: what makes one is told", async () => {
    const state = join(folder.path, "empty");
    const { code, out, err } = await faultproxy(["cost"], { environment: { XDG_STATE_HOME: state } });
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toBe(
      `faultproxy: error: there is no ledger at ${state}/faultproxy/ledger.sqlite yet; serve writes one while its gateway is on (serve --gateway, or a [cost] table in its configuration)\n`,
    );
  });

  test("the configuration wants none", async () => {
    const file = join(folder.path, "none.toml");
    writeFileSync(file, '[cost]\nledger = ""\n');
    const { code, err } = await faultproxy(["cost", "--config", file]);
    expect(code).toBe(2);
    expect(err).toContain('the configuration keeps no ledger (cost.ledger = "")');
  });

  test.each([
    ["a text", "hello\n".repeat(100), "is no ledger of faultproxy"],
    ["nothing", "", undefined],
  ])("with %s in it", async (_what, content, expected) => {
    const path = join(folder.path, `with-${content.length}.sqlite`);
    writeFileSync(path, content);
    const { code, out, err } = await faultproxy(["cost", "--ledger", path]);
    if (expected === undefined) expect({ code, out }).toEqual({ code: 0, out: `All requests, from ${path}\n\nnone\n` });
    else expect(err).toContain(expected);
    expect(code).toBe(expected === undefined ? 0 : 1);
  });

  test("one of a newer version, or a folder, is told in one line", async () => {
    const newer = join(folder.path, "newer.sqlite");
    write(newer, []);
    const database = new Database(newer);
    database.run("PRAGMA user_version = 7");
    database.close();
    const told = await faultproxy(["cost", "--ledger", newer]);
    expect(told.code).toBe(1);
    expect(told.err).toContain("was written by a newer faultproxy (version 7");
    mkdirSync(join(folder.path, "folder.sqlite"));
    const other = await faultproxy(["cost", "--ledger", join(folder.path, "folder.sqlite")]);
    expect(other.code).toBe(1);
    expect(other.err.trim().split("\n")).toHaveLength(1);
  });
});

test("it reads while a proxy writes", async () => {
  const busy = join(folder.path, "busy.sqlite");
  const writing = openLedger({ path: busy, keepDays: 90, clock: manualClock(), warn: (text) => expect(text).toBe("") });
  writing.add(row(1, { timeMs: NOW }));
  writing.flush();
  const other = new Database(busy);
  other.run("BEGIN IMMEDIATE");
  const { code, out } = await faultproxy(["cost", "--ledger", busy, "--json"]);
  other.run("ROLLBACK");
  other.close();
  expect(code).toBe(0);
  expect(JSON.parse(out).total.requests).toBe(1);
  writing.add(row(2, { timeMs: NOW }));
  expect(writing.flush()).toBe(true);
  writing.close();
});

test.each<[readonly string[], string]>([
  [["--by", "modl"], "--by modl: expected one of model, provider, key, day; did you mean model?"],
  [["--since", "yesterday"], "--since yesterday: expected how long ago, such as 24h, 7d or 2w, or a day such as 2026-03-01"],
  [["--json", "--csv"], "--json and --csv are two forms; choose one"],
  [["--failed", "--by", "key"], "--failed has lines of its own; --by is for costs"],
  [["extra"], '"extra" is too much for cost'],
])("%j is a mistake", async (words, expected) => {
  const { code, out, err } = await cost(...words);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(expected);
});

describe("--since", () => {
  const at = new Date(2026, 2, 31, 12, 30).getTime();

  test.each([
    ["90m", at - 90 * 60_000],
    ["24h", at - 24 * 3_600_000],
    ["7d", at - 7 * DAY_MS],
    ["2w", at - 14 * DAY_MS],
    ["999999w", 0],
    ["2026-03-01", new Date(2026, 2, 1).getTime()],
    ["2026-03-01T08:15", new Date(2026, 2, 1, 8, 15).getTime()],
    ["2026-03-01 08:15:30", new Date(2026, 2, 1, 8, 15, 30).getTime()],
    ["2024-02-29", new Date(2024, 1, 29).getTime()],
  ])("%s", (text, expected) => {
    expect(sinceOf(text, at)).toBe(expected);
  });

  test.each(["", "7", "d", "-7d", "7D", "1.5d", "2026-02-29", "2026-13-01", "2026-1-1", "2026-03-01T25:00", "01.03.2026", "7d ago"])(
    "%j is none",
    (text) => {
      expect(isInputError(sinceOf(text, at))).toBe(true);
    },
  );

  test("is told as it can be typed", () => {
    expect(sinceOf(momentText(at), NOW)).toBe(at);
  });
});

test.each([
  [0, "0"],
  [99_999, "99,999"],
  [100_000, "100k"],
  [123_456, "123k"],
  [999_499, "999k"],
  [999_500, "1.00M"],
  [1_234_567, "1.23M"],
  [12_345_678_901, "12.3G"],
])("%p tokens are %s in short", (value, expected) => {
  expect(shortened(value)).toBe(expected);
});

test.each([
  [0, "$0.0000"],
  [0.00001, "<$0.0001"],
  [0.00005, "$0.0001"],
  [1.23456, "$1.2346"],
  [1234.5, "$1,234.5000"],
])("%p USD is shown as %s", (usd, expected) => {
  expect(usdText(usd)).toBe(expected);
});
