import { describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { eventually, startTestDaemon } from "./support/daemon.ts";
import { chunked, complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { type Seen, startRawUpstream } from "./support/raw-upstream.ts";
import { listening, OK } from "./support/servers.ts";

const engine = "wire";
const CHAT = request("POST", "/v1/chat/completions", {}, "{}");

function reasonOf({ headers }: Awaited<ReturnType<typeof raw>>): string | undefined {
  return headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1];
}

/** A daemon in front of a target of raw bytes. */
async function inFront(answer: (seen: Seen) => unknown, ...args: string[]) {
  const upstream = await startRawUpstream(answer);
  const daemon = await startTestDaemon({ engine, args: ["--upstream", `openai=${upstream.url}`, ...args] });
  return {
    daemon,
    upstream,
    async [Symbol.asyncDispose]() {
      await daemon.stop();
      upstream.stop();
    },
  };
}

describe.concurrent("--connect-timeout", () => {
  /** Takes one connection and no more: those after it wait in the system. */
  const FULL = `import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0); print(s.getsockname()[1], flush=True); sys.stdin.read()`;

  test.skipIf(Bun.which("python3") === null || process.platform !== "linux")("of a target that accepts nothing", async () => {
    const full = Bun.spawn(["python3", "-c", FULL], { stdin: "pipe", stdout: "pipe" });
    const { value } = await full.stdout.getReader().read();
    const port = Number(new TextDecoder().decode(value));
    const first = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    const daemon = await startTestDaemon({
      engine,
      args: ["--upstream", `openai=http://127.0.0.1:${port}`, "--connect-timeout", "300ms"],
    });
    const startedMs = performance.now();
    const got = await raw(daemon.port, CHAT, { until: complete });
    expect(performance.now() - startedMs).toBeGreaterThan(290);
    expect([got.status, reasonOf(got)]).toEqual([504, "upstream_timeout"]);
    expect(got.body).toContain(`no connection to 127.0.0.1:${port} within 0.3 s (--connect-timeout)`);
    const unlimited = await startTestDaemon({ engine, args: ["--upstream", `openai=http://127.0.0.1:${port}`, "--connect-timeout", "0"] });
    expect((await raw(unlimited.port, CHAT, { until: complete, timeoutMs: 700 })).text).toBe("");
    await daemon.stop();
    await unlimited.stop();
    first.terminate();
    full.kill();
  });

  test("of a peer that never answers the TLS handshake", async () => {
    const sockets: Socket[] = [];
    const silent = await listening(createServer((socket) => sockets.push(socket)));
    const daemon = await startTestDaemon({
      engine,
      args: ["--upstream", `openai=https://127.0.0.1:${silent.port}`, "--connect-timeout", "300ms"],
    });
    const got = await raw(daemon.port, CHAT, { until: complete });
    expect([got.status, reasonOf(got)]).toEqual([504, "upstream_timeout"]);
    expect(got.body).toContain(`no TLS handshake with 127.0.0.1:${silent.port} within 0.3 s (--connect-timeout)`);
    await daemon.stop();
    for (const socket of sockets) socket.destroy();
    silent.stop();
  });

  test("says nothing about the time after it", async () => {
    await using running = await inFront(({ socket }) => void setTimeout(() => socket.write(OK), 400), "--connect-timeout", "100ms");
    expect((await raw(running.daemon.port, CHAT, { until: complete })).status).toBe(200);
  });
});

describe.concurrent("--head-timeout", () => {
  test("of a target that takes the request and is silent; its connection is not used again", async () => {
    let isSilent = true;
    await using running = await inFront(({ socket }) => isSilent || socket.write(OK), "--head-timeout", "200ms");
    const { daemon, upstream } = running;
    const got = await raw(daemon.port, CHAT, { until: complete });
    expect([got.status, reasonOf(got)]).toEqual([504, "upstream_timeout"]);
    expect(got.body).toContain(`127.0.0.1:${upstream.port} did not send the head of a response within 0.2 s (--head-timeout)`);
    expect(["fin", "rst"]).toContain((await upstream.seen[0]?.closed) ?? "open");
    isSilent = false;
    expect((await raw(daemon.port, CHAT, { until: complete })).status).toBe(200);
    expect(upstream.seen[1]?.socket).not.toBe(upstream.seen[0]?.socket);
  });

  test("of a target that goes silent in the middle of a head, or behind an interim response", async () => {
    const begun = ["HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 102 Processing\r\n\r\n"];
    let turn = 0;
    await using running = await inFront(({ socket }) => void socket.write(begun[turn++] ?? ""), "--head-timeout", "200ms");
    for (const _ of begun) {
      const got = await raw(running.daemon.port, CHAT, { until: (text) => /HTTP\/1.1 [2-5].*\r\n\r\n\{.*\}/s.test(text) });
      expect(got.text).toContain("HTTP/1.1 504");
    }
  });

  test("runs from the last byte of the request", async () => {
    await using running = await inFront(
      async ({ socket, body }) => {
        await eventually(() => (body().length === 60 ? true : undefined), "the upload");
        socket.write(OK);
      },
      "--head-timeout",
      "300ms",
    );
    const head = "POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 60\r\n\r\n";
    const { socket, ended, text } = rawConnection(running.daemon.port, head, complete);
    for (let piece = 0; piece < 6; piece++) {
      await Bun.sleep(120);
      socket.write("0123456789");
    }
    await ended.promise;
    socket.destroy();
    expect(text()).toStartWith("HTTP/1.1 200");
  });

  test("is over when the head has come", async () => {
    await using running = await inFront(
      ({ socket }) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        setTimeout(() => socket.write("hello"), 500);
      },
      "--head-timeout",
      "200ms",
    );
    expect((await raw(running.daemon.port, CHAT, { until: complete })).body).toBe("hello");
  });
});

describe.concurrent("--idle-timeout", () => {
  test.each<[string, string, "fin" | "rst"]>([
    ["a length", "content-length: 50\r\n\r\nhello", "fin"],
    ["chunks", "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", "fin"],
    ["a body until the close", "\r\nhello", "rst"],
    ["a head alone", "content-length: 50\r\n\r\n", "fin"],
  ])("cuts a response that stops: %s", async (_, begun, end) => {
    await using running = await inFront(({ socket }) => void socket.write(`HTTP/1.1 200 OK\r\n${begun}`), "--idle-timeout", "200ms");
    const got = await raw(running.daemon.port, CHAT);
    expect([got.status, got.end]).toEqual([200, end]);
    expect(got.body).not.toContain("0\r\n\r\n");
    expect(["fin", "rst"]).toContain((await running.upstream.seen[0]?.closed) ?? "open");
    const event = await running.daemon.event(({ type }) => type === "exchange");
    expect(event.done).toBe("cut");
  });

  test("leaves a response alone that goes on", async () => {
    await using running = await inFront(
      async ({ socket }) => {
        socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        for (let piece = 0; piece < 8; piece++) {
          await Bun.sleep(100);
          socket.write("5\r\nhello\r\n");
        }
        socket.write("0\r\n\r\n");
      },
      "--idle-timeout",
      "300ms",
    );
    const got = chunked(await raw(running.daemon.port, CHAT, { until: complete }));
    expect([got.text, got.ended]).toEqual(["hello".repeat(8), true]);
  });

  test("does not begin before the head, and is over with the response", async () => {
    await using running = await inFront(({ socket }) => void setTimeout(() => socket.write(OK), 400), "--idle-timeout", "150ms");
    const { daemon, upstream } = running;
    expect((await raw(daemon.port, CHAT, { until: complete })).status).toBe(200);
    await Bun.sleep(300);
    expect((await raw(daemon.port, CHAT, { until: complete })).status).toBe(200);
    expect(upstream.seen[1]?.socket).toBe(upstream.seen[0]?.socket);
  });

  test("does not run while the client is slow", async () => {
    const size = 20_000_000;
    await using running = await inFront(
      ({ socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
        socket.write(Buffer.alloc(size, "a"));
      },
      "--idle-timeout",
      "200ms",
    );
    let came = 0;
    const { socket, ended } = rawConnection(running.daemon.port, request("GET", "/v1/files/f/content"), () => false);
    socket.removeAllListeners("data");
    socket.pause();
    // Several times as long as the target may be silent; it is not, it is only not listened to.
    await Bun.sleep(1_000);
    const whole = Promise.withResolvers<void>();
    socket.on("data", (data) => {
      came += data.length;
      if (came > size) whole.resolve();
    });
    socket.resume();
    await Promise.race([whole.promise, ended.promise]);
    socket.destroy();
    expect(came).toBeGreaterThan(size);
  });

  test("runs again when the client has caught up", async () => {
    await using running = await inFront(
      ({ socket }) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n");
        socket.write(Buffer.alloc(10_000_000, "a"));
      },
      "--idle-timeout",
      "300ms",
    );
    const { socket, ended } = rawConnection(running.daemon.port, request("GET", "/v1/files/f/content"));
    socket.pause();
    await Bun.sleep(600);
    socket.resume();
    expect(await ended.promise).toBe("fin");
    socket.destroy();
  });
});
