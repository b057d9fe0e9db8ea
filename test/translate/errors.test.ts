import { describe, expect, test } from "bun:test";
import { errorIn, readError, statusOfError } from "../../src/translate/errors.ts";

describe("an error body of any shape is read", () => {
  test.each<[string, string, object]>([
    ["OpenAI's", '{"error":{"message":"m","type":"t","code":"c","param":"p"}}', { message: "m", type: "t", code: "c", param: "p" }],
    ["a text under error", '{"error":"m","code":7}', { message: "m", code: 7 }],
    ["Anthropic's", '{"type":"error","error":{"type":"overloaded_error","message":"m"}}', { message: "m", type: "overloaded_error" }],
    ["flat", '{"message":"m","code":"c"}', { message: "m", code: "c" }],
    ["FastAPI's text", '{"detail":"m"}', { message: "m" }],
    ["FastAPI's cause", '{"detail":{"response":"r","cause":"c"}}', { message: "r: c" }],
    ["FastAPI's validation", '{"detail":[{"loc":["body","input",0],"msg":"bad"}]}', { message: "input.0: bad", param: "input.0" }],
    ["a list of errors", '[{"error":{"message":"m","code":429}}]', { message: "m", code: 429 }],
    ["errors", '{"errors":[{"message":"m"}]}', { message: "m" }],
    ["a page", "<html><title>t</title><style>s</style><body><h1>502</h1> Bad\n gateway</body></html>", { message: "502 Bad gateway" }],
    ["a text", " upstream died \n", { message: "upstream died" }],
    ["an empty object", "{}", { message: "the backend answered 500 and said nothing" }],
    ["null", "null", { message: "the backend answered 500 and said nothing" }],
    ["nothing", "", { message: "the backend answered 500 and said nothing" }],
    ["an object without a text", '{"error":{}}', { message: '{"error":{}}' }],
  ])("%s", (_, text, expected) => {
    expect(readError(500, text)).toMatchObject(expected);
  });

  test("a long one is cut", () => {
    expect(readError(500, "x".repeat(10_000)).message).toHaveLength(2_001);
  });

  // What took seconds when a pattern looked to the end of the text from each of its signs.
  test.each([
    ["signs that open a tag", "<"],
    ["tags that do not close", "<script>"],
    ["spaces", " "],
    ["open lists", "["],
  ])("%s by the hundred thousand take no longer than their length", (_, piece) => {
    const time = (count: number) => {
      const text = piece.repeat(count);
      const from = performance.now();
      for (let turn = 0; turn < 5; turn++) readError(500, text);
      return performance.now() - from;
    };
    time(10_000);
    // Ten times the text: a hundred times as long where it is quadratic.
    expect(time(200_000)).toBeLessThan(40 * Math.max(1, time(20_000)));
  });
});

test.each<[string, Parameters<typeof statusOfError>[0] | undefined, number]>([
  ["a word", { message: "m", type: undefined, code: "rate_limit_exceeded", param: null }, 429],
  ["a type", { message: "m", type: "overloaded_error", code: null, param: null }, 503],
  ["a number that is a status", { message: "m", type: undefined, code: 418, param: null }, 418],
  ["a number that is none", { message: "m", type: undefined, code: 429.5, param: null }, 500],
  ["a name of every object", { message: "m", type: "constructor", code: "toString", param: null }, 500],
  ["nothing", errorIn({ error: "m" }), 500],
])("the status of an error inside a 200, by %s", (_, facts, status) => {
  expect(facts === undefined ? undefined : statusOfError(facts)).toBe(status);
});
