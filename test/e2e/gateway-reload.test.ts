import { describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { ledgerIn, rowsWhen } from "./support/ledger.ts";
import { rawConnection, request } from "./support/raw-client.ts";
import { CHAT_PATH, post } from "./support/translating.ts";

const chat = (daemon: TestDaemon, fields = {}, changes = {}) =>
  post(daemon, CHAT_PATH, { model: "gpt-4o", messages: [], ...changes }, fields);

/** How many pass before one is refused. */
async function passing(daemon: TestDaemon, fields = {}): Promise<number> {
  for (let passed = 0; ; passed++) {
    const { status } = await chat(daemon, fields);
    if (status !== 200) return passed;
    if (passed === 100) throw new Error("nothing is refused");
  }
}

/** Reads the file with this text again, and gives the keys that are in force now and those that wait. */
async function reload(
  daemon: TestDaemon,
  toml: string,
): Promise<{ readonly applied: readonly string[]; readonly atNextStart: readonly string[] }> {
  writeFileSync(daemon.config, toml);
  const answer = await fetch("http://localhost/v1/reload", { unix: daemon.socket, method: "POST" });
  expect(answer.status).toBe(200);
  return (await answer.json()) as { applied: string[]; atNextStart: string[] };
}

describe.each(ENGINES)("reloads of the gateway with the %s engine", (engine) => {
  const start = (toml: string, state?: string) =>
    startTestDaemon({
      engine,
      toml,
      args: ["--simulate", "--tokens", "10"],
      ...(state === undefined ? {} : { environment: { XDG_STATE_HOME: state } }),
    });

  test("changed limits hold from the next request on, and what passed before still counts", async () => {
    await using daemon = await start("[limits]\nrequests_per_minute = 3\n");
    expect(await passing(daemon)).toBe(3);
    expect((await reload(daemon, "[limits]\nrequests_per_minute = 5\n")).applied).toEqual(["limits.requests_per_minute"]);
    expect(await passing(daemon)).toBe(2);
    await reload(daemon, "[limits]\nrequests_per_minute = 4\n");
    const refused = await chat(daemon);
    expect([refused.status, refused.headers.get("x-ratelimit-limit"), refused.headers.get("x-ratelimit-remaining")]).toEqual([
      429,
      "4",
      "0",
    ]);
    // An allowance of its own begins with nothing.
    const toml = '[limits]\nrequests_per_minute = 6\n[[limits.override]]\nuser = "vip"\nrequests_per_minute = 8\n';
    expect((await reload(daemon, toml)).applied).toEqual(["limits.requests_per_minute", "limits.override"]);
    expect(await passing(daemon, { "x-user-id": "vip" })).toBe(8);
    expect(await passing(daemon)).toBe(1);
    await reload(daemon, "[limits]\nrequests_per_minute = 0\ntokens_per_minute = 1000000\n");
    for (let each = 0; each < 10; each++) expect((await chat(daemon)).status).toBe(200);
  });

  test("a limit that was off for a while finds what it counted before", async () => {
    await using daemon = await start("[limits]\nrequests_per_minute = 2\n");
    expect(await passing(daemon)).toBe(2);
    await reload(daemon, "");
    expect((await chat(daemon)).status).toBe(200);
    expect((await fetch(`${daemon.origin}/health`)).status).toBe(404);
    await reload(daemon, "[limits]\nrequests_per_minute = 3\n");
    expect(await passing(daemon)).toBe(1);
  });

  test("a file that is wrong changes nothing", async () => {
    await using daemon = await start("[limits]\nrequests_per_minute = 2\n");
    await chat(daemon);
    writeFileSync(daemon.config, "[limits]\nrequests_per_minute = -1\n");
    const answer = await fetch("http://localhost/v1/reload", { unix: daemon.socket, method: "POST" });
    expect([answer.status, ((await answer.json()) as { error: { message: string } }).error.message]).toEqual([
      400,
      expect.stringContaining("requests_per_minute"),
    ]);
    expect(await passing(daemon)).toBe(1);
  });

  test("each feature is turned on and off while it runs", async () => {
    using state = temporaryFolder();
    const ledger = join(state.path, "mine.sqlite");
    await using daemon = await start("", state.path);
    const isOn = async () => {
      const answer = await chat(daemon, { origin: "https://page.example" });
      const health = await fetch(`${daemon.origin}/health`);
      const report =
        health.status === 200 ? ((await health.json()) as { ledger: object | null; providers: { openai: object } }) : undefined;
      return {
        fields: answer.headers.get("x-llm-provider") !== null,
        cors: answer.headers.get("access-control-allow-origin") !== null,
        health: health.status !== 404,
        ledger: (report?.ledger ?? null) !== null,
        circuits: report !== undefined && "circuit_state" in report.providers.openai,
      };
    };
    const off = { fields: false, cors: false, health: false, ledger: false, circuits: false };
    const on = { ...off, fields: true, health: true };
    expect(await isOn()).toEqual(off);
    await reload(daemon, "[limits]\nrequests_per_day = 1000\n");
    expect(await isOn()).toEqual(on);
    await reload(daemon, '[cors]\nallowed_origins = ["https://page.example"]\n');
    expect(await isOn()).toEqual({ ...on, cors: true });
    await reload(daemon, '[breaker]\nmode = "log"\n');
    expect(await isOn()).toEqual({ ...on, circuits: true });
    await reload(daemon, `[cost]\nledger = "${ledger}"\ninclude_usage = false\n`);
    expect(await isOn()).toEqual({ ...on, ledger: true });
    await reload(daemon, "");
    expect(await isOn()).toEqual(off);
  });

  test("the gateway as a whole, with its ledger and prices, begins with a reload", async () => {
    using state = temporaryFolder();
    await using daemon = await start("", state.path);
    await chat(daemon);
    await reload(daemon, "gateway = true\n");
    // The table of prices is read in the background.
    await eventually(async () => {
      await chat(daemon);
      const rows = await rowsWhen(ledgerIn(state.path), 1);
      return rows.at(-1)?.cost_usd === 0.0001 ? true : undefined;
    }, "a row with a price");
    const rows = await rowsWhen(ledgerIn(state.path), 1);
    expect(rows[0]?.exchange).toBe(2);
    expect((await fetch(`${daemon.origin}/metrics`)).status).toBe(200);
  });

  test("a ledger that is first named by a reload is the one that is written", async () => {
    using state = temporaryFolder();
    const ledger = join(state.path, "mine.sqlite");
    await using daemon = await start("[limits]\nrequests_per_day = 1000\n", state.path);
    await chat(daemon);
    await reload(daemon, `[limits]\nrequests_per_day = 1001\n[cost]\nledger = "${ledger}"\n`);
    await chat(daemon);
    expect((await rowsWhen(ledger, 1)).map(({ exchange }) => exchange)).toEqual([2]);
    expect(existsSync(ledgerIn(state.path))).toBe(false);
  });

  test("prices change with a reload", async () => {
    await using daemon = await start('[cost]\nledger = ""\n');
    const cost = async () => {
      const before = (await daemon.events()).filter(({ type }) => type === "exchange").length;
      await chat(daemon);
      const event = await eventually(async () => (await daemon.events()).filter(({ type }) => type === "exchange")[before], "its end");
      return (event.gateway as { costUsd: number | null }).costUsd;
    };
    expect(await cost()).toBe(0.0001);
    await reload(daemon, '[cost]\nledger = ""\n[[cost.price]]\nmodel = "gpt-*"\ninput_per_million = 0\noutput_per_million = 1000\n');
    await eventually(async () => ((await cost()) === 0.01 ? true : undefined), "the new price");
    await reload(daemon, '[cost]\nledger = ""\n');
    await eventually(async () => ((await cost()) === 0.0001 ? true : undefined), "the old price");
  });

  test("a stream goes on in the gateway that it began in", async () => {
    using state = temporaryFolder();
    const toml = "gateway = true\n[limits]\nrequests_per_minute = 1\n";
    await using daemon = await startTestDaemon({
      engine,
      toml,
      args: ["--simulate", "--tokens", "10", "--between", "100ms"],
      environment: { XDG_STATE_HOME: state.path },
    });
    const begun = Promise.withResolvers<void>();
    const body = JSON.stringify({ model: "gpt-4o", stream: true, messages: [] });
    const { socket, ended, text } = rawConnection(daemon.port, request("POST", CHAT_PATH, { connection: "close" }, body), (all) => {
      if (all.includes("data:")) begun.resolve();
      return all.includes("[DONE]");
    });
    await begun.promise;
    // Its limit is off, the next ones are not counted.
    await reload(daemon, "gateway = true\n[limits]\nrequests_per_minute = 0\n");
    expect((await chat(daemon)).status).toBe(200);
    await ended.promise;
    socket.destroy();
    expect(text()).not.toContain('"usage":{');
    const event = await daemon.event((one) => one.type === "exchange" && one.exchange === 1);
    expect(event).toMatchObject({ done: "delivered", gateway: { usage: { outputTokens: 10 }, costUsd: 0.0001 } });
    const rows = await rowsWhen(ledgerIn(state.path), 2);
    expect(rows.map(({ exchange }) => exchange).sort()).toEqual([1, 2]);
  });
});
