import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { childVariables, keptUpstreams, withKeptUpstreams, withoutHttpProxy } from "../../src/cli/child-environment.ts";
import { isInputError } from "../../src/core/errors.ts";
import { targetsOf } from "../../src/shell/targets.ts";
import { settings, temporaryFolder, until } from "../shell/support.ts";
import { cleanEnvironment, faultproxy } from "./support.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");

describe("the exit code is the command's", () => {
  test.each<[string, readonly string[], number]>([
    ["0", ["true"], 0],
    ["its own", ["sh", "-c", "exit 7"], 7],
    ["128 + the signal that ended it", ["sh", "-c", "kill -TERM $$"], 143],
    ["the same for a crash", ["sh", "-c", "kill -SEGV $$"], 139],
    ["127 where it is not found", ["no-such-command-here"], 127],
    ["126 where it cannot be executed", ["/etc/passwd"], 126],
  ])("%s", async (_, command, code) => {
    expect((await faultproxy(["run", "--simulate", "--", ...command])).code).toBe(code);
  });
});

test("streams pass through untouched, and the summary goes to standard error", async () => {
  const folder = temporaryFolder();
  const file = join(folder.path, "summary.json");
  const script = `
    process.stdout.write(await Bun.stdin.text());
    const body = JSON.stringify({ model: "m", messages: [] });
    for (let i = 0; i < 3; i++) {
      const { status } = await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", { method: "POST", body });
      process.stdout.write(status + " ");
    }
    console.error("oops");
  `;
  const { code, out, err } = await faultproxy(
    ["run", "--simulate", "--mode", "r 2", "--summary-json", file, "--", process.execPath, "-e", script],
    {
      input: "typed\n",
    },
  );
  expect({ code, out }).toEqual({ code: 0, out: "typed\n429 429 200 " });
  expect(err).toMatch(/^oops\nfaultproxy: 3 requests in \d+\.\d s: 1 × 200, 2 × 429\nfaultproxy: 2 injections: 2 × rate_limit\n$/);
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({
    exitCode: 0,
    requests: 3,
    statuses: { 200: 1, 429: 2 },
    injections: { rate_limit: 2 },
  });
  folder.remove();
});

test("addresses that are set for serve are not opened", async () => {
  const folder = temporaryFolder();
  const path = join(folder.path, "listen.sock");
  const script = `test ! -e ${path}`;
  const environment = { FAULTPROXY_LISTEN: `unix:${path}` };
  expect((await faultproxy(["run", "--simulate", "--", "sh", "-c", script], { environment })).code).toBe(0);
  expect((await faultproxy(["run", "--simulate", "--listen", `unix:${path}`, "--", "sh", "-c", script])).code).toBe(1);
  folder.remove();
});

test("a seed that decided something is told, and gives the same again", async () => {
  const script = `for (let i = 0; i < 20; i++) {
    const { status } = await fetch(process.env.ANTHROPIC_HOST + "/v1/messages", { method: "POST", body: "{}" });
    process.stdout.write(status === 200 ? "." : "x");
  }`;
  const command = ["run", "--simulate", "--mode", "o 50%"];
  const first = await faultproxy([...command, "--", process.execPath, "-e", script]);
  const seed = /\nfaultproxy: the same again: --seed (\d+)\n$/.exec(first.err)?.[1] ?? "";
  const again = await faultproxy([...command, "--seed", seed, "--", process.execPath, "-e", script]);
  expect(first.out).toMatch(/^[.x]{20}$/);
  expect(again.out).toBe(first.out);
});

test("a command from which no request comes is told what to look at", async () => {
  const { err } = await faultproxy(["run", "--simulate", "--", "true"]);
  expect(err).toContain("the command may not read the variables that point it here");
  expect((await faultproxy(["run", "--help"])).out).toContain("OPENAI_HOST, OPENAI_BASE_URL, OPENAI_API_BASE");
});

test("the command's environment is its own but for what leads it here", async () => {
  const { out } = await faultproxy(["run", "--simulate", "--", "env"], {
    environment: { PORT: "3000", FAULTPROXY_PORT: "4000", MINE: "kept" },
  });
  const lines = out.split("\n");
  expect(lines).toContain("PORT=3000");
  expect(lines).toContain("MINE=kept");
  expect(out).not.toContain("BUN_CONFIG_MAX_HTTP_REQUESTS");
  expect(out).not.toContain("FETCH_LIMIT");
  const origin = /^OPENAI_HOST=(.*)$/m.exec(out)?.[1];
  expect(origin).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(origin).not.toEndWith(":3000");
  expect(lines).toContain(`OPENAI_BASE_URL=${origin}/v1`);
  for (const name of [
    "OPENAI_API_BASE",
    "ANTHROPIC_HOST",
    "ANTHROPIC_BASE_URL",
    "GOOGLE_HOST",
    "GOOGLE_GEMINI_BASE_URL",
    "GEMINI_BASE_URL",
    "OPENROUTER_HOST",
    "TETRATE_HOST",
    "DATABRICKS_HOST",
  ]) {
    expect(out).toMatch(new RegExp(`^${name}=${origin}`, "m"));
  }
});

test.each<[string, Record<string, string>, Record<string, string>]>([
  ["no HTTP proxy", { NO_PROXY: "a" }, {}],
  ["an HTTP proxy", { HTTP_PROXY: "http://p" }, { NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1" }],
  ["an HTTP proxy with exceptions", { all_proxy: "http://p", NO_PROXY: "a,b" }, { NO_PROXY: "a,b,127.0.0.1", no_proxy: "a,b,127.0.0.1" }],
])("with %s, the command's clients reach this proxy directly", (_, environment, expected) => {
  expect(withoutHttpProxy(environment, "127.0.0.1")).toEqual(expected);
});

test("the command can steer the proxy through its control socket", async () => {
  const { code, out } = await faultproxy(["run", "--simulate", "--", process.execPath, MAIN, "ctl", "c", "3"]);
  expect(code).toBe(0);
  expect(out).toContain("Context length exceeded (3 remaining)");
});

test("the command can start a proxy of its own", async () => {
  const folder = temporaryFolder();
  const script = `
    const child = Bun.spawn([process.execPath, process.argv[1], "serve", "--simulate", "--port", "0", "--no-stdin", "--log-format", "json"], { stdout: "pipe" });
    const { value } = await child.stdout.getReader().read();
    process.stdout.write(value);
    child.kill();
    process.exit(await child.exited);
  `;
  const { code, out } = await faultproxy(["run", "--simulate", "--", process.execPath, "-e", script, MAIN], {
    environment: { XDG_RUNTIME_DIR: folder.path },
  });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ type: "listening", socket: expect.stringContaining(folder.path) });
  folder.remove();
});

test("a summary that cannot be written is told before the command starts", async () => {
  const { code, out, err } = await faultproxy(["run", "--simulate", "--summary-json", "/no/such/folder/x", "--", "echo", "started"]);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain("cannot write the summary to /no/such/folder/x (ENOENT)");
});

test("what fired and found nothing to work on is not counted as injected", async () => {
  const folder = temporaryFolder();
  const file = join(folder.path, "summary.json");
  const script = `await (await fetch(process.env.OPENAI_BASE_URL + "/chat/completions", { method: "POST", body: '{"model":"m","stream":true,"messages":[]}' })).text()`;
  const { err } = await faultproxy([
    ...["run", "--simulate", "--mode", "cut after=5000", "--summary-json", file, "--", process.execPath, "-e", script],
  ]);
  expect(err).toContain("\nfaultproxy: 0 injections\nfaultproxy: not done: 1 × cut (its place never came)\n");
  expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ injections: {}, skipped: { "cut (its place never came)": 1 } });
  folder.remove();
});

describe("signals", () => {
  const counting = `
const got = [];
for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1"])
  process.on(name, () => { got.push(name); console.log("got " + got.length); });
process.on("SIGUSR2", () => { console.log(got.join(",")); process.exit(3); });
console.log("ready");
setInterval(() => {}, 1000);
`;
  test("reach the command exactly once each, and leave the ending to it", async () => {
    const child = Bun.spawn([process.execPath, MAIN, "run", "--simulate", "--", process.execPath, "-e", counting], {
      env: cleanEnvironment(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      detached: true,
    });
    let out = "";
    const reading = (async () => {
      for await (const bytes of child.stdout) out += Buffer.from(bytes).toString();
    })();
    await until(() => out.includes("ready"), "the command is ready", 15_000);
    for (const [index, signal] of (["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1"] as const).entries()) {
      child.kill(signal);
      await until(() => out.includes(`got ${index + 1}\n`), `${signal} has come`);
    }
    child.kill("SIGUSR2");
    expect(await child.exited).toBe(3);
    await reading;
    expect(out).toEndWith("SIGINT,SIGTERM,SIGHUP,SIGQUIT,SIGUSR1\n");
  }, 30_000);
});

describe("a variable that points somewhere already", () => {
  const ORIGIN = "http://127.0.0.1:1234";

  function resultOf(environment: Record<string, string>, simulate = false) {
    const { kept } = keptUpstreams(environment);
    const targets = targetsOf(settings({ simulate }), withKeptUpstreams(environment, kept));
    if (isInputError(targets)) throw new Error(targets.message);
    return { targets, variables: childVariables(environment, kept, targets, () => ORIGIN) };
  }

  test.each<[string, Record<string, string>, string, Record<string, string>]>([
    [
      "a gateway with the path that clients expect",
      { OPENAI_BASE_URL: "https://gateway.example/v1" },
      "https://gateway.example",
      { OPENAI_BASE_URL: `${ORIGIN}/v1` },
    ],
    [
      "a gateway with a path before it",
      { OPENAI_BASE_URL: "https://gateway.example/a/v1/" },
      "https://gateway.example/a",
      { OPENAI_BASE_URL: `${ORIGIN}/v1` },
    ],
    [
      "a gateway without it",
      { OPENAI_BASE_URL: "https://gateway.example/a" },
      "https://gateway.example/a",
      { OPENAI_BASE_URL: `${ORIGIN}/openai`, OPENAI_HOST: ORIGIN },
    ],
    [
      "a host",
      { OPENAI_HOST: "http://localhost:11434" },
      "http://localhost:11434",
      { OPENAI_HOST: ORIGIN, OPENAI_REAL_HOST: "http://localhost:11434" },
    ],
    [
      "two: the first",
      { OPENAI_HOST: "http://first", OPENAI_BASE_URL: "http://second/v1" },
      "http://first",
      { OPENAI_BASE_URL: `${ORIGIN}/v1` },
    ],
    [
      "the real host comes first",
      { OPENAI_REAL_HOST: "http://real", OPENAI_BASE_URL: "http://gateway/a" },
      "http://real",
      { OPENAI_BASE_URL: `${ORIGIN}/v1` },
    ],
  ])("%s", (_, environment, base, variables) => {
    const result = resultOf(environment);
    expect(result.targets.openai).toEqual({ kind: "url", base });
    expect(result.variables).toMatchObject(variables);
  });

  test("a Databricks workspace becomes the real host, for the command too", () => {
    const { targets, variables } = resultOf({ DATABRICKS_HOST: "https://ws.databricks.com" });
    expect(targets.databricks).toEqual({ kind: "url", base: "https://ws.databricks.com" });
    expect(variables).toMatchObject({ DATABRICKS_HOST: ORIGIN, DATABRICKS_REAL_HOST: "https://ws.databricks.com" });
  });

  test.each(["127.0.0.1:9100/v1", "http://user:s3c@r3t@127.0.0.1:9100/v1", "http://127.0.0.1:9100/v1?key=s3c@r3t"])(
    "what cannot be forwarded to is refused, not sent elsewhere: %s",
    async (value) => {
      const environment = { OPENAI_BASE_URL: value };
      const { code, out, err } = await faultproxy(["run", "--", "echo", "started"], { environment });
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toContain("OPENAI_BASE_URL=");
      expect(err).toContain("--upstream openai=URL");
      expect(err).not.toContain("r3t");
      for (const way of [["--simulate"], ["--upstream", "openai=http://127.0.0.1:9100"]])
        expect((await faultproxy(["run", ...way, "--", "echo", "started"], { environment })).out).toBe("started\n");
    },
  );

  test("the built-in provider comes before it", () => {
    const { targets, variables } = resultOf({ OPENAI_BASE_URL: "https://gateway.example/a" }, true);
    expect(targets.openai).toEqual({ kind: "simulated" });
    expect(variables.OPENAI_BASE_URL).toBe(`${ORIGIN}/v1`);
  });
});
