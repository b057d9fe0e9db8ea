import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { type Seen, startRawUpstream } from "./support/raw-upstream.ts";

type Upstream = Awaited<ReturnType<typeof startRawUpstream>>;

const OK = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const UPGRADE = request("GET", "/v1/responses", {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==",
});
const KEY = "sk-very-secret-0123456789abcdef";

describe.each(ENGINES)("forwarding with the %s engine", (engine) => {
  let upstream: Upstream;
  let daemon: TestDaemon;
  let answer: (seen: Seen) => unknown = ({ socket }) => void socket.write(OK);

  beforeAll(async () => {
    upstream = await startRawUpstream((seen) => answer(seen));
    daemon = await startTestDaemon({ engine, args: ["--upstream", `openai=${upstream.url}`] });
  });
  afterAll(async () => {
    await daemon.stop();
    upstream.stop();
  });

  /** Sends one request, answered by `reply`, and gives what both ends saw. */
  async function through(bytes: string, reply: (seen: Seen) => unknown = ({ socket }) => void socket.write(OK)) {
    const before = upstream.seen.length;
    answer = reply;
    const got = await raw(daemon.port, bytes, { until: complete });
    const seen = upstream.seen[before];
    if (seen === undefined) throw new Error(`nothing reached the target; the client got: ${got.text}`);
    return { got, seen };
  }

  const field = (list: readonly (readonly [string, string])[], name: string) =>
    list.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);

  test("method, path and query arrive byte for byte", async () => {
    const target = "/v1/files/a%2Fb%20c/d:e?purpose=x%2By&empty=&flag&key2=%E2%82%AC;v=1";
    const { seen } = await through(request("DELETE", target));
    expect([seen.method, seen.target]).toEqual(["DELETE", target]);
  });

  test("end-to-end headers arrive, hop-by-hop headers and those that Connection names do not", async () => {
    const { seen } = await through(
      request(
        "POST",
        "/v1/chat/completions",
        {
          authorization: `Bearer ${KEY}`,
          "openai-beta": "a=1",
          connection: "keep-alive, X-Hop",
          "x-hop": "1",
          "keep-alive": "timeout=5",
          te: "trailers",
          "proxy-authorization": "Basic eA==",
        },
        "{}",
      ),
    );
    expect(field(seen.headers, "authorization")).toEqual([`Bearer ${KEY}`]);
    expect(field(seen.headers, "openai-beta")).toEqual(["a=1"]);
    expect(field(seen.headers, "user-agent")).toEqual(["raw"]);
    expect(field(seen.headers, "host")).toEqual([`127.0.0.1:${upstream.port}`]);
    for (const name of ["x-hop", "keep-alive", "te", "proxy-authorization", "accept-encoding"])
      expect(field(seen.headers, name)).toEqual([]);
  });

  test("the answer's status, headers with duplicates and body come back; hop-by-hop headers do not", async () => {
    const { got } = await through(
      request("GET", "/v1/models"),
      ({ socket }) =>
        void socket.write(
          "HTTP/1.1 418 I'm a teapot\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-request-id: req_1\r\nconnection: x-private\r\nx-private: 1\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nshort",
        ),
    );
    expect(got.status).toBe(418);
    expect(field(got.headers, "set-cookie")).toEqual(["a=1", "b=2"]);
    expect(field(got.headers, "x-request-id")).toEqual(["req_1"]);
    expect(field(got.headers, "x-private")).toEqual([]);
    expect(field(got.headers, "x-faultproxy-error")).toEqual([]);
    expect(got.body).toBe("short");
  });

  test("a coded body goes through without being decoded", async () => {
    const packed = gzipSync("hello ".repeat(100));
    const { got, seen } = await through(request("GET", "/v1/models", { "accept-encoding": "gzip" }), ({ socket }) => {
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: ${packed.length}\r\n\r\n`,
      );
      socket.write(packed);
    });
    expect(field(seen.headers, "accept-encoding")).toEqual(["gzip"]);
    expect(field(got.headers, "content-encoding")).toEqual(["gzip"]);
    expect(Buffer.from(got.body, "latin1").equals(packed)).toBe(true);
  });

  test("a redirect is passed on, not followed", async () => {
    const { got } = await through(
      request("GET", "/v1/models"),
      ({ socket }) => void socket.write("HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
    );
    expect(got.status).toBe(307);
    expect(field(got.headers, "location")).toEqual(["http://127.0.0.1:1/"]);
  });

  test("a body that is no JSON is forwarded untouched, also with a rule that reads bodies", async () => {
    await daemon.command("r * model=gpt*");
    const body = '{"model": "gpt-4o", \u0000 not json';
    const { seen, got } = await through(
      request("POST", "/v1/chat/completions", { "content-length": String(Buffer.byteLength(body)) }, body),
    );
    await daemon.command("n");
    expect(seen.body()).toBe(body);
    expect(got.status).toBe(200);
  });

  test.each([
    ["small", 10],
    ["large", 3_000_000],
  ])("a %s upload keeps its length", async (_size, bytes) => {
    const { seen } = await through(request("POST", "/v1/files", {}, "a".repeat(bytes)), async (upload) => {
      await eventually(() => (upload.body().length === bytes ? true : undefined), "the whole upload");
      upload.socket.write(OK);
    });
    expect(field(seen.headers, "content-length")).toEqual([String(bytes)]);
    expect(field(seen.headers, "transfer-encoding")).toEqual([]);
    expect(seen.body().length).toBe(bytes);
  });

  test("a chunked upload stays chunked and arrives before it is complete", async () => {
    answer = () => {};
    const before = upstream.seen.length;
    const { socket, text, ended } = rawConnection(
      daemon.port,
      "POST /v1/files HTTP/1.1\r\nhost: x\r\nuser-agent: raw\r\naccept: */*\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
      complete,
    );
    const seen = await eventually(() => upstream.seen[before], "the request");
    await eventually(() => (seen.body().includes("first") ? true : undefined), "the first chunk");
    socket.write("6\r\nsecond\r\n0\r\n\r\n");
    await eventually(() => (seen.body().endsWith("0\r\n\r\n") ? true : undefined), "the end");
    seen.socket.write(OK);
    await ended.promise;
    socket.destroy();
    expect(field(seen.headers, "transfer-encoding")).toEqual(["chunked"]);
    expect(seen.body().replaceAll(/(^|\r\n)[0-9a-f]+\r\n/g, "")).toContain("firstsecond");
    expect(text()).toStartWith("HTTP/1.1 200");
  });

  test("events go on as they arrive", async () => {
    answer = ({ socket }) =>
      void socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
    const before = upstream.seen.length;
    const { socket, text } = rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, '{"stream":true}'));
    // The second event is written only when the first has been read, so anything that buffers never gets there.
    for (let i = 1; i <= 5; i++) {
      await eventually(() => (text().includes(`data: ${i}\n\n`) ? true : undefined), `event ${i}`);
      upstream.seen[before]?.socket.write(`9\r\ndata: ${i + 1}\n\n\r\n`);
    }
    upstream.seen[before]?.socket.write("0\r\n\r\n");
    await eventually(() => (text().endsWith("0\r\n\r\n") ? true : undefined), "the end");
    socket.destroy();
  });

  test.each([
    ["while a stream runs", "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n"],
    ["between the head and the first byte", "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["before the answer has begun", ""],
  ])("a client that hangs up %s ends the call to the target", async (_when, begun) => {
    const before = upstream.seen.length;
    answer = ({ socket }) => void (begun !== "" && socket.write(begun));
    const { socket, text } = rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, "{}"));
    const seen = await eventually(() => upstream.seen[before], "the request");
    if (begun.includes("data: 1")) await eventually(() => (text().includes("data: 1") ? true : undefined), "the first event");
    socket.destroy();
    expect(["fin", "rst"]).toContain(await seen.closed);
  });

  test.each([
    ["FIN in the middle of chunks", "transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", (seen: Seen) => seen.socket.end()],
    ["FIN before the whole length", "content-length: 500\r\n\r\ndata: 1\n\n", (seen: Seen) => seen.socket.end()],
    ["RST", "transfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n", (seen: Seen) => seen.socket.resetAndDestroy()],
  ])("an answer cut by %s stays cut", async (how, begun, cut) => {
    const before = upstream.seen.length;
    answer = ({ socket }) => socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${begun}`);
    const { socket, ended, text } = rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, "{}"));
    await eventually(() => (text().includes("data: 1\n\n") ? true : undefined), "the first event");
    const seen = upstream.seen[before];
    if (seen !== undefined) cut(seen);
    expect(await ended.promise).toBe(engine === "wire" && how.startsWith("FIN") ? "fin" : "rst");
    expect(text()).not.toContain("\r\n0\r\n\r\n");
    socket.destroy();
  });

  test("a stream that is cut before its first event is a cut, not an error of ours", async () => {
    const before = upstream.seen.length;
    answer = ({ socket }) => void socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    const { socket, ended, text } = rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, "{}"));
    const seen = await eventually(() => upstream.seen[before], "the request");
    // Another answer that has come through after it: the head before it has come as well.
    await through(request("GET", "/v1/models"));
    seen.socket.resetAndDestroy();
    expect(await ended.promise).toBe("rst");
    expect(text()).not.toContain("502");
    socket.destroy();
  });

  test("a slow client slows the target", async () => {
    const block = Buffer.alloc(1024 * 1024, 0x61);
    let written = 0;
    answer = ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: 200000000\r\n\r\n");
      const pour = () => {
        while (written < 200) {
          written++;
          if (!socket.write(block)) {
            socket.once("drain", pour);
            return;
          }
        }
      };
      pour();
    };
    const { socket } = rawConnection(daemon.port, request("GET", "/v1/files/f/content"));
    socket.pause();
    // Buffers fill until nothing moves any more.
    let last = -1;
    await eventually(async () => {
      const moved = written !== last;
      last = written;
      await Bun.sleep(200);
      return moved || written === 0 ? undefined : true;
    }, "a standstill");
    expect(written).toBeLessThan(40);
    socket.destroy();
  });

  test("a POST is not sent twice when a kept connection turns out to be closed", async () => {
    await through(request("POST", "/v1/chat/completions", {}, '{"n":1}'));
    const before = upstream.seen.length;
    answer = ({ socket }) => socket.resetAndDestroy();
    const got = await raw(daemon.port, request("POST", "/v1/chat/completions", {}, '{"n":2}'), { until: complete });
    expect(upstream.seen.length - before).toBe(1);
    expect(got.status).toBe(502);
    expect(field(got.headers, "x-faultproxy-error")).toEqual(["upstream_closed_early"]);
  });

  test("400 streams at once are all served", async () => {
    const open: Seen[] = [];
    answer = (seen) => {
      open.push(seen);
      seen.socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n");
    };
    const clients = Array.from({ length: 400 }, () => rawConnection(daemon.port, request("POST", "/v1/chat/completions", {}, "{}")));
    await eventually(() => (clients.every(({ text }) => text().includes("data: 1")) ? true : undefined), "all first events");
    expect(open.length).toBe(400);
    for (const { socket } of open) socket.write("0\r\n\r\n");
    await eventually(() => (clients.every(({ text }) => text().endsWith("0\r\n\r\n")) ? true : undefined), "all ends");
    for (const { socket } of clients) socket.destroy();
  });

  describe("unusual but right requests", () => {
    test("HTTP/1.0, with and without a Host", async () => {
      for (const host of ["", "Host: x\r\n"]) {
        const { got } = await through(`GET /v1/models HTTP/1.0\r\n${host}User-Agent: raw\r\nAccept: */*\r\n\r\n`);
        expect(got.status).toBe(200);
      }
    });

    test("HEAD keeps the length of the body that is not sent", async () => {
      answer = ({ socket }) => void socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 1234\r\n\r\n");
      const got = await raw(daemon.port, request("HEAD", "/v1/models"), { until: (text) => text.includes("\r\n\r\n") });
      expect(got.status).toBe(200);
      expect(field(got.headers, "content-length")).toEqual(["1234"]);
      expect(got.body).toBe("");
    });

    test("OPTIONS", async () => {
      const { seen, got } = await through(
        request("OPTIONS", "/v1/chat/completions", { origin: "http://x", "access-control-request-method": "POST" }),
      );
      expect([seen.method, got.status]).toEqual(["OPTIONS", 200]);
    });

    test("Expect: 100-continue, and a body that does not wait for it", async () => {
      answer = ({ socket }) => void socket.write(OK);
      const got = await raw(daemon.port, request("POST", "/v1/chat/completions", { expect: "100-continue" }, "{}"), {
        until: (text) => text.endsWith("{}"),
      });
      expect(got.text.startsWith("HTTP/1.1 100 Continue\r\n\r\n")).toBe(engine === "serve");
      expect(got.text).toContain("HTTP/1.1 200 OK");
    });

    test("Expect: 100-continue, and a body that waits for it", async () => {
      const before = upstream.seen.length;
      answer = async (seen) => {
        if (field(seen.headers, "expect").length > 0) seen.socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        await eventually(() => (seen.body() === "{}" ? true : undefined), "the body");
        seen.socket.write(OK);
      };
      const bytes = request("POST", "/v1/chat/completions", { expect: "100-continue" }, "{}");
      const { socket, text } = rawConnection(daemon.port, bytes.slice(0, -2));
      await eventually(() => (text().includes("HTTP/1.1 100 Continue\r\n\r\n") ? true : undefined), "the interim response");
      socket.write("{}");
      await eventually(() => (text().endsWith("{}") ? true : undefined), "the answer");
      socket.destroy();
      expect(
        text()
          .split("HTTP/1.1 ")
          .map((response) => response.slice(0, 3)),
      ).toEqual(["", "100", "200"]);
      expect(upstream.seen.length - before).toBe(1);
    });

    test.each(["content-length: 0\r\n", ""])("an empty POST (%j)", async (length) => {
      const { seen, got } = await through(`POST /v1/x HTTP/1.1\r\nhost: x\r\nuser-agent: raw\r\naccept: */*\r\n${length}\r\n`);
      expect([seen.method, seen.body(), got.status]).toEqual(["POST", "", 200]);
    });

    test("an absolute-form target reaches our target, never the host that it names", async () => {
      const { seen } = await through(
        "GET http://nowhere.localhost:1/v1/models?a=1 HTTP/1.1\r\nHost: nowhere.localhost:1\r\nUser-Agent: raw\r\nAccept: */*\r\n\r\n",
      );
      expect([seen.target, ...field(seen.headers, "host")]).toEqual(["/v1/models?a=1", `127.0.0.1:${upstream.port}`]);
    });

    test(
      engine === "wire" ? "a WebSocket upgrade is passed on, and then the bytes of both sides" : "a WebSocket upgrade gets a clear 501",
      async () => {
        if (engine === "serve") {
          const got = await raw(daemon.port, UPGRADE, { until: complete });
          expect(got.status).toBe(501);
          expect(field(got.headers, "x-faultproxy-error")).toEqual(["websocket_unsupported"]);
          return;
        }
        const before = upstream.seen.length;
        answer = ({ socket }) =>
          void socket.write("HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nfrom the target");
        const { socket, text } = rawConnection(daemon.port, UPGRADE);
        await eventually(() => (text().endsWith("from the target") ? true : undefined), "the target's bytes");
        const received = Promise.withResolvers<string>();
        const seen = upstream.seen[before];
        seen?.socket.removeAllListeners("data").once("data", (bytes) => received.resolve(bytes.toString("latin1")));
        socket.write("from the client");
        expect(await received.promise).toBe("from the client");
        expect(text()).toStartWith("HTTP/1.1 101 Switching Protocols\r\n");
        expect([field(seen?.headers ?? [], "upgrade"), field(seen?.headers ?? [], "sec-websocket-version")]).toEqual([
          ["websocket"],
          ["13"],
        ]);
        socket.destroy();
      },
    );

    test("a WebSocket upgrade gets a clear 501 from the built-in provider", async () => {
      const simulated = await startTestDaemon({ engine, args: ["--simulate"] });
      const got = await raw(simulated.port, UPGRADE, { until: complete });
      await simulated.stop();
      expect(got.status).toBe(501);
      expect(field(got.headers, "x-faultproxy-error")).toEqual(["websocket_unsupported"]);
    });
  });

  describe("wrong requests never reach the target", () => {
    test.each([
      [
        "Content-Length with Transfer-Encoding",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        400,
      ],
      ["unequal lengths", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", 400],
      ["equal lengths twice", "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 3\r\n\r\nabc", 400],
      ["a head of 64 KiB", `GET / HTTP/1.1\r\nhost: x\r\nx-large: ${"a".repeat(65_536)}\r\n\r\n`, 431],
      ["CONNECT", "CONNECT other.invalid:443 HTTP/1.1\r\nhost: other.invalid:443\r\n\r\n", 501],
    ])("%s", async (_what, bytes, status) => {
      const before = upstream.seen.length;
      const got = await raw(daemon.port, bytes, { until: (text) => text.includes("\r\n\r\n"), timeoutMs: 2_000 });
      expect(got.status).toBe(status);
      expect(upstream.seen.length).toBe(before);
    });
  });

  test("keys are in no log line and no event", async () => {
    await daemon.command("a 1");
    await raw(
      daemon.port,
      request("POST", `/v1/chat/completions?key=${KEY}`, { authorization: `Bearer ${KEY}`, "x-goog-api-key": KEY }, "{}"),
      { until: complete },
    );
    await through(request("POST", `/v1/chat/completions?token=${KEY}`, { authorization: `Bearer ${KEY}` }, "{}"));
    const events = JSON.stringify(await daemon.events());
    expect(events).toContain("/v1/chat/completions");
    expect(events + daemon.log()).not.toContain(KEY);
  });

  test("after all of this, standard error holds log lines and nothing else", () => {
    const lines = daemon.log().split("\n").slice(0, -1);
    expect(lines.length).toBeGreaterThan(100);
    for (const line of lines) expect(JSON.parse(line)).toHaveProperty("type");
  });
});

describe.each(ENGINES)("targets that fail, with the %s engine", (engine) => {
  test.each([
    ["refused", "http://127.0.0.1:1", 502, "upstream_refused"],
    ["no such name", "http://faultproxy-test.invalid", 502, "upstream_dns"],
  ])("%s", async (_what, url, status, reason) => {
    const daemon = await startTestDaemon({ engine, args: ["--upstream", `anthropic=${url}`] });
    const got = await raw(daemon.port, request("POST", "/v1/messages", { "x-api-key": KEY }, "{}"), { until: complete });
    await daemon.stop();
    expect(got.status).toBe(status);
    expect(got.headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1]).toBe(reason);
    expect(JSON.parse(got.body)).toMatchObject({ type: "error", error: { message: expect.stringContaining("faultproxy") } });
    expect(got.text).not.toContain(KEY);
  });

  test.each([
    ["closes at once", (seen: Seen) => seen.socket.end(), "upstream_closed_early"],
    ["resets", (seen: Seen) => seen.socket.resetAndDestroy(), "upstream_closed_early"],
    ["sends a status of 0", (seen: Seen) => seen.socket.end("HTTP/1.1 000 X\r\ncontent-length: 2\r\n\r\n{}"), "upstream_protocol"],
    ["answers no HTTP", (seen: Seen) => seen.socket.end("good morning\r\n\r\n"), "upstream_protocol"],
  ])("a target that %s", async (_what, reply, reason) => {
    const upstream = await startRawUpstream(reply);
    const daemon = await startTestDaemon({ engine, args: ["--upstream", `google=${upstream.url}`] });
    const got = await raw(daemon.port, request("POST", "/v1beta/models/gemini-2.5-pro:generateContent", { "x-goog-api-key": KEY }, "{}"), {
      until: complete,
    });
    await daemon.stop();
    upstream.stop();
    expect(got.status).toBe(502);
    expect(got.headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1]).toBe(reason);
    expect(JSON.parse(got.body)).toMatchObject({ error: { code: 502, message: expect.stringContaining("faultproxy") } });
  });

  /** What raw sockets pass on, Bun's own HTTP cannot. */
  test.each([
    ["closes after the head", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", "upstream_closed_early"],
    ["sends a status that does not exist", "HTTP/1.1 700 X\r\ncontent-length: 2\r\n\r\n{}", "upstream_protocol"],
  ])("a target that %s", async (_what, reply, reason) => {
    const upstream = await startRawUpstream(({ socket }) => socket.end(reply));
    const daemon = await startTestDaemon({ engine, args: ["--upstream", `openai=${upstream.url}`] });
    const got = await raw(daemon.port, request("POST", "/v1/chat/completions", {}, "{}"), { until: complete });
    await daemon.stop();
    upstream.stop();
    if (engine === "serve") {
      expect(got.status).toBe(502);
      expect(got.headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1]).toBe(reason);
    } else {
      expect(got.text).toBe(reply);
      expect(got.end).toBe(complete(reply) ? "open" : "fin");
    }
  });

  test("a certificate that nobody vouches for", async () => {
    const fixture = (name: string) => Bun.file(join(import.meta.dir, "../fixtures", name));
    const upstream = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      tls: { key: fixture("self-signed.key"), cert: fixture("self-signed.crt") },
      fetch: () => new Response("{}"),
    });
    const daemon = await startTestDaemon({ engine, args: ["--upstream", `openai=https://127.0.0.1:${upstream.port}`] });
    const got = await raw(daemon.port, request("POST", "/v1/chat/completions", {}, "{}"), { until: complete });
    await daemon.stop();
    await upstream.stop(true);
    expect(got.status).toBe(502);
    expect(got.headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1]).toBe("upstream_tls");
    expect(got.body).toContain("SELF_SIGNED");
  });

  test("a provider without a host says which variable to set", async () => {
    const daemon = await startTestDaemon({ engine });
    const got = await raw(daemon.port, request("POST", "/serving-endpoints/m/invocations", {}, "{}"), { until: complete });
    await daemon.stop();
    expect(got.status).toBe(502);
    expect(got.body).toContain("DATABRICKS_REAL_HOST");
  });
});
