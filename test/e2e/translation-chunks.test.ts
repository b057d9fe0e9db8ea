import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { DialectName, Payload } from "../../src/core/dialect.ts";
import { BodyCut, type Chunks } from "../../src/core/exchange.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import { translatedStream } from "../../src/pipeline/helpers/translated-stream.ts";
import { translationBetween } from "../../src/translate/index.ts";
import { anyPlaces, cutAt, PROPERTY_OPTIONS } from "../stream/properties.ts";
import { fakeClock } from "../support.ts";
import { recorded } from "./support/recorded-backend.ts";

type Case = readonly [client: DialectName, target: DialectName, name: string];
const of = (client: DialectName, target: DialectName, names: readonly string[]): readonly Case[] =>
  names.map((name) => [client, target, `${target}/${name}.sse`] as const);

const RESPONSES = [
  "text",
  "parallel-calls",
  "done-only",
  "failed",
  "failed-alone",
  "error-flat",
  "incomplete-max-output-tokens",
  "incomplete-content-filter",
  "structured",
  "refusal",
  "lightspeed",
];
const CHAT = ["text", "reasoning", "calls", "length", "error"];
const CASES: readonly Case[] = [
  ...of("chat", "responses", RESPONSES),
  ...of("messages", "responses", RESPONSES),
  ...of("responses", "chat", CHAT),
  ...of("messages", "chat", CHAT),
];

/** Each run works through a whole stream. */
const OPTIONS = { ...PROPERTY_OPTIONS, numRuns: 25 };

/** The whole body that comes of these chunks, and whether it was cut. */
async function through([client, target]: Case, chunks: readonly Uint8Array[], end: "proper" | "cut") {
  const translation = translationBetween(client, target);
  if (translation === undefined) throw new Error(`nothing between ${client} and ${target}`);
  const context = {
    request: { model: "m", stream: true, stream_options: { include_usage: true } },
    id: "x1",
    createdSeconds: 1_763_388_000,
  };
  const rest = [...chunks];
  const source: Chunks = {
    async read() {
      const chunk = rest.shift();
      if (chunk === undefined && end === "cut") throw new BodyCut("reset");
      return chunk;
    },
    cancel() {},
  };
  const from = DIALECTS[target].framing("/", "");
  const to = DIALECTS[client].framing("/", "");
  const body = translatedStream(source, translation.stream(context), from, to, fakeClock());
  const pieces: Uint8Array[] = [];
  let isCut = false;
  try {
    for (let piece = await body.read(); piece !== undefined; piece = await body.read()) {
      expect(piece.length).toBeGreaterThan(0);
      pieces.push(piece.slice());
    }
  } catch (error) {
    if (!(error instanceof BodyCut)) throw error;
    isCut = true;
  }
  return { text: Buffer.concat(pieces).toString(), isCut };
}

function payloadsOf(dialect: DialectName, text: string): readonly Payload[] {
  const splitter = DIALECTS[dialect].framing("/", "").splitter();
  const frames = [...splitter.push(Buffer.from(text)), ...splitter.end()];
  return frames.flatMap(({ event, data }) => (data === undefined ? [] : [{ event, data }]));
}

function withoutUsage(payloads: readonly Payload[]): readonly unknown[] {
  return payloads.map(({ data }) => (data === "[DONE]" ? data : JSON.parse(data, (key, value) => (key === "usage" ? undefined : value))));
}

/** Does the body say that the answer is whole? */
const LOOKS_WHOLE: Readonly<Record<Exclude<DialectName, "gemini">, RegExp>> = {
  chat: /"finish_reason":"|\[DONE\]/,
  responses: /"type":"response\.(?:completed|incomplete)"/,
  messages: /"type":"message_(?:delta|stop)"/,
};
/** The frame behind which a target's answer is whole. */
const ENDS: Readonly<Record<string, RegExp>> = {
  chat: /"finish_reason":"[^\n]*\n\n/,
  responses: /"type":"response\.(?:completed|incomplete)"[^\n]*\n\n/,
};
const IS_ERROR: Readonly<Record<Exclude<DialectName, "gemini">, RegExp>> = {
  chat: /^\{"error":\{/,
  responses: /^\{"type":"response\.failed"/,
  messages: /^\{"type":"error"/,
};

describe.each(CASES)("for a client of %s, a target that speaks %s: %s", (...of) => {
  const [client, target, name] = of;
  if (client === "gemini") throw new Error("nothing is translated for it");
  const bytes = recorded(name);

  test("any split of the bytes gives the same bytes", async () => {
    const { text } = await through(of, [bytes], "proper");
    expect(payloadsOf(client, text).length).toBeGreaterThan(0);
    const bytewise = await through(
      of,
      Array.from(bytes, (byte) => Uint8Array.of(byte)),
      "proper",
    );
    expect(bytewise.text).toBe(text);
    await fc.assert(
      fc.asyncProperty(anyPlaces, async (places) => expect((await through(of, cutAt(bytes, places), "proper")).text).toBe(text)),
      OPTIONS,
    );
  });

  test("cut anywhere, it never looks whole: what came before, then an error, then the cut", async () => {
    const { text } = await through(of, [bytes], "proper");
    const whole = payloadsOf(client, text);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: bytes.length - 1 }), anyPlaces, fc.constantFrom("proper", "cut"), async (length, places, end) => {
        const part = await through(of, cutAt(bytes.subarray(0, length), places), end);
        const payloads = payloadsOf(client, part.text);
        if (LOOKS_WHOLE[client].test(part.text)) {
          // The answer had come as far as its end; only the usage may follow that.
          expect(ENDS[target]?.test(bytes.subarray(0, length).toString())).toBe(true);
          return expect(withoutUsage(payloads)).toEqual(withoutUsage(whole).slice(0, payloads.length));
        }
        expect(payloads.at(-1)?.data).toMatch(IS_ERROR[client]);
        // Where the target told of an error of its own, that is the end.
        expect(part.isCut).toBe(end === "cut" && part.text !== text);
        const before = payloads.filter(({ data }) => !IS_ERROR[client].test(data) && !data.startsWith('{"type":"error"'));
        // A target that never began gives the beginning of a failed response to its client.
        return expect(whole.slice(0, before.length)).toEqual([...before]);
      }),
      OPTIONS,
    );
  });

  test(`${target} that fails in the middle of its bytes is one stream of ${client}`, async () => {
    const { text, isCut } = await through(of, [bytes], "proper");
    expect(isCut).toBe(false);
    const isFailed = payloadsOf(client, text).some(({ data }) => IS_ERROR[client].test(data));
    expect(isFailed).toBe(/failed|error/.test(name));
    expect(LOOKS_WHOLE[client].test(text)).toBe(!isFailed);
  });
});
