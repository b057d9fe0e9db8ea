import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Clock } from "../../src/core/clock.ts";
import type { DialectName } from "../../src/core/dialect.ts";
import { BodyCut, type Chunks } from "../../src/core/exchange.ts";
import type { Ports } from "../../src/core/ports.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import { watchOf } from "../../src/pipeline/helpers/answer-watch.ts";
import type { Governed } from "../../src/pipeline/helpers/governed.ts";
import { GuardedStream, type GuardOptions, StreamFailed, type StreamFailure } from "../../src/pipeline/helpers/guarded-stream.ts";
import { RESCUES_BY_DIALECT } from "../../src/rescue/index.ts";
import { exchange } from "../support.ts";

/** Time that passes when it is told to, and then wakes those whose sleep is over. */
function steppedClock(): Clock & { readonly pass: (ms: number) => Promise<void>; readonly sleepers: () => number } {
  let now = 1_000;
  const sleeping = new Set<{ readonly untilMs: number; readonly wake: () => void }>();
  return {
    monotonicMs: () => now,
    wallMs: () => now,
    sleep: (ms, gone) =>
      new Promise((resolve) => {
        if (gone.aborted) return resolve();
        const entry = { untilMs: now + ms, wake: resolve };
        sleeping.add(entry);
        gone.addEventListener("abort", () => {
          sleeping.delete(entry);
          resolve();
        });
      }),
    async pass(ms) {
      now += ms;
      for (const entry of [...sleeping]) {
        if (entry.untilMs > now) continue;
        sleeping.delete(entry);
        entry.wake();
      }
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    },
    sleepers: () => sleeping.size,
  };
}

type Source = Chunks & {
  readonly give: (text: string | Uint8Array) => void;
  readonly end: (how?: BodyCut) => void;
  readonly isCancelled: () => boolean;
};

/** Chunks as somebody gives them. */
function source(): Source {
  const there: (Uint8Array | BodyCut | undefined)[] = [];
  let waiting: { resolve: (chunk: Uint8Array | undefined) => void; reject: (error: BodyCut) => void } | undefined;
  let isCancelled = false;
  const hand = () => {
    if (waiting === undefined || there.length === 0) return;
    const { resolve, reject } = waiting;
    waiting = undefined;
    const next = there.shift();
    if (next instanceof BodyCut) reject(next);
    else resolve(next);
  };
  return {
    read: () =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        hand();
      }),
    cancel: () => {
      isCancelled = true;
    },
    give: (text) => {
      there.push(typeof text === "string" ? new TextEncoder().encode(text) : text);
      hand();
    },
    end: (how) => {
      there.push(how);
      hand();
    },
    isCancelled: () => isCancelled,
  };
}

const ANSWER = {
  text: ["Hel", "lo ", "world"],
  refusal: undefined,
  toolCalls: [],
  finish: "stop",
  inputTokens: 3,
  outputTokens: 3,
} as const;
const ENVELOPE = { id: "abc", model: "m", createdSeconds: 1 };
const NAMES: readonly DialectName[] = ["chat", "messages", "responses", "gemini"];

function asked(dialect: DialectName) {
  const path = dialect === "gemini" ? "/v1beta/models/m:streamGenerateContent" : "/x";
  return { path, query: dialect === "gemini" ? "alt=sse" : "" };
}

/** The frames of a whole answer as texts. */
function framesOf(dialect: DialectName): readonly string[] {
  const { path, query } = asked(dialect);
  const framing = DIALECTS[dialect].framing(path, query);
  return DIALECTS[dialect]
    .frames(ANSWER, ENVELOPE, { usageInStream: true })
    .map(({ event, data }, index) => new TextDecoder().decode(framing.render(event, data, index)));
}

function guard(dialect: DialectName, from: Chunks, changes: Partial<GuardOptions> = {}) {
  const clock = steppedClock();
  const settled: string[] = [];
  const { path, query } = asked(dialect);
  const governed = { observed: {}, settle: (outcome: string) => settled.push(outcome) } as unknown as Governed;
  const ports = { clock } as unknown as Ports;
  const watch = watchOf([], DIALECTS[dialect], exchange({ dialect, path }), false, governed, ports);
  const leaving = new AbortController();
  const stream = new GuardedStream(from, {
    framing: DIALECTS[dialect].framing(path, query),
    dialect: DIALECTS[dialect],
    rescue: RESCUES_BY_DIALECT[dialect],
    watch,
    hold: { framesMax: 100, bytesMax: 100_000, msMax: 0 },
    isBuffered: false,
    firstTokenDueMs: 6_000,
    searchDueMs: Number.POSITIVE_INFINITY,
    idleMs: 3_000,
    clock,
    gone: leaving.signal,
    ...changes,
  });
  return { stream, clock, settled, leaving };
}

type Read = { readonly text: string; readonly how: "ended" | StreamFailure | BodyCut };

async function rest(stream: Chunks): Promise<Read> {
  let text = "";
  try {
    for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) text += new TextDecoder().decode(chunk);
    return { text, how: "ended" };
  } catch (error) {
    if (error instanceof StreamFailed) return { text, how: error.how };
    if (error instanceof BodyCut) return { text, how: error };
    throw error;
  }
}

describe.each([...NAMES])("a good stream of %s", (dialect) => {
  const whole = framesOf(dialect).join("");

  test("goes on byte for byte, however it is chunked, and leaves nothing behind", async () => {
    const bytes = new TextEncoder().encode(whole);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 40 }), async (sizes) => {
        const from = source();
        let at = 0;
        for (let each = 0; at < bytes.length; each++) {
          const size = sizes[each % sizes.length] ?? 1;
          from.give(bytes.slice(at, at + size));
          at += size;
        }
        from.end();
        const { stream, clock, settled } = guard(dialect, from);
        expect(await stream.begin()).toBeUndefined();
        expect(await rest(stream)).toEqual({ text: whole, how: "ended" });
        expect([clock.sleepers(), settled.includes("failure")]).toEqual([0, false]);
      }),
    );
  });

  test("that is cut anywhere before its finish is never whole, and nothing of a broken frame goes on", async () => {
    const bytes = new TextEncoder().encode(whole);
    const frames = framesOf(dialect);
    const isFinish = RESCUES_BY_DIALECT[dialect].finish();
    const { path, query } = asked(dialect);
    const splitter = DIALECTS[dialect].framing(path, query).splitter();
    const finishAt = frames.findIndex((frame) =>
      splitter.push(new TextEncoder().encode(frame)).some(({ event, data }) => data !== undefined && isFinish({ event, data })),
    );
    const finishedBytes = new TextEncoder().encode(frames.slice(0, finishAt + 1).join("")).length;
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), fc.boolean(), async (length, isReset) => {
        const from = source();
        from.give(bytes.slice(0, length));
        from.end(isReset ? new BodyCut("reset") : undefined);
        const { stream, clock } = guard(dialect, from);
        const failure = await stream.begin();
        const read = failure === undefined ? await rest(stream) : undefined;
        expect(clock.sleepers()).toBe(0);
        const isWhole = failure === undefined && read?.how === "ended";
        // Its last line end may be missing: then the frame is not there.
        if (length < finishedBytes - 2) expect(isWhole).toBe(false);
        if (length >= finishedBytes) expect(isWhole).toBe(true);
        const got = read?.text ?? "";
        if (!isWhole && dialect !== "gemini")
          expect(frames.some((_, count) => frames.slice(0, count + 1).join("") === got) || got === "").toBe(true);
      }),
    );
  });
});

describe("the beginning of a stream", () => {
  const role = framesOf("chat")[0] ?? "";
  const error = 'data: {"error":{"message":"Overloaded","type":"server_error"}}\n\n';
  const BAD: readonly [string, DialectName, string, Partial<StreamFailure>][] = [
    ["an error", "chat", `: hello\n\n${role}${error}`, { reason: "upstream_error_event" }],
    [
      "an error event",
      "messages",
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
      { reason: "upstream_error_event" },
    ],
    ["an error that is no JSON", "chat", "event: error\ndata: out of order\n\n", { reason: "upstream_error_event" }],
    [
      "Gemini's bare JSON",
      "gemini",
      '{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}\n\n',
      { reason: "upstream_error_event" },
    ],
    ["an early end", "chat", role, { reason: "upstream_closed_early" }],
    ["nothing at all", "chat", "", { reason: "upstream_closed_early" }],
    ["a page", "chat", "<html><body>Bad gateway</body></html>", { reason: "upstream_closed_early" }],
    [
      "a terminator and nothing else",
      "messages",
      'event: message_start\ndata: {"type":"message_start","message":{}}\n\n',
      { reason: "upstream_closed_early" },
    ],
  ];
  test.each(BAD)("%s is a failure", async (_name, dialect, text, how) => {
    const from = source();
    if (text !== "") from.give(text);
    from.end();
    const { stream, clock, settled } = guard(dialect, from);
    expect(await stream.begin()).toMatchObject({ ...how, failure: { isSilent: false } });
    expect([from.isCancelled(), clock.sleepers(), settled]).toEqual([true, 0, ["failure"]]);
  });

  test("without output in time is silence, whatever keeps the connection alive", async () => {
    const from = source();
    const { stream, clock } = guard("chat", from);
    const begun = stream.begin();
    for (let each = 0; each < 5; each++) {
      from.give(`: keep-alive\n\n${role}`);
      await clock.pass(1_000);
    }
    expect(await begun).toMatchObject({ reason: "upstream_timeout", failure: { class: "degraded", isSilent: true } });
    expect([from.isCancelled(), clock.sleepers()]).toEqual([true, 0]);
  });

  test("is let go when it has been held for long enough; what comes then still counts", async () => {
    const from = source();
    const { stream, clock } = guard("chat", from, { hold: { framesMax: 100, bytesMax: 1_000, msMax: 500 } });
    from.give(role);
    const begun = stream.begin();
    await clock.pass(500);
    expect(await begun).toBeUndefined();
    from.give(framesOf("chat").slice(1).join(""));
    from.end();
    expect(await rest(stream)).toEqual({ text: framesOf("chat").join(""), how: "ended" });
  });

  test.each([
    ["frames", { framesMax: 3, bytesMax: 100_000, msMax: 0 }],
    ["bytes", { framesMax: 100, bytesMax: 30, msMax: 0 }],
    ["nothing", { framesMax: 0, bytesMax: 100, msMax: 0 }],
  ] as const)("is let go by %s", async (_name, hold) => {
    const from = source();
    const { stream, leaving } = guard("chat", from, { hold });
    for (let each = 0; each < 4; each++) from.give(": keep-alive\n\n");
    expect(await stream.begin()).toBeUndefined();
    leaving.abort();
    stream.cancel();
  });

  test("is given up when the client leaves", async () => {
    const from = source();
    const { stream, clock, leaving } = guard("chat", from);
    const begun = stream.begin().catch((error: unknown) => error);
    await clock.pass(1);
    leaving.abort();
    expect(await begun).toBeInstanceOf(BodyCut);
    expect([from.isCancelled(), clock.sleepers()]).toEqual([true, 0]);
  });

  test("of an answer without a word is an answer", async () => {
    const from = source();
    const text = framesOf("chat")
      .filter((frame) => !/"content":"\S/.test(frame))
      .join("");
    from.give(text);
    from.end();
    const { stream } = guard("chat", from);
    expect(await stream.begin()).toBeUndefined();
    expect(await rest(stream)).toEqual({ text, how: "ended" });
  });
});

describe("the middle of a stream", () => {
  const frames = framesOf("chat");
  const begun = frames.slice(0, 3).join("");

  test("that stands still is no answer; keepalives do not help", async () => {
    const from = source();
    from.give(begun);
    const { stream, clock } = guard("chat", from);
    expect(await stream.begin()).toBeUndefined();
    const reading = rest(stream);
    for (let each = 0; each < 4; each++) {
      await clock.pass(1_000);
      from.give(": keep-alive\n\n");
    }
    expect(await reading).toMatchObject({ how: { reason: "upstream_timeout", failure: { isSilent: true } } });
    expect([from.isCancelled(), clock.sleepers()]).toEqual([true, 0]);
  });

  test("is not late because the client reads slowly", async () => {
    const from = source();
    from.give(begun);
    const { stream, clock } = guard("chat", from);
    expect(await stream.begin()).toBeUndefined();
    from.give(": keep-alive\n\n");
    await stream.read();
    await stream.read();
    await clock.pass(60_000);
    from.give(frames.slice(3).join(""));
    from.end();
    expect((await rest(stream)).how).toBe("ended");
  });

  test("an error never passes for a frame", async () => {
    const from = source();
    from.give(`${begun}data: {"error":{"message":"Overloaded","type":"server_error"}}\n\ndata: [DONE]\n\n`);
    from.end();
    const { stream, settled } = guard("chat", from);
    const failure = await stream.begin();
    const read = failure === undefined ? await rest(stream) : { how: failure };
    expect(read.how).toMatchObject({ reason: "upstream_error_event", payload: { data: expect.stringContaining("Overloaded") } });
    expect(settled.at(-1)).toBe("failure");
  });

  const JUNK: readonly [string, string, "ended" | "upstream_protocol"][] = [
    ["what is no frame of an answer is left out", "data: {not json}\n\n", "ended"],
    ["a line of somebody's log too", "data: WARN upstream slow\n\n", "ended"],
    ["a broken keepalive too", 'event: ping\ndata: {"type\n\n', "ended"],
    ["but not two of them", "data: {not json}\n\ndata: {not json}\n\n", "upstream_protocol"],
    ["a broken piece of the answer is missing", 'data: {"id":"chatcmpl-abc","choices":[{"delta":{"cont\n\n', "upstream_protocol"],
  ];
  test.each(JUNK)("%s", async (_name, junk, how) => {
    const from = source();
    from.give(begun);
    const { stream } = guard("chat", from);
    expect(await stream.begin()).toBeUndefined();
    from.give(junk);
    from.give(frames.slice(3).join(""));
    from.end();
    const read = await rest(stream);
    expect(typeof read.how === "string" ? read.how : "reason" in read.how ? read.how.reason : read.how).toBe(how);
    expect(read.text).toBe(how === "ended" ? frames.join("") : begun);
  });
});

describe("behind its finish a stream is whole", () => {
  const ENDS: readonly [string, (from: Source, clock: ReturnType<typeof steppedClock>) => Promise<void> | void][] = [
    ["when it ends", (from) => from.end()],
    ["when it is cut", (from) => from.end(new BodyCut("reset"))],
    ["when it goes on for ever", (_, clock) => clock.pass(2_000)],
  ];
  for (const dialect of ["chat", "messages"] as const) {
    test.each(ENDS)(`${dialect}: %s, with the terminator that was missing`, async (_name, end) => {
      const frames = framesOf(dialect);
      const from = source();
      from.give(frames.slice(0, -1).join(""));
      const { stream, clock, settled } = guard(dialect, from);
      expect(await stream.begin()).toBeUndefined();
      const reading = rest(stream);
      await clock.pass(0);
      await end(from, clock);
      expect(await reading).toEqual({ text: frames.join(""), how: "ended" });
      expect([clock.sleepers(), settled]).toEqual([0, ["success"]]);
    });
  }
});

test("a stream that is kept back until it is whole fails as a whole", async () => {
  const from = source();
  from.give(framesOf("chat").slice(0, 4).join(""));
  from.end(new BodyCut("reset"));
  const { stream } = guard("chat", from, { isBuffered: true, hold: { framesMax: 1, bytesMax: 1, msMax: 1 } });
  expect(await stream.begin()).toMatchObject({ reason: "upstream_closed_early" });
});
