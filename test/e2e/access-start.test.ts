import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY, CLEAN_ENVIRONMENT, ENGINES, type EngineName, eventually, startTestDaemon } from "./support/daemon.ts";
import { HAS_IPV6, LAN_ADDRESS } from "./support/exposed.ts";
import { complete, raw, request } from "./support/raw-client.ts";
import { freePort } from "./support/servers.ts";

const KEY = "a-key-of-the-proxy";
const folder = mkdtempSync(join(tmpdir(), "faultproxy-access-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const running: Bun.Subprocess[] = [];
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map((child) => child.exited));
});

type Options = {
  readonly engine?: EngineName;
  readonly environment?: Readonly<Record<string, string>>;
  /** What starts the program. */
  readonly by?: readonly string[];
};

function spawn(words: readonly string[], { engine = "wire", environment = {}, by = [] }: Options) {
  const child = Bun.spawn([...by, BINARY, "serve", "--engine", engine, "--simulate", "--no-stdin", "--log-format", "json", ...words], {
    env: { ...CLEAN_ENVIRONMENT, XDG_RUNTIME_DIR: folder, XDG_STATE_HOME: folder, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.push(child);
  return child;
}

/** How it ends when it does not come to listen. */
async function refused(words: readonly string[], options: Options = {}) {
  const child = spawn(words, options);
  const [code, out, err] = await Promise.all([child.exited, new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code, out, err };
}

/** Starts, and is asked to end. */
async function started(words: readonly string[], options: Options = {}): Promise<boolean> {
  const child = spawn(words, options);
  const { value } = await child.stdout.getReader().read();
  child.kill("SIGTERM");
  await child.exited;
  return value !== undefined;
}

const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

const sentence = (where: string) =>
  `faultproxy: error: ${where}: other machines may reach this address, and nobody has said who may use the proxy. Set api_keys in [server] (FAULTPROXY_API_KEYS), of which every client then has to show one; or listen on 127.0.0.1; or let everybody in with --open (open = true in [server])\n`;

describe.each(ENGINES)("an address that other machines reach, with the %s engine", (engine) => {
  const exposed: readonly (readonly [words: readonly string[], where: string])[] = [
    [["--host", "0.0.0.0"], "--host 0.0.0.0"],
    [["--host", "::"], "--host [::]"],
    [["--host", "0"], "--host 0 (0.0.0.0)"],
    [["--host", "::ffff:0.0.0.0"], "--host [::ffff:0.0.0.0]"],
    [["--listen", "0.0.0.0:0"], "--listen 0.0.0.0"],
    [["--listen", "anthropic=[::]:0"], "--listen [::]"],
    [["--listen", "127.0.0.1:0,0.0.0.0:0"], "--listen 0.0.0.0"],
    ...(LAN_ADDRESS === undefined ? [] : ([[["--host", LAN_ADDRESS], `--host ${LAN_ADDRESS}`]] as const)),
  ];

  test("is not opened without a word of who may use it: one sentence, exit code 1, and nothing is left open", async () => {
    const own = mkdtempSync(join(folder, "own-"));
    const path = join(own, "beside.sock");
    const port = await freePort();
    const environment = { XDG_RUNTIME_DIR: own, XDG_STATE_HOME: own };
    for (const [words, where] of exposed) {
      const further = ["--gateway", "--listen", `unix:${path}`, "--listen", `127.0.0.1:${port}`];
      expect(await refused(["--port", "0", ...words, ...further], { engine, environment })).toEqual({
        code: 1,
        out: "",
        err: sentence(where),
      });
    }
    // Neither sockets nor the ledger are made.
    expect(readdirSync(own)).toEqual([]);
  });

  test("is opened with a key, or with --open", async () => {
    const toml = file("keys.toml", `[server]\napi_keys = ["${KEY}"]\n`);
    const open = file("open.toml", "[server]\nopen = true\n");
    for (const [words] of exposed.slice(0, HAS_IPV6 ? undefined : 1)) {
      if (words.includes("::ffff:0.0.0.0")) continue;
      const all = ["--port", "0", ...words];
      expect(await started([...all, "--open"], { engine })).toBe(true);
      expect(await started([...all, "--config", toml], { engine })).toBe(true);
    }
    const all = ["--port", "0", "--host", "0.0.0.0"];
    expect(await started([...all, "--config", open], { engine })).toBe(true);
    expect(await started(all, { engine, environment: { FAULTPROXY_API_KEYS: KEY } })).toBe(true);
    expect(await started(all, { engine, environment: { FAULTPROXY_OPEN: "1" } })).toBe(true);
    // Nothing at all is no key.
    expect((await refused(all, { engine, environment: { FAULTPROXY_API_KEYS: "" } })).code).toBe(1);
    expect((await refused([...all, "--config", file("none.toml", "[server]\napi_keys = []\n")], { engine })).code).toBe(1);
  });

  test("is none of this machine's own", async () => {
    const hosts = [
      "127.0.0.1",
      "localhost",
      "LOCALHOST",
      ...(process.platform === "linux" ? ["127.0.0.2"] : []),
      ...(HAS_IPV6 ? ["::1"] : []),
    ];
    for (const host of hosts) expect(await started(["--port", "0", "--host", host], { engine })).toBe(true);
    expect(await started(["--port", "0", "--listen", `unix:${join(folder, "own.sock")}`], { engine })).toBe(true);
  });
});

test("check tells it, with its place, exit code 1; what the variables say counts", async () => {
  const check = (path: string, environment: Readonly<Record<string, string>> = {}) => {
    const { exitCode, stdout } = Bun.spawnSync([BINARY, "check", path], { env: { ...CLEAN_ENVIRONMENT, ...environment } });
    return [exitCode, stdout.toString()];
  };
  const problem = (where: string) => sentence(where).replace("faultproxy: error: ", "");
  const host = file("host.toml", '[server]\nhost = "0.0.0.0"\n');
  expect(check(host)).toEqual([1, `${host}:2:1: ${problem("--host 0.0.0.0")}`]);
  expect(check(host, { FAULTPROXY_API_KEYS: KEY })).toEqual([0, `${host}: no problems\n`]);
  expect(check(host, { FAULTPROXY_OPEN: "yes" })).toEqual([0, `${host}: no problems\n`]);
  const listen = file("listen.toml", 'listen = ["127.0.0.1:1", "[::]:2"]\n');
  expect(check(listen)).toEqual([1, `${listen}:1:1: ${problem("--listen [::]")}`]);
  const keys = file("host-and-keys.toml", `[server]\nhost = "0.0.0.0"\napi_keys = ["${KEY}"]\n`);
  expect(check(keys)).toEqual([0, `${keys}: no problems\n`]);
});

test("a reload cannot take the last key away from such an address", async () => {
  const toml = `[server]\nhost = "0.0.0.0"\napi_keys = ["${KEY}"]\n`;
  await using daemon = await startTestDaemon({ engine: "wire", args: ["--simulate"], toml });
  const status = async (key: string) =>
    (await raw(daemon.port, request("GET", "/v1/models", { "x-faultproxy-key": key }), { until: complete })).status;
  writeFileSync(daemon.config, '[server]\nhost = "0.0.0.0"\n');
  const { status: refusal, body } = await daemon.command("reload");
  expect(refusal).toBe(400);
  expect(JSON.stringify(body)).toContain("nobody has said who may use the proxy");
  // `open` counts at the start alone.
  writeFileSync(daemon.config, '[server]\nhost = "0.0.0.0"\nopen = true\n');
  expect((await daemon.command("reload")).status).toBe(400);
  expect([await status(KEY), await status("another")]).toEqual([200, 401]);
});

test("run opens none either, and its command needs no key", async () => {
  const environment = { ...CLEAN_ENVIRONMENT, FAULTPROXY_API_KEYS: KEY, FAULTPROXY_OPEN: "1" };
  const run = (words: readonly string[], command: string) =>
    Bun.spawnSync([BINARY, "run", "--simulate", ...words, "--", "sh", "-c", command], { env: environment });
  const outside = run(["--host", "0.0.0.0"], "echo started");
  expect([outside.exitCode, outside.stdout.toString(), outside.stderr.toString()]).toEqual([1, "", sentence("--host 0.0.0.0")]);
  expect(run(["--host", "0.0.0.0", "--open"], "echo started").stdout.toString()).toBe("started\n");
  const asking = run([], 'curl -s -o /dev/null -w "%{http_code}" "$OPENAI_HOST/v1/models"');
  expect(asking.stdout.toString()).toBe("200");
});

/** Opens sockets on these hosts as descriptors from 3 on and becomes the program, as the service manager does. */
const ACTIVATE = `import os, socket, sys
hosts, *program = sys.argv[1:]
opened = [socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) for host in hosts.split(",")]
for i, s in enumerate(opened): os.dup2(s.fileno(), 100 + i)
for i in range(len(opened)): os.dup2(100 + i, 3 + i, inheritable=True)
os.closerange(3 + len(opened), 90)
os.environ.update(LISTEN_FDS=str(len(opened)), LISTEN_PID=str(os.getpid()))
os.execv(program[0], program)`;
const activated = (...hosts: readonly string[]) => ["python3", "-c", ACTIVATE, hosts.join(",")];

describe.skipIf(process.platform !== "linux" || Bun.which("python3") === null)("a socket that is handed over", () => {
  test.each([
    [["0.0.0.0"], "0.0.0.0"],
    [["127.0.0.1", "0.0.0.0"], "0.0.0.0"],
    ...(HAS_IPV6 ? [[["::"], "[::]"] as [string[], string]] : []),
    ...(LAN_ADDRESS === undefined ? [] : [[[LAN_ADDRESS], LAN_ADDRESS] as [string[], string]]),
  ])("on %j is not served without a word of who may use it", async (hosts, told) => {
    const by = activated(...hosts);
    expect(await refused([], { by })).toEqual({ code: 1, out: "", err: sentence(`the socket unit, with ${told}`) });
    expect(await started(["--open"], { by })).toBe(true);
    expect(await started([], { by, environment: { FAULTPROXY_API_KEYS: KEY } })).toBe(true);
  });

  test("on this machine's own addresses is served, whatever host says", async () => {
    const by = activated("127.0.0.1", ...(HAS_IPV6 ? ["::1"] : []));
    expect(await started(["--host", "0.0.0.0"], { by })).toBe(true);
    expect((await refused(["--listen", "0.0.0.0:0"], { by })).err).toBe(sentence("--listen 0.0.0.0"));
  });

  test.skipIf(!canUnshare())("from where this process cannot see where it listens is not served either", async () => {
    // The socket belongs to the network outside, the process to one of its own.
    const by = [...activated("127.0.0.1"), "/usr/bin/env", "unshare", "--net", "--"];
    const where = "a socket that was handed over, with an address that the system does not tell";
    expect(await refused([], { by })).toEqual({ code: 1, out: "", err: sentence(where) });
    expect(await started(["--open"], { by })).toBe(true);
  });
});

function canUnshare(): boolean {
  return Bun.which("unshare") !== null && Bun.spawnSync(["unshare", "--net", "true"]).exitCode === 0;
}

test.skipIf(LAN_ADDRESS === undefined)("from another address a client needs the key as well", async () => {
  const toml = `[server]\nhost = "0.0.0.0"\napi_keys = ["${KEY}"]\n`;
  await using daemon = await startTestDaemon({ engine: "wire", args: ["--simulate"], toml });
  const url = `http://${LAN_ADDRESS}:${daemon.port}/v1/models`;
  const status = async (headers: Record<string, string>) => (await fetch(url, { headers })).status;
  expect([await status({}), await status({ "x-faultproxy-key": KEY })]).toEqual([401, 200]);
  await eventually(async () => ((await daemon.events()).length === 2 ? true : undefined), "two events");
});
