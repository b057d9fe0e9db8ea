import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY, CLEAN_ENVIRONMENT, ENGINES, type EngineName, eventually } from "./support/daemon.ts";
import { freePort } from "./support/servers.ts";

/**
 * A service manager in few lines: binds the datagram socket, perhaps opens the port to hand over (sd_listen_fds(3)), starts the program and prints
 * what is told, with whether the port takes connections at that moment. What it reads is a signal to send, or a line for the program.
 */
const MANAGER = `import json, os, select, signal, socket, subprocess, sys
path, port, handed, words = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "handed", sys.argv[4:]
told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
told.bind("\\0" + path[1:] if path.startswith("@") else path)
environment = dict(os.environ, NOTIFY_SOCKET=path)
before = None
if handed:
    listener = socket.socket(); listener.bind(("127.0.0.1", port)); listener.listen(16)
    environment["LISTEN_FDS"] = "1"
    def before():
        os.dup2(listener.fileno(), 3)
        os.environ["LISTEN_PID"] = str(os.getpid())
script = 'LISTEN_PID=$$ exec "$@"' if handed else 'exec "$@"'
child = subprocess.Popen(["sh", "-c", script, "sh", *words], env=environment, preexec_fn=before, pass_fds=(3,) if handed else (), stdin=subprocess.PIPE)
def serves():
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as c:
            c.settimeout(2)
            c.sendall(b"GET /v1/models HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n")
            return c.recv(12).decode() == "HTTP/1.1 200"
    except OSError:
        return False
def say(**what): print(json.dumps(what), flush=True)
while True:
    ready, _, _ = select.select([told, sys.stdin], [], [], 0.05)
    if told in ready:
        state = told.recv(4096).decode()
        say(told=state, serves=serves() if state == "READY=1" else None)
    if sys.stdin in ready:
        line = sys.stdin.readline().strip()
        if line == "": child.kill(); break
        if line.startswith("SIG"): child.send_signal(getattr(signal, line))
        else: child.stdin.write((line + "\\n").encode()); child.stdin.flush()
    if child.poll() is not None:
        while select.select([told], [], [], 0)[0]: say(told=told.recv(4096).decode(), serves=None)
        say(ended=child.returncode)
        break
`;

type Said = { readonly told?: string; readonly serves?: boolean | null; readonly ended?: number };

async function manage(engine: EngineName, path: string, args: readonly string[] = [], handed = false) {
  const port = await freePort();
  const words = [
    BINARY,
    "serve",
    "--engine",
    engine,
    "--simulate",
    "--log-level",
    "silent",
    ...(handed ? [] : ["--port", String(port)]),
    ...args,
  ];
  const child = Bun.spawn(["python3", "-c", MANAGER, path, String(port), handed ? "handed" : "own", ...words], {
    env: CLEAN_ENVIRONMENT,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const said: Said[] = [];
  let unread = "";
  void (async () => {
    for await (const chunk of child.stdout) {
      unread += new TextDecoder().decode(chunk);
      const lines = unread.split("\n");
      unread = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith('{"told"') || line.startsWith('{"ended"')) said.push(JSON.parse(line));
    }
  })();
  return {
    said,
    port,
    send(line: string) {
      child.stdin.write(`${line}\n`);
      child.stdin.flush();
    },
    has: (count: number) => eventually(() => (said.length >= count ? said : undefined), `${count} messages to the service manager`),
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await child.exited;
    },
  };
}

describe.skipIf(process.platform !== "linux" || Bun.which("python3") === null).each(ENGINES)("with the %s engine", (engine) => {
  const folder = () => {
    const path = mkdtempSync(join(tmpdir(), "faultproxy-test-"));
    return { path, socket: join(path, "c.sock"), [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
  };

  test.each<[string, (folder: string) => string]>([
    ["a path", (path) => join(path, "notify")],
    ["a name of no file", (path) => `@faultproxy-test${path}`],
  ])("the service manager is told that it is ready when the port is open, and that it stops, at %s", async (_, at) => {
    using place = folder();
    await using manager = await manage(engine, at(place.path), ["--socket", place.socket, "--no-stdin"]);
    expect(await manager.has(1)).toEqual([{ told: "READY=1", serves: true }]);
    // The control socket is there too.
    expect(existsSync(place.socket)).toBe(true);
    manager.send("SIGTERM");
    expect(await manager.has(3)).toEqual([{ told: "READY=1", serves: true }, { told: "STOPPING=1", serves: null }, { ended: 0 }]);
  });

  test("that is told once, whoever asks how often", async () => {
    using place = folder();
    await using manager = await manage(engine, join(place.path, "notify"), ["--socket", place.socket, "--no-stdin"]);
    await manager.has(1);
    manager.send("SIGINT");
    manager.send("SIGTERM");
    await manager.has(3);
    expect(manager.said.filter(({ told }) => told === "STOPPING=1").length).toBe(1);
  });

  // Only the wire engine takes sockets that are handed over.
  test.skipIf(engine === "serve")("with a socket that it was handed", async () => {
    using place = folder();
    await using manager = await manage(engine, join(place.path, "notify"), ["--socket", place.socket, "--no-stdin"], true);
    expect(await manager.has(1)).toEqual([{ told: "READY=1", serves: true }]);
    manager.send("SIGTERM");
    expect(await manager.has(3)).toContainEqual({ ended: 0 });
  });

  test("nobody is told of a start that fails", async () => {
    using place = folder();
    await using manager = await manage(engine, join(place.path, "notify"), ["--socket", place.socket, "--no-stdin", "--host", "192.0.2.1"]);
    expect(await manager.has(1)).toEqual([{ ended: 1 }]);
  });

  test.each([
    ["is not there", "/nowhere/notify"],
    ["is a name of no file", "@faultproxy-test-nobody"],
    ["is of another family", "vsock:2:1"],
    ["is relative", "relative"],
    ["is empty", ""],
    ["is too long", `/${"x".repeat(300)}`],
  ])("a place that %s is no reason not to start", async (_, at) => {
    using place = folder();
    const words = [
      BINARY,
      "serve",
      "--engine",
      engine,
      "--simulate",
      "--port",
      "0",
      "--socket",
      place.socket,
      "--no-stdin",
      "--log-format",
      "json",
    ];
    const child = Bun.spawn(words, { env: { ...CLEAN_ENVIRONMENT, NOTIFY_SOCKET: at }, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const { value } = await child.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toStartWith('{"type":"listening"');
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    expect(await new Response(child.stderr).text()).toBe("");
  });
});
