import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { definitionFlags } from "../../src/cli/arguments.ts";
import { COMMANDS } from "../../src/cli/commands.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { temporaryFolder } from "../shell/support.ts";
import { faultproxy } from "./support.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
const ESCAPE = /\x1b/;

describe("help", () => {
  test.each(COMMANDS.map(({ name }) => name))(
    "of %s names every option, fits 100 columns and has examples and exit codes",
    async (name) => {
      const { code, out, err } = await faultproxy([name, "--help"]);
      expect({ code, err }).toEqual({ code: 0, err: "" });
      expect(out).toStartWith(`Usage: faultproxy ${name}`);
      const command = await COMMANDS.find((each) => each.name === name)?.load();
      for (const [option, definition] of Object.entries(command?.options ?? {}))
        expect(out).toContain(definitionFlags(option, definition)[0] ?? "?");
      for (const title of ["Options:", "Examples:", "Exit codes:"]) expect(out).toContain(`\n${title}\n`);
      expect(out.split("\n").filter((line) => line.length > 100)).toEqual([]);
      expect(out).not.toMatch(ESCAPE);
    },
  );

  test.each([["--help"], ["-h"], ["help"]])("%s lists every command", async (word) => {
    const { code, out } = await faultproxy([word]);
    expect(code).toBe(0);
    const width = Math.max(...COMMANDS.map(({ name }) => name.length));
    for (const { name, summary } of COMMANDS) expect(out).toContain(`  ${name.padEnd(width)}  ${summary}\n`);
  });

  test("help COMMAND is COMMAND --help", async () => {
    expect((await faultproxy(["help", "ctl"])).out).toBe((await faultproxy(["ctl", "-h"])).out);
  });

  test("--help behind -- belongs to the command that is run", async () => {
    expect((await faultproxy(["run", "--simulate", "--", "sh", "-c", 'echo "$1"', "sh", "--help"])).out).toBe("--help\n");
  });
});

describe("mistakes: exit code 2, one line, no stack, nothing on standard output", () => {
  test.each<[readonly string[], string]>([
    [["sevre"], 'unknown command "sevre"; did you mean serve?'],
    [["help", "sevre"], 'unknown command "sevre"; did you mean serve?'],
    [["serve", "--prot", "9000"], "unknown option --prot for serve; did you mean --port?"],
    [["serve", "--no-stdn"], "unknown option --no-stdn for serve; did you mean --no-stdin?"],
    [["serve", "-x"], "unknown option -x for serve"],
    [["serve", "--port"], "--port needs a value: --port PORT"],
    [["serve", "--port="], "--port needs a value"],
    [["serve", "--port", "99999"], "--port 99999: expected a whole number from 0 to 65535"],
    [["serve", "--port=-1"], "--port -1: expected a whole number from 0 to 65535"],
    [["serve", "--simulate=yes"], "--simulate takes no value"],
    [["serve", "extra"], '"extra" is too much for serve'],
    [["serve", "--", "extra"], "serve takes nothing after --"],
    [["serve", "--mode", "c 120%"], 'mode "c 120%": amount 120%: expected a percentage from 0% to 100%'],
    [["serve", "--mode", "c 3 4"], 'mode "c 3 4": one amount is enough'],
    [["serve", "--mode", "c -1"], 'mode "c -1": amount -1: expected an amount that is not negative'],
    [["serve", "--mode", "q"], 'mode "q": expected a command to start with'],
    [["serve", "--upstream", "openai=http://a", "--upstream", "opnai=http://b"], "did you mean openai?"],
    [["serve", "--log-format", "jsn"], "--log-format jsn: expected one of pretty, json; did you mean json?"],
    [["serve", "--config", "/nonexistent.toml"], "cannot read the configuration file /nonexistent.toml (ENOENT)"],
    [["run"], "run needs a command after --"],
    [["run", "--mode", "r 2", "npm", "test"], "the command goes behind --: faultproxy run [OPTIONS] -- npm …"],
    [["run", "--port", "x", "--", "true"], "--port x: expected"],
    [["ctl"], "ctl needs a command"],
    [["ctl", "--jsn", "status"], "unknown option --jsn for ctl; did you mean --json?"],
    [["ctl", "--port", "0", "n"], "--port 0: expected a whole number from 1 to 65535"],
    [["ctl", "--port", "1", "--socket", "/x", "n"], "--socket and --port both choose a daemon"],
    [["faults", "antropic"], 'there is no provider and no fault "antropic"; did you mean anthropic?'],
  ])("%j", async (words, expected) => {
    const { code, out, err } = await faultproxy(words);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toStartWith("faultproxy: error: ");
    expect(err).toContain(expected);
    expect(err.trim().split("\n")).toHaveLength(1);
  });

  test("no command at all prints the help, on standard error", async () => {
    const { code, out, err } = await faultproxy([]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toStartWith("Usage: faultproxy COMMAND");
  });
});

test("a misspelt variable is told of, but no mistake", async () => {
  const { code, err } = await faultproxy(["run", "--simulate", "--", "true"], { environment: { FAULTPROXY_MOED: "c" } });
  expect(code).toBe(0);
  expect(err).toContain("warning: FAULTPROXY_MOED is not a setting; did you mean FAULTPROXY_MODE?");
});

describe("version", () => {
  test("--json is complete", async () => {
    const { code, out } = await faultproxy(["version", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      bun: Bun.version,
      platform: `${process.platform}-${process.arch}`,
    });
  });

  test.each(["--version", "-V"])("%s is one line", async (option) => {
    expect((await faultproxy([option])).out).toMatch(/^faultproxy \d+\.\d+\.\d+\n$/);
  });
});

describe("faults", () => {
  test("lists every fault within 100 columns", async () => {
    const { code, out } = await faultproxy(["faults"]);
    expect(code).toBe(0);
    for (const { name } of FAULTS) expect(out).toMatch(new RegExp(`^  .  ${name} `, "m"));
    expect(out.split("\n").filter((line) => line.length > 100)).toEqual([]);
  });

  test.each(["openai", "anthropic", "google", "openrouter", "tetrate", "databricks"])(
    "%s: every form with status and evidence",
    async (provider) => {
      const { code, out } = await faultproxy(["faults", provider]);
      expect(code).toBe(0);
      expect(out).toMatch(/^ {2}\w+ +400 {2}[FCDSU] {2}\S/m);
      expect(out.split("\n").filter((line) => line.length > 100)).toEqual([]);
    },
  );

  test("--json holds all faults, keys and forms", async () => {
    const { faults } = JSON.parse((await faultproxy(["faults", "--json"])).out);
    expect(faults.map(({ name }: { name: string }) => name)).toEqual(FAULTS.map(({ name }) => name));
    expect(faults[0]).toMatchObject({
      name: "context_length",
      letter: "c",
      level: "http",
      keys: { variant: { type: "text" } },
    });
    expect(faults[0].forms.anthropic[0]).toMatchObject({
      status: 400,
      evidence: expect.stringMatching(/^[FCDSU]$/),
      source: expect.any(String),
    });
  });

  test("a fault by its name or letter", async () => {
    const { out } = await faultproxy(["faults", "r"]);
    expect(out).toStartWith("rate_limit (r)\n");
    expect(out).toContain("retry_after=");
  });
});

describe("colour", () => {
  test.each<[string, Record<string, string>, boolean]>([
    ["none where it is no terminal", {}, false],
    ["FORCE_COLOR forces it", { FORCE_COLOR: "1" }, true],
    ["FORCE_COLOR=0 forbids it", { FORCE_COLOR: "0" }, false],
    ["NO_COLOR forbids it", { NO_COLOR: "1" }, false],
  ])("%s", async (_, environment, isColoured) => {
    const { out } = await faultproxy(["--help"], { environment });
    expect(ESCAPE.test(out)).toBe(isColoured);
  });
});

test("a reader that has seen enough ends it quietly", async () => {
  const child = Bun.spawn(["sh", "-c", `"$0" "$1" faults openai --json | head -n 1; echo done`, process.execPath, MAIN], {
    stderr: "pipe",
  });
  expect(await new Response(child.stdout).text()).toBe("{\ndone\n");
  expect(await new Response(child.stderr).text()).toBe("");
});

test("a slow reader gets everything", async () => {
  const child = Bun.spawn(["sh", "-c", `"$0" "$1" faults --json | (sleep 0.3; wc -c)`, process.execPath, MAIN]);
  const { out } = await faultproxy(["faults", "--json"]);
  expect(out.length).toBeGreaterThan(65_536);
  expect((await new Response(child.stdout).text()).trim()).toBe(String(Buffer.byteLength(out)));
});

describe("called as faultctl", () => {
  test("it is faultproxy ctl", async () => {
    const folder = temporaryFolder();
    const { code, err } = await faultproxy(["status", "--socket", join(folder.path, "none.sock")], { calledAs: "/usr/bin/faultctl" });
    folder.remove();
    expect(code).toBe(3);
    expect(err).toContain("no daemon at");
  });

  const link = join(import.meta.dir, "../../dist/faultctl");
  test.skipIf(!existsSync(link))("through the link beside the built binary", () => {
    const { stdout, exitCode } = Bun.spawnSync([link, "--help"]);
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toStartWith("Usage: faultproxy ctl");
  });
});
