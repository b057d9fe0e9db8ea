import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { headerValue } from "../../src/core/headers.ts";
import { actionsOver, answerOf, joined, outcome, planOf } from "./fakes.ts";

test("latency waits and does nothing else", () => {
  expect(planOf("latency", { for: 1_500, jitter: 0 })).toEqual([{ kind: "delay", ms: 1_500 }]);
});

test("latency stays within its jitter and never goes below zero", () => {
  for (let seed = 0; seed < 200; seed++) {
    const [action] = planOf("latency", { for: 100, jitter: 300 }, { seed });
    if (action?.kind !== "delay") throw new Error("no delay");
    expect(action.ms).toBeGreaterThanOrEqual(0);
    expect(action.ms).toBeLessThanOrEqual(400);
  }
});

test("the same seed draws the same jitter", () => {
  const once = planOf("latency", { for: 100, jitter: 50 }, { seed: 7 });
  expect(planOf("latency", { for: 100, jitter: 50 }, { seed: 7 })).toEqual(once);
  expect(planOf("latency", { for: 100, jitter: 50 }, { seed: 8 })).not.toEqual(once);
});

test("hang and reset send nothing", () => {
  expect(planOf("hang")).toEqual([{ kind: "hang" }]);
  expect(planOf("reset")).toEqual([{ kind: "reset" }]);
});

describe("slow", () => {
  test("keeps bytes and order, and takes the time that the rate says", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 4_000 })), fc.integer({ min: 1, max: 1_000_000 }), (chunks, rate) => {
        const frames = chunks.map((bytes) => ({ bytes, event: undefined, data: undefined }));
        const actions = actionsOver("slow", frames, { rate });
        expect(Buffer.compare(joined(actions), Buffer.concat(chunks))).toBe(0);
        const ms = outcome(actions).delays.reduce((sum, delay) => sum + delay, 0);
        expect(ms).toBeCloseTo((joined(actions).length * 1_000) / rate, 3);
      }),
      { numRuns: 50 },
    );
  });

  test("gives pieces twenty times a second", () => {
    const actions = actionsOver("slow", [{ bytes: new Uint8Array(1_000), event: undefined, data: undefined }], { rate: 1_000 });
    expect(outcome(actions)).toEqual({ ends: "end", writes: 20, delays: Array.from({ length: 20 }, () => 50) });
  });
});

describe("bad_json", () => {
  test("a whole answer stops in the middle", () => {
    const { status, headers, text } = answerOf("bad_json", {}, { stream: false });
    expect(status).toBe(200);
    expect(headers).toEqual([
      ["content-type", "application/json"],
      ["x-request-id", "req_1"],
    ]);
    expect(text).toStartWith('{"text":');
    expect(() => JSON.parse(text)).toThrow();
  });

  test("a stream has one frame that does not parse, and it is the last", () => {
    const { headers, text } = answerOf("bad_json");
    expect(headerValue(headers, "content-type")).toBe("text/event-stream");
    expect(text).toBe('data: {"text":"Hello"}\n\ndata: {"text":"! How"}\n\ndata: {"text":"\n\n');
  });

  test("an endpoint of no known dialect gets half a list", () => {
    expect(() => JSON.parse(answerOf("bad_json", {}, { dialect: undefined }).text)).toThrow();
  });
});

describe("wrong_content_type", () => {
  test.each([true, false])("labels a right answer as a page (stream: %p)", (stream) => {
    const { status, headers, text } = answerOf("wrong_content_type", {}, { stream });
    expect([status, headerValue(headers, "content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    if (stream) expect(text).toEndWith("data: [DONE]\n\n");
    else expect(JSON.parse(text).finish).toBe("stop");
  });

  test("an endpoint of no known dialect gets a list", () => {
    expect(JSON.parse(answerOf("wrong_content_type", {}, { dialect: undefined }).text).data).toEqual([]);
  });
});
