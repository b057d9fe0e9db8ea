import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { DialectName, Payload } from "../../src/core/dialect.ts";
import type { Frame } from "../../src/core/frame.ts";
import { DIALECTS, dialectOfPath } from "../../src/dialects/index.ts";
import { ANSWERS, type AnswerName, ENVELOPE, errorFacts, TEXT } from "./serve.ts";

const ALL = Object.values(DIALECTS);
const PATHS: Readonly<Record<DialectName, string>> = {
  chat: "/v1/chat/completions",
  responses: "/v1/responses",
  messages: "/v1/messages",
  gemini: "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
};
const USAGE = { usageInStream: true };
const COUNTS = /"(?:(?:output|input|completion|prompt|total)_tokens|(?:candidates|prompt|total)TokenCount)"/;
const EACH = ALL.flatMap((dialect) => Object.keys(ANSWERS).map((name) => [dialect.name, name as AnswerName, dialect] as const));

function frameOf({ event, data }: Payload): Frame {
  return { bytes: new Uint8Array(), event, data };
}

test.each([
  ["/v1/chat/completions", "chat"],
  ["/serving-endpoints/m/invocations", "chat"],
  ["/v1/responses", "responses"],
  ["/openai/v1/responses", "responses"],
  ["/v1/responses/resp_1", undefined],
  ["/v1/responses/compact", undefined],
  ["/v1/responses/resp_1/cancel", undefined],
  ["/v1/messages", "messages"],
  ["/anthropic/v1/messages", "messages"],
  ["/serving-endpoints/anthropic/v1/messages", "messages"],
  ["/v1/messages/count_tokens", undefined],
  ["/v1/messages/batches", undefined],
  ["/v1/threads/thread_1/messages", undefined],
  ["/v1/chat/completions/chatcmpl-1/messages", undefined],
  ["/v1beta/models/gemini-2.5-flash:generateContent", "gemini"],
  ["/v1/models/gemini-2.5-flash:streamGenerateContent", "gemini"],
  ["/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent", "gemini"],
  ["/v1beta/models/gemini-2.5-flash:countTokens", undefined],
  ["/v1beta/models", undefined],
  ["/", undefined],
] as const)("%s speaks %p", (path, expected) => {
  expect(dialectOfPath(path)?.name).toBe(expected);
  expect(ALL.filter((dialect) => dialect.matches(path))).toHaveLength(expected === undefined ? 0 : 1);
});

describe.each([...EACH])("%s, answer %s", (_dialectName, answerName, dialect) => {
  const answer = ANSWERS[answerName];
  const payloads = dialect.frames(answer, ENVELOPE, USAGE);

  test("has its terminal frame last, and no other", () => {
    const terminal = payloads.map((payload) => dialect.isTerminal(frameOf(payload)));
    expect(terminal).toEqual(payloads.map((_, index) => index === payloads.length - 1));
  });

  test("has content frames only where there is output", () => {
    const content = payloads.filter((payload) => dialect.isContent(frameOf(payload)));
    if (answerName === "empty") expect(content).toHaveLength(0);
    else if (answer.text.length > 0) expect(content.length).toBeGreaterThanOrEqual(answer.text.length);
  });

  test("is the same each time", () => {
    expect(dialect.frames(answer, ENVELOPE, USAGE)).toEqual(payloads);
    expect(dialect.whole(answer, ENVELOPE)).toBe(dialect.whole(answer, ENVELOPE));
  });

  test("names each event as its payload does", () => {
    for (const { event, data } of payloads) if (event !== undefined) expect(JSON.parse(data).type).toBe(event);
  });

  test("has no usage after that rewriter, and is otherwise unchanged", () => {
    const rewrite = dialect.withoutUsage();
    const rest = payloads.flatMap(({ data }) => rewrite(data) ?? []);
    for (const data of rest) expect(data).not.toMatch(COUNTS);
    expect(dialect.withoutUsage()(dialect.whole(answer, ENVELOPE))).not.toMatch(COUNTS);
    const again = dialect.withoutUsage();
    expect(rest.map((data) => again(data))).toEqual(rest);
  });

  test.each([0, 1, 2, 1000])("ended by length after %p tokens has no more than these and ends", (tokens) => {
    const rewrite = dialect.endedByLength(tokens);
    const rest = payloads.flatMap(({ data }) => rewrite(data) ?? []);
    const content = rest.filter((data) => dialect.isContent(frameOf({ event: undefined, data })));
    const whole = payloads.filter((payload) => dialect.isContent(frameOf(payload)));
    // A Gemini stream of one chunk is cut inside it, like a whole answer.
    if (payloads.length > 1) expect(content).toHaveLength(Math.min(tokens, whole.length));
    expect(rest.filter((data) => dialect.isTerminal(frameOf({ event: undefined, data })))).toHaveLength(1);
    expect(rest.join("")).toMatch(/"length"|max_output_tokens|max_tokens|MAX_TOKENS/);
    expect(rest.join("")).not.toMatch(
      /"finish_reason":"(?!length)|"stop_reason":"(?!max_tokens)|response\.completed|"finishReason":"(?!MAX_TOKENS)/,
    );
  });

  test("a whole answer ended by length is shorter and says so", () => {
    const text = dialect.whole(answer, ENVELOPE);
    const cut = dialect.endedByLength(1)(text) ?? "";
    expect(cut).toMatch(/"length"|max_output_tokens|max_tokens|MAX_TOKENS/);
    JSON.parse(cut);
  });
});

describe.each(ALL.map((dialect) => [dialect.name, dialect] as const))("%s", (name, dialect) => {
  const path = PATHS[name];

  test("reads any body without an error", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        const facts = dialect.facts(path, "", json);
        expect(facts.inputTokens).toBeGreaterThanOrEqual(0);
      }),
    );
    const keys = [
      "model",
      "messages",
      "input",
      "contents",
      "tools",
      "metadata",
      "conversation",
      "generationConfig",
      "stream_options",
      "system",
    ];
    const odd = fc.dictionary(
      fc.constantFrom(...keys),
      fc.oneof(
        fc.jsonValue(),
        fc.array(fc.dictionary(fc.constantFrom("role", "content", "parts", "function", "type", "text"), fc.jsonValue())),
      ),
    );
    fc.assert(fc.property(odd, (json) => expect(typeof dialect.facts(path, "", json).prompt).toBe("string")));
    let deep: unknown = "x";
    for (let level = 0; level < 10_000; level++) deep = [deep];
    expect(
      dialect.facts(path, "", { messages: [{ role: "user", content: deep }], input: deep, contents: [{ parts: deep }] }).inputTokens,
    ).toBe(0);
    expect(dialect.facts(path, "", undefined)).toMatchObject({ prompt: "", tools: [], inputTokens: 0, afterToolResult: false });
  });

  test("takes any payload for neither content nor the end, without an error", () => {
    for (const data of [
      undefined,
      "",
      "[]",
      "null",
      "1",
      "{",
      "{}",
      '{"type":1}',
      '{"candidates":[null,{"content":1}]}',
      '{"choices":[null,1]}',
      '{"type":"content_block_delta"}',
      '{"response":{}}',
    ]) {
      const frame = { bytes: new Uint8Array(), event: undefined, data };
      expect(dialect.isContent(frame)).toBe(false);
      expect(dialect.isTerminal(frame)).toBe(false);
      if (data === undefined) continue;
      expect(dialect.withoutUsage()(data)).toBe(data);
      expect(dialect.endedByLength(5)(data)).toBe(data);
    }
  });

  test("errors in a stream have different names, a source, and take another text", () => {
    const names = dialect.streamErrors.map(({ variant }) => variant);
    expect(new Set(names).size).toBe(names.length);
    for (const entry of dialect.streamErrors) {
      expect(entry.source.length).toBeGreaterThan(5);
      expect(entry.text(errorFacts({ message: "what the test says" }))).toContain("what the test says");
      expect(entry.text(errorFacts())).toBe(entry.text(errorFacts()));
      expect(entry.text(errorFacts()).endsWith("\n")).toBe(true);
    }
  });

  test("a keepalive is neither content nor the end", () => {
    const { keepalive } = dialect;
    if (typeof keepalive === "string") expect(keepalive).toMatch(/^:.*\n\n$/);
    else if (keepalive !== undefined) {
      expect(dialect.isContent(frameOf(keepalive))).toBe(false);
      expect(dialect.isTerminal(frameOf(keepalive))).toBe(false);
      expect(dialect.endedByLength(0)(keepalive.data)).toBe(keepalive.data);
    }
  });

  test("ids carry the dialect's prefix once", () => {
    const calls = [{ ...ANSWERS.call.toolCalls[0], id: "call_x" }];
    expect(dialect.whole({ ...TEXT, toolCalls: calls }, ENVELOPE)).not.toContain("call_call_");
  });
});
