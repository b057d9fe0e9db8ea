import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { ledgerIn, type Row, rowsOf, rowsWhen } from "./support/ledger.ts";
import { rawConnection, request } from "./support/raw-client.ts";
import { CHAT_PATH, post } from "./support/translating.ts";

const chat = (daemon: TestDaemon, fields = {}, changes = {}) =>
  post(daemon, CHAT_PATH, { model: "gpt-4o", messages: [], ...changes }, fields);

/** The cost of a request of these tests: ten pieces of text at ten dollars a million. */
const COST_USD = 0.0001;

/** Another user than root, whom file modes hold back. */
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const asNobody = isRoot ? { user: NOBODY } : {};

type Ledger = { readonly up: boolean; readonly pending: number; readonly detail: string | null };

async function ledgerHealth({ origin }: TestDaemon): Promise<Ledger> {
  return ((await (await fetch(`${origin}/health`)).json()) as { ledger: Ledger }).ledger;
}

/** What its files are when nobody has it open. */
function check(path: string): void {
  const database = new Database(path, { readwrite: true });
  expect(database.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  database.close();
}

describe.each(ENGINES)("the ledger with the %s engine", (engine) => {
  const start = (state: string, { toml = "", user }: { readonly toml?: string; readonly user?: number } = {}) =>
    startTestDaemon({
      engine,
      toml,
      args: ["--simulate", "--gateway", "--tokens", "10"],
      environment: { XDG_STATE_HOME: state },
      ...(user === undefined ? {} : { user }),
    });

  test("each inference request has a row, and nothing else has", async () => {
    using state = temporaryFolder();
    const toml = '[[limits.override]]\nuser = "greedy"\nrequests_per_minute = 1\n';
    await using daemon = await start(state.path, { toml });
    await fetch(`${daemon.origin}/v1/models`);
    await fetch(`${daemon.origin}/health`);
    await chat(daemon, { "x-user-id": "greedy" });
    await chat(daemon, { "x-user-id": "greedy" });
    await chat(daemon, {}, { stream: true });
    await daemon.command("c 1");
    await chat(daemon);
    const rows = await rowsWhen(ledgerIn(state.path), 4);
    const told = ({ provider, dialect, model, stream, status, done, error, attempts, output_tokens, cost_usd }: Row) =>
      [provider, dialect, model, stream, status, done, error, attempts, output_tokens, cost_usd] as const;
    const common = ["openai", "chat", "gpt-4o"] as const;
    expect(rows.map(told)).toEqual([
      [...common, 0, 200, "delivered", null, 1, 10, COST_USD],
      [...common, 0, 429, "delivered", "rate_limited", 0, null, null],
      [...common, 1, 200, "delivered", null, 1, 10, COST_USD],
      [...common, 0, 400, "delivered", null, 0, null, null],
    ]);
    // Users are told apart, and not by name.
    expect(rows.map(({ user }) => user)).toEqual([expect.stringMatching(/^[0-9a-f]{12}$/), rows[0]?.user ?? "", null, null]);
    expect(new Set(rows.map(({ key }) => key))).toEqual(new Set([expect.stringMatching(/^[0-9a-f]{12}$/)]));
  });

  test("a stream whose client has left has a row too", async () => {
    using state = temporaryFolder();
    await using daemon = await startTestDaemon({
      engine,
      args: ["--simulate", "--gateway", "--ttft", "0", "--tokens", "100000"],
      environment: { XDG_STATE_HOME: state.path },
    });
    const body = JSON.stringify({ model: "gpt-4o", stream: true, messages: [] });
    const begun = Promise.withResolvers<void>();
    const { socket } = rawConnection(daemon.port, request("POST", CHAT_PATH, {}, body), () => {
      begun.resolve();
      return false;
    });
    await begun.promise;
    socket.destroy();
    const [row] = await rowsWhen(ledgerIn(state.path), 1);
    expect(row).toMatchObject({ done: "client_gone", stream: 1, cost_usd: null });
  });

  test("what is written stays when the process is killed, and the next one goes on", async () => {
    using state = temporaryFolder();
    const path = ledgerIn(state.path);
    const first = await start(state.path);
    for (let each = 0; each < 20; each++) await chat(first);
    const written = rowsOf(path).length;
    await first.stop();
    check(path);
    // A row that was there is there; the last ones may not have been written yet.
    expect(rowsOf(path).length).toBeGreaterThanOrEqual(written);
    const kept = rowsOf(path).length;

    const second = await start(state.path);
    await chat(second);
    await rowsWhen(path, kept + 1);
    await second.stop();
    check(path);
    expect(rowsOf(path).length).toBe(kept + 1);
  });

  test("what runs when the process is asked to end is written before it does", async () => {
    using state = temporaryFolder();
    await using daemon = await startTestDaemon({
      engine,
      args: ["--simulate", "--gateway", "--ttft", "300ms"],
      environment: { XDG_STATE_HOME: state.path },
    });
    const running = Promise.all(Array.from({ length: 20 }, () => chat(daemon)));
    await eventually(async () => {
      const status = (await (await fetch("http://x/v1/status", { unix: daemon.socket })).json()) as { running: number };
      return status.running === 20 ? true : undefined;
    }, "twenty requests");
    daemon.signal("SIGTERM");
    expect((await running).map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(await daemon.ended).toBe(0);
    expect(rowsOf(ledgerIn(state.path)).length).toBe(20);
    // And it leaves one file behind, not its write-ahead log.
    expect(readdirSync(dirname(ledgerIn(state.path)))).toEqual(["ledger.sqlite"]);
  });

  test("two processes share a file", async () => {
    using state = temporaryFolder();
    await using one = await start(state.path);
    await using other = await start(state.path);
    await Promise.all(Array.from({ length: 200 }, (_, index) => chat(index % 2 === 0 ? one : other)));
    const rows = await rowsWhen(ledgerIn(state.path), 200);
    expect(rows.length).toBe(200);
    expect(rows.reduce((sum, { cost_usd }) => sum + (cost_usd ?? 0), 0)).toBeCloseTo(200 * COST_USD, 9);
    expect([one.warnings(), other.warnings()]).toEqual([[], []]);
  });

  test("folders and the file are made where they are not there, for nobody else to read", async () => {
    using state = temporaryFolder();
    const deep = join(state.path, "not/there/yet");
    await using daemon = await start(deep);
    await chat(daemon);
    await rowsWhen(ledgerIn(deep), 1);
    expect(statSync(dirname(ledgerIn(deep))).mode & 0o777).toBe(0o700);
    expect(statSync(ledgerIn(deep)).mode & 0o777).toBe(0o600);
  });

  test("an empty name means none, and another name another file", async () => {
    using state = temporaryFolder();
    const named = join(state.path, "mine.sqlite");
    await using none = await start(join(state.path, "none"), { toml: '[cost]\nledger = ""\n' });
    await using other = await start(join(state.path, "other"), { toml: `[cost]\nledger = "${named}"\n` });
    await Promise.all([chat(none), chat(other)]);
    await rowsWhen(named, 1);
    expect(existsSync(join(state.path, "none"))).toBe(false);
    expect(existsSync(join(state.path, "other"))).toBe(false);
    expect((await fetch(`${none.origin}/health`).then((answer) => answer.json())) as object).toMatchObject({ ledger: null });
  });

  test("the same rows are written as JSON, one a line", async () => {
    using state = temporaryFolder();
    const lines = join(state.path, "rows.jsonl");
    await using daemon = await start(state.path, { toml: `[cost]\njson_lines = "${lines}"\n` });
    await chat(daemon);
    await chat(daemon, {}, { model: 'gpt "4o"\n🦊', stream: true });
    const rows = await rowsWhen(ledgerIn(state.path), 2);
    const written = await eventually(() => {
      const text = existsSync(lines) ? readFileSync(lines, "utf8") : "";
      return text.split("\n").length > 2 ? text : undefined;
    }, "two lines");
    expect(written.endsWith("\n")).toBe(true);
    const parsed = written
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(parsed.length).toBe(2);
    parsed.forEach(({ time, stream, ...line }, index) => {
      const { id: _id, time_ms, stream: streamed, ...row } = { ...rows[index] } as Record<string, unknown>;
      expect(line).toEqual(row);
      expect([Date.parse(String(time)), stream]).toEqual([time_ms, streamed === 1]);
    });
    expect(statSync(lines).mode & 0o777).toBe(0o600);
  });

  describe("that cannot be written costs no request anything, and says so", () => {
    /** A folder in which somebody else than root works. */
    const ownedFolder = () => {
      const state = temporaryFolder();
      const folder = join(state.path, "faultproxy");
      mkdirSync(folder);
      if (isRoot) for (const path of [state.path, folder]) chownSync(path, NOBODY, NOBODY);
      return { ...state, folder, [Symbol.dispose]: () => state[Symbol.dispose]() };
    };

    const cases: readonly (readonly [string, (folder: string) => void, RegExp])[] = [
      ["a folder that may not be written", (folder) => chmodSync(folder, 0o500), /may not be written|cannot be (?:made|written)/],
      [
        "a file that may only be read",
        (folder) => writeFileSync(join(folder, "ledger.sqlite"), "", { mode: 0o400 }),
        /may not be written \(EACCES\)/,
      ],
      [
        "a file of something else",
        (folder) => writeFileSync(join(folder, "ledger.sqlite"), "my letters, ".repeat(100)),
        /is no ledger of faultproxy/,
      ],
      [
        "a ledger of a newer version",
        (folder) => {
          const database = new Database(join(folder, "ledger.sqlite"));
          database.run("CREATE TABLE of_the_future (id)");
          database.run("PRAGMA application_id = 0x46504c47");
          database.run("PRAGMA user_version = 99");
          database.close();
        },
        /written by a newer faultproxy \(version 99/,
      ],
    ];
    test.each(cases)("%s", async (_, prepare, warning) => {
      using state = ownedFolder();
      prepare(state.folder);
      const file = join(state.folder, "ledger.sqlite");
      if (isRoot && existsSync(file)) chownSync(file, NOBODY, NOBODY);
      const bytes = () => (existsSync(file) ? readFileSync(file, "latin1") : "none");
      const before = bytes();
      await using daemon = await start(state.path, asNobody);
      for (let each = 0; each < 3; each++) expect((await chat(daemon)).status).toBe(200);
      await daemon.event((event) => event.type === "exchange" && event.exchange === 3);
      const { up, pending, detail } = await ledgerHealth(daemon);
      expect([up, pending]).toEqual([false, 3]);
      expect(detail).toMatch(warning);
      // It is told once, and not with each request.
      expect(daemon.warnings()).toEqual([expect.stringMatching(warning)]);
      expect(daemon.warnings()[0]).toContain("Requests go on");
      expect(await (await fetch(`${daemon.origin}/metrics`)).text()).toContain("\nfaultproxy_ledger_up 0\n");
      expect(bytes()).toBe(before);
    });

    test("until it can be", async () => {
      using state = ownedFolder();
      chmodSync(state.folder, 0o500);
      await using daemon = await start(state.path, asNobody);
      await chat(daemon);
      expect((await ledgerHealth(daemon)).up).toBe(false);
      chmodSync(state.folder, 0o700);
      await chat(daemon);
      expect((await rowsWhen(join(state.folder, "ledger.sqlite"), 2)).length).toBe(2);
      await eventually(async () => ((await ledgerHealth(daemon)).up ? true : undefined), "its health");
      expect(daemon.warnings().at(-1)).toContain("is written again; no row is missing");
    });

    test("a state folder that is a file", async () => {
      using state = temporaryFolder();
      const file = join(state.path, "file");
      writeFileSync(file, "");
      await using daemon = await start(file);
      expect((await chat(daemon)).status).toBe(200);
      expect(daemon.warnings()).toEqual([
        expect.stringMatching(/the folder .*\/file\/faultproxy for the ledger cannot be made \(ENOTDIR\)/),
      ]);
    });
  });
});
