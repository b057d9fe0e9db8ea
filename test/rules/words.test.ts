import { expect, test } from "bun:test";
import fc from "fast-check";
import { joinWords, splitWords } from "../../src/rules/words.ts";

test("words that were joined are split again as they were", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (words) => {
      expect(splitWords(joinWords(words))).toEqual(words);
    }),
  );
});

test("quotes may stand inside a word", () => {
  expect(splitWords(`r message="a b" path='/x y'`)).toEqual(["r", "message=a b", "path=/x y"]);
});
