import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { configCandidates } from "../../src/config/locate.ts";
import { BINARY, CLEAN_ENVIRONMENT, type DaemonOptions, startTestDaemon } from "./support/daemon.ts";
import { startRawTarget } from "./support/raw-target.ts";
import { OK } from "./support/servers.ts";

const engine = "wire";
const CAN_BE_NOBODY = process.getuid?.() === 0 && Bun.which("setpriv") !== null;
const NOBODY = 65_534;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "faultproxy-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A file that tells itself by its seed. */
function put(path: string, seed: number, more = ""): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `seed = ${seed}\n${more}`);
  return file;
}

/** What a daemon says of where its settings come from. */
async function found(options: Omit<DaemonOptions, "engine">) {
  const daemon = await startTestDaemon({ engine, ...options, args: ["--simulate", ...(options.args ?? [])] });
  const { config, seed } = (await (await fetch("http://localhost/v1/status", { unix: daemon.socket })).json()) as Record<string, unknown>;
  await daemon.stop();
  return { config, seed, log: daemon.log() };
}

/** How a start ends that comes to nothing. */
async function refused(args: readonly string[], environment: Readonly<Record<string, string>>) {
  const words = [BINARY, "serve", "--port", "0", "--no-stdin", "--socket", join(folder, "c.sock"), ...args];
  const child = Bun.spawn(words, { env: { ...CLEAN_ENVIRONMENT, ...environment }, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [code, out, err] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code, out, err };
}

describe("the file is", () => {
  /** All places with a file, the first of which counts. */
  const places = () => ({
    option: put("named.toml", 1),
    variable: put("variable.toml", 2),
    own: put("own/faultproxy/config.toml", 3),
    first: put("first/faultproxy/config.toml", 4),
    second: put("second/faultproxy/config.toml", 5),
    home: put("home/.config/faultproxy/config.toml", 6),
  });
  type Places = ReturnType<typeof places>;
  const all = { FAULTPROXY_CONFIG: "variable.toml", XDG_CONFIG_HOME: "own", XDG_CONFIG_DIRS: "nothing:first:second", HOME: "home" };
  /** The same under this test's folder. */
  const below = (environment: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(environment).map(([name, paths]) => [
        name,
        paths.replace(/[^:]+/g, (path) => (path.startsWith("=") ? path.slice(1) : join(folder, path))),
      ]),
    );

  test.each<[string, Readonly<Record<string, string>>, readonly ((all: Places) => string)[], keyof Places | "none"]>([
    ["that of --config", all, [() => "--config", ({ option }) => option], "option"],
    ["that of FAULTPROXY_CONFIG", all, [], "variable"],
    ["that of XDG_CONFIG_HOME", { ...all, FAULTPROXY_CONFIG: "" }, [], "own"],
    ["that of the home, where XDG_CONFIG_HOME is empty", { ...all, FAULTPROXY_CONFIG: "", XDG_CONFIG_HOME: "" }, [], "home"],
    ["the first of XDG_CONFIG_DIRS that is there", { ...all, FAULTPROXY_CONFIG: "", XDG_CONFIG_HOME: "nothing" }, [], "first"],
    ["none of a path that is not absolute", { XDG_CONFIG_HOME: "=own", XDG_CONFIG_DIRS: "=first:second", HOME: "nothing" }, [], "second"],
    ['none with --config ""', all, [() => "--config", () => ""], "none"],
  ])("%s", async (_, environment, args, expected) => {
    const files = places();
    const { config, seed, log } = await found({ args: args.map((arg) => arg(files)), environment: below(environment) });
    if (expected === "none") expect(config).toBeNull();
    else expect([config, seed]).toEqual([files[expected], Object.keys(files).indexOf(expected) + 1]);
    expect(log).toBe("");
  });

  test("looked for at these places, in this order", () => {
    const name = "faultproxy/config.toml";
    const cases: readonly (readonly [Readonly<Record<string, string>>, readonly string[]])[] = [
      [{}, ["/etc/xdg"]],
      [{ HOME: "/h" }, ["/h/.config", "/etc/xdg"]],
      [{ HOME: "/h", XDG_CONFIG_HOME: "/own" }, ["/own", "/etc/xdg"]],
      [{ HOME: "/h", XDG_CONFIG_HOME: "" }, ["/h/.config", "/etc/xdg"]],
      [{ XDG_CONFIG_DIRS: "/a:/b/:relative::/a" }, ["/a", "/b", "/etc/xdg"]],
      [{ XDG_CONFIG_DIRS: "/etc/xdg:/b" }, ["/etc/xdg", "/b"]],
      [{ HOME: "relative", XDG_CONFIG_HOME: "relative" }, ["/etc/xdg"]],
    ];
    for (const [environment, folders] of cases) expect(configCandidates(environment)).toEqual(folders.map((path) => `${path}/${name}`));
  });

  test.each([
    ["--config", (path: string) => [["--config", path], {}] as const],
    ["FAULTPROXY_CONFIG", (path: string) => [[], { FAULTPROXY_CONFIG: path }] as const],
  ])("not another where that of %s is not there", async (_, named) => {
    put("own/faultproxy/config.toml", 3);
    const path = join(folder, "none.toml");
    const [args, environment] = named(path);
    expect(await refused(args, { ...environment, XDG_CONFIG_HOME: join(folder, "own") })).toEqual({
      code: 2,
      out: "",
      err: `faultproxy: error: cannot read the configuration file ${path} (ENOENT)\n`,
    });
  });

  test("refused with all its mistakes, wherever it was found", async () => {
    const file = put("own/faultproxy/config.toml", 3, 'prot = 1\n[backend]\ntimeout = "soon"\n');
    const { code, out, err } = await refused([], { XDG_CONFIG_HOME: join(folder, "own") });
    expect([code, out]).toEqual([2, ""]);
    expect(err.trimEnd().split("\n")).toEqual([
      expect.stringContaining(`faultproxy: error: ${file}:2:1: unknown key "prot"; did you mean port?`),
      expect.stringContaining(`${file}:3:1: [backend] needs endpoint`),
      expect.stringContaining(`${file}:4:1: backend.timeout = "soon": expected seconds`),
    ]);
  });

  test.skipIf(!CAN_BE_NOBODY)("the next one, where one must not be read; a folder in its place is warned about", async () => {
    chmodSync(folder, 0o755);
    const closed = put("own/faultproxy/config.toml", 3);
    chmodSync(closed, 0o600);
    mkdirSync(join(folder, "first/faultproxy/config.toml"), { recursive: true });
    const second = put("second/faultproxy/config.toml", 5);
    const environment = { XDG_CONFIG_HOME: join(folder, "own"), XDG_CONFIG_DIRS: `${join(folder, "first")}:${join(folder, "second")}` };
    const { config, seed, log } = await found({ environment, user: NOBODY });
    expect([config, seed]).toEqual([second, 5]);
    expect(log).toBe(`faultproxy: warning: cannot read ${join(folder, "first/faultproxy/config.toml")} (EISDIR); going on without it\n`);
  });
});

describe("the command line comes before variables, variables before the file", () => {
  test.each<[string, readonly string[], Readonly<Record<string, string>>, string, unknown]>([
    ["an option", ["--seed", "1"], { FAULTPROXY_SEED: "2" }, "seed = 3", 1],
    ["a variable", [], { FAULTPROXY_SEED: "2" }, "seed = 3", 2],
    ["an empty variable is none", [], { FAULTPROXY_SEED: "" }, "seed = 3", 3],
  ])("%s", async (_, args, environment, toml, expected) => {
    expect((await found({ args, environment, toml })).seed).toBe(expected);
  });

  test("the address of a provider too", async () => {
    const target = await startRawTarget(({ connection, startLine }) =>
      connection.write(OK.replace("content-length: 2\r\n\r\n{}", `content-length: ${startLine.length}\r\n\r\n${startLine}`)),
    );
    const at = (path: string) => `${target.url}/${path}`;
    const file = `[backend]\nendpoint = "${at("backend")}"\n[providers.openai]\nupstream = "${at("file")}"\n[providers.google]\nupstream = "${at("file")}"\n[providers.openrouter]\nupstream = "${at("file")}"\n`;
    const daemon = await startTestDaemon({
      engine,
      toml: file,
      args: ["--upstream", `openai=${at("option")}`],
      environment: {
        FAULTPROXY_UPSTREAM: `openai=${at("variable")},google=${at("variable")}`,
        OPENROUTER_REAL_HOST: at("host"),
        OPENAI_REAL_HOST: at("host"),
      },
    });
    const asked = async (path: string) => (await (await fetch(daemon.origin + path)).text()).split(" ")[1];
    expect(await asked("/openai/v1/x")).toBe("/option/v1/x");
    expect(await asked("/google/v1/x")).toBe("/variable/v1/x");
    expect(await asked("/openrouter/v1/x")).toBe("/host/v1/x");
    expect(await asked("/anthropic/v1/x")).toBe("/backend/x");
    await daemon.stop();
    target.stop();
  });
});
