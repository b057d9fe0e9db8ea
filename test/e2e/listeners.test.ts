import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import type { Status } from "../../src/shell/status.ts";
import { BINARY, CLEAN_ENVIRONMENT, ENGINES, type EngineName, eventually } from "./support/daemon.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { startRawUpstream } from "./support/raw-upstream.ts";
import { freePort, OK } from "./support/servers.ts";

const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === "::1"));
const folder = mkdtempSync(join(tmpdir(), "faultproxy-listeners-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let names = 0;
const newPath = () => join(folder, `${++names}.sock`);

type Options = {
  readonly engine?: EngineName;
  readonly environment?: Readonly<Record<string, string>>;
  /** What starts the program. */
  readonly by?: readonly string[];
};

const running: Bun.Subprocess[] = [];
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all(running.splice(0).map((child) => child.exited));
});

function spawn(args: readonly string[], { engine = "wire", environment = {}, by = [] }: Options) {
  const child = Bun.spawn([...by, BINARY, "serve", "--engine", engine, "--no-stdin", "--log-format", "json", ...args], {
    env: { ...CLEAN_ENVIRONMENT, XDG_RUNTIME_DIR: folder, ...environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.push(child);
  return child;
}

/** A daemon that listens. */
async function serve(args: readonly string[], options: Options = {}) {
  const child = spawn(args, options);
  const err = new Response(child.stderr).text();
  const { value } = await child.stdout.getReader().read();
  if (value === undefined) throw new Error(await err);
  const status = JSON.parse(new TextDecoder().decode(value)) as Status;
  const ask = async (path: string) => (await fetch(`http://localhost${path}`, { unix: status.socket ?? "" })).text();
  return {
    child,
    status,
    /** The providers of the exchanges so far, as soon as there are so many. */
    providers: (atLeast = 0) =>
      eventually(async () => {
        const lines = (await ask("/v1/events?follow=false")).split("\n").filter((line) => line !== "");
        const found = lines.map((line) => JSON.parse(line)).flatMap((event) => (event.type === "exchange" ? [event.provider] : []));
        return found.length >= atLeast ? found : undefined;
      }, `${atLeast} exchanges`),
    err,
  };
}

/** One that does not come to listen. */
async function refused(args: readonly string[], options: Options = {}) {
  const child = spawn(args, options);
  const [code, err] = await Promise.all([child.exited, new Response(child.stderr).text()]);
  return { code, err };
}

const CHAT = { method: "POST", body: '{"model":"gpt-4o","messages":[{"role":"user","content":"x"}]}' };
const overUnix = async (path: string) => (await fetch("http://localhost/v1/chat/completions", { ...CHAT, unix: path })).status;
const overTcp = async (origin: string) => (await fetch(`${origin}/v1/chat/completions`, CHAT)).status;

describe.each(ENGINES)("addresses, with the %s engine", (engine) => {
  test("of --listen: host and port, a path, each perhaps for one provider", async () => {
    const [plain, own] = [newPath(), newPath()];
    const [first, second] = [await freePort(), await freePort()];
    const words = [`127.0.0.1:${first}`, `anthropic=127.0.0.1:${second}`, `unix:${plain}`, `google=unix:${own}`].flatMap((word) => [
      "--listen",
      word,
    ]);
    const daemon = await serve(["--simulate", "--port", "0", ...words], { engine });
    expect(await overTcp(daemon.status.origin)).toBe(200);
    expect(await overTcp(`http://127.0.0.1:${first}`)).toBe(200);
    expect(await overUnix(plain)).toBe(200);
    await overTcp(`http://127.0.0.1:${second}`);
    await overUnix(own);
    expect(await daemon.providers(5)).toEqual(["openai", "openai", "openai", "anthropic", "google"]);
    expect(daemon.status.addresses).toEqual([
      `http://127.0.0.1:${first}`,
      `anthropic http://127.0.0.1:${second}`,
      `unix:${plain}`,
      `google unix:${own}`,
    ]);
    expect([daemon.status.providers.anthropic.port, daemon.status.providers.google.port]).toEqual([second, null]);
    daemon.child.kill("SIGTERM");
    expect(await daemon.child.exited).toBe(0);
    expect([existsSync(plain), existsSync(own)]).toEqual([false, false]);
  });

  test.skipIf(!HAS_IPV6)("of IPv6", async () => {
    const port = await freePort();
    const daemon = await serve(["--simulate", "--port", "0", "--host", "::1", "--listen", `[::1]:${port}`], { engine });
    expect(daemon.status.origin).toBe(`http://[::1]:${daemon.status.port}`);
    expect(await overTcp(daemon.status.origin)).toBe(200);
    expect(await overTcp(`http://[::1]:${port}`)).toBe(200);
  });

  test("of the variable, and of the file", async () => {
    const [byVariable, one, two] = [newPath(), newPath(), newPath()];
    const port = await freePort();
    const file = join(folder, "listen.toml");
    writeFileSync(file, `listen = ["unix:${one}", "openrouter=unix:${two}"]\n[providers.tetrate]\nport = ${port}\n`);
    const variable = await serve(["--simulate", "--port", "0"], { engine, environment: { FAULTPROXY_LISTEN: `unix:${byVariable}` } });
    expect(await overUnix(byVariable)).toBe(200);
    expect(variable.status.addresses).toEqual([`unix:${byVariable}`]);
    const written = await serve(["--simulate", "--port", "0", "--config", file], { engine });
    expect(await overUnix(one)).toBe(200);
    await overUnix(two);
    await overTcp(`http://127.0.0.1:${port}`);
    expect(await written.providers(3)).toEqual(["openai", "openrouter", "tetrate"]);
    expect(written.status.providers.tetrate.port).toBe(port);
  });

  test("of a socket file that was left behind are taken over", async () => {
    const path = newPath();
    const first = await serve(["--simulate", "--port", "0", "--listen", `unix:${path}`], { engine });
    first.child.kill("SIGKILL");
    await first.child.exited;
    expect(existsSync(path)).toBe(true);
    await serve(["--simulate", "--port", "0", "--listen", `unix:${path}`], { engine });
    expect(await overUnix(path)).toBe(200);
  });

  test("that cannot be had are told in a sentence, and nothing is left open or lying about", async () => {
    const [path, other, plain] = [newPath(), newPath(), join(folder, "plain")];
    writeFileSync(plain, "precious");
    const daemon = await serve(["--simulate", "--port", "0", "--listen", `unix:${path}`], { engine });
    const { port } = daemon.status;
    const long = join(folder, `${"a".repeat(120)}.sock`);
    const cases: readonly (readonly [address: string, sentence: string])[] = [
      [`unix:${path}`, `another program listens on ${path} already; choose another path with --listen`],
      [`unix:${plain}`, `${plain} is no socket, and is left as it is; choose another path with --listen`],
      [`unix:${folder}/none/x.sock`, `the folder of ${folder}/none/x.sock does not exist; make it, or choose another with --listen`],
      [`unix:${long}`, `${long} is too long for a socket; choose a shorter one with --listen`],
      [`127.0.0.1:${port}`, `port ${port} on 127.0.0.1 is in use; choose another with --listen, or 0 for a free one`],
      ["192.0.2.77:0", "192.0.2.77 is not an address of this machine; choose one with --listen, such as 127.0.0.1"],
    ];
    for (const [address, sentence] of cases) {
      const { code, err } = await refused(["--simulate", "--open", "--port", "0", "--listen", `unix:${other}`, "--listen", address], {
        engine,
      });
      expect([code, err]).toEqual([1, `faultproxy: error: ${sentence}\n`]);
      expect(existsSync(other)).toBe(false);
    }
    expect(await Bun.file(plain).text()).toBe("precious");
    expect(await overUnix(path)).toBe(200);
  });
});

describe.each(ENGINES)("--reuse-port, with the %s engine", (engine) => {
  test("lets several daemons share a port, each with a control socket of its own", async () => {
    const port = await freePort();
    const args = ["--simulate", "--port", String(port), "--reuse-port"];
    const daemons = [await serve(args, { engine }), await serve(args, { engine })];
    expect(daemons.map(({ status, child }) => status.socket === join(folder, "faultproxy", `${port}-${child.pid}.sock`))).toEqual([
      true,
      true,
    ]);
    for (let turn = 0; turn < 60; turn++) await raw(port, request("GET", "/v1/models", { connection: "close" }), { until: complete });
    const counts = await eventually(async () => {
      const found = await Promise.all(daemons.map(async (daemon) => (await daemon.providers()).length));
      return found.reduce((sum, count) => sum + count) === 60 ? found : undefined;
    }, "all exchanges");
    // The system deals connections out by their addresses; macOS gives all to one.
    if (process.platform === "linux") for (const count of counts) expect(count).toBeGreaterThan(0);

    const ctl = Bun.spawnSync([BINARY, "ctl", "--port", String(port), "status"], {
      env: { ...CLEAN_ENVIRONMENT, XDG_RUNTIME_DIR: folder },
    });
    expect(ctl.exitCode).toBe(2);
    for (const { status } of daemons) expect(ctl.stderr.toString()).toContain(`--socket ${status.socket}`);
    for (const { child } of daemons) child.kill("SIGTERM");
    for (const { child } of daemons) expect(await child.exited).toBe(0);
    expect(readdirSync(join(folder, "faultproxy")).filter((name) => name.startsWith(`${port}-`))).toEqual([]);
  });

  test.each([
    [["--reuse-port"], []],
    [[], ["--reuse-port"]],
    [[], []],
  ])("a port that is not shared by both (%j, %j) is refused", async (first, second) => {
    const { status } = await serve(["--simulate", "--port", "0", ...first], { engine });
    const { code, err } = await refused(["--simulate", "--port", String(status.port), ...second], { engine });
    expect([code, err]).toEqual([
      1,
      `faultproxy: error: port ${status.port} on 127.0.0.1 is in use; choose another with --port, or 0 for a free one\n`,
    ]);
  });
});

/** Opens the sockets that it is told, as descriptors from 3 on, and becomes the program, as the service manager does. */
const ACTIVATE = `import os, socket, sys
kinds, pid, names, *program = sys.argv[1:]
opened = []
for kind in kinds.split(","):
    if kind == "tcp": s = socket.socket(); s.bind(("127.0.0.1", 0))
    elif kind == "tcp6": s = socket.socket(socket.AF_INET6); s.bind(("::1", 0))
    elif kind == "datagram": s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
    else: s = socket.socket(socket.AF_UNIX); s.bind(kind)
    if kind != "datagram": s.listen(16)
    opened.append(s)
for i, s in enumerate(opened): os.dup2(s.fileno(), 100 + i)
for i in range(len(opened)): os.dup2(100 + i, 3 + i, inheritable=True)
os.closerange(3 + len(opened), 256)
os.environ.update(LISTEN_FDS=str(len(opened)), LISTEN_PID=str(os.getpid() if pid == "own" else 1), LISTEN_FDNAMES=names)
os.execv(program[0], program)`;

const activated = (kinds: readonly string[], pid: "own" | "other" = "own", fdNames = "") => [
  "python3",
  "-c",
  ACTIVATE,
  kinds.join(","),
  pid,
  fdNames,
];

describe.skipIf(process.platform !== "linux" || Bun.which("python3") === null)("sockets that are handed over", () => {
  test("take the place of host and port, and their names are providers", async () => {
    const path = newPath();
    const daemon = await serve(["--simulate", "--port", "1"], { by: activated(["tcp", path, "tcp"], "own", "http:google:anthropic") });
    const { status } = daemon;
    expect(status.port).toBeGreaterThan(1);
    expect(status.socket).toBe(join(folder, "faultproxy", `${status.port}.sock`));
    const { port } = status.providers.anthropic;
    expect(status.addresses).toEqual([`google unix:${path}`, `anthropic http://127.0.0.1:${port}`]);
    expect(await overTcp(status.origin)).toBe(200);
    await overUnix(path);
    await overTcp(`http://127.0.0.1:${port}`);
    expect(await daemon.providers(3)).toEqual(["openai", "google", "anthropic"]);
    daemon.child.kill("SIGTERM");
    expect(await daemon.child.exited).toBe(0);
  });

  test.skipIf(!HAS_IPV6)("may be of IPv6", async () => {
    const { status } = await serve(["--simulate"], { by: activated(["tcp6"]) });
    expect(status.origin).toBe(`http://[::1]:${status.port}`);
    expect(await overTcp(status.origin)).toBe(200);
  });

  test("may be paths alone; the control socket is then found by the process id", async () => {
    const path = newPath();
    const { status, child } = await serve(["--simulate"], { by: activated([path]) });
    expect([status.port, status.socket]).toEqual([0, join(folder, "faultproxy", `0-${child.pid}.sock`)]);
    expect(await overUnix(path)).toBe(200);
  });

  test("are none that were meant for another process", async () => {
    const port = await freePort();
    const { status } = await serve(["--simulate", "--port", String(port)], { by: activated(["tcp"], "other") });
    expect([status.port, status.addresses]).toEqual([port, []]);
  });

  test("are refused where they do not take connections, and by the engine that cannot", async () => {
    expect(await refused(["--simulate"], { by: activated(["datagram"]) })).toEqual({
      code: 1,
      err: "faultproxy: error: cannot listen on the socket handed over as descriptor 3 (EINVAL)\n",
    });
    expect(await refused(["--simulate"], { by: activated(["tcp"]), engine: "serve" })).toEqual({
      code: 1,
      err: "faultproxy: error: sockets that are handed over need --engine wire\n",
    });
  });

  test("are not passed on to the command of run", async () => {
    const script = 'env | grep LISTEN_; ls -l /proc/self/fd | grep -c socket: ; curl -s "$OPENAI_HOST/v1/models" | head -c 9';
    const words = [...activated(["tcp"]), BINARY, "run", "--simulate", "--", "sh", "-c", script];
    const child = Bun.spawn(words, {
      env: { ...CLEAN_ENVIRONMENT, XDG_RUNTIME_DIR: folder },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    running.push(child);
    const [out] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    expect(out).not.toContain("LISTEN_");
    expect(out).toEndWith('{"object"');
  });

  test.skipIf(Bun.which("systemd-socket-activate") === null)("come from systemd", async () => {
    const port = await freePort();
    const child = spawn(["--simulate"], { by: ["systemd-socket-activate", "--listen", `127.0.0.1:${port}`] });
    await eventually(async () => {
      const socket = connect(port, "127.0.0.1");
      const { promise, resolve } = Promise.withResolvers<true | undefined>();
      socket.on("error", () => resolve(undefined));
      socket.on("connect", () => resolve(true));
      const is = await promise;
      socket.destroy();
      return is;
    }, "systemd-socket-activate");
    expect(await overTcp(`http://127.0.0.1:${port}`)).toBe(200);
    child.kill("SIGTERM");
    await child.exited;
  });
});

const BEGUN = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n";
const END = "4\r\nlast\r\n0\r\n\r\n";
const POST = request("POST", "/v1/chat/completions", {}, "{}");

describe.each(ENGINES)("the end, with the %s engine", (engine) => {
  test("lets running responses finish, and takes no new connections", async () => {
    const upstream = await startRawUpstream(({ socket, target }) => void (target.includes("late") || socket.write(BEGUN)));
    const { status, child } = await serve(["--port", "0", "--upstream", `openai=${upstream.url}`], { engine });
    const stream = rawConnection(status.port, POST, (text) => text.endsWith("0\r\n\r\n"));
    const late = rawConnection(status.port, POST.replace("/v1/", "/v1/late/"));
    const idle = rawConnection(status.port, "");
    await eventually(() => (stream.text().includes("first") && upstream.seen.length === 2 ? true : undefined), "two requests");
    child.kill("SIGTERM");
    if (engine === "wire") expect(await idle.ended.promise).toBe("fin");
    await eventually(async () => {
      const { promise, resolve } = Promise.withResolvers<true | undefined>();
      const socket = connect(status.port, "127.0.0.1", () => resolve(undefined));
      socket.on("error", () => resolve(true));
      const is = await promise;
      socket.destroy();
      return is;
    }, "a refusal");
    for (const { socket, target } of upstream.seen) socket.write(target.includes("late") ? OK : END);
    await stream.ended.promise;
    expect(stream.text()).toEndWith(END);
    await eventually(() => (complete(late.text()) ? true : undefined), "the late answer");
    expect(late.text()).toStartWith("HTTP/1.1 200");
    if (engine === "wire") {
      expect(late.text()).toContain("\r\nConnection: close\r\n");
      expect(await late.ended.promise).toBe("fin");
    }
    expect(await child.exited).toBe(0);
    for (const { socket } of [stream, late, idle]) socket.destroy();
    upstream.stop();
  });

  test("comes at once with the second signal", async () => {
    const path = newPath();
    const upstream = await startRawUpstream(({ socket }) => void socket.write(BEGUN));
    const { status, child } = await serve(["--port", "0", "--upstream", `openai=${upstream.url}`, "--listen", `unix:${path}`], { engine });
    const stream = rawConnection(status.port, POST);
    await eventually(() => (stream.text().includes("first") ? true : undefined), "the beginning");
    child.kill("SIGTERM");
    await eventually(() => (existsSync(path) ? undefined : true), "the end of the socket file");
    expect(child.exitCode).toBeNull();
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(["fin", "rst"]).toContain(await stream.ended.promise);
    expect(stream.text()).toEndWith("first\r\n");
    stream.socket.destroy();
    upstream.stop();
  });
});

test("at the end, a request behind a running one is left unanswered for its client to repeat", async () => {
  const upstream = await startRawUpstream(() => {});
  const { status, child } = await serve(["--port", "0", "--upstream", `openai=${upstream.url}`]);
  const client = rawConnection(status.port, POST + POST.replace("/v1/", "/v1/second/"));
  const first = await eventually(() => upstream.seen[0], "the first request");
  child.kill("SIGTERM");
  await Bun.sleep(100);
  first.socket.write(OK);
  expect(await client.ended.promise).toBe("fin");
  expect(client.text().match(/HTTP\/1\.1 200/g)).toHaveLength(1);
  expect(client.text()).toContain("\r\nConnection: close\r\n");
  expect(await child.exited).toBe(0);
  expect(upstream.seen.length).toBe(1);
  client.socket.destroy();
  upstream.stop();
});
