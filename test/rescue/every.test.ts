import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { DialectName, Payload } from "../../src/core/dialect.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import { RESCUES_BY_DIALECT } from "../../src/rescue/index.ts";
import { ANSWERS, TEXT } from "../dialects/serve.ts";
import { cutAt, framesOf, HABITS, pieces, REQUESTS, rescued, SEED, seen, textOf, toldIn } from "./story.ts";

const NAMES = Object.keys(RESCUES_BY_DIALECT) as DialectName[];
/** As the dialect's client tells it: of frames that nobody has touched. */
const IDS: Readonly<Record<DialectName, string>> = { chat: "chatcmpl-0", messages: "msg_0", responses: "resp_0", gemini: "0" };
const CALL = { id: "call1", name: "f", argumentsText: '{"a":"ä b"}' };

const cut = fc.record({ frames: fc.nat(14), habit: fc.constantFrom(...HABITS), inPieces: fc.array(fc.nat(20), { maxLength: 4 }) });

describe.each(NAMES)("%s", (name) => {
  const rescue = RESCUES_BY_DIALECT[name];

  test("an answer cut at any frame is one whole answer for the official client, whatever goes on behind it", async () => {
    const whole = ["Hello", " ", "wörld", " \n", "\n\ud83d", "\ude00", "", "  end"];
    const expected = await seen(name, framesOf(name, { text: whole }, 0));
    const count = framesOf(name, { text: whole }, 0).length;
    for (let frames = 0; frames <= count; frames++) {
      for (const habit of HABITS) {
        const story = rescued(name, whole, [{ frames, habit, inPieces: [1, 2, 5] }]);
        const got = await seen(name, story.payloads);
        // A client that has nothing yet takes the whole of the second answer.
        expect({ ...got, frames, habit }).toEqual({
          ...expected,
          id: frames === 0 ? expected.id.replace("0", "1") : expected.id,
          text: story.text,
          frames,
          habit,
        });
      }
    }
    expect(expected.id).toStartWith(IDS[name]);
  });

  test("answers cut several times are one whole answer for the official client", async () => {
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(cut, { minLength: 1, maxLength: 3 }), fc.boolean(), async (whole, cuts, hasCall) => {
        const first = cuts[0]?.frames === 0 ? [{ ...cuts[0], frames: 1 }, ...cuts.slice(1)] : cuts;
        const end = hasCall ? { toolCalls: [CALL], finish: "tool_calls" as const } : {};
        const story = rescued(name, whole, first, end);
        const got = await seen(name, story.payloads);
        const expected = await seen(name, framesOf(name, { text: [story.text], ...end }, 0));
        // A text may have been opened that stayed empty.
        const parts = story.text === "" ? [] : expected.parts;
        expect({ ...got, parts: story.text === "" ? [] : got.parts }).toEqual({ ...expected, parts });
      }),
      { numRuns: 150, ...SEED },
    );
  });

  test("the request that goes on has the text without its last white space, behind what the client said", () => {
    fc.assert(
      fc.property(pieces, fc.nat(20), (whole, frames) => {
        const partial = rescue.partial();
        const sent = framesOf(name, { text: whole }, 0).slice(0, frames);
        for (const payload of sent) partial.note(payload);
        const request = partial.continuing(REQUESTS[name]);
        const text = textOf(name, sent);
        const isFinished = sent.map(rescue.finish()).at(-1) === true;
        expect(partial.isEmpty()).toBe(text === "" && !isFinished);
        if (isFinished) return expect(request).toBeUndefined();
        const told = text.replace(/[\ud800-\udbff]$/, "").trimEnd();
        if (told === "") expect(request).toBe(REQUESTS[name]);
        expect(toldIn(request ?? {})).toBe(told);
      }),
      { numRuns: 300, ...SEED },
    );
  });

  // Gemini's refusal is a text, and its broken call is an end.
  const more = name === "gemini" ? (["call", "twoCallsAndText"] as const) : (["call", "twoCallsAndText", "refusal", "brokenCall"] as const);
  test.each(more)("%s is not continued once it is more than a text", (answerName) => {
    const partial = rescue.partial();
    for (const payload of framesOf(name, ANSWERS[answerName], 1).slice(0, -1)) partial.note(payload);
    expect(partial.continuing(REQUESTS[name])).toBeUndefined();
  });

  test("an error is what makes the official client throw, wherever it comes", async () => {
    const frames = framesOf(name, {}, 0);
    for (const status of [429, 500, 502, 503, 504, 529]) {
      for (let count = 0; count < frames.length - 1; count++) {
        const error = rescue.error({ message: "The target failed.", status }, { frames: count });
        const thrown = await seen(name, [...frames.slice(0, count), ...error]).catch((reason: unknown) => reason);
        expect(thrown).toBeInstanceOf(Error);
        expect(String(thrown)).toContain("The target failed.");
      }
    }
  });

  test("the finish is known by one payload, and what still has to come is the terminator", async () => {
    const frames = framesOf(name, {}, 0);
    const told = frames.map(rescue.finish());
    const at = told.indexOf(true);
    expect(told).toEqual(told.map((_, index) => index >= at));
    const ended = [...frames.slice(0, at + 1), ...rescue.terminator];
    const { text, finish } = await seen(name, frames);
    expect(await seen(name, ended)).toMatchObject({ text, finish });
    const last = ended.at(-1);
    expect(last !== undefined && DIALECTS[name].isTerminal({ ...last, bytes: new Uint8Array() })).toBe(true);
  });

  test("nothing is continued behind the finish", () => {
    const partial = rescue.partial();
    const isFinished = rescue.finish();
    for (const payload of framesOf(name, {}, 0)) {
      partial.note(payload);
      if (isFinished(payload)) break;
    }
    expect(partial.continuing(REQUESTS[name])).toBeUndefined();
  });

  test("a client that has nothing gets the payloads as they are", () => {
    const splice = rescue.partial().splice();
    const frames = framesOf(name, { toolCalls: [CALL] }, 1);
    const got = frames.flatMap((payload) => splice(payload)).map(({ event, data }) => [event, data === "[DONE]" ? data : JSON.parse(data)]);
    expect(got).toEqual(frames.map(({ event, data }) => [event, data === "[DONE]" ? data : JSON.parse(data)]));
  });

  test("what it does not know passes, and broken payloads never throw", () => {
    const partial = rescue.partial();
    for (const payload of framesOf(name, {}, 0).slice(0, 6)) partial.note(payload);
    const odd: readonly Payload[] = ["", "{", "[]", "null", "1", '"text"', "{}", '{"type":"ping"}', '{"new":true}', "[DONE] "].map(
      (data) => ({
        event: undefined,
        data,
      }),
    );
    const splice = partial.splice();
    for (const payload of odd) expect(splice(payload)).toEqual([payload]);
    for (const payload of odd) partial.note(payload);
  });

  test("payloads with anything in any place never throw", () => {
    const frames = [...framesOf(name, { ...ANSWERS.twoCallsAndText }, 0), ...framesOf(name, { ...ANSWERS.refusal }, 0)];
    const broken = fc.tuple(fc.constantFrom(...frames), fc.nat(30), fc.jsonValue()).map(([payload, place, value]): Payload => {
      let left = place;
      const data = JSON.stringify(payload.data === "[DONE]" ? {} : JSON.parse(payload.data), (_key, inner) =>
        left-- === 0 ? value : inner,
      );
      return { ...payload, data: data ?? "" };
    });
    fc.assert(
      fc.property(fc.array(broken, { maxLength: 12 }), fc.nat(12), (payloads, at) => {
        const partial = rescue.partial();
        const isFinished = rescue.finish();
        for (const payload of payloads.slice(0, at)) partial.note(payload);
        partial.continuing(REQUESTS[name]);
        const splice = partial.splice();
        for (const payload of payloads) {
          for (const fitted of splice(payload)) {
            partial.note(fitted);
            isFinished(fitted);
          }
        }
      }),
      { numRuns: 500, ...SEED },
    );
  });

  test("payloads nested deeper than can be written pass", () => {
    const deep = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
    const partial = rescue.partial();
    for (const payload of framesOf(name, {}, 0).slice(0, 6)) partial.note(payload);
    const splice = partial.splice();
    for (const payload of framesOf(name, {}, 1)) {
      if (payload.data !== "[DONE]")
        expect(Array.isArray(splice({ ...payload, data: `${payload.data.slice(0, -1)},"deep":${deep}}` }))).toBe(true);
    }
  });

  test.each([{}, { messages: 1, input: 1, contents: 1 }, { messages: "x", contents: "x" }])("a request like %j never throws", (request) => {
    const partial = rescue.partial();
    for (const payload of framesOf(name, {}, 0).slice(0, 6)) partial.note(payload);
    const asked = partial.continuing(request);
    expect(asked === undefined || typeof asked === "object").toBe(true);
  });

  test("a text longer than any answer is not continued", () => {
    const partial = rescue.partial();
    const frames = framesOf(name, { text: Array.from({ length: 12 }, () => "x".repeat(1_000_000)) }, 0);
    for (const payload of frames.slice(0, 9)) partial.note(payload);
    expect(partial.continuing(REQUESTS[name]) === undefined).toBe(true);
  });

  test("a second answer's pieces may be cut anywhere", () => {
    fc.assert(
      fc.property(pieces, fc.array(fc.nat(20)), fc.array(fc.nat(20)), (whole, some, others) => {
        const first = framesOf(name, { text: [...TEXT.text, " \n "] }, 0).slice(0, 10);
        const fitted = [some, others].map((cuts) => {
          const partial = rescue.partial();
          for (const payload of first) partial.note(payload);
          const splice = partial.splice();
          return textOf(
            name,
            framesOf(name, { text: cutAt(whole.join(""), cuts) }, 1).flatMap((payload) => splice(payload)),
          );
        });
        expect(fitted[0]).toBe(fitted[1] ?? "");
      }),
      { numRuns: 100, ...SEED },
    );
  });
});
