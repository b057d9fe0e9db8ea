import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CredentialSource } from "../../../src/core/credential.ts";
import { type AskKeychain, askKeychainOf, type KeychainAnswer } from "../../../src/shell/credentials/ask-keychain.ts";
import { READY_MS_MAX } from "../../../src/shell/credentials/credentials.ts";
import { KEYCHAIN_AGAIN_MS, KEYCHAIN_EVERY_MS } from "../../../src/shell/credentials/keychain-item.ts";
import { temporaryFolder, until } from "../support.ts";
import { detailOf, login, opened, START_MS, secretOf, settled, standIns } from "./support.ts";

const SOURCE: CredentialSource = { kind: "keychain", service: "My key" };
const HOUR_MS = 3_600_000;

/** A store that answers as it is told, and counts how often it is asked. */
function store(first: KeychainAnswer) {
  const asked: string[] = [];
  let answer = first;
  const ask: AskKeychain = async (service) => {
    asked.push(service);
    return answer;
  };
  return {
    ask,
    asked,
    answers: (next: KeychainAnswer) => {
      answer = next;
    },
  };
}

const text = (secret: string): KeychainAnswer => ({ kind: "text", text: secret });
const LOCKED: KeychainAnswer = { kind: "failed", detail: "it is locked" };
const NONE: KeychainAnswer = { kind: "missing", detail: "it does not exist" };

describe("an item of the keychain", () => {
  test("is asked for when it is first needed, and answered from what is known meanwhile", async () => {
    const { ask, asked } = store(text("sk-key\n"));
    const { read } = opened("/nowhere", { askKeychain: ask });
    expect(asked).toEqual([]);
    expect(secretOf(read(SOURCE))).toBe("missing");
    expect(detailOf(read(SOURCE))).toBe(
      'the item "My key" of the Secret Service has not been read yet; the store of secrets was just asked',
    );
    await settled();
    expect(read(SOURCE)).toMatchObject({ kind: "ready", credential: { kind: "api_key", secret: "sk-key" } });
    expect(asked).toEqual(["My key"]);
  });

  test("is known when a start has waited for it", async () => {
    const { ask, asked } = store(text(login("sk-ant-oat01-a")));
    const { read, ready } = opened("/nowhere", { askKeychain: ask });
    await ready([SOURCE, SOURCE, { kind: "claude" }]);
    expect(read(SOURCE)).toMatchObject({ credential: { kind: "oauth", expiresWallMs: START_MS + HOUR_MS } });
    await ready();
    expect(asked).toHaveLength(1);
  });

  test("is waited for no longer than a start may take", async () => {
    const { read, ready, clock, close } = opened("/nowhere", { askKeychain: () => new Promise(() => {}) });
    let isReady = false;
    const waiting = ready([SOURCE]).then(() => {
      isReady = true;
    });
    await clock.pass(READY_MS_MAX - 1);
    expect(isReady).toBe(false);
    await clock.pass(1);
    await waiting;
    expect(secretOf(read(SOURCE))).toBe("missing");
    close();
  });

  test("is asked for every five minutes, and by no request", async () => {
    const { ask, asked, answers } = store(text("sk-old"));
    const { read, ready, clock } = opened("/nowhere", { askKeychain: ask });
    await ready([SOURCE]);
    answers(text("sk-new"));
    for (let request = 0; request < 100; request++) expect(secretOf(read(SOURCE))).toBe("sk-old");
    await clock.pass(KEYCHAIN_EVERY_MS - 1);
    expect(secretOf(read(SOURCE))).toBe("sk-old");
    await clock.pass(1);
    expect(secretOf(read(SOURCE))).toBe("sk-new");
    await clock.pass(KEYCHAIN_EVERY_MS);
    expect(asked).toHaveLength(3);
  });

  test("is asked for when it expires", async () => {
    const { ask, asked, answers } = store(text(login("old", START_MS + 60_000)));
    const { read, ready, clock } = opened("/nowhere", { askKeychain: ask });
    await ready([SOURCE]);
    answers(text(login("new")));
    await clock.pass(49_999);
    expect([secretOf(read(SOURCE)), asked.length]).toEqual(["old", 1]);
    await clock.pass(1);
    expect([secretOf(read(SOURCE)), asked.length]).toEqual(["new", 2]);
  });

  test.each<[string, KeychainAnswer, string]>([
    ["expired", text(login("old", START_MS - 1)), "expired"],
    ["missing", NONE, "missing"],
    ["locked", LOCKED, "unreadable"],
    ["no key", text("two\nlines"), "unreadable"],
  ])("that is %s is asked for again a minute later, and no sooner, where somebody needs it", async (_, first, state) => {
    const { ask, asked, answers } = store(first);
    const { read, ready, clock } = opened("/nowhere", { askKeychain: ask });
    await ready([SOURCE]);
    answers(text("sk-new"));
    await clock.pass(KEYCHAIN_AGAIN_MS - 1);
    for (let request = 0; request < 10; request++) expect(secretOf(read(SOURCE))).toBe(state);
    expect(asked).toHaveLength(1);
    await clock.pass(1);
    expect(asked).toHaveLength(1);
    for (let request = 0; request < 10; request++) read(SOURCE);
    await settled();
    expect(secretOf(read(SOURCE))).toBe("sk-new");
    expect(asked).toHaveLength(2);
  });

  test("is used on while the keychain is locked, which is warned of once, and gone when it was taken away", async () => {
    const { ask, answers } = store(text("sk-key"));
    const { read, ready, clock, warnings, told } = opened("/nowhere", { askKeychain: ask });
    await ready([SOURCE]);
    answers(LOCKED);
    for (let turn = 0; turn < 3; turn++) {
      await clock.pass(KEYCHAIN_EVERY_MS);
      expect(secretOf(read(SOURCE))).toBe("sk-key");
    }
    expect(warnings).toEqual(["it is locked; what it held before is used on"]);
    answers(NONE);
    await clock.pass(KEYCHAIN_EVERY_MS);
    expect(secretOf(read(SOURCE))).toBe("missing");
    expect(told).toEqual([
      { source: "keychain My key", state: "missing", detail: "it does not exist; put the key there, and it is found within 60 seconds" },
    ]);
  });

  test("is asked for no more when all is over", async () => {
    const { ask, asked } = store(text("sk-key"));
    const { read, ready, clock, close } = opened("/nowhere", { askKeychain: ask });
    await ready([SOURCE]);
    close();
    await clock.pass(KEYCHAIN_EVERY_MS * 3);
    read(SOURCE);
    read({ kind: "keychain", service: "Another" });
    await settled();
    expect(asked).toHaveLength(1);
  });
});

describe("the program that is asked", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => folder.remove());

  /** A program that puts out what this file holds. */
  const printing = (held: string) => {
    const file = join(folder.path, "item");
    writeFileSync(file, held);
    return `cat '${file}'`;
  };
  const asking = (platform: NodeJS.Platform, programs: Readonly<Record<string, string>>, timeoutMs?: number) => {
    const made = standIns(folder.path, programs);
    const environment = { PATH: made.path, HOME: folder.path, OPENAI_API_KEY: "sk-of-the-daemon", BUN_OPTIONS: "--version" };
    return { ...made, ask: askKeychainOf({ platform, environment, user: "ada", ...(timeoutMs === undefined ? {} : { timeoutMs }) }) };
  };

  test("is security on macOS, and sees nothing of the daemon's keys", async () => {
    const { ask, calls, everything } = asking("darwin", { security: printing("sk-key\n") });
    expect(await ask("My key")).toEqual({ kind: "text", text: "sk-key" });
    expect(calls("security")).toEqual(["<find-generic-password><-s><My key><-w>"]);
    expect(everything()).toContain(`HOME=${folder.path}`);
    expect(everything()).not.toMatch(/sk-|BUN_OPTIONS/);
  });

  test("is secret-tool on Linux", async () => {
    const { ask, calls, everything } = asking("linux", { "secret-tool": printing("sk-key") });
    expect(await ask("My key")).toEqual({ kind: "text", text: "sk-key" });
    expect(calls("secret-tool")).toEqual(["<lookup><service><My key>"]);
    expect(everything()).not.toContain("sk-");
  });

  test("is asked for the user's own item where the first one found holds other logins", async () => {
    const [others, own] = ['{"mcpOAuth":{"x":{"accessToken":"m"}}}', login("sk-ant-oat01-own")];
    const { ask, calls } = asking("darwin", { security: `case "$*" in *"-a ada"*) ${printing(own)};; *) echo '${others}';; esac` });
    expect(await ask("Claude Code-credentials")).toEqual({ kind: "text", text: own });
    expect(calls("security")).toEqual([
      "<find-generic-password><-s><Claude Code-credentials><-w>",
      "<find-generic-password><-a><ada><-s><Claude Code-credentials><-w>",
    ]);
  });

  test.each([
    ["a login with other letters", JSON.stringify({ accessToken: "sk-ant-oat01-a", name: "Zoë" }), true],
    ["a login of several lines", JSON.stringify(JSON.parse(login("sk-ant-oat01-a")), null, 2), true],
    ["a key that looks like it", "{no login}", false],
  ])("may put out the digits of %s", async (_, holds, isDecoded) => {
    const digits = Buffer.from(holds).toString("hex");
    const { ask } = asking("darwin", { security: printing(`${digits}\n`) });
    expect(await ask("x")).toEqual({ kind: "text", text: isDecoded ? holds : digits });
  });

  const SECRET = "sk-that-nobody-may-see";
  const loud = `echo ${SECRET}; echo ${SECRET} >&2`;
  test.each<[NodeJS.Platform, string, string, KeychainAnswer["kind"], string]>([
    ["darwin", "security", `${loud}; exit 44`, "missing", 'the item "x" of the Keychain does not exist'],
    ["darwin", "security", `${loud}; exit 36`, "failed", "nobody can be asked for leave"],
    ["darwin", "security", `${loud}; exit 51`, "failed", "it is locked"],
    ["darwin", "security", `${loud}; exit 128`, "failed", "leave to read it was refused"],
    ["darwin", "security", `${loud}; exit 3`, "failed", "security ended with 3"],
    ["linux", "secret-tool", `echo ${SECRET}; exit 1`, "missing", 'the item "x" of the Secret Service does not exist'],
    ["linux", "secret-tool", `${loud}; exit 1`, "failed", "does a keyring run in this session?"],
    ["linux", "other", "", "failed", "the program secret-tool is not on the PATH"],
    ["darwin", "other", "", "failed", "the program security is not on the PATH"],
    ["win32", "other", "", "failed", "no keychain is known on win32"],
  ])("on %s may fail, and nothing that it wrote is told: %s, %s", async (platform, name, lines, kind, detail) => {
    const { ask } = asking(platform, { [name]: lines });
    const answer = await ask("x");
    expect(answer.kind).toBe(kind);
    expect(answer.kind === "text" ? "" : answer.detail).toContain(detail);
    expect(JSON.stringify(answer)).not.toContain(SECRET);
  });

  test("is not waited for without end", async () => {
    const { ask } = asking("darwin", { security: "exec sleep 60" }, 50);
    expect(await ask("x")).toEqual({
      kind: "failed",
      detail: 'the item "x" of the Keychain cannot be read: security did not answer; is the Keychain locked?',
    });
  });

  test("is not left behind, nor waited for where what it started keeps its output open", async () => {
    const pids = join(folder.path, "pids");
    const { ask } = asking("darwin", { security: `sleep 60 &\necho $! $$ > '${pids}.new'; mv '${pids}.new' '${pids}'; wait` });
    const over = new AbortController();
    const asked = ask("x", over.signal);
    await until(() => existsSync(pids), "it has started");
    const [other = 0, own = 0] = (await Bun.file(pids).text()).trim().split(" ").map(Number);
    over.abort();
    expect((await asked).kind).toBe("failed");
    process.kill(other, "SIGKILL");
    await until(() => !isRunning(own), "it is gone");
  });

  test("is stopped when all is over", async () => {
    const { ask } = asking("linux", { "secret-tool": "exec sleep 60" });
    const over = new AbortController();
    const asked = ask("x", over.signal);
    over.abort();
    expect((await asked).kind).toBe("failed");
    expect((await ask("x", over.signal)).kind).toBe("failed");
  });

  test("that puts out more than any item holds is stopped", async () => {
    const { ask } = asking("linux", { "secret-tool": "exec cat /dev/zero" });
    expect((await ask("x")).kind).toBe("failed");
  });
});

/** A process that has ended stands in the table until its parent asks how. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const { stdout } = Bun.spawnSync(["ps", "-o", "stat=", "-p", String(pid)]);
  return !/^(Z|$)/.test(stdout.toString().trim());
}
