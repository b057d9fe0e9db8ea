import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Body, BodyCut, type Chunks, type RequestBody } from "../../src/core/exchange.ts";
import { wholeOf } from "../../src/pipeline/helpers/bodies.ts";
import { peeked } from "../../src/pipeline/helpers/peeked.ts";
import { repeatableBody } from "../../src/pipeline/helpers/repeatable-body.ts";

const HERE = new AbortController().signal;
const anyPieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });

/** Chunks whose bytes are used again for the next one. */
function chunks(pieces: readonly Uint8Array[]): Chunks & { readonly isCancelled: () => boolean } {
  const rest = pieces.map((piece) => piece.slice());
  const buffer = new Uint8Array(64);
  let isCancelled = false;
  return {
    async read() {
      const piece = rest.shift();
      if (piece === undefined) return undefined;
      buffer.set(piece);
      return buffer.subarray(0, piece.length);
    },
    cancel() {
      isCancelled = true;
    },
    isCancelled: () => isCancelled,
  };
}

/** Says nothing, and nobody tells its reader when it is closed. */
const STALLED: Chunks = { read: () => new Promise<undefined>(() => {}), cancel() {} };

async function allOf(body: Body | Promise<Body>): Promise<Buffer> {
  const given = await body;
  if (given === null || given instanceof Uint8Array) return Buffer.from(given ?? []);
  const pieces: Buffer[] = [];
  for (let piece = await given.read(); piece !== undefined; piece = await given.read()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

describe("a body that is looked at", () => {
  test("loses no byte, however it comes and wherever the limit is", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces, fc.nat(120), async (pieces, bytesMax) => {
        const whole = Buffer.concat(pieces);
        const found = await peeked(chunks(pieces), bytesMax, HERE);
        expect(found.kind).toBe(whole.length > bytesMax ? "larger" : "whole");
        expect(await allOf(found.kind === "whole" ? found.bytes : found.body)).toEqual(whole);
        const source = chunks(pieces);
        const taken = await wholeOf(source, bytesMax, HERE);
        expect(taken === undefined ? undefined : Buffer.from(taken)).toEqual(whole.length > bytesMax ? undefined : whole);
        expect(source.isCancelled()).toBe(whole.length > bytesMax);
      }),
    );
  });

  test("that is at hand, or none, is what it is", async () => {
    const bytes = new Uint8Array([1, 2, 3]);
    expect(await peeked(bytes, 3, HERE)).toEqual({ kind: "whole", bytes });
    expect(await peeked(bytes, 2, HERE)).toEqual({ kind: "larger", body: bytes });
    expect(await peeked(null, 0, HERE)).toEqual({ kind: "whole", bytes: new Uint8Array() });
  });

  test.each([
    ["peeked", (body: Chunks, gone: AbortSignal) => peeked(body, 100, gone)],
    ["wholeOf", (body: Chunks, gone: AbortSignal) => wholeOf(body, 100, gone)],
  ] as const)("%s ends with its client, also where nothing comes any more", async (_name, read) => {
    const leaving = new AbortController();
    const reading = read(STALLED, leaving.signal);
    leaving.abort();
    expect(await reading.catch((error: unknown) => error)).toBeInstanceOf(BodyCut);
    expect(await read(STALLED, leaving.signal).catch((error: unknown) => error)).toBeInstanceOf(BodyCut);
    const cut: Chunks = { read: () => Promise.reject(new BodyCut("close")), cancel() {} };
    expect(await read(cut, HERE).catch((error: unknown) => error)).toBeInstanceOf(BodyCut);
  });
});

describe("a body that can be sent again", () => {
  const of = (bytes: Uint8Array, lengthBytes: number | undefined, first: Body): RequestBody =>
    repeatableBody({ lengthBytes, whole: async () => bytes, forward: () => first }, bytes);

  test("is the same each time, and framed the same", async () => {
    await fc.assert(
      fc.asyncProperty(anyPieces, fc.boolean(), async (pieces, hasLength) => {
        const whole = Buffer.concat(pieces);
        const body = of(whole, hasLength ? whole.length : undefined, hasLength ? whole : chunks(pieces));
        for (let attempt = 1; attempt <= 3; attempt++) {
          const given = await body.forward();
          // Without a length only chunks tell where it ends.
          expect(given instanceof Uint8Array).toBe(hasLength);
          expect(await allOf(given)).toEqual(whole);
        }
      }),
    );
  });

  test("of none there is none the second time either", async () => {
    const body = of(new Uint8Array(), 0, null);
    expect([await body.forward(), await body.forward()]).toEqual([null, null]);
  });
});
