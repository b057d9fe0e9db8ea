import { expect } from "bun:test";
import fc from "fast-check";
import type { Frame, FrameSplitter } from "../../src/core/frame.ts";

/** Set to replay a failure: `FAULTPROXY_TEST_SEED=123 bun test`. fast-check prints the seed of a failed run. */
const seedText = process.env.FAULTPROXY_TEST_SEED;
export const PROPERTY_OPTIONS: fc.Parameters<unknown> = {
  numRuns: 500,
  ...(seedText === undefined ? {} : { seed: Number(seedText) }),
};

const encoder = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function joined(frames: readonly Frame[]): Uint8Array {
  return Buffer.concat(frames.map((frame) => frame.bytes));
}

/** All frames of an input that comes in these chunks. */
export function split(splitter: FrameSplitter, chunks: readonly Uint8Array[]): readonly Frame[] {
  return [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()];
}

/** The same input cut at these places; every chunk has memory of its own, as chunks from a socket have. */
export function cutAt(input: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const borders = [...new Set([0, ...places.map((place) => place % (input.length + 1)), input.length])].sort((a, b) => a - b);
  return borders.slice(1).map((border, index) => input.slice(borders[index], border));
}

export function plain(frames: readonly Frame[]): readonly { bytes: string; event: string | undefined; data: string | undefined }[] {
  return frames.map(({ bytes, event, data }) => ({ bytes: Buffer.from(bytes).toString("latin1"), event, data }));
}

/** Frames join to the input and do not depend on how it was chunked. */
export function expectExactFrames(splitterOf: () => FrameSplitter, input: Uint8Array, places: readonly number[]): void {
  const atOnce = split(splitterOf(), [input.slice()]);
  expect(Buffer.from(joined(atOnce)).equals(Buffer.from(input))).toBe(true);
  expect(atOnce.every((frame) => frame.bytes.length > 0)).toBe(true);
  expect(plain(split(splitterOf(), cutAt(input, places)))).toEqual(plain(atOnce));
  expect(
    plain(
      split(
        splitterOf(),
        Array.from(input, (byte) => Uint8Array.of(byte)),
      ),
    ),
  ).toEqual(plain(atOnce));
}

export const anyPlaces = fc.array(fc.nat({ max: 5_000 }), { maxLength: 30 });
export const anyBytes = fc.uint8Array({ maxLength: 400 });

/** Text built from pieces that a format gives a meaning to, with other text between. */
export function textOfPieces(pieces: readonly string[]): fc.Arbitrary<Uint8Array> {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...pieces) },
    { weight: 1, arbitrary: fc.string({ maxLength: 8, unit: "grapheme" }) },
  );
  return fc.array(piece, { maxLength: 60 }).map((parts) => bytesOf(parts.join("")));
}
