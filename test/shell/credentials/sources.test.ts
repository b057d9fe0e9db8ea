import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CredentialSource } from "../../../src/core/credential.ts";
import { EXPIRY_MARGIN_MS } from "../../../src/shell/credentials/reading.ts";
import { HALF_WRITTEN_MS_MAX } from "../../../src/shell/credentials/watched-file.ts";
import { REAL_CLOCK } from "../../../src/shell/real-clock.ts";
import { temporaryFolder } from "../support.ts";
import { detailOf, login, opened, START_MS, secretOf } from "./support.ts";

const HOUR_MS = 3_600_000;
const CLAUDE: CredentialSource = { kind: "claude" };

let folder: ReturnType<typeof temporaryFolder>;
let home: string;
let key: string;
let own: string;
let synced: string;
beforeEach(() => {
  folder = temporaryFolder();
  home = folder.path;
  key = join(home, "key");
  own = join(home, ".claude/.credentials.json");
  synced = join(home, ".claude/claude-credentials.json");
  mkdirSync(join(home, ".claude"));
});
afterEach(() => folder.remove());

function put(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

describe("a variable", () => {
  const read = (environment: Record<string, string>) => opened(home, { environment }).read({ kind: "env", name: "K" });

  test("gives its value without the space around it, the same object each time", () => {
    const { read } = opened(home, { environment: { K: " sk-key\n" } });
    const reading = read({ kind: "env", name: "K" });
    expect(reading).toMatchObject({ kind: "ready", credential: { kind: "api_key", secret: "sk-key", expiresWallMs: undefined } });
    expect(read({ kind: "env", name: "K" })).toBe(reading);
  });

  test.each<[Record<string, string>, string, string]>([
    [{}, "missing", "the environment variable K is not set"],
    [{ K: "" }, "missing", "the environment variable K is empty"],
    [{ K: " \n" }, "missing", "the environment variable K is empty"],
    [{ K: "sk-a\nsk-b" }, "unreadable", "the environment variable K holds more than one line"],
  ])("%j is %s", (environment, reason, detail) => {
    expect(secretOf(read(environment))).toBe(reason);
    expect(detailOf(read(environment))).toStartWith(detail);
  });
});

describe("a file", () => {
  const source = (): CredentialSource => ({ kind: "file", path: key });

  test("gives the key in it, and its path may begin at home", () => {
    put(key, "sk-key\n");
    const { read } = opened(home);
    expect(secretOf(read(source()))).toBe("sk-key");
    expect(secretOf(read({ kind: "file", path: "~/key" }))).toBe("sk-key");
  });

  test("may hold a login", () => {
    put(key, login("sk-ant-oat01-a"));
    expect(opened(home).read(source())).toMatchObject({ credential: { kind: "oauth", expiresWallMs: START_MS + HOUR_MS } });
  });

  test.each<[string, () => void]>([
    ["written over", () => put(key, "sk-new!")],
    ["written over with as many letters", () => put(key, "sk-new")],
    [
      "put in its place",
      () => {
        put(`${key}.new`, "sk-new");
        renameSync(`${key}.new`, key);
      },
    ],
    [
      "put in its place, as long and as old as the one before",
      () => {
        put(`${key}.new`, "sk-new");
        utimesSync(`${key}.new`, 1_000, 1_000);
        renameSync(`${key}.new`, key);
      },
    ],
    [
      "reached through a link that is turned",
      () => {
        put(`${key}.other`, "sk-new");
        unlinkSync(key);
        symlinkSync(`${key}.other`, key);
      },
    ],
  ])("that is %s is read again", (_, change) => {
    put(key, "sk-old");
    utimesSync(key, 1_000, 1_000);
    const { read } = opened(home);
    const before = read(source());
    expect(secretOf(before)).toBe("sk-old");
    expect(read(source())).toBe(before);
    change();
    expect(secretOf(read(source()))).toStartWith("sk-new");
  });

  test("that is written again at once, with as many letters, is read again: its time does not tell that", () => {
    const { read } = opened(home, { clock: REAL_CLOCK });
    const secrets = Array.from({ length: 300 }, (_, index) => `sk-${1_000 + index}`);
    const seen = secrets.map((secret) => {
      put(key, secret);
      return secretOf(read(source()));
    });
    expect(seen).toEqual(secrets);
  });

  test("that is touched, and holds the same, is the same object", () => {
    put(key, "sk-old");
    const { read } = opened(home);
    const before = read(source());
    utimesSync(key, 5_000, 5_000);
    expect(read(source())).toBe(before);
  });

  test("that is taken away is missing at once, and there again when it is", () => {
    put(key, "sk-old");
    const { read, told } = opened(home);
    expect(secretOf(read(source()))).toBe("sk-old");
    unlinkSync(key);
    expect(secretOf(read(source()))).toBe("missing");
    put(key, "sk-new");
    expect(secretOf(read(source()))).toBe("sk-new");
    expect(told.map(({ state }) => state)).toEqual(["missing", "ready"]);
    expect(told[0]).toEqual({ source: `file ${key}`, state: "missing", detail: `the file ${key} does not exist; put the key there` });
  });

  test("that is half-written keeps the last good reading for a moment, and no longer", async () => {
    put(key, login("sk-ant-oat01-old"));
    const { read, clock } = opened(home);
    expect(secretOf(read(source()))).toBe("sk-ant-oat01-old");
    for (const half of ["", '{"claudeAi', login("sk-ant-oat01-new").slice(0, -1)]) {
      put(key, half);
      expect(secretOf(read(source()))).toBe("sk-ant-oat01-old");
    }
    await clock.pass(HALF_WRITTEN_MS_MAX - 1);
    expect(secretOf(read(source()))).toBe("sk-ant-oat01-old");
    await clock.pass(1);
    expect(secretOf(read(source()))).toBe("unreadable");
    expect(detailOf(read(source()))).toBe(`the file ${key} holds JSON that is cut off or damaged; write it anew`);
    put(key, login("sk-ant-oat01-new"));
    expect(secretOf(read(source()))).toBe("sk-ant-oat01-new");
  });

  test("that is half-written, and was never whole, is not used", () => {
    put(key, '{"claudeAi');
    expect(secretOf(opened(home).read(source()))).toBe("unreadable");
  });

  test("that expired is not kept for being half-written", async () => {
    put(key, login("sk-ant-oat01-old", START_MS + EXPIRY_MARGIN_MS + 1_000));
    const { read, clock } = opened(home);
    expect(secretOf(read(source()))).toBe("sk-ant-oat01-old");
    put(key, "");
    await clock.pass(1_000);
    expect(secretOf(read(source()))).toBe("expired");
  });

  test.each<[string, () => void, string, string]>([
    ["a folder", () => mkdirSync(key), "unreadable", "is a folder and not a file"],
    ["a pipe, which nobody writes to", () => spawnSync("mkfifo", [key]), "unreadable", "is not a regular file"],
    ["a link to itself", () => symlinkSync(key, key), "unreadable", "cannot be read (ELOOP)"],
    ["a link to nowhere", () => symlinkSync(`${key}.gone`, key), "missing", "does not exist"],
    ["below a file", () => put(key.slice(0, -4), ""), "missing", "does not exist"],
    ["larger than any credential", () => put(key, "x".repeat(1_048_577)), "unreadable", "is larger than 1 MiB"],
    ["of other letters", () => put(key, "\u00a7\u00a7\u00a7"), "unreadable", "holds characters that no key has"],
  ])("that is %s is told of", (name, make, reason, detail) => {
    if (name === "below a file") key = join(home, "file", "key");
    make();
    const reading = opened(home).read(source());
    expect(secretOf(reading)).toBe(reason);
    expect(detailOf(reading)).toStartWith(`the file ${key} ${detail}`);
  });

  test.each([0o640, 0o604, 0o644])("that others can read (%o) is warned of, once", (mode) => {
    put(key, "sk-key");
    chmodSync(key, mode);
    const { read, warnings } = opened(home);
    read(source());
    put(key, "sk-other");
    read(source());
    expect(warnings).toEqual([`the file ${key} can be read by other users; take that away with: chmod 600 ${key}`]);
  });

  test("that its owner alone can read is not warned of", () => {
    put(key, "sk-key");
    const { read, warnings } = opened(home);
    read(source());
    expect(warnings).toEqual([]);
  });
});

describe("the login of Claude Code", () => {
  test.each<[string, string | undefined, string | undefined, string]>([
    ["is in its own file", login("own"), undefined, "own"],
    ["is in the copy", undefined, login("copy"), "copy"],
    ["is the one that expires last", login("own", START_MS + HOUR_MS), login("copy", START_MS + 2 * HOUR_MS), "copy"],
    ["is the one that expires last, in its own file too", login("own", START_MS + 2 * HOUR_MS), login("copy", START_MS + HOUR_MS), "own"],
    ["is its own where both expire together", login("own"), login("copy"), "own"],
    ["is the one that can be used", login("own", START_MS - HOUR_MS), login("copy", undefined), "copy"],
    ["is rather one that says when it expires", login("own", null), login("copy"), "copy"],
    ["is one that does not say it where the other has expired", login("own", null), login("copy", START_MS - 1), "own"],
    ["is not a file of other logins", '{"mcpOAuth":{}}', login("copy"), "copy"],
    ["is not half a file", '{"claude', login("copy"), "copy"],
    ["is missing where there is none", undefined, undefined, "missing"],
    ["is missing where there are other logins alone", '{"mcpOAuth":{}}', undefined, "missing"],
    ["is unreadable where that is why there is none", undefined, '{"claude', "unreadable"],
    ["is expired where both are", login("own", START_MS - 2), login("copy", START_MS - 1), "expired"],
  ])("%s", (_, inOwn, inCopy, expected) => {
    if (inOwn !== undefined) put(own, inOwn);
    if (inCopy !== undefined) put(synced, inCopy);
    expect(secretOf(opened(home).read(CLAUDE))).toBe(expected);
  });

  test("is an oauth token whatever it looks like", () => {
    put(own, login("anything"));
    expect(opened(home).read(CLAUDE)).toMatchObject({ kind: "ready", credential: { kind: "oauth", expiresWallMs: START_MS + HOUR_MS } });
  });

  test("is where CLAUDE_CONFIG_DIR says, and not below ~/.claude then", () => {
    put(own, login("home"));
    const elsewhere = join(home, "elsewhere");
    mkdirSync(elsewhere);
    const { read } = opened(home, { environment: { CLAUDE_CONFIG_DIR: elsewhere } });
    expect(secretOf(read(CLAUDE))).toBe("missing");
    expect(detailOf(read(CLAUDE))).toContain(`${elsewhere}/.credentials.json or ${elsewhere}/claude-credentials.json`);
    put(join(elsewhere, "claude-credentials.json"), login("there"));
    expect(secretOf(read(CLAUDE))).toBe("there");
  });

  test("is read beside a folder that stands where its own file should be, which is told once", () => {
    mkdirSync(own);
    put(synced, login("copy"));
    const { read, warnings } = opened(home);
    expect([read(CLAUDE), read(CLAUDE)].map(secretOf)).toEqual(["copy", "copy"]);
    expect(warnings).toEqual([
      `the file ${own} is a folder and not a file, as is made where a container mounts a file that is not there; remove it. The other file of the login is used`,
    ]);
    unlinkSync(synced);
    expect(detailOf(read(CLAUDE))).toStartWith(`the file ${own} is a folder and not a file`);
    rmSync(own, { recursive: true });
    put(own, login("own"));
    expect(secretOf(read(CLAUDE))).toBe("own");
  });

  test("expires some seconds early, is told with its time, and is back when Claude Code has renewed it", async () => {
    put(own, login("old", START_MS + HOUR_MS));
    const { read, clock, told, states } = opened(home);
    await clock.pass(HOUR_MS - EXPIRY_MARGIN_MS - 1);
    expect(secretOf(read(CLAUDE))).toBe("old");
    await clock.pass(1);
    const expired = read(CLAUDE);
    expect(expired).toMatchObject({ reason: "expired", expiresWallMs: START_MS + HOUR_MS, fingerprint: expect.stringMatching(/^\w{12}$/) });
    expect(read(CLAUDE)).toBe(expired);
    const detail = `the file ${own} holds a token that expired at 2026-03-01T13:00:00Z; use claude once, which renews it; faultproxy never does`;
    expect(states([CLAUDE, CLAUDE])).toEqual([{ source: "claude", state: "expired", expires: "2026-03-01T13:00:00Z", detail }]);
    put(`${own}.new`, login("new", START_MS + 3 * HOUR_MS));
    renameSync(`${own}.new`, own);
    expect(secretOf(read(CLAUDE))).toBe("new");
    expect(told).toEqual([
      { source: "claude", state: "expired", detail },
      { source: "claude", state: "ready", detail: null },
    ]);
  });

  test("is never written", async () => {
    const before = login("old", START_MS - HOUR_MS);
    put(own, before);
    const { read, ready, close } = opened(home);
    read(CLAUDE);
    await ready();
    close();
    expect(await Bun.file(own).text()).toBe(before);
  });
});

test("the states of sources have their names, and nothing of the secrets or what is made of them", () => {
  put(key, "sk-of-the-file");
  put(own, login("sk-ant-oat01-of-claude"));
  const { states, read } = opened(home, { environment: { K: "sk-of-the-variable", BAD: "sk-bad\nsk-worse" } });
  const sources: readonly CredentialSource[] = [
    { kind: "env", name: "K" },
    { kind: "env", name: "BAD" },
    { kind: "file", path: key },
    CLAUDE,
  ];
  const shown = states(sources);
  expect(shown.map(({ source, state, expires }) => [source, state, expires])).toEqual([
    ["env K", "ready", null],
    ["env BAD", "unreadable", null],
    [`file ${key}`, "ready", null],
    ["claude", "ready", "2026-03-01T13:00:00Z"],
  ]);
  const text = JSON.stringify(shown);
  expect(text).not.toContain("sk-");
  for (const source of sources) {
    const reading = read(source);
    if (reading.kind === "ready") expect(text).not.toContain(reading.credential.fingerprint);
  }
});

test("a source that can be used from the beginning is nothing to tell of, one that cannot is told once", () => {
  put(key, "sk-key");
  const { read, told } = opened(home);
  for (let turn = 0; turn < 3; turn++) for (const path of [key, `${key}.none`]) read({ kind: "file", path });
  expect(told.map(({ source, state }) => [source, state])).toEqual([[`file ${key}.none`, "missing"]]);
});
