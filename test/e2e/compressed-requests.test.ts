import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw } from "./support/raw-client.ts";
import { type Seen, startRawUpstream } from "./support/raw-upstream.ts";

const CODINGS = { gzip: gzipSync, "x-gzip": gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync } as const;
const BODY = JSON.stringify({ model: "gpt-4o-mini", messages: [{ role: "user", content: "hi" }] });

function requestOf(coding: string, body: Uint8Array): Buffer {
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nuser-agent: raw\r\ncontent-encoding: ${coding}\r\ncontent-length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), body]);
}

describe.each(ENGINES)("requests with a content coding, with the %s engine", (engine) => {
  let upstream: Awaited<ReturnType<typeof startRawUpstream>>;
  let simulated: TestDaemon;
  let live: TestDaemon;

  beforeAll(async () => {
    upstream = await startRawUpstream(async (seen: Seen) => {
      const length = Number(seen.headers.find(([name]) => name.toLowerCase() === "content-length")?.[1]);
      await eventually(() => (seen.body().length === length ? true : undefined), "the whole body");
      seen.socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    });
    simulated = await startTestDaemon({ engine, args: ["--simulate"] });
    live = await startTestDaemon({ engine, args: ["--upstream", `openai=${upstream.url}`] });
  });
  afterAll(async () => {
    await Promise.all([simulated.stop(), live.stop()]);
    upstream.stop();
  });

  describe.each(Object.entries(CODINGS))("%s", (coding, encode) => {
    const packed = encode(BODY);

    test("a rule that aims at the model finds it", async () => {
      await live.command("r model=gpt-4o-mini");
      expect((await raw(live.port, requestOf(coding, packed), { until: complete })).status).toBe(429);
    });

    test("the built-in provider answers it", async () => {
      const { status, body } = await raw(simulated.port, requestOf(coding, packed), { until: complete });
      expect([status, JSON.parse(body).model]).toEqual([200, "gpt-4o-mini"]);
    });

    test("the target gets the bytes that came", async () => {
      await live.command("r * model=none");
      await raw(live.port, requestOf(coding, packed), { until: complete });
      await live.command("n");
      expect(Buffer.from(upstream.seen.at(-1)?.body() ?? "", "latin1").equals(packed)).toBe(true);
    });
  });

  test.each([
    ["is not what it says", "gzip", Buffer.from(BODY)],
    ["is of a coding that nobody knows", "rot13", Buffer.from(BODY)],
    ["is far larger than it looks", "gzip", gzipSync(Buffer.alloc(60_000_000))],
  ])("a body that %s goes on untouched", async (_, coding, body) => {
    await live.command("r * model=gpt*");
    const { status } = await raw(live.port, requestOf(coding, body), { until: complete });
    await live.command("n");
    expect(status).toBe(200);
    expect(Buffer.from(upstream.seen.at(-1)?.body() ?? "", "latin1").equals(body)).toBe(true);
  });
});
