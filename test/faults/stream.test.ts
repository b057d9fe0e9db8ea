import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { StreamPosition } from "../../src/core/fault.ts";
import { actionsOver, bytesOfFrames, FAKE_ARRAY, FAKE_DIALECT, framesOf, joined, outcome, textOver } from "./fakes.ts";

const text = (words: string) => JSON.stringify({ text: words });
const FIVE = framesOf(['{"role":"assistant"}', text("one"), text("two"), text("three"), text("four"), "[DONE]"]);
const at = (count: number, unit: StreamPosition["unit"]): StreamPosition => ({ unit, count });

/** Whole frames of the input that came through. */
function framesThrough(length: number): number {
  let bytes = 0;
  let frames = 0;
  for (const frame of FIVE) {
    bytes += frame.bytes.length;
    if (bytes > length) break;
    frames++;
  }
  return frames;
}

describe("cut", () => {
  test.each([
    ["by default after one token", {}, 2, "reset"],
    ["before any byte", { after: at(0, "frames") }, 0, "reset"],
    ["after frames", { after: at(2, "frames"), by: "reset" }, 2, "reset"],
    ["after tokens", { after: at(1, "tokens") }, 2, "reset"],
    ["after milliseconds", { after: at(3, "ms") }, 3, "reset"],
    ["ended properly", { after: at(2, "frames"), by: "end" }, 2, "end"],
    ["not at all where the stream is shorter than what was asked for", { after: at(99, "frames") }, 6, "end"],
    ["at the end where that is the position", { after: at(6, "frames") }, 6, "reset"],
  ])("%s", (_what, parameters, frames, ends) => {
    const actions = actionsOver("cut", FIVE, parameters);
    expect([framesThrough(joined(actions).length), outcome(actions).ends]).toEqual([frames, ends as "end"]);
    expect(textOver(actions)).toBe(new TextDecoder().decode(bytesOfFrames(FIVE.slice(0, frames))));
  });

  test("by default a short answer loses at least its terminal event", () => {
    const short = framesOf(['{"role":"assistant"}', "[DONE]"]);
    expect(textOver(actionsOver("cut", short))).toBe('data: {"role":"assistant"}\n\n');
    expect(outcome(actionsOver("cut", framesOf(["{}"]))).ends).toBe("reset");
  });

  test("after N bytes exactly N bytes have come, unless the stream is shorter", () => {
    const total = bytesOfFrames(FIVE).length;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: total + 20 }), (count) => {
        const actions = actionsOver("cut", FIVE, { after: at(count, "bytes"), by: "reset" });
        expect(joined(actions).length).toBe(Math.min(count, total));
        expect(outcome(actions).ends).toBe(count <= total ? "reset" : "end");
      }),
    );
  });
});

describe("stall", () => {
  test("for ever", () => {
    const actions = actionsOver("stall", FIVE, { after: at(2, "frames") });
    expect([outcome(actions), framesThrough(joined(actions).length)]).toEqual([{ ends: "hang", delays: [], writes: 2 }, 2]);
  });

  test.each<[number, StreamPosition["unit"]]>([
    [2, "frames"],
    [30, "bytes"],
    [2, "ms"],
    [0, "tokens"],
  ])("for a time, then everything comes (after %i %s)", (count, unit) => {
    const after = at(count, unit);
    const actions = actionsOver("stall", FIVE, { after, for: 500 });
    expect(joined(actions)).toEqual(bytesOfFrames(FIVE));
    expect(outcome(actions)).toMatchObject({ ends: "end", delays: [500] });
  });
});

describe("error_event", () => {
  test("is the first frame, with the provider's own end", () => {
    const actions = actionsOver("error_event", FIVE, { after: at(0, "frames") });
    expect(textOver(actions)).toBe('data: {"error":"broken at 0"}\n\ndata: [DONE]\n\n');
    expect(outcome(actions).ends).toBe("end");
  });

  test.each([
    [
      "after frames",
      { after: at(2, "frames") },
      '{"role":"assistant"}\n\ndata: {"text":"one"}\n\ndata: {"error":"broken at 2"}\n\ndata: [DONE]\n\n',
    ],
    ["with a text", { after: at(1, "frames"), message: "gone" }, '{"role":"assistant"}\n\ndata: {"error":"gone at 1"}\n\ndata: [DONE]\n\n'],
    ["without the terminator", { after: at(1, "frames"), done: false }, '{"role":"assistant"}\n\ndata: {"error":"broken at 1"}\n\n'],
    ["in another form", { after: at(1, "frames"), variant: "bare" }, '{"role":"assistant"}\n\n{"error":"bare"}\n'],
    [
      "in another form with the terminator",
      { after: at(1, "frames"), variant: "bare", done: true },
      '{"role":"assistant"}\n\n{"error":"bare"}\ndata: [DONE]\n\n',
    ],
  ])("%s", (_what, parameters, expected) => {
    expect(textOver(actionsOver("error_event", FIVE, parameters))).toBe(`data: ${expected}`);
  });

  test("does not happen after the end", () => {
    expect(joined(actionsOver("error_event", FIVE, { after: at(99, "frames") }))).toEqual(bytesOfFrames(FIVE));
  });

  test("comes in a stream without frames", () => {
    expect(textOver(actionsOver("error_event", [], { after: at(0, "frames") }))).toStartWith('data: {"error"');
  });
});

describe("no_done", () => {
  test("leaves out the terminal events and ends properly", () => {
    const actions = actionsOver("no_done", FIVE);
    expect([joined(actions), outcome(actions).ends]).toEqual([bytesOfFrames(FIVE.slice(0, -1)), "end"]);
  });

  test("leaves a JSON array that parses, also where its first or only element goes", () => {
    for (const payloads of [
      [text("one"), '{"last":1}'],
      ['{"last":1}', text("one")],
    ]) {
      const dialect = { ...FAKE_DIALECT, isTerminal: ({ data }: { data: string | undefined }) => data === '{"last":1}' };
      const actions = actionsOver("no_done", framesOf(payloads, FAKE_ARRAY), {}, FAKE_ARRAY, { dialect });
      expect(JSON.parse(textOver(actions))).toEqual([{ text: "one" }]);
    }
    const dialect = { ...FAKE_DIALECT, isTerminal: ({ data }: { data: string | undefined }) => data !== undefined };
    const actions = actionsOver("no_done", framesOf([text("one")], FAKE_ARRAY), {}, FAKE_ARRAY, { dialect });
    expect(JSON.parse(textOver(actions))).toEqual([]);
  });
});

describe("malformed_frame", () => {
  test("breaks the first frame with output and no other", () => {
    expect(textOver(actionsOver("malformed_frame", FIVE))).toBe(
      'data: {"role":"assistant"}\n\ndata: {"text"\n\ndata: {"text":"two"}\n\ndata: {"text":"three"}\n\ndata: {"text":"four"}\n\ndata: [DONE]\n\n',
    );
  });

  test.each([0, 1, 4])("breaks the frame after %p others", (count) => {
    const actions = actionsOver("malformed_frame", FIVE, { after: at(count, "frames") });
    const broken = textOver(actions)
      .split("\n\n")
      .map((frame) => frame.slice("data: ".length))
      .flatMap((data, index) => (data === "" || data === "[DONE]" || parses(data) ? [] : [index]));
    expect(broken).toEqual([count]);
  });

  test("leaves the terminator alone", () => {
    expect(joined(actionsOver("malformed_frame", FIVE, { after: at(5, "frames") }))).toEqual(bytesOfFrames(FIVE));
  });

  test("keeps the brackets of a JSON array balanced", () => {
    const frames = framesOf([text("one"), text("two {")], FAKE_ARRAY);
    expect(textOver(actionsOver("malformed_frame", frames, {}, FAKE_ARRAY))).toBe('[{"text""one"},\n{"text":"two {"}]');
  });

  test("never cuts a character in two", () => {
    const wholeCharacters = fc.string({ unit: "grapheme" }).filter((words) => !words.includes("\ufffd"));
    fc.assert(
      fc.property(wholeCharacters, (words) => {
        const frames = framesOf([text(words)]);
        expect(textOver(actionsOver("malformed_frame", frames))).not.toContain("\ufffd");
      }),
    );
  });
});

describe("duplicate_frame", () => {
  test("is the input and one frame more, in its place", () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1, maxLength: 10 }), fc.nat(12), (words, count) => {
        const frames = framesOf(words.map(text));
        const actions = actionsOver("duplicate_frame", frames, { after: at(count, "frames") });
        const expected = frames.flatMap((frame, index) => (index === count ? [frame, frame] : [frame]));
        expect(joined(actions)).toEqual(bytesOfFrames(expected));
      }),
    );
  });

  test("by default it is the first frame with output", () => {
    expect(joined(actionsOver("duplicate_frame", FIVE))).toEqual(bytesOfFrames(FIVE.toSpliced(1, 0, ...FIVE.slice(1, 2))));
  });

  test("an array stays an array", () => {
    const frames = framesOf([text("one"), text("two")], FAKE_ARRAY);
    expect(JSON.parse(textOver(actionsOver("duplicate_frame", frames, {}, FAKE_ARRAY)))).toEqual([
      { text: "one" },
      { text: "one" },
      { text: "two" },
    ]);
  });
});

describe("split_frames", () => {
  test("the pieces join to the input", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" }), { maxLength: 10 }), (words) => {
        const frames = framesOf(words.map(text));
        expect(joined(actionsOver("split_frames", frames, { gap: 2 }))).toEqual(bytesOfFrames(frames));
      }),
    );
  });

  test("borders fall inside the field name, inside a character and between the last newlines", () => {
    const actions = actionsOver("split_frames", framesOf([text("né 😀")]), { gap: 2 });
    const pieces = actions.flatMap((action) => (action.kind === "write" ? [action.bytes] : []));
    const isText = (bytes: Uint8Array) => {
      try {
        new TextDecoder("utf-8", { fatal: true }).decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    expect(new TextDecoder().decode(pieces[0])).toBe("da");
    expect(new TextDecoder().decode(pieces.at(-1))).toBe("\n");
    expect(pieces.filter((bytes) => !isText(bytes)).length).toBeGreaterThanOrEqual(3);
    expect(outcome(actions).delays).toEqual(pieces.map(() => 2));
  });

  test("a frame of thousands of characters does not take minutes", () => {
    expect(outcome(actionsOver("split_frames", framesOf([text("語".repeat(10_000))]), { gap: 2 })).writes).toBeLessThan(20);
  });
});

describe("keepalive_flood", () => {
  test("is before the first frame and among the others, and nothing is lost", () => {
    const frames = framesOf([text("one"), "[DONE]"]);
    const actions = actionsOver("keepalive_flood", frames, { count: 3, among: 1, every: 0 });
    expect(textOver(actions)).toBe(`${": waiting\n\n".repeat(3)}data: {"text":"one"}\n\n: waiting\n\ndata: [DONE]\n\n`);
    expect(outcome(actions).delays).toEqual([]);
  });

  test("comes at a pace", () => {
    expect(outcome(actionsOver("keepalive_flood", FIVE, { count: 4, among: 0, every: 250 })).delays).toEqual([250, 250, 250, 250]);
  });

  test.each([
    ["a comment where the dialect has none", undefined, ": keepalive\n\n"],
    ["the dialect's own event", { event: "ping", data: '{"type": "ping"}' }, 'event: ping\ndata: {"type": "ping"}\n\n'],
  ])("is %s", (_what, keepalive, expected) => {
    const actions = actionsOver("keepalive_flood", FIVE, { count: 1, among: 0, every: 0 }, undefined, {
      dialect: { ...FAKE_DIALECT, keepalive },
    });
    expect(textOver(actions)).toBe(expected + new TextDecoder().decode(bytesOfFrames(FIVE)));
  });

  test("is white space in a JSON array", () => {
    const frames = framesOf([text("one"), text("two")], FAKE_ARRAY);
    const actions = actionsOver("keepalive_flood", frames, { count: 2, among: 2, every: 0 }, FAKE_ARRAY);
    expect(JSON.parse(textOver(actions))).toEqual([{ text: "one" }, { text: "two" }]);
  });
});

describe("slow_tokens", () => {
  test("waits before the first token and between tokens, not before other frames", () => {
    const actions = actionsOver("slow_tokens", FIVE, { ttft: 900, between: 40, jitter: 0 });
    expect(actions.map((action) => (action.kind === "delay" ? action.ms : action.kind))).toEqual([
      "write",
      900,
      "write",
      40,
      "write",
      40,
      "write",
      40,
      "write",
      "write",
      "end",
    ]);
    expect(joined(actions)).toEqual(bytesOfFrames(FIVE));
  });

  test("stays within its jitter", () => {
    const { delays } = outcome(actionsOver("slow_tokens", FIVE, { ttft: 100, between: 100, jitter: 30 }));
    expect(delays).toHaveLength(4);
    for (const ms of delays) expect(Math.abs(ms - 100)).toBeLessThanOrEqual(30);
    expect(new Set(delays).size).toBeGreaterThan(1);
  });
});

test.each(["cut", "stall", "malformed_frame", "duplicate_frame", "no_done", "error_event", "keepalive_flood", "slow_tokens"])(
  "%s lets a body of no known dialect through",
  (name) => {
    expect(joined(actionsOver(name, FIVE, { after: at(0, "frames"), count: 1 }, undefined, { dialect: undefined }))).toEqual(
      bytesOfFrames(FIVE),
    );
  },
);

test.each(["stall", "malformed_frame", "duplicate_frame", "no_done", "keepalive_flood", "slow_tokens"])(
  "%s hands frames on as frames",
  (name) => {
    const actions = actionsOver(name, FIVE, { for: 1, count: 1, among: 0, every: 0, ttft: 1, between: 1, jitter: 0 });
    const written = actions.flatMap((action) => (action.kind === "write" && action.frame !== undefined ? [action.frame.data] : []));
    expect(written.length).toBeGreaterThanOrEqual(FIVE.length - 1);
  },
);

function parses(data: string): boolean {
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}
