import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { login, type StandIns, standIns } from "../shell/credentials/support.ts";
import { temporaryFolder } from "../shell/support.ts";
import { BINARY, CLEAN_ENVIRONMENT } from "./support/daemon.ts";

const SECRET = "sk-ant-oat01-nobody-may-see-this";
const KEY = "sk-of-the-environment";

/** The program as it is built, and so on Linux. */
describe.skipIf(process.platform !== "linux")("the built program on Linux", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let home: string;
  let programs: StandIns;
  let output: string;

  beforeEach(() => {
    folder = temporaryFolder();
    home = join(folder.path, "home");
    mkdirSync(home);
    output = "";
    const item = join(folder.path, "item");
    writeFileSync(item, login(SECRET, 4e12));
    programs = standIns(folder.path, { "secret-tool": `cat '${item}'`, systemctl: "exit 0" });
  });
  afterEach(() => {
    const seen = `${output}${programs.everything()}`;
    for (const secret of [SECRET, KEY]) expect(seen).not.toContain(secret);
    folder.remove();
  });

  async function credentials(words: readonly string[], variables: Readonly<Record<string, string>> = {}) {
    const child = Bun.spawn([BINARY, "credentials", ...words], {
      env: {
        ...CLEAN_ENVIRONMENT,
        XDG_CONFIG_HOME: "",
        CLAUDE_CONFIG_DIR: "",
        HOME: home,
        PATH: programs.path,
        OPENAI_API_KEY: KEY,
        ...variables,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
    output += `${out}${err}`;
    return { code, out, err };
  }

  test("copies what secret-tool gives, for its owner alone", async () => {
    const copy = join(home, ".claude/claude-credentials.json");
    expect(await credentials(["sync"])).toEqual({
      code: 0,
      out: `${copy}: the login was copied; it lasts until 2096-10-02T07:06:40Z\n`,
      err: "",
    });
    expect(readFileSync(copy, "utf8")).toBe(`${login(SECRET, 4e12)}\n`);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
    expect(programs.calls("secret-tool")).toEqual(["<lookup><service><Claude Code-credentials>"]);
    expect((await credentials(["sync"])).out).toContain("nothing has changed");
    expect((await credentials(["status"])).out).toStartWith("login of Claude Code: ready, until 2096-10-02T07:06:40Z\n");
  });

  test("says what to do where secret-tool is not there", async () => {
    programs = standIns(join(folder.path, "without"), { systemctl: "exit 0" });
    for (const word of ["sync", "install"]) {
      const { code, err } = await credentials([word]);
      expect(code).toBe(1);
      expect(err).toContain("secret-tool is not on the PATH");
      expect(err).toContain("Claude Code keeps its login in .credentials.json on Linux");
    }
    expect(existsSync(join(home, ".config"))).toBe(false);
  });

  const timer = () => join(home, ".config/systemd/user/faultproxy-credentials.timer");
  const service = () => timer().replace(/timer$/, "service");

  test("has the user's systemd run it every five minutes, once however often that is said", async () => {
    expect(await credentials(["install"])).toEqual({
      code: 0,
      out: `installed ${timer()}, which runs every 5 minutes; its errors: journalctl --user -u faultproxy-credentials\n`,
      err: "",
    });
    expect(readFileSync(service(), "utf8")).toContain(`\nExecStart="${BINARY}" "credentials" "sync"\n`);
    expect(readFileSync(timer(), "utf8")).toContain("\nOnUnitInactiveSec=300\n");
    expect((await credentials(["install"])).out).toBe(`already installed: ${timer()} runs every 5 minutes\n`);
    expect(programs.calls("systemctl")).toEqual([
      "<--user><daemon-reload>",
      "<--user><enable><--now><faultproxy-credentials.timer>",
      "<--user><is-active><--quiet><faultproxy-credentials.timer>",
    ]);
    expect((await credentials(["status"])).out).toContain(`copy from the keychain: every five minutes (${timer()})\n`);
  });

  test.skipIf(Bun.which("systemd-analyze") === null && process.env.CI === undefined)("makes units that systemd understands", async () => {
    await credentials(["install", "--to", join(home, "100% $HOME/copy.json")]);
    const { stdout, stderr, exitCode } = Bun.spawnSync(["systemd-analyze", "verify", "--user", "--man=no", service(), timer()], {
      env: { ...CLEAN_ENVIRONMENT, HOME: home, XDG_RUNTIME_DIR: home },
    });
    expect(`${exitCode} ${stdout}${stderr}`).toBe("0 ");
  });

  test("puts the units where XDG_CONFIG_HOME says", async () => {
    const config = join(folder.path, "config");
    await credentials(["install"], { XDG_CONFIG_HOME: config });
    expect(existsSync(join(config, "systemd/user/faultproxy-credentials.timer"))).toBe(true);
  });

  test("takes it all away again, and leaves the copy", async () => {
    await credentials(["sync"]);
    await credentials(["install"]);
    expect(await credentials(["uninstall"])).toEqual({ code: 0, out: `removed ${timer()}; the copy that it made stays\n`, err: "" });
    expect([timer(), service()].filter(existsSync)).toEqual([]);
    expect(existsSync(join(home, ".claude/claude-credentials.json"))).toBe(true);
    expect(programs.calls("systemctl").slice(-2)).toEqual([
      "<--user><disable><--now><faultproxy-credentials.timer>",
      "<--user><daemon-reload>",
    ]);
    expect(await credentials(["uninstall"])).toEqual({ code: 0, out: "not installed; nothing to remove\n", err: "" });
  });

  test("says so where systemd does not take it", async () => {
    programs = standIns(folder.path, { systemctl: "echo 'no bus' >&2; exit 1" });
    const { code, err } = await credentials(["install"]);
    expect(code).toBe(1);
    expect(err).toContain(
      "systemd did not take it; log in as that user, and run: systemctl --user enable --now faultproxy-credentials.timer",
    );
  });
});
