import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { JSON_ARRAY, jsonArraySplitter } from "../../src/stream/json-array.ts";
import { anyBytes, anyPlaces, bytesOf, expectExactFrames, PROPERTY_OPTIONS, split, textOfPieces } from "./properties.ts";

const PIECES = ["[", "]", "{", "}", ",", '"', "\\", '\\"', "\n,\r\n", '{"a":"]}"}', "1", "null", " ", "é", "😀"];
const decoder = new TextDecoder();

function framesOf(text: string) {
  return split(JSON_ARRAY.splitter(), [bytesOf(text)]).map((frame) => [decoder.decode(frame.bytes), frame.data]);
}

describe("JSON array frames", () => {
  test("do not depend on chunking and join to the input, whatever the bytes", () => {
    const array = fc.array(fc.json(), { maxLength: 6 }).map((elements) => bytesOf(`[${elements.join("\n,\r\n")}\n]\n`));
    fc.assert(
      fc.property(fc.oneof(array, textOfPieces(PIECES), anyBytes), anyPlaces, (bytes, places) =>
        expectExactFrames(JSON_ARRAY.splitter, bytes, places),
      ),
      PROPERTY_OPTIONS,
    );
  });

  test("above the limit come in pieces that do not depend on chunking either", () => {
    fc.assert(
      fc.property(textOfPieces(PIECES), anyPlaces, fc.integer({ min: 1, max: 20 }), (bytes, places, bytesMax) => {
        expectExactFrames(() => jsonArraySplitter(bytesMax), bytes, places);
        expect(split(jsonArraySplitter(bytesMax), [bytes]).every((frame) => frame.bytes.length <= bytesMax)).toBe(true);
      }),
      PROPERTY_OPTIONS,
    );
  });

  test("hold the elements of any array", () => {
    const element = fc.oneof(
      fc.json(),
      fc.json().map((text) => JSON.stringify(JSON.parse(text), null, 2)),
    );
    fc.assert(
      fc.property(fc.array(element, { maxLength: 8 }), fc.constantFrom(",", "\n,\n", " , ", ",\r\n"), (elements, separator) => {
        const frames = split(JSON_ARRAY.splitter(), [bytesOf(`[${elements.join(separator)}]`)]);
        expect(frames.flatMap((frame) => (frame.data === undefined ? [] : [JSON.parse(frame.data)]))).toEqual(
          elements.map((text) => JSON.parse(text)),
        );
        expect(decoder.decode(frames.at(-1)?.bytes).endsWith("]")).toBe(true);
        expect(frames.at(-1)?.data).toBeUndefined();
      }),
      PROPERTY_OPTIONS,
    );
  });

  const cases: readonly (readonly [string, string, readonly (readonly [string, string | undefined])[]])[] = [
    [
      "elements with what stands before them",
      '[{"a":1}\n,\r\n{"b":[2]}\n]\n',
      [
        ['[{"a":1}', '{"a":1}'],
        ['\n,\r\n{"b":[2]}', '{"b":[2]}'],
        ["\n]", undefined],
        ["\n", undefined],
      ],
    ],
    [
      "brackets and escapes in strings",
      '[{"a":"]}\\"{["},"x\\\\"]',
      [
        ['[{"a":"]}\\"{["}', '{"a":"]}\\"{["}'],
        [',"x\\\\"', '"x\\\\"'],
        ["]", undefined],
      ],
    ],
    [
      "words and numbers",
      "[1, true]",
      [
        ["[1", "1"],
        [", true", "true"],
        ["]", undefined],
      ],
    ],
    ["an empty array", "[]", [["[]", undefined]]],
    [
      "a bare error object",
      '{"error":{}}\n',
      [
        ['{"error":{}}', '{"error":{}}'],
        ["\n", undefined],
      ],
    ],
    [
      "an unfinished element",
      '[{"a":1},{"b"',
      [
        ['[{"a":1}', '{"a":1}'],
        [',{"b"', undefined],
      ],
    ],
  ];
  test.each([...cases])("%s", (_name, input, expected) => {
    expect(framesOf(input)).toEqual(expected.map((frame) => [...frame]));
  });

  test("what is rendered is one JSON text and is read back", () => {
    fc.assert(
      fc.property(fc.array(fc.json(), { minLength: 1, maxLength: 6 }), (elements) => {
        const text =
          elements.map((element, index) => decoder.decode(JSON_ARRAY.render(undefined, element, index))).join("") + JSON_ARRAY.trailer;
        expect(JSON.parse(text)).toEqual(elements.map((element) => JSON.parse(element)));
        const data = split(JSON_ARRAY.splitter(), [bytesOf(text)]).flatMap((frame) => (frame.data === undefined ? [] : [frame.data]));
        expect(data).toEqual(elements.map((element) => element.trim()));
      }),
      PROPERTY_OPTIONS,
    );
  });
});
