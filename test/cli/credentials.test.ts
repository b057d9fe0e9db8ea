import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Host, programOf, thisHost } from "../../src/cli/credentials/host.ts";
import { agentText } from "../../src/cli/credentials/launch-agent.ts";
import { copyOf, syncLogin } from "../../src/cli/credentials/sync.ts";
import { serviceText } from "../../src/cli/credentials/user-timer.ts";
import { isInputError } from "../../src/core/errors.ts";
import { login, type StandIns, standIns } from "../shell/credentials/support.ts";
import { temporaryFolder } from "../shell/support.ts";
import { cleanEnvironment, type Ended, faultproxy } from "./support.ts";

const AS = join(import.meta.dir, "credentials-as.ts");
const READER = join(import.meta.dir, "credentials-reader.ts");
const ITEM = "Claude Code-credentials";

/** What no argument, no variable of a program, no output and no log may have in it. */
const SECRET = "sk-ant-oat01-nobody-may-see-this";
const HOUR_MS = 3_600_000;
const inHours = (hours: number) => Date.now() + hours * HOUR_MS;

let folder: ReturnType<typeof temporaryFolder>;
let home: string;
let item: string;
let copy: string;
let programs: StandIns;
let output: string;

/** Puts out the item as security does. */
const SECURITY = () => `[ -f '${item}' ] || exit 44\ncat '${item}'\necho`;

beforeEach(() => {
  folder = temporaryFolder();
  home = join(folder.path, "home");
  item = join(folder.path, "item");
  copy = join(home, ".claude/claude-credentials.json");
  mkdirSync(home);
  output = "";
  programs = standIns(folder.path, { security: SECURITY() });
});
afterEach(() => {
  expect(`${output}${programs.everything()}`).not.toContain(SECRET);
  folder.remove();
});

const hold = (text: string) => writeFileSync(item, text);
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8);
const held = () => readFileSync(copy, "utf8");

type As = Partial<Omit<Host, "nowMs">> & { readonly variables?: Readonly<Record<string, string>>; readonly umask?: string };

/** The command as on a Mac, unless told otherwise. */
async function credentials(words: readonly string[], { variables = {}, umask = "022", ...machine }: As = {}): Promise<Ended> {
  const host = JSON.stringify({ platform: "darwin", program: ["/usr/local/bin/faultproxy"], ...machine });
  const child = Bun.spawn(["/bin/sh", "-c", 'umask "$1"; shift; exec "$@"', "sh", umask, process.execPath, AS, host, ...words], {
    env: { ...cleanEnvironment(), CLAUDE_CONFIG_DIR: undefined, XDG_CONFIG_HOME: undefined, HOME: home, PATH: programs.path, ...variables },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  output += `${out}${err}`;
  return { code, out, err };
}

/** One line, without a stack. */
async function refusal(words: readonly string[], as: As = {}): Promise<string> {
  const { code, out, err } = await credentials(words, as);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toMatch(/^faultproxy: error: [^\n]+\n$/);
  return err.slice("faultproxy: error: ".length, -1);
}

describe("sync", () => {
  test("copies the item for its owner alone, into a folder that it makes", async () => {
    const expires = inHours(2);
    hold(login(SECRET, expires));
    const until = new Date(expires).toISOString().replace(/\.\d+Z$/, "Z");
    expect(await credentials(["sync"], { umask: "000" })).toEqual({
      code: 0,
      out: `${copy}: the login was copied; it lasts until ${until}\n`,
      err: "",
    });
    expect(held()).toBe(`${login(SECRET, expires)}\n`);
    expect([modeOf(copy), modeOf(join(home, ".claude")), readdirSync(join(home, ".claude"))]).toEqual([
      "600",
      "700",
      ["claude-credentials.json"],
    ]);
    expect(programs.calls("security")).toEqual([`<find-generic-password><-s><${ITEM}><-w>`]);
  });

  test("does not write again what has not changed, but takes it away from others", async () => {
    hold(login(SECRET, inHours(1)));
    await credentials(["sync"]);
    chmodSync(copy, 0o644);
    const before = statSync(copy);
    const { code, out } = await credentials(["sync"]);
    expect(code).toBe(0);
    expect(out).toStartWith(`${copy}: nothing has changed; it lasts until 2`);
    const after = statSync(copy);
    expect([after.ino, after.mtimeMs]).toEqual([before.ino, before.mtimeMs]);
    expect(modeOf(copy)).toBe("600");
  });

  test.each<[string, string, string, string]>([
    ["an older one", login("older", inHours(1)), login(SECRET, inHours(2)), "copied"],
    ["an expired one", login("older", inHours(-9)), login(SECRET, inHours(2)), "copied"],
    ["one that lasts as long", login("other", 4e12), login(SECRET, 4e12), "copied"],
    ["one that does not say how long it lasts", login("other", null), login(SECRET, inHours(1)), "copied"],
    ["one of another form", '{"access_token":"other","expires_at":1700000000}', login(SECRET, inHours(1)), "copied"],
    ["half of one", '{"claudeAiOauth":{"accessTok', login(SECRET, inHours(1)), "copied"],
    ["nothing", "", login(SECRET, inHours(1)), "copied"],
    ["one by one that does not say how long it lasts", login("other", inHours(1)), login(SECRET, null), "copied"],
    ["not a newer one", login("newer", inHours(3)), login(SECRET, inHours(2)), "left as it is"],
    ["not one that lasts longer than one that has expired", login("newer", inHours(1)), login(SECRET, inHours(-2)), "left as it is"],
  ])("replaces %s", async (_, before, now, said) => {
    hold(now);
    mkdirSync(join(home, ".claude"));
    writeFileSync(copy, before, { mode: 0o600 });
    const { code, out } = await credentials(["sync"]);
    expect(code).toBe(0);
    expect(out).toContain(said);
    expect(held()).toBe(said === "copied" ? `${now}\n` : before);
  });

  test("tells of an item that has expired, and copies it where there is none", async () => {
    hold(login(SECRET, Date.UTC(2026, 0, 2)));
    const { code, out } = await credentials(["sync"]);
    const expired = "it expired at 2026-01-02T00:00:00Z: use claude once, which renews it";
    expect([code, out]).toEqual([0, `${copy}: the login was copied; ${expired}\n`]);
    expect((await credentials(["sync"])).out).toBe(`${copy}: nothing has changed; ${expired}\n`);
  });

  test.each([
    ["a key", SECRET],
    ["some text", `password of ${SECRET}\n`],
    ["half a login", login(SECRET).slice(0, -4)],
    ["a login without a token", '{"claudeAiOauth":{"refreshToken":"r"}}'],
    ["logins of other kinds", `{"mcpOAuth":{"x":{"accessToken":"${SECRET}"}}}`],
    ["a token that no header can hold", JSON.stringify({ accessToken: `${SECRET}\nx` })],
    ["nothing", ""],
  ])("refuses an item that is %s, and shows nothing of it", async (_, text) => {
    hold(text);
    expect(await refusal(["sync"])).toBe(
      `the item "${ITEM}" of the Keychain holds no login of Claude Code, and nothing was written; --service names another`,
    );
    expect(existsSync(copy)).toBe(false);
    mkdirSync(join(home, ".claude"), { recursive: true });
    writeFileSync(copy, login("before"));
    await refusal(["sync"]);
    expect(held()).toBe(login("before"));
  });

  test("says what to do where there is no item", async () => {
    expect(await refusal(["sync"])).toBe(
      `the item "${ITEM}" of the Keychain does not exist; log in with claude, or name another with --service`,
    );
    expect(existsSync(join(home, ".claude"))).toBe(false);
  });

  test("reads another item, and writes another file", async () => {
    hold(login(SECRET));
    const to = join(folder.path, "proxy/claude.json");
    expect((await credentials(["sync", "--service", "Mine", "--to", to])).code).toBe(0);
    expect([modeOf(to), modeOf(join(folder.path, "proxy"))]).toEqual(["600", "700"]);
    expect(programs.calls("security")).toEqual(["<find-generic-password><-s><Mine><-w>"]);
    expect(existsSync(copy)).toBe(false);
  });

  test("follows CLAUDE_CONFIG_DIR as Claude Code does", async () => {
    hold(login(SECRET));
    const elsewhere = join(folder.path, "elsewhere");
    expect((await credentials(["sync"], { variables: { CLAUDE_CONFIG_DIR: elsewhere } })).code).toBe(0);
    expect(existsSync(join(elsewhere, "claude-credentials.json"))).toBe(true);
    const digits = createHash("sha256").update(elsewhere).digest("hex").slice(0, 8);
    expect(programs.calls("security")).toEqual([`<find-generic-password><-s><${ITEM}-${digits}><-w>`]);
  });

  describe("leaves alone", () => {
    beforeEach(() => {
      hold(login(SECRET));
      mkdirSync(join(home, ".claude"));
    });

    test("a link", async () => {
      const other = join(folder.path, "other");
      writeFileSync(other, login("older"));
      symlinkSync(other, copy);
      expect(await refusal(["sync"])).toBe(`${copy} is a link, and is left as it is; remove it, or name the file that it leads to`);
      expect([readFileSync(other, "utf8"), lstatSync(copy).isSymbolicLink()]).toEqual([login("older"), true]);
    });

    test("a link to nowhere", async () => {
      symlinkSync(join(folder.path, "none"), copy);
      await refusal(["sync"]);
      expect(existsSync(join(folder.path, "none"))).toBe(false);
    });

    test("a folder", async () => {
      mkdirSync(copy);
      expect(await refusal(["sync"])).toContain(`remove it: rmdir ${copy}`);
    });

    test.each(["sk-key\n", "[settings]\n", '{"name":"a package"}', '{"mcpOAuth":{}}'])(
      "a file that holds something else: %j",
      async (text) => {
        writeFileSync(copy, text);
        expect(await refusal(["sync"])).toContain("holds something else than a login of Claude Code, and is left as it is");
        expect(held()).toBe(text);
      },
    );

    test("a folder of another user's", async () => {
      expect(await refusal(["sync"], { uid: thisHost().uid + 1 })).toContain("belongs to another user");
    });

    test("a folder that anyone can write to", async () => {
      chmodSync(join(home, ".claude"), 0o777);
      expect(await refusal(["sync"])).toContain(`take that away with: chmod o-w ${home}/.claude`);
      expect(existsSync(copy)).toBe(false);
    });

    test("Claude Code's own file", async () => {
      const own = join(home, ".claude/.credentials.json");
      const { code, err } = await credentials(["sync", "--to", own]);
      expect(code).toBe(2);
      expect(err).toContain(`${own} is Claude Code's own file, which nobody else writes`);
      expect(existsSync(own)).toBe(false);
    });
  });

  test("says where the file is if its folder is a link", async () => {
    hold(login(SECRET, inHours(1)));
    const real = join(folder.path, "dotfiles");
    mkdirSync(real);
    symlinkSync(real, join(home, ".claude"));
    expect((await credentials(["sync"])).out).toStartWith(`${copy} (which is ${real}/claude-credentials.json): the login was copied`);
    expect(readdirSync(real)).toEqual(["claude-credentials.json"]);
  });

  test("never shows a reader half a file, and leaves nothing else behind", async () => {
    const wide = (index: number) =>
      `{"claudeAiOauth":{"accessToken":"${SECRET}","expiresAt":${4e12 + index}},"x":"${"x".repeat(300_000)}"}`;
    const host: Host = { ...thisHost(), platform: "darwin", home, environment: { PATH: programs.path, HOME: home } };
    const asked = copyOf(host, { service: undefined, to: undefined });
    if (isInputError(asked)) throw new Error(asked.message);
    const sync = async (index: number) => {
      hold(wide(index));
      expect(await syncLogin(host, asked)).toMatchObject({ kind: "copied" });
    };
    await sync(0);
    const end = join(folder.path, "end");
    const reader = Bun.spawn([process.execPath, READER, copy, end], { stdout: "pipe", stderr: "inherit" });
    const said = reader.stdout.getReader();
    expect(new TextDecoder().decode((await said.read()).value)).toBe("reading\n");
    for (let index = 1; index <= 30; index++) await sync(index);
    writeFileSync(end, "");
    const read = JSON.parse(new TextDecoder().decode((await said.read()).value));
    expect(read.others).toBe(0);
    expect(read.whole).toBeGreaterThan(0);
    expect(readdirSync(join(home, ".claude"))).toEqual(["claude-credentials.json"]);
  });

  test("is nothing for other systems, which is said", async () => {
    expect(await refusal(["sync"], { platform: "win32" })).toContain(
      "no keychain is known on win32; Claude Code keeps its login in .credentials.json there",
    );
  });
});

/** A property list as Python reads it, who is strict about XML. */
function readAgent(path: string): Record<string, unknown> {
  const script = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'), fmt=plistlib.FMT_XML)))";
  const { stdout, stderr, success } = Bun.spawnSync(["python3", "-c", script, path]);
  if (!success) throw new Error(stderr.toString());
  return JSON.parse(stdout.toString());
}

const hasPython = Bun.which("python3") !== null || process.env.CI !== undefined;

describe("install on macOS", () => {
  const LAUNCHCTL =
    'case "$1" in print|bootout) [ -f "$0.loaded" ] || exit 113; [ "$1" = print ] || rm "$0.loaded";; bootstrap|load) touch "$0.loaded";; esac';
  const agent = () => join(home, "Library/LaunchAgents/faultproxy-credentials.plist");
  const log = () => join(home, "Library/Logs/faultproxy-credentials.log");
  const domain = `gui/${thisHost().uid}`;
  const label = `${domain}/faultproxy-credentials`;
  const calls = () => programs.calls("launchctl").map((line) => line.slice(1, -1).split("><"));
  const launchd = (lines: string) => {
    programs = standIns(folder.path, { security: SECURITY(), launchctl: lines });
  };

  beforeEach(() => {
    launchd(LAUNCHCTL);
    hold(login(SECRET));
  });

  test.skipIf(!hasPython)("has launchd run the copy at once and every five minutes", async () => {
    expect(await credentials(["install"])).toEqual({
      code: 0,
      out: `installed ${agent()}, which runs every 5 minutes; its errors go to ${log()}\n`,
      err: "",
    });
    expect(readAgent(agent())).toEqual({
      Label: "faultproxy-credentials",
      ProgramArguments: ["/usr/local/bin/faultproxy", "credentials", "sync"],
      RunAtLoad: true,
      StartInterval: 300,
      ProcessType: "Background",
      Umask: 0o077,
      StandardErrorPath: log(),
    });
    expect(modeOf(agent())).toBe("644");
    expect(existsSync(join(home, "Library/Logs"))).toBe(true);
    expect(calls()).toEqual([
      ["print", label],
      ["bootstrap", domain, agent()],
    ]);
    expect(programs.calls("security")).toEqual([]);
  });

  test("does nothing where it stands already", async () => {
    await credentials(["install"]);
    const before = statSync(agent());
    expect(await credentials(["install"])).toEqual({ code: 0, out: `already installed: ${agent()} runs every 5 minutes\n`, err: "" });
    expect([statSync(agent()).ino, statSync(agent()).mtimeMs]).toEqual([before.ino, before.mtimeMs]);
    expect(calls().slice(2)).toEqual([["print", label]]);
  });

  test("puts another in its place, and loads it anew", async () => {
    await credentials(["install"]);
    expect((await credentials(["install", "--service", "Mine"])).code).toBe(0);
    expect(calls().slice(2)).toEqual([
      ["print", label],
      ["bootout", label],
      ["bootstrap", domain, agent()],
    ]);
    expect(readFileSync(agent(), "utf8")).toContain("<string>--service=Mine</string>");
  });

  test("loads one that is written and was not loaded", async () => {
    await credentials(["install"]);
    launchd(`${LAUNCHCTL}; :`);
    Bun.spawnSync(["rm", join(folder.path, "bin/launchctl.loaded")]);
    expect((await credentials(["install"])).out).toStartWith("installed ");
    expect(calls().slice(2)).toEqual([
      ["print", label],
      ["bootstrap", domain, agent()],
    ]);
  });

  test("loads it in the old way where the new one fails", async () => {
    launchd('case "$1" in load|list) exit 0;; *) echo "Bootstrap failed: 5" >&2; exit 5;; esac');
    expect((await credentials(["install"])).code).toBe(0);
    expect(calls().slice(1)).toEqual([
      ["bootstrap", domain, agent()],
      ["load", "-w", agent()],
      ["list", "faultproxy-credentials"],
    ]);
  });

  test("says so where launchd does not take it, or is not there", async () => {
    launchd('case "$1" in load) exit 0;; *) exit 5;; esac');
    expect(await refusal(["install"])).toBe(
      `${agent()} is written, but launchd did not take it; it will at the next login, or try: launchctl bootstrap ${domain} ${agent()}`,
    );
    programs = standIns(join(folder.path, "without"), {});
    expect(await refusal(["install"])).toContain("launchctl is not on the PATH");
  });

  test("writes out what this environment says, for launchd has another", async () => {
    const elsewhere = join(folder.path, "elsewhere");
    const digits = createHash("sha256").update(elsewhere).digest("hex").slice(0, 8);
    expect((await credentials(["install"], { variables: { CLAUDE_CONFIG_DIR: elsewhere } })).code).toBe(0);
    const text = readFileSync(agent(), "utf8");
    expect(text).toContain(`<string>--to=${elsewhere}/claude-credentials.json</string>`);
    expect(text).toContain(`<string>--service=${ITEM}-${digits}</string>`);
  });

  test.skipIf(!hasPython)("is a list that XML understands, whatever its words are", () => {
    const path = join(folder.path, "agent.plist");
    const words = ["/Users/O'Neil & Söhne/<bin>/faultproxy", '--to=/a "b"/]]>&amp;.json', "--service=\u{1f511} key"];
    writeFileSync(path, agentText(words, "/Users/O'Neil & Söhne/log"));
    expect(readAgent(path)).toMatchObject({ ProgramArguments: words, StandardErrorPath: "/Users/O'Neil & Söhne/log" });
  });

  test("refuses words that XML has nothing for", async () => {
    const { code, err } = await credentials(["install", "--service", "a\u0007b"]);
    expect(code).toBe(2);
    expect(err).toContain('"--service=a\\u0007b" has control characters');
    expect(existsSync(agent())).toBe(false);
  });

  test("is undone by uninstall, which can be said twice, and leaves the copy", async () => {
    await credentials(["sync"]);
    await credentials(["install"]);
    expect(await credentials(["uninstall"])).toEqual({ code: 0, out: `removed ${agent()}; the copy that it made stays\n`, err: "" });
    expect([existsSync(agent()), existsSync(copy)]).toEqual([false, true]);
    expect(calls().slice(2)).toEqual([["bootout", label]]);
    expect(await credentials(["uninstall"])).toEqual({ code: 0, out: "not installed; nothing to remove\n", err: "" });
  });

  test("is undone in the old way too", async () => {
    await credentials(["install"]);
    launchd('[ "$1" = unload ]');
    expect((await credentials(["uninstall"])).code).toBe(0);
    expect(calls().slice(2)).toEqual([
      ["bootout", label],
      ["unload", "-w", agent()],
    ]);
    expect(existsSync(agent())).toBe(false);
  });
});

test("nothing that runs jobs is known elsewhere, which is said", async () => {
  expect(await refusal(["install"], { platform: "win32" })).toBe(
    "nothing that runs jobs is known on win32; have it run: faultproxy credentials sync",
  );
});

describe("status", () => {
  const status = (as: As = {}) => credentials(["status"], as);

  test("tells of a login that can be used, without asking the keychain", async () => {
    hold(login(SECRET, 4e12));
    await credentials(["sync"]);
    expect(await status()).toEqual({
      code: 0,
      out: [
        "login of Claude Code: ready, until 2096-10-02T07:06:40Z",
        `  ${home}/.claude/.credentials.json: not there`,
        `  ${copy}: there`,
        "copy from the keychain: not installed",
        "",
      ].join("\n"),
      err: "",
    });
    expect(programs.calls("security")).toHaveLength(1);
  });

  test("tells of one that cannot, and why", async () => {
    mkdirSync(join(home, ".claude"));
    writeFileSync(copy, login(SECRET, Date.UTC(2026, 0, 2)), { mode: 0o644 });
    const { code, out, err } = await status();
    expect(code).toBe(1);
    expect(out).toStartWith("login of Claude Code: expired, since 2026-01-02T00:00:00Z\n");
    expect(err).toContain(`warning: the file ${copy} can be read by other users; take that away with: chmod 600 ${copy}\n`);
    expect(err).toContain(`error: the file ${copy} holds a token that expired at 2026-01-02T00:00:00Z; use claude once`);
  });

  test("tells of none", async () => {
    const { code, out, err } = await status();
    expect([code, out.split("\n")[0]]).toEqual([1, "login of Claude Code: missing"]);
    expect(err).toContain("log in with claude");
  });

  test("tells of the job", async () => {
    programs = standIns(folder.path, { launchctl: "exit 0" });
    await credentials(["install"]);
    expect((await status()).out).toEndWith(
      `copy from the keychain: every five minutes (${home}/Library/LaunchAgents/faultproxy-credentials.plist)\n`,
    );
  });
});

test.each<[readonly string[], string]>([
  [["credentials"], "credentials needs a command: sync, install, uninstall, status"],
  [["credentials", "snyc"], 'unknown command "snyc" for credentials: sync, install, uninstall, status; did you mean sync?'],
  [["credentials", "status", "--to", "x"], "--to and --service are for sync and install, not for status"],
  [["credentials", "uninstall", "--service", "x"], "--to and --service are for sync and install, not for uninstall"],
  [["credentials", "sync", "more"], '"more" is too much for credentials'],
])("%j is wrong usage", async (words, expected) => {
  const { code, out, err } = await faultproxy(words);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(expected);
});

describe("the program that a job starts", () => {
  const compiled = "/$bunfs/root/faultproxy";

  test("is the name that it was called by, where that leads to it", () => {
    const cellar = join(folder.path, "cellar/1.2.3");
    mkdirSync(cellar, { recursive: true });
    const execPath = join(cellar, "faultproxy");
    writeFileSync(execPath, "", { mode: 0o755 });
    mkdirSync(join(folder.path, "bin"), { recursive: true });
    const link = join(folder.path, "bin/faultproxy");
    symlinkSync(execPath, link);
    const env = { PATH: join(folder.path, "bin") };
    expect(programOf({ argv0: "faultproxy", execPath, env }, compiled)).toEqual([link]);
    expect(programOf({ argv0: link, execPath, env }, compiled)).toEqual([link]);
    expect(programOf({ argv0: "faultproxy", execPath, env: { PATH: "/nowhere" } }, compiled)).toEqual([execPath]);
    expect(programOf({ argv0: "/bin/sh", execPath, env }, compiled)).toEqual([execPath]);
  });

  test("is the runtime with the script, from source", () => {
    expect(programOf({ argv0: "bun", execPath: "/opt/bun", env: {} }, "/src/main.ts")).toEqual(["/opt/bun", "/src/main.ts"]);
  });
});

test("what systemd would take for something else stays a word", () => {
  const text = serviceText(["/opt/a b/faultproxy", "credentials", "sync", '--to=/x/100%/$HOME/"q"\\.json']);
  expect(text).toContain('ExecStart="/opt/a b/faultproxy" "credentials" "sync" "--to=/x/100%%/$$HOME/\\"q\\"\\\\.json"\n');
});
