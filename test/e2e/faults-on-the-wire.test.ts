import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { comparable, DIALECT_REQUESTS, type DialectRequest, eventsOf, parses, payloadOf } from "./support/dialect-requests.ts";
import { type ChunkedBody, chunked, complete, type RawAnswer, raw, rawConnection, request } from "./support/raw-client.ts";
import { type Seen, startRawUpstream } from "./support/raw-upstream.ts";

type Upstream = Awaited<ReturnType<typeof startRawUpstream>>;

const TOKENS = 8;
/** How long silence is listened to before it counts as silence. */
const SILENCE_MS = 120;
const OK = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
const CHAT = request(
  "POST",
  "/v1/chat/completions",
  {},
  JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "hello" }] }),
);

const SOURCES = ["simulated", "live"] as const;
const STREAMS = SOURCES.flatMap((source) => DIALECT_REQUESTS.map((dialect) => [source, dialect.name, dialect] as const));

describe.each(ENGINES)("faults on the wire with the %s engine", (engine) => {
  let daemons: Record<(typeof SOURCES)[number], TestDaemon>;
  let upstream: Upstream;
  /** By target: the bytes of an answer without faults, latin1; what the live target sends. */
  const usual = new Map<string, string>();
  let answer: ((seen: Seen) => unknown) | undefined;
  /** Exchanges of each daemon before the present test. */
  const before = new Map<TestDaemon, number>();

  beforeAll(async () => {
    const simulated = await startTestDaemon({ engine, args: ["--simulate", "--seed", "1", "--tokens", String(TOKENS)] });
    for (const dialect of DIALECT_REQUESTS)
      usual.set(dialect.target, chunked(await raw(simulated.port, dialect.bytes(true), { until: complete })).text);
    upstream = await startRawUpstream((seen) => (answer ?? replay)(seen));
    const upstreams = ["openai", "anthropic", "google"].flatMap((name) => ["--upstream", `${name}=${upstream.url}`]);
    daemons = { simulated, live: await startTestDaemon({ engine, args: [...upstreams, "--seed", "1"] }) };
  });
  afterAll(async () => {
    for (const daemon of Object.values(daemons)) await daemon.stop();
    upstream.stop();
  });
  beforeEach(async () => {
    answer = undefined;
    for (const daemon of Object.values(daemons)) {
      const { body } = await daemon.command("clear");
      before.set(daemon, (body as { readonly requests: number }).requests);
    }
  });

  /** The answer that the live target streams: the built-in provider's, with characters of two, three and four bytes. */
  function liveText(target: string): string {
    const text = usual.get(target) ?? "";
    return Buffer.from(text.replaceAll(/"(text|content|delta)":"([^"]+)"/g, '"$1":"$2 é世🌍"'), "utf8").toString("latin1");
  }

  /** Streams in pieces that have nothing to do with frames. */
  function replay({ socket, target }: Seen): void {
    const text = liveText(target);
    const { contentType = "text/event-stream" } = DIALECT_REQUESTS.find((dialect) => dialect.target === target) ?? {};
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${contentType}\r\ntransfer-encoding: chunked\r\n\r\n`);
    for (let start = 0; start < text.length; start += 97) {
      socket.write(chunkOf(text.slice(start, start + 97)));
    }
    socket.write("0\r\n\r\n");
  }

  function chunkOf(text: string): Uint8Array {
    return Buffer.from(`${text.length.toString(16)}\r\n${text}\r\n`, "latin1");
  }

  async function set(daemon: TestDaemon, ...commands: readonly string[]): Promise<void> {
    for (const command of commands) expect(await daemon.command(command)).toMatchObject({ status: 200 });
  }

  /** How the exchange of the present test that met the fault ended. */
  function doneOf(daemon: TestDaemon, fault: string): Promise<Record<string, unknown>> {
    const first = (before.get(daemon) ?? 0) + 1;
    return daemon.event(
      ({ type, exchange, faults }) => type === "exchange" && Number(exchange) >= first && (faults as readonly string[]).includes(fault),
    );
  }

  describe.each(STREAMS)("a %s stream, %s", (source, _name, dialect) => {
    const expected = () => (source === "live" ? liveText(dialect.target) : (usual.get(dialect.target) ?? ""));
    /** The frames without a fault, and those that came: both without what differs from answer to answer. */
    const usualFrames = () => dialect.frames(comparable(expected()));
    const framesOf = (body: ChunkedBody) => dialect.frames(comparable(body.text));

    async function stream(...commands: readonly string[]): Promise<RawAnswer & { readonly came: ChunkedBody; readonly tookMs: number }> {
      await set(daemons[source], ...commands);
      const start = performance.now();
      const got = await raw(daemons[source].port, dialect.bytes(true), { until: (text) => complete(text) });
      return { ...got, came: chunked(got), tookMs: performance.now() - start };
    }

    test("without a fault: the whole stream, of the right type", async () => {
      const { status, headers, came } = await stream();
      expect(status).toBe(200);
      expect(headers.find(([name]) => name.toLowerCase() === "content-type")?.[1]).toStartWith(dialect.contentType);
      expect(framesOf(came)).toEqual(usualFrames());
      expect(came.ended).toBe(true);
      expect(usualFrames().filter(dialect.isTerminal).length).toBe(1);
    });

    test("cut after=3: the first three frames, then RST", async () => {
      const { came, end } = await stream("cut after=3");
      expect(came).toMatchObject({ ended: false });
      expect(end).toBe("rst");
      expect(comparable(came.text)).toBe(usualFrames().slice(0, 3).join(""));
      expect(await doneOf(daemons[source], "cut")).toMatchObject({
        status: 200,
        done: "cut",
        provider: dialect.provider,
        model: dialect.model,
      });
    });

    test("cut after=333bytes: exactly so many, then RST", async () => {
      const { came, end } = await stream("cut after=333bytes");
      expect([came.text.length, end]).toEqual([333, "rst"]);
      expect(comparable(`${came.text}"`)).toBe(comparable(`${expected().slice(0, 333)}"`));
    });

    test("cut after=2tokens: two frames of output, then RST", async () => {
      const { came, end } = await stream("cut after=2tokens");
      const frames = framesOf(came);
      expect(end).toBe("rst");
      expect(frames).toEqual(usualFrames().slice(0, frames.length));
      expect(frames.filter((frame) => /"(text|content|delta)":"[^"]+/.test(frame)).length).toBe(2);
    });

    test("cut by=end: a proper end without the terminal event", async () => {
      const { came, end } = await stream("cut after=3 by=end");
      expect([came.ended, end]).toEqual([true, "open"]);
      expect(comparable(came.text)).toBe(usualFrames().slice(0, 3).join(""));
    });

    test.each(engine === "wire" ? ["client", "upstream"] : [])(
      "cut after=3 by=fin side=%s: the first three frames, then FIN",
      async (side) => {
        const { came, end } = await stream(`cut after=3 by=fin side=${side}`);
        expect([came.ended, end]).toEqual([false, "fin"]);
        expect(comparable(came.text)).toBe(usualFrames().slice(0, 3).join(""));
        expect(await doneOf(daemons[source], "cut")).toMatchObject({ status: 200, done: "cut", skipped: [] });
      },
    );

    test("stall after=3: three frames, then silence on an open connection", async () => {
      await set(daemons[source], "stall after=3");
      const { socket, ended, text } = rawConnection(daemons[source].port, dialect.bytes(true));
      const first = usualFrames().slice(0, 3).join("");
      await eventually(() => (comparable(bodyOf(text()).text).length >= first.length ? true : undefined), "three frames");
      expect(await Promise.race([ended.promise, Bun.sleep(SILENCE_MS).then(() => "silence")])).toBe("silence");
      expect(comparable(bodyOf(text()).text)).toBe(first);
      socket.destroy();
      expect(await doneOf(daemons[source], "stall")).toMatchObject({ done: "client_gone" });
    });

    test("stall for=: a pause of at least so long, and then the rest", async () => {
      const { came, tookMs } = await stream("stall after=3 for=60ms");
      expect(tookMs).toBeGreaterThanOrEqual(59);
      expect(framesOf(came)).toEqual(usualFrames());
    });

    test("no_done: all but the terminal event, and a proper end", async () => {
      const { came } = await stream("no_done");
      expect(came.ended).toBe(true);
      const payloads = (frames: readonly string[]) => frames.map(payloadOf);
      expect(payloads(framesOf(came))).toEqual(payloads(usualFrames().filter((frame) => !dialect.isTerminal(frame))));
    });

    test("malformed_frame: one frame does not parse, the others are untouched", async () => {
      const { came } = await stream("malformed_frame after=2");
      const frames = framesOf(came);
      expect(came.ended).toBe(true);
      expect(frames.length).toBe(usualFrames().length);
      expect(frames.flatMap((frame, index) => (frame === usualFrames()[index] ? [] : [index]))).toEqual([2]);
      expect([parses(payloadOf(frames[1] ?? "")), parses(payloadOf(frames[2] ?? ""))]).toEqual([true, false]);
    });

    test("duplicate_frame: one frame comes twice", async () => {
      const { came } = await stream("duplicate_frame after=2");
      const twice = usualFrames().flatMap((frame, index) => (index === 2 ? [frame, frame] : [frame]));
      expect(framesOf(came)).toEqual(twice);
      expect(came.ended).toBe(true);
    });

    test("split_frames: the same bytes, in more chunks than frames, also inside characters", async () => {
      const { came } = await stream("split_frames gap=1ms");
      expect(comparable(came.text)).toBe(comparable(expected()));
      expect(came.chunks.length).toBeGreaterThan(usualFrames().length);
      if (source === "live") expect(came.chunks.some((chunk) => /^[\x80-\xbf]/.test(chunk))).toBe(true);
    });

    test("keepalive_flood: many of them before the first frame and some before every other", async () => {
      const { came } = await stream("keepalive_flood count=50 among=2");
      const frames = usualFrames();
      if (dialect.contentType === "application/json") {
        expect(JSON.parse(came.text)).toBeArray();
        expect(came.text).toMatch(/^\n{50}\[/);
        return;
      }
      const own = frames.filter(dialect.isKeepalive).length;
      const flood = framesOf(came);
      expect(flood.slice(0, 50).every(dialect.isKeepalive)).toBe(true);
      expect(flood.filter((frame) => !dialect.isKeepalive(frame))).toEqual(frames.filter((frame) => !dialect.isKeepalive(frame)));
      expect(flood.filter(dialect.isKeepalive).length).toBe(own + 50 + 2 * (frames.length - 1));
    });

    test("slow_tokens: a late first token and a pause before every other", async () => {
      const { came, tookMs } = await stream("slow_tokens ttft=40ms between=5ms");
      expect(tookMs).toBeGreaterThanOrEqual(40 + 5 * (TOKENS - 1) - 1);
      expect(framesOf(came)).toEqual(usualFrames());
    });

    test("slow: no faster than the rate", async () => {
      const { came, tookMs } = await stream("slow rate=100kb");
      expect(tookMs).toBeGreaterThanOrEqual((came.text.length * 1000) / (100 * 1024) - 1);
      expect(framesOf(came)).toEqual(usualFrames());
    });

    test("slow_tokens and cut at once: both", async () => {
      const { came, tookMs, end } = await stream("cut after=2tokens", "add slow_tokens ttft=40ms between=20ms");
      expect(tookMs).toBeGreaterThanOrEqual(59);
      expect(end).toBe("rst");
      expect(framesOf(came)).toEqual(usualFrames().slice(0, framesOf(came).length));
    });

    test("error_event after=3: three frames, the provider's error, and a proper end", async () => {
      const { came } = await stream("error_event after=3 message=broken-inside");
      const first = usualFrames().slice(0, 3).join("");
      const text = comparable(came.text);
      expect(came.ended).toBe(true);
      expect(text).toStartWith(first);
      expect(text.slice(first.length)).toMatch(/"error"/);
      expect(text.slice(first.length)).toContain("broken-inside");
      expect(dialect.frames(text).filter((frame) => dialect.isTerminal(frame) && !/\[DONE\]|failed/.test(frame))).toEqual([]);
    });

    test("error_event: nothing but the error", async () => {
      const { status, came } = await stream("error_event");
      expect([status, came.ended]).toEqual([200, true]);
      expect(came.text).toMatch(/^(data: |event: (error|response\.failed)\ndata: |\[)?\{/);
      expect(came.text).toMatch(/"error"/);
    });

    test("error_event done=on and done=off: with and without the stream's terminator", async () => {
      const frames = ({ text }: ChunkedBody) => dialect.frames(text).filter((frame) => frame.trim() !== "" && frame !== "\n]");
      const isClosed = (body: ChunkedBody) => dialect.isTerminal(frames(body).at(-1) ?? "");
      expect(isClosed((await stream("error_event after=3 done=on")).came)).toBe(true);
      // What this form of the error brings itself is no terminator: it is the error.
      const { came } = await stream(`error_event after=3 done=off${dialect.name === "responses" ? " variant=flat" : ""}`);
      expect([came.ended, isClosed(came)]).toEqual([true, false]);
    });

    test("bad_json: no answer that parses", async () => {
      const { status, came } = await stream("bad_json");
      expect(status).toBe(200);
      const last =
        dialect
          .frames(came.text)
          .filter((frame) => frame !== "")
          .at(-1) ?? "";
      expect(parses(dialect.contentType === "application/json" ? came.text : payloadOf(last))).toBe(false);
    });

    test("wrong_content_type: a right answer that says it is HTML", async () => {
      const { headers, came } = await stream("wrong_content_type");
      expect(headers.find(([name]) => name.toLowerCase() === "content-type")?.[1]).toStartWith("text/html");
      expect(dialect.frames(came.text).filter(dialect.isTerminal).length).toBe(1);
    });

    test("stream faults leave whole answers alone and are not used up by them", async () => {
      answer = ({ socket }) => void socket.write(OK);
      await set(daemons[source], "cut 1");
      const { status } = await raw(daemons[source].port, dialect.bytes(false), { until: complete });
      expect([status, (await daemons[source].command("ls")).body]).toMatchObject([200, { mode: "cut 1" }]);
    });
  });

  test("a client that leaves a stalled stream ends the call to the target", async () => {
    const [chat] = DIALECT_REQUESTS as readonly [DialectRequest];
    const [first = ""] = eventsOf(liveText(chat.target));
    answer = ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
      socket.write(chunkOf(first + first));
    };
    const called = upstream.seen.length;
    await set(daemons.live, "stall after=1");
    const { socket, text } = rawConnection(daemons.live.port, chat.bytes(true));
    await eventually(() => (bodyOf(text()).text === first ? true : undefined), "the first frame");
    socket.destroy();
    expect(["fin", "rst"]).toContain((await upstream.seen[called]?.closed) ?? "never called");
  });

  test("cut after=40ms: what came before that time, then RST", async () => {
    const [chat] = DIALECT_REQUESTS as readonly [DialectRequest];
    const [first = "", second = ""] = eventsOf(liveText(chat.target));
    answer = ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
      socket.write(chunkOf(first));
    };
    const called = upstream.seen.length;
    await set(daemons.live, "cut after=40ms");
    const { socket, ended, text } = rawConnection(daemons.live.port, chat.bytes(true));
    await eventually(() => (bodyOf(text()).text === first ? true : undefined), "the first frame");
    await Bun.sleep(60);
    upstream.seen[called]?.socket.write(chunkOf(second));
    expect(await ended.promise).toBe("rst");
    expect(bodyOf(text())).toMatchObject({ text: first, ended: false });
    socket.destroy();
  });

  describe("before any byte", () => {
    test("hang: no byte on an open connection, nothing reaches the target, and it ends with the client", async () => {
      const called = upstream.seen.length;
      await set(daemons.live, "hang");
      const got = await raw(daemons.live.port, CHAT, { timeoutMs: SILENCE_MS });
      expect([got.text, got.end]).toEqual(["", "open"]);
      expect(upstream.seen.length).toBe(called);
      expect(await doneOf(daemons.live, "hang")).toMatchObject({ status: null, done: "hang" });
    });

    test("reset: RST before any byte", async () => {
      await set(daemons.live, "reset");
      const got = await raw(daemons.live.port, CHAT);
      expect([got.text, got.end]).toEqual(["", "rst"]);
      expect(await doneOf(daemons.live, "reset")).toMatchObject({ status: null, done: "reset" });
    });

    test.each([
      ["latency for=80ms", [], 80, 200],
      ["latency for=40ms", ["add latency * for=30ms", "add latency * for=20ms"], 90, 200],
      ["c", ["add latency * for=30ms", "add latency * for=50ms"], 80, 400],
      ["latency for=60ms jitter=20ms", [], 40, 200],
    ] as const)("%s %j: at least %d ms", async (mode, added, leastMs, status) => {
      await set(daemons.simulated, mode, ...added);
      const start = performance.now();
      const got = await raw(daemons.simulated.port, CHAT, { until: complete });
      expect(performance.now() - start).toBeGreaterThanOrEqual(leastMs - 1);
      expect(got.status).toBe(status);
    });

    test("slow: a whole live answer comes no faster than the rate, all of it", async () => {
      const text = JSON.stringify({ text: "x".repeat(4_000) });
      answer = ({ socket }) =>
        void socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
      await set(daemons.live, "slow rate=50kb");
      const start = performance.now();
      const got = await raw(daemons.live.port, CHAT, { until: complete });
      expect(performance.now() - start).toBeGreaterThanOrEqual((text.length * 1000) / (50 * 1024) - 1);
      expect(chunked(got)).toMatchObject({ text, ended: true });
    });

    test.each(DIALECT_REQUESTS.map((dialect) => [dialect.name, dialect] as const))(
      "%s, whole: bad_json does not parse, wrong_content_type does",
      async (_name, dialect) => {
        await set(daemons.simulated, "bad_json");
        const broken = await raw(daemons.simulated.port, dialect.bytes(false), { until: complete });
        expect([broken.status, parses(chunked(broken).text)]).toEqual([200, false]);
        await set(daemons.simulated, "wrong_content_type");
        const labelled = await raw(daemons.simulated.port, dialect.bytes(false), { until: complete });
        expect(labelled.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1]).toStartWith("text/html");
        expect([labelled.status, parses(chunked(labelled).text)]).toEqual([200, true]);
      },
    );
  });

  test.each(DIALECT_REQUESTS.filter(({ provider }) => provider === "google").map((dialect) => [dialect.name, dialect] as const))(
    "%s: a blocked prompt is an answer without candidates, in a stream the only frame of it",
    async (_name, dialect) => {
      await set(daemons.simulated, "content_filter 2");
      const whole = await raw(daemons.simulated.port, dialect.bytes(false), { until: complete });
      const streamed = await raw(daemons.simulated.port, dialect.bytes(true), { until: complete });
      const blocked = { promptFeedback: { blockReason: "SAFETY" } };
      expect([whole.status, JSON.parse(whole.body)]).toEqual([200, blocked]);
      expect(streamed.headers.find(([name]) => name.toLowerCase() === "content-type")?.[1]).toStartWith(dialect.contentType);
      const { text } = chunked(streamed);
      expect(JSON.parse(dialect.contentType === "application/json" ? text : payloadOf(text))).toEqual(
        dialect.contentType === "application/json" ? [blocked] : blocked,
      );
    },
  );

  describe("on the target's side", () => {
    const ownMark = (got: RawAnswer) => got.headers.find(([name]) => name.toLowerCase() === "x-faultproxy-error")?.[1];

    test("an HTTP fault is the target's answer, and not marked as ours", async () => {
      const called = upstream.seen.length;
      await set(daemons.live, "r side=upstream");
      const got = await raw(daemons.live.port, CHAT, { until: complete });
      expect([got.status, ownMark(got)]).toEqual([429, undefined]);
      expect(JSON.parse(got.body)).toMatchObject({ error: { code: "rate_limit_exceeded" } });
      expect(upstream.seen.length).toBe(called);
    });

    test("a reset becomes the 502 that a real one becomes", async () => {
      await set(daemons.live, "reset side=upstream");
      const injected = await raw(daemons.live.port, CHAT, { until: complete });
      answer = ({ socket }) => socket.resetAndDestroy();
      const real = await raw(daemons.live.port, CHAT, { until: complete });
      for (const got of [injected, real]) expect([got.status, ownMark(got)]).toEqual([502, "upstream_closed_early"]);
    });

    test.each(["cut after=3 side=upstream", "cut after=3"])("%s: a stream that the target cuts is cut for the client", async (command) => {
      const [chat] = DIALECT_REQUESTS as readonly [DialectRequest];
      await set(daemons.live, command);
      const got = await raw(daemons.live.port, chat.bytes(true));
      expect([got.status, got.end]).toEqual([200, "rst"]);
      expect(chunked(got).text).toBe(eventsOf(liveText(chat.target)).slice(0, 3).join(""));
    });
  });

  describe("live answers that a stream fault cannot work on", () => {
    const [chat] = DIALECT_REQUESTS as readonly [DialectRequest];
    const withCoding = (bytes: string) => bytes.replace("accept: */*", "accept: */*\r\naccept-encoding: gzip, br");
    const codings = (seen: Seen | undefined) =>
      seen?.headers.filter(([name]) => name.toLowerCase() === "accept-encoding").map(([, value]) => value);

    test("the target is asked for an answer without coding when a fault reads frames, and only then", async () => {
      const called = upstream.seen.length;
      await raw(daemons.live.port, withCoding(chat.bytes(true)), { until: complete });
      await set(daemons.live, "duplicate_frame");
      await raw(daemons.live.port, withCoding(chat.bytes(true)), { until: complete });
      await set(daemons.live, "slow rate=1mb");
      await raw(daemons.live.port, withCoding(chat.bytes(true)), { until: complete });
      expect(upstream.seen.slice(called).map(codings)).toEqual([["gzip, br"], ["identity"], ["gzip, br"]]);
    });

    test("coded all the same: the bytes go through untouched and the event says so", async () => {
      const packed = gzipSync(liveText(chat.target));
      answer = ({ socket }) => {
        socket.write(
          `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: ${packed.length}\r\n\r\n`,
        );
        socket.write(packed);
      };
      await set(daemons.live, "malformed_frame");
      const got = await raw(daemons.live.port, withCoding(chat.bytes(true)), { until: complete });
      expect(Buffer.from(chunked(got).text, "latin1").equals(packed)).toBe(true);
      expect(await doneOf(daemons.live, "malformed_frame")).toMatchObject({
        done: "delivered",
        skipped: [{ fault: "malformed_frame", reason: "the target answered with content-encoding gzip" }],
      });
    });

    test("a stream that ends before the place of the fault: untouched, and the event says so", async () => {
      const events = ["1", "2", "3"].map((text) => `data: {"choices":[{"index":0,"delta":{"content":"${text}"}}]}\n\n`).join("");
      const body = `${events}data: [DONE]\n\n`;
      answer = ({ socket }) =>
        void socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      await set(daemons.live, "cut after=50");
      const got = await raw(daemons.live.port, chat.bytes(true), { until: complete });
      expect(chunked(got).text).toBe(body);
      expect(await doneOf(daemons.live, "cut")).toMatchObject({
        done: "delivered",
        skipped: [{ fault: "cut", reason: "its place never came" }],
      });
    });

    test("an error of the target's own: untouched, and the event says so", async () => {
      const error = '{"error":{"message":"no","type":"x","param":null,"code":null}}';
      answer = ({ socket }) =>
        void socket.write(`HTTP/1.1 418 No\r\ncontent-type: application/json\r\ncontent-length: ${error.length}\r\n\r\n${error}`);
      await set(daemons.live, "no_done");
      const got = await raw(daemons.live.port, chat.bytes(true), { until: complete });
      expect([got.status, got.body]).toEqual([418, error]);
      expect(await doneOf(daemons.live, "no_done")).toMatchObject({
        status: 418,
        done: "delivered",
        skipped: [{ fault: "no_done", reason: "the target answered 418" }],
      });
    });
  });

  function bodyOf(text: string): ChunkedBody {
    const border = text.indexOf("\r\n\r\n");
    return border < 0
      ? { chunks: [], text: "", ended: false }
      : chunked({ text, end: "open", status: 200, headers: [["transfer-encoding", "chunked"]], body: text.slice(border + 4) });
  }
});

describe.each(ENGINES)("decisions with the %s engine", (engine) => {
  const REQUESTS = 40;

  /** Whether each of so many requests met the fault, and the events of the decisions. */
  async function run(seed: number, ...commands: readonly string[]) {
    const daemon = await startTestDaemon({ engine, args: ["--simulate", "--seed", String(seed)] });
    for (const command of commands) expect(await daemon.command(command)).toMatchObject({ status: 200 });
    const statuses: number[] = [];
    for (let i = 0; i < REQUESTS; i++) statuses.push((await raw(daemon.port, CHAT, { until: complete })).status);
    const events = await daemon.events();
    await daemon.stop();
    return {
      statuses,
      decisions: events.filter((event) => event.type === "decision"),
      ends: events.filter((event) => event.type === "exchange"),
    };
  }

  test("the same seed, rules and requests: the same decisions; another seed: others", async () => {
    const [first, again, other] = await Promise.all([run(7, "c 30%"), run(7, "c 30%"), run(8, "c 30%")]);
    expect(again.statuses).toEqual(first.statuses);
    expect(other.statuses).not.toEqual(first.statuses);
    for (const { statuses } of [first, other]) expect(new Set(statuses)).toEqual(new Set([200, 400]));
    const draws = first.decisions.map((event) => event.drawn);
    expect(again.decisions.map((event) => event.drawn)).toEqual(draws);
    expect(new Set(draws).size).toBe(REQUESTS);
    for (const { model, injected } of first.decisions) if (injected) expect(model).toBe("gpt-4o");
    expect(first.decisions.map((event) => event.injected)).toEqual(draws.map((drawn) => Number(drawn) < 0.3));
  });

  test("each decision tells exchange, provider, dialect, model, rule, number and outcome; the end tells what was done", async () => {
    const { statuses, decisions, ends } = await run(3, "u 2", "add r 50% id=half model=gpt-4o");
    expect(decisions[0]).toEqual({
      type: "decision",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      exchange: 1,
      provider: "openai",
      dialect: "chat",
      method: "POST",
      path: "/v1/chat/completions",
      model: "gpt-4o",
      rule: "mode",
      fault: "server_error",
      drawn: null,
      injected: true,
    });
    // While the mode answers, the rule beside it is not asked.
    expect(decisions.map(({ exchange, rule }) => `${exchange} ${rule}`)).toEqual(
      statuses.map((_status, index) => `${index + 1} ${index < 2 ? "mode" : "half"}`),
    );
    for (const { drawn, injected } of decisions.slice(2)) expect(injected).toBe(Number(drawn) < 0.5);
    expect(ends.map(({ exchange, status, faults }) => [exchange, status, faults])).toEqual(
      statuses.map((status, index) => [index + 1, status, index < 2 ? ["server_error"] : status === 429 ? ["rate_limit"] : []]),
    );
  });
});
