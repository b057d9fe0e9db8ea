import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openJsonLines } from "../../../src/shell/cost/json-lines.ts";
import { temporaryFolder } from "../support.ts";
import { canMount, onOwnDisk } from "./support/own-disk.ts";
import { manualClock, NOW, row, turns } from "./support/rows.ts";

let folder: ReturnType<typeof temporaryFolder>;
let counter = 0;
beforeAll(() => {
  folder = temporaryFolder();
});
afterAll(() => folder.remove());

function opened(path = join(folder.path, String(++counter), "lines.jsonl")) {
  const warnings: string[] = [];
  const clock = manualClock();
  return { path, warnings, clock, lines: openJsonLines({ path, clock, warn: (text) => warnings.push(text) }) };
}

function linesIn(path: string): readonly Record<string, unknown>[] {
  const text = readFileSync(path, "utf8");
  expect(text.endsWith("\n") || text === "").toBe(true);
  return text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

test("a row is one line of JSON with the columns of the ledger", () => {
  const { path, lines, warnings } = opened();
  lines.add(row(1, { stream: true, model: 'a "quoted"\nname' }));
  const failed = [{ target: "openai", class: "degraded", status: null, reason: "upstream_timeout", attempts: 2, ms: 700 }];
  lines.add(row(2, { usage: null, costUsd: null, answeredModel: null, status: null, done: "reset", target: "google", failed }));
  lines.close();
  expect(linesIn(path)).toEqual([
    {
      time: new Date(NOW).toISOString(),
      exchange: 1,
      provider: "openai",
      dialect: "chat",
      model: 'a "quoted"\nname',
      answered_model: "gpt-4o-2024-08-06",
      stream: true,
      status: 200,
      done: "delivered",
      error: null,
      failure: null,
      attempts: 1,
      duration_ms: 12.5,
      first_token_ms: null,
      input_tokens: 100,
      cache_read_tokens: 40,
      cache_write_tokens: 0,
      output_tokens: 20,
      reasoning_tokens: 5,
      cost_usd: 0.0025,
      key: "0123456789ab",
      user: null,
      target: null,
      failed: null,
    },
    expect.objectContaining({ exchange: 2, stream: false, status: null, input_tokens: null, cost_usd: null, target: "google", failed }),
  ]);
  expect(warnings).toEqual([]);
});

test("the file is nobody else's to read", () => {
  const umask = process.umask(0);
  try {
    const { path, lines } = opened();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
    lines.close();
  } finally {
    process.umask(umask);
  }
});

test("a file that is moved away is let go at once", async () => {
  const { path, lines, warnings } = opened();
  lines.add(row(1));
  lines.flush();
  renameSync(path, `${path}.1`);
  lines.add(row(2));
  lines.close();
  expect(linesIn(`${path}.1`)).toEqual([expect.objectContaining({ exchange: 1 })]);
  expect(linesIn(path)).toEqual([expect.objectContaining({ exchange: 2 })]);
  expect(warnings).toEqual([]);
});

test("half a line that a killed process left does not spoil the next", () => {
  const { path, lines } = opened();
  lines.add(row(1));
  lines.close();
  writeFileSync(path, `${readFileSync(path, "utf8")}{"time":"20`);
  const next = opened(path);
  next.lines.add(row(2));
  next.lines.add(row(3));
  next.lines.close();
  const [first, half, ...rest] = readFileSync(path, "utf8").trimEnd().split("\n");
  expect(JSON.parse(first ?? "")).toMatchObject({ exchange: 1 });
  expect(half).toBe('{"time":"20');
  expect(rest.map((line) => JSON.parse(line).exchange)).toEqual([2, 3]);
});

describe("what cannot be written is told once, and written later", () => {
  test("a folder in its place", async () => {
    const path = join(folder.path, "in-its-place");
    mkdirSync(path);
    const { lines, warnings, clock } = opened(path);
    lines.add(row(1));
    await turns();
    await clock.advance(60_000);
    lines.add(row(2));
    await clock.advance(60_000);
    expect(warnings).toEqual([
      `the file ${path} of cost.json_lines cannot be written (EISDIR): allow it, or name another. Requests go on, and up to 20000 rows wait`,
    ]);
    expect(lines.health()).toMatchObject({ isUp: false, pending: 2 });
    rmSync(path, { recursive: true });
    await clock.advance(60_000);
    expect(warnings[1]).toBe(`the file ${path} is written again; no row is missing`);
    lines.close();
    expect(linesIn(path).map(({ exchange }) => exchange)).toEqual([1, 2]);
  });

  test("a folder that cannot be made", () => {
    const file = join(folder.path, "a-file");
    writeFileSync(file, "");
    const { warnings, lines } = opened(join(file, "lines.jsonl"));
    expect(warnings).toEqual([
      expect.stringMatching(/^the folder .*a-file for the file of cost\.json_lines cannot be made \((ENOTDIR|EEXIST)\)/),
    ]);
    lines.close();
    expect(warnings).toHaveLength(1);
  });

  test.skipIf(!canMount)("a full disk: no line is lost, and none is half", async () => {
    const disk = join(folder.path, "disk");
    mkdirSync(disk);
    const copy = join(folder.path, "full.jsonl");
    const [told] = await onOwnDisk("512k", '"$BUN" "$WRITER" fillLines "$DISK"; cat "$DISK/lines.jsonl" > "$COPY"', {
      DISK: disk,
      COPY: copy,
    });
    const { warnings, full, after, exchange } = told as Record<string, unknown> & { readonly exchange: number };
    expect(warnings).toEqual([
      expect.stringMatching(/^the file .*lines\.jsonl has no room on its disk: make some\. Requests go on/),
      expect.stringMatching(/is written again; no row is missing$/),
    ]);
    expect(full).toMatchObject({ isUp: false });
    expect(after).toEqual({ isUp: true, pending: 0, dropped: 0 });
    expect(linesIn(copy).map((line) => line.exchange)).toEqual(Array.from({ length: exchange }, (_, index) => index + 1));
  });
});
