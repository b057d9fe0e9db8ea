import { expect, test } from "bun:test";
import fc from "fast-check";
import { createSeam, toldOf } from "../../src/rescue/seam.ts";
import { cutAt, joined, SEED } from "./story.ts";

const space = fc.stringMatching(/^[ \n\t\u00a0]{0,5}$/);
const OPTIONS = { numRuns: 1_000, ...SEED };

test.each([
  ["Hello \n", "Hello"],
  ["Hello", "Hello"],
  [" \n ", ""],
  ["", ""],
  ["Hi 😀", "Hi 😀"],
  ["Hi \ud83d", "Hi"],
  ["\ud83d", ""],
  // What was half before stays as long as it was.
  ["a\ud83d b ", "a\ufffd b"],
])("of %j a model is told %j", (text, told) => {
  expect(toldOf(text)).toBe(told);
});

test.each([
  ["Hello \n", " \nworld", "world"],
  ["Hello \n", " world", "world"],
  ["Hello \n", "world", "world"],
  ["Hello \n", "\nworld", "\nworld"],
  ["Hello \n", " \n\nworld", "\nworld"],
  ["Hello", " world", " world"],
  ["Hello", "Hello", "Hello"],
  ["Hi \ud83d", " 😀!", "\ude00!"],
  ["Hi \ud83d", " 😁!", "\ude01!"],
])("behind %j, %j goes on with %j", (text, continuation, expected) => {
  expect(createSeam(text)(continuation)).toBe(expected);
});

test("a continuation that repeats what was left out makes the text that it would have been", () => {
  fc.assert(
    fc.property(fc.string(), space, fc.string(), (start, held, rest) => {
      const whole = start + held + rest;
      const there = start + held;
      expect(there + createSeam(there)(whole.slice(toldOf(there).length))).toBe(whole);
    }),
    OPTIONS,
  );
});

test("what a continuation repeats of the white space, all, some or none, is there once, and nothing else gets lost", () => {
  fc.assert(
    fc.property(fc.string(), space, space, fc.string(), (start, held, again, rest) => {
      const there = start + held;
      expect(there + createSeam(there)(again + rest)).toBe(joined(there, toldOf(there), again + rest));
    }),
    OPTIONS,
  );
});

test("it does not matter how the continuation is cut", () => {
  fc.assert(
    fc.property(space, space, fc.string(), fc.array(fc.nat(8)), (held, again, rest, cuts) => {
      const seam = createSeam(`x${held}`);
      const inPieces = cutAt(again + rest, cuts).map((piece) => seam(piece));
      expect(inPieces.join("")).toBe(createSeam(`x${held}`)(again + rest));
    }),
    OPTIONS,
  );
});
