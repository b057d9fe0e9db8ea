import { describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { ENGINES, type EngineName, eventually, startTestDaemon } from "./support/daemon.ts";
import { chunked, complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { type Arrived, startRawTarget } from "./support/raw-target.ts";
import { listening, OK } from "./support/servers.ts";

const CHAT = request("POST", "/v1/chat/completions", {}, "{}");
const LIMIT_MS = 500;
/** A request that is answered so late has not been waited for by our limit, but by something longer. */
const LATE_MS = 8_000;

/** A target of raw bytes with a daemon before it, whose backend it is. */
async function inFront(engine: EngineName, answer: (arrived: Arrived) => unknown, keys = `timeout = "${LIMIT_MS}ms"\n`) {
  const target = await startRawTarget(answer);
  const daemon = await startTestDaemon({ engine, toml: `[backend]\nendpoint = "${target.url}/v1"\n${keys}` });
  return {
    daemon,
    target,
    async [Symbol.asyncDispose]() {
      await daemon.stop();
      target.stop();
    },
  };
}

/** A peer that takes connections and never says a word. */
async function startSilent() {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
  });
  const { port, stop } = await listening(server);
  return {
    port,
    sockets,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      stop();
    },
  };
}

async function timed(port: number, bytes = CHAT) {
  const startedMs = performance.now();
  const got = await raw(port, bytes, { until: complete });
  return { ...got, ms: performance.now() - startedMs, reason: /x-faultproxy-error: (\w+)/i.exec(got.text)?.[1] };
}

function expectLate(got: Awaited<ReturnType<typeof timed>>): void {
  expect([got.status, got.reason]).toEqual([504, "upstream_timeout"]);
  expect(got.ms).toBeGreaterThan(LIMIT_MS - 10);
  expect(got.ms).toBeLessThan(LATE_MS);
}

const isGone = ({ connection }: Arrived) => connection.hasEnded();

describe.concurrent.each(ENGINES)("timeout, with the %s engine", (engine) => {
  test.each([`"${LIMIT_MS}ms"`, `${LIMIT_MS / 1_000}`, `"${LIMIT_MS / 1_000}s"`])(
    "= %s: a target that says nothing gets a 504, and its connection is closed",
    async (value) => {
      await using running = await inFront(engine, () => {}, `timeout = ${value}\n`);
      const { daemon, target } = running;
      const got = await timed(daemon.port);
      expectLate(got);
      expect(JSON.parse(got.body)).toEqual({
        error: {
          message: `faultproxy: ${target.authority} did not begin its response within ${LIMIT_MS / 1_000} s (timeout in its settings)`,
          type: "server_error",
          param: null,
          code: "upstream_timeout",
        },
      });
      expect(await daemon.event(({ type }) => type === "exchange")).toMatchObject({
        status: 504,
        done: "delivered",
        error: "upstream_timeout",
      });
      const [arrived] = target.arrivals;
      await eventually(() => (arrived !== undefined && isGone(arrived) ? true : undefined), "the end of the connection");
    },
  );

  test("a target that goes silent within its head, or behind an interim response", async () => {
    const begun = ["HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 102 Processing\r\n\r\n"];
    let turn = 0;
    await using running = await inFront(engine, ({ connection }) => connection.write(begun[turn++] ?? ""));
    for (const _ of begun) {
      const answer = await fetch(`${running.daemon.origin}/v1/chat/completions`, { method: "POST", body: "{}" });
      expect([answer.status, answer.headers.get("x-faultproxy-error")]).toEqual([504, "upstream_timeout"]);
    }
  });

  test("the next request meets a new connection, and a target that is quick", async () => {
    let isSilent = true;
    await using running = await inFront(engine, ({ connection }) => isSilent || connection.write(OK));
    const { daemon, target } = running;
    expectLate(await timed(daemon.port));
    isSilent = false;
    expect((await timed(daemon.port)).status).toBe(200);
    expect((await timed(daemon.port)).status).toBe(200);
    const [first, second, third] = target.arrivals;
    expect(second?.connection).not.toBe(first?.connection);
    expect(third?.connection).toBe(second?.connection);
  });

  test("frames that come later than that are waited for, when the head has come", async () => {
    await using running = await inFront(engine, async ({ connection }) => {
      connection.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
      for (let frame = 0; frame < 3; frame++) {
        await Bun.sleep(2 * LIMIT_MS);
        connection.write("9\r\ndata: {}\n\r\n");
      }
      connection.write("0\r\n\r\n");
    });
    const got = chunked(await raw(running.daemon.port, CHAT, { until: complete }));
    expect([got.text, got.ended]).toEqual(["data: {}\n".repeat(3), true]);
    expect(await running.daemon.event(({ type }) => type === "exchange")).toMatchObject({ status: 200, done: "delivered", error: null });
  });

  // With the serve engine a small body of known length is whole before the target is asked.
  test.each([...(engine === "wire" ? ["content-length: 100\r\n\r\nhalf"] : []), "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"])(
    "an upload that stops half way: %j",
    async (upload) => {
      await using running = await inFront(engine, () => {});
      expectLate(await timed(running.daemon.port, `POST /v1/files HTTP/1.1\r\nhost: x\r\n${upload}`));
      await eventually(() => (running.target.arrivals.every(isGone) ? true : undefined), "the end of the connection");
    },
  );

  test("a peer that never answers the TLS handshake", async () => {
    using silent = await startSilent();
    await using daemon = await startTestDaemon({
      engine,
      toml: `[backend]\nendpoint = "https://localhost:${silent.port}/v1"\ntimeout = "${LIMIT_MS}ms"\n`,
    });
    expectLate(await timed(daemon.port));
    await eventually(
      () => (silent.sockets.every(({ destroyed, readyState }) => destroyed || readyState !== "open") ? true : undefined),
      "the end",
    );
  });

  test.each(["http", "https"])("a proxy that never answers, before an %s target", async (scheme) => {
    using silent = await startSilent();
    await using daemon = await startTestDaemon({
      engine,
      toml: `[backend]\nendpoint = "${scheme}://localhost:1/v1"\ntimeout = "${LIMIT_MS}ms"\nproxy = "http://127.0.0.1:${silent.port}"\n`,
    });
    expectLate(await timed(daemon.port));
  });

  /** Takes one connection and no more: those after it wait in the system. */
  const FULL = `import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0); print(s.getsockname()[1], flush=True); sys.stdin.read()`;

  test.skipIf(Bun.which("python3") === null || process.platform !== "linux")("a target that accepts nothing", async () => {
    const full = Bun.spawn(["python3", "-c", FULL], { stdin: "pipe", stdout: "pipe" });
    const { value } = await full.stdout.getReader().read();
    const port = Number(new TextDecoder().decode(value));
    const first = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    await using daemon = await startTestDaemon({
      engine,
      toml: `[backend]\nendpoint = "http://127.0.0.1:${port}"\ntimeout = "${LIMIT_MS}ms"\n`,
    });
    expectLate(await timed(daemon.port));
    first.terminate();
    full.kill();
  });

  test("twenty at once all end in time, each with its own connection closed", async () => {
    await using running = await inFront(engine, () => {});
    const answers = await Promise.all(Array.from({ length: 20 }, () => timed(running.daemon.port)));
    for (const got of answers) expectLate(got);
    await eventually(() => (running.target.arrivals.every(isGone) ? true : undefined), "the end of all connections");
    expect(running.target.arrivals.length).toBe(20);
  });

  test("a client that leaves first is told nothing, and the target is left too", async () => {
    await using running = await inFront(engine, () => {}, 'timeout = "30s"\n');
    const { socket } = rawConnection(running.daemon.port, CHAT);
    await eventually(() => running.target.arrivals[0], "the request");
    socket.destroy();
    await eventually(() => (running.target.arrivals.every(isGone) ? true : undefined), "the end of the connection");
    expect(await running.daemon.event(({ type }) => type === "exchange")).toMatchObject({ status: null, done: "client_gone" });
  });

  test("a client that leaves in a stream, long after it: the target is left too", async () => {
    await using running = await inFront(engine, ({ connection }) => {
      connection.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: {}\n\r\n");
    });
    const { socket, text } = rawConnection(running.daemon.port, CHAT);
    await eventually(() => (text().includes("data: {}") ? true : undefined), "the beginning of the stream");
    await Bun.sleep(2 * LIMIT_MS);
    expect(running.target.arrivals.some(isGone)).toBe(false);
    socket.destroy();
    await eventually(() => (running.target.arrivals.every(isGone) ? true : undefined), "the end of the connection");
    expect(await running.daemon.event(({ type }) => type === "exchange")).toMatchObject({ status: 200, done: "client_gone" });
  });

  test("each target has its own, and 0 is none", async () => {
    const target = await startRawTarget(({ connection, startLine }) =>
      startLine.includes("/slow") ? void setTimeout(() => connection.write(OK), 2 * LIMIT_MS) : connection.write(OK),
    );
    const toml = `[backend]\nendpoint = "${target.url}"\ntimeout = "${LIMIT_MS}ms"\n
[providers.google]\nupstream = "${target.url}"\ntimeout = 0\n[providers.anthropic]\nupstream = "${target.url}"\n`;
    await using daemon = await startTestDaemon({ engine, toml });
    const statusOf = async (path: string) => (await timed(daemon.port, request("POST", path, {}, "{}"))).status;
    const paths = ["/openai/v1/slow", "/openai/v1/quick", "/google/v1/slow", "/anthropic/v1/slow"];
    expect(await Promise.all(paths.map(statusOf))).toEqual([504, 200, 200, 200]);
    target.stop();
  });

  test("the 504 has the shape of the client's own API, where the target speaks another", async () => {
    await using running = await inFront(engine, () => {}, `timeout = "${LIMIT_MS}ms"\ndialect = "chat"\n`);
    const body = '{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}';
    const got = await timed(running.daemon.port, request("POST", "/v1/messages", {}, body));
    expectLate(got);
    expect(JSON.parse(got.body)).toMatchObject({
      type: "error",
      error: { message: expect.stringContaining(`within ${LIMIT_MS / 1_000} s`) },
    });
  });
});

test("with the wire engine a body of known length may be late too, and --head-timeout tells of itself", async () => {
  await using late = await inFront("wire", ({ connection }) => {
    connection.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
    setTimeout(() => connection.write("hello"), 2 * LIMIT_MS);
  });
  expect((await timed(late.daemon.port)).body).toBe("hello");

  const target = await startRawTarget(() => {});
  await using daemon = await startTestDaemon({
    engine: "wire",
    args: ["--head-timeout", "100ms"],
    toml: `[backend]\nendpoint = "${target.url}"\ntimeout = "10s"\n`,
  });
  expect((await timed(daemon.port)).body).toContain("within 0.1 s (--head-timeout)");
  target.stop();
});
