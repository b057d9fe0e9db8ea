import { describe, expect, test } from "bun:test";
import type { DialectName } from "../../src/core/dialect.ts";
import { translationBetween } from "../../src/translate/index.ts";

const CONTEXT = { request: { model: "m", stream: true }, id: "x1", createdSeconds: 1_760_000_000 };
const PAIRS: readonly (readonly [client: DialectName, target: DialectName])[] = [
  ["chat", "responses"],
  ["chat", "messages"],
  ["responses", "chat"],
  ["messages", "chat"],
  ["messages", "responses"],
  ["responses", "messages"],
];

describe.each(PAIRS)("a client of %s, a target that speaks %s", (client, target) => {
  const stream = () => {
    const translation = translationBetween(client, target);
    if (translation === undefined) throw new Error("there is none");
    return translation.stream(CONTEXT);
  };

  test.each(['{"choices":[{"delta":{"con', ' {"type":"response.output_text.delta","delta":"a', "{"])(
    "%s: a part of the answer is lost, an error",
    (data) => {
      const running = stream();
      const payloads = running.onPayload({ event: undefined, data });
      expect(payloads.some((payload) => /"(?:error|response\.failed)"/.test(payload.data))).toBe(true);
      expect(payloads.at(-1)?.data).toContain("JSON is broken");
      expect(running.isOver()).toBe(true);
    },
  );

  test.each(["", "ping", "null", "5", "[]", "OPENROUTER PROCESSING"])("%s: nothing is lost", (data) => {
    const running = stream();
    expect(running.onPayload({ event: undefined, data })).toEqual([]);
    expect(running.isOver()).toBe(false);
  });
});
