import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { DialectName, Payload } from "../../src/core/dialect.ts";
import { BodyCut, type Chunks } from "../../src/core/exchange.ts";
import { DIALECTS } from "../../src/dialects/index.ts";
import { StreamFailed, type StreamFailure } from "../../src/pipeline/helpers/guarded-stream.ts";
import { RescuedStream } from "../../src/pipeline/helpers/rescued-stream.ts";
import { fakeClock } from "../support.ts";

const FAILED: StreamFailure = {
  failure: { class: "degraded", isSilent: false, retryAfterMs: undefined },
  reason: "upstream_closed_early",
  message: "cut",
  payload: undefined,
};

/** These pieces, and then the proper end or a failure. */
function chunks(pieces: readonly Uint8Array[], how: StreamFailure | undefined): Chunks & { readonly isCancelled: () => boolean } {
  const rest = [...pieces];
  let isCancelled = false;
  return {
    async read() {
      const piece = rest.shift();
      if (piece === undefined && how !== undefined) throw new StreamFailed(how);
      return piece;
    },
    cancel: () => {
      isCancelled = true;
    },
    isCancelled: () => isCancelled,
  };
}

type Way = { readonly dialect: DialectName; readonly path: string; readonly query: string };

const WAYS: readonly Way[] = [
  { dialect: "chat", path: "/v1/chat/completions", query: "" },
  { dialect: "messages", path: "/v1/messages", query: "" },
  { dialect: "responses", path: "/v1/responses", query: "" },
  { dialect: "gemini", path: "/v1beta/models/m:streamGenerateContent", query: "alt=sse" },
  { dialect: "gemini", path: "/v1beta/models/m:streamGenerateContent", query: "" },
];

function answerOf({ dialect, path, query }: Way, text: readonly string[], id: string): readonly Uint8Array[] {
  const framing = DIALECTS[dialect].framing(path, query);
  const answer = { text, refusal: undefined, toolCalls: [], finish: "stop", inputTokens: 3, outputTokens: 3 } as const;
  const frames = DIALECTS[dialect]
    .frames(answer, { id, model: "m", createdSeconds: 1 }, { usageInStream: false })
    .map(({ event, data }, index) => framing.render(event, data, index));
  return framing.trailer === "" ? frames : [...frames, new TextEncoder().encode(framing.trailer)];
}

async function read(stream: Chunks): Promise<{ readonly text: string; readonly isCut: boolean }> {
  const pieces: Uint8Array[] = [];
  try {
    for (let chunk = await stream.read(); chunk !== undefined; chunk = await stream.read()) pieces.push(chunk);
    return { text: Buffer.concat(pieces).toString(), isCut: false };
  } catch (error) {
    if (!(error instanceof BodyCut)) throw error;
    return { text: Buffer.concat(pieces).toString(), isCut: true };
  }
}

/** The text that a reader of frames puts together. */
function textOf({ dialect, path, query }: Way, bytes: string): string {
  const splitter = DIALECTS[dialect].framing(path, query).splitter();
  const frames = [...splitter.push(new TextEncoder().encode(bytes)), ...splitter.end()];
  const pieces = frames.flatMap(({ data }) => {
    if (data === undefined || data === "[DONE]") return [];
    const json = JSON.parse(data);
    if (dialect === "chat") return json.choices?.[0]?.delta?.content ?? [];
    if (dialect === "messages") return json.delta?.text ?? [];
    if (dialect === "responses") return json.type === "response.output_text.delta" ? json.delta : [];
    return json.candidates?.[0]?.content?.parts?.map(({ text }: { text?: string }) => text ?? "") ?? [];
  });
  return pieces.flat().join("");
}

function rescued(way: Way, first: Chunks, next: (continued: object | undefined) => Chunks | undefined, isRescuable = true): RescuedStream {
  return new RescuedStream(first, {
    dialect: way.dialect,
    framing: DIALECTS[way.dialect].framing(way.path, way.query),
    clock: fakeClock(),
    isRescuable,
    isPassedOn: () => true,
    brokeOff() {},
    async next(partial) {
      const request = {
        model: "m",
        messages: [{ role: "user", content: "Hi" }],
        input: "Hi",
        contents: [{ role: "user", parts: [{ text: "Hi" }] }],
      };
      const body = isRescuable ? next(partial.continuing(request)) : undefined;
      return body === undefined ? undefined : { body };
    },
  });
}

describe.each(WAYS.map((way) => [`${way.dialect}${way.query === "" && way.dialect === "gemini" ? " as a list" : ""}`, way] as const))(
  "%s",
  (_name, way) => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,6} ?$/), { minLength: 1, maxLength: 6 });

    test("an answer that nothing happens to goes on byte for byte", async () => {
      await fc.assert(
        fc.asyncProperty(words, fc.boolean(), async (text, isRescuable) => {
          const frames = answerOf(way, text, "one");
          const got = await read(rescued(way, chunks(frames, undefined), () => undefined, isRescuable));
          expect(got).toEqual({ text: Buffer.concat(frames).toString(), isCut: false });
        }),
      );
    });

    test("one that is gone on with by another target is one whole answer", async () => {
      await fc.assert(
        fc.asyncProperty(words, words, fc.nat(12), async (first, second, at) => {
          const frames = answerOf(way, first, "one");
          // Before its finish: behind it nothing can break off.
          const contentAt = frames.flatMap((frame, index) =>
            textOf(way, frame.toString().length === 0 ? "" : Buffer.from(frame).toString()) === "" ? [] : index,
          );
          const cutAt = contentAt[at % contentAt.length] ?? 0;
          const sent = frames.slice(0, cutAt + 1);
          const had = textOf(way, Buffer.concat(sent).toString());
          let asked: object | undefined;
          const stream = rescued(way, chunks(sent, FAILED), (request) => {
            asked = request;
            return chunks(answerOf(way, second, "ID2"), undefined);
          });
          const got = await read(stream);
          expect(got.isCut).toBe(false);
          expect(JSON.stringify(asked)).toContain(JSON.stringify(had.trimEnd()).slice(1, -1));
          expect(textOf(way, got.text).replace(/\s+/g, " ")).toBe((had + second.join("")).replace(/\s+/g, " "));
          expect(got.text).not.toContain("ID2");
          if (way.dialect === "gemini" && way.query === "") expect(Array.isArray(JSON.parse(got.text))).toBe(true);
        }),
      );
    });

    test.each([true, false])("one that nobody goes on with ends with an error and without its end (rescue: %p)", async (isRescuable) => {
      const frames = answerOf(way, ["Hel", "lo"], "one");
      const sent = frames.slice(0, 3);
      const got = await read(rescued(way, chunks(sent, FAILED), () => undefined, isRescuable));
      expect(got.isCut).toBe(true);
      const rest = got.text.slice(Buffer.concat(sent).toString().length);
      expect(rest).toContain("faultproxy: cut");
      expect(rest).toMatch(/error/);
    });

    test("the target's own error goes on as it came", async () => {
      const payload: Payload = {
        event: way.dialect === "messages" ? "error" : undefined,
        data: '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
      };
      const sent = answerOf(way, ["Hel", "lo"], "one").slice(0, 3);
      const got = await read(rescued(way, chunks(sent, { ...FAILED, payload }), () => undefined));
      expect(got.isCut).toBe(true);
      expect(got.text).toContain(payload.data);
    });
  },
);

test("who has left gets nothing more, and no further target is read", async () => {
  const way = WAYS[0];
  if (way === undefined) throw new Error("no way");
  const frames = answerOf(way, ["Hel", "lo"], "one");
  const second = chunks(answerOf(way, ["x"], "two"), undefined);
  const stream = new RescuedStream(chunks(frames.slice(0, 2), FAILED), {
    dialect: "chat",
    framing: DIALECTS.chat.framing(way.path, ""),
    clock: fakeClock(),
    isRescuable: true,
    isPassedOn: () => true,
    brokeOff() {},
    async next() {
      stream.cancel();
      return { body: second };
    },
  });
  expect((await read(stream)).isCut).toBe(true);
  expect(second.isCancelled()).toBe(true);
});
