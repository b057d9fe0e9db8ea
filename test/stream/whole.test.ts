import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { WHOLE, wholeSplitter } from "../../src/stream/whole.ts";
import { anyBytes, anyPlaces, bytesOf, expectExactFrames, PROPERTY_OPTIONS, split } from "./properties.ts";

describe("a whole body", () => {
  test("is one frame, known at its end, however it was chunked", () => {
    fc.assert(
      fc.property(anyBytes, anyPlaces, (bytes, places) => expectExactFrames(WHOLE.splitter, bytes, places)),
      PROPERTY_OPTIONS,
    );
    const splitter = WHOLE.splitter();
    expect(splitter.push(bytesOf('{"a":'))).toHaveLength(0);
    expect(splitter.push(bytesOf('"é"}'))).toHaveLength(0);
    expect(splitter.end().map((frame) => frame.data)).toEqual(['{"a":"é"}']);
  });

  test("above the limit comes in pieces without data", () => {
    const frames = split(wholeSplitter(4), [bytesOf("abcdef"), bytesOf("ghij")]);
    expect(frames.map((frame) => [frame.bytes.length, frame.data])).toEqual([
      [4, undefined],
      [4, undefined],
      [2, undefined],
    ]);
  });

  test("that is empty has no frame", () => {
    expect(split(WHOLE.splitter(), [])).toHaveLength(0);
  });
});
