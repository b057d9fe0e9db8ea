import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { ENGINES, eventually, type TestDaemon } from "./support/daemon.ts";
import { request } from "./support/raw-client.ts";
import { type BackendRequest, type RecordedBackend, recorded, startBackend, writeChunk } from "./support/recorded-backend.ts";
import { CHAT_PATH, startTranslating } from "./support/translating.ts";

const STREAMS = 1_000;
const LONG_BYTES = 100_000_000;
/** A block of many events, so that the target is not the slow one. */
const BLOCK_BYTES = 250_000;
/** Far above what is needed (some 60 KB a stream), far below what keeping the bytes would take. */
const GROWTH_BYTES_MAX = 250_000_000;

const EVENTS = recorded("responses/text.sse")
  .toString()
  .split(/(?<=\n\n)/)
  .filter((event) => event !== "");
const isDelta = (event: string) => event.includes('"type":"response.output_text.delta"');
const BEGIN = EVENTS.slice(0, EVENTS.findIndex(isDelta)).join("");
const DELTA = EVENTS.find(isDelta) ?? "";
const COMPLETED = EVENTS.at(-1) ?? "";

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const BODY = JSON.stringify({ model: "gpt-5.1", messages: [{ role: "user", content: "x".repeat(1_000) }], stream: true });
const REQUEST = request("POST", CHAT_PATH, { "content-type": "application/json" }, BODY);

/** Resident, by Linux's own count. */
function residentBytes(pid: number): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

describe.skipIf(!existsSync("/proc/self/status")).each(ENGINES)("memory of translated streams, with the %s engine", (engine) => {
  let backend: RecordedBackend;
  let daemon: TestDaemon;
  beforeAll(async () => {
    backend = await startBackend();
    daemon = await startTranslating(engine, [`endpoint = "${backend.endpoint}"`, 'dialect = "responses"'], ["--log-level", "silent"]);
  });
  afterAll(async () => {
    await daemon.stop();
    backend.stop();
  });

  test(`${STREAMS} at once`, async () => {
    const open: BackendRequest[] = [];
    backend.reply((one) => {
      open.push(one);
      one.socket.write(HEAD);
      writeChunk(one.socket, BEGIN + DELTA);
    });
    const before = residentBytes(daemon.pid);
    let begun = 0;
    let ended = 0;
    const sockets = Array.from({ length: STREAMS }, () => {
      let text = "";
      const socket = connect({ host: "127.0.0.1", port: daemon.port }, () => socket.write(REQUEST));
      socket.on("data", (chunk) => {
        const had = text.includes('"content"');
        text = text.slice(-1_000) + chunk.toString("latin1");
        if (!had && begun < STREAMS && text.includes('"content"')) begun++;
        if (text.includes("data: [DONE]")) ended++;
      });
      return socket;
    });
    await eventually(() => (begun === STREAMS ? true : undefined), "all streams");
    expect(residentBytes(daemon.pid) - before).toBeLessThan(GROWTH_BYTES_MAX);
    for (const { socket } of open) {
      writeChunk(socket, COMPLETED);
      socket.write("0\r\n\r\n");
    }
    await eventually(() => (ended >= STREAMS ? true : undefined), "all ends");
    for (const socket of sockets) socket.destroy();
  });

  test(`${LONG_BYTES / 1e6} MB of one answer, to a client that reads slowly at first`, async () => {
    const block = Buffer.from(DELTA.repeat(Math.ceil(BLOCK_BYTES / DELTA.length)));
    backend.reply(async ({ socket }) => {
      socket.write(HEAD);
      writeChunk(socket, BEGIN);
      for (let sent = 0; sent < LONG_BYTES; sent += block.length) {
        socket.write(`${block.length.toString(16)}\r\n`);
        socket.write(block);
        if (!socket.write("\r\n")) await new Promise((resolve) => socket.once("drain", resolve));
      }
      writeChunk(socket, COMPLETED);
      socket.write("0\r\n\r\n");
    });
    const before = residentBytes(daemon.pid);
    let peak = before;
    let received = 0;
    let tail = "";
    const done = Promise.withResolvers<void>();
    const socket = connect({ host: "127.0.0.1", port: daemon.port }, () => socket.write(REQUEST));
    socket.on("data", (chunk) => {
      const isFirst = received === 0;
      received += chunk.length;
      tail = (tail + Buffer.from(chunk).subarray(-100).toString("latin1")).slice(-100);
      if (tail.includes("data: [DONE]")) done.resolve();
      if (!isFirst) return;
      // By now the target could have sent all of it.
      socket.pause();
      setTimeout(() => socket.resume(), 500);
    });
    socket.on("close", () => done.reject(new Error(`it ended after ${received} bytes`)));
    const watch = setInterval(() => {
      peak = Math.max(peak, residentBytes(daemon.pid));
    }, 20);
    await done.promise;
    clearInterval(watch);
    socket.destroy();
    expect(received).toBeGreaterThan(LONG_BYTES / 2);
    expect(peak - before).toBeLessThan(GROWTH_BYTES_MAX);
  }, 30_000);
});
