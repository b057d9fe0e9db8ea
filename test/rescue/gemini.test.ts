import { describe, expect, test } from "bun:test";
import type { Payload } from "../../src/core/dialect.ts";
import type { JsonObject } from "../../src/dialects/shared.ts";
import { gemini } from "../../src/rescue/gemini.ts";
import { REQUESTS } from "./story.ts";

function chunk(parts: readonly JsonObject[], rest: JsonObject = {}, responseId = "first"): Payload {
  return payload({
    candidates: [{ content: { parts, role: "model" }, index: 0, ...rest }],
    usageMetadata: { promptTokenCount: 1 },
    responseId,
  });
}

function payload(json: JsonObject): Payload {
  return { event: undefined, data: JSON.stringify(json) };
}

function noted(...payloads: readonly Payload[]) {
  const partial = gemini.partial();
  for (const one of payloads) partial.note(one);
  return partial;
}

const TEXT = chunk([{ text: "you \n" }]);
const THOUGHT = { text: "Hm", thought: true };
const CALL = { functionCall: { name: "f", args: {} } };

describe("what goes on behind a Gemini answer", () => {
  const second = (parts: readonly JsonObject[], rest: JsonObject = {}) => chunk(parts, rest, "second");

  test.each<[string, readonly Payload[], readonly Payload[], readonly Payload[]]>([
    [
      "has the first answer's id, and the white space once",
      [TEXT],
      [second([{ text: " " }]), second([{ text: "\nare" }])],
      [chunk([{ text: "are" }])],
    ],
    ["has no thoughts", [TEXT], [second([THOUGHT]), second([THOUGHT, { text: "are" }])], [chunk([{ text: "are" }])]],
    ["keeps thoughts where there is no text yet", [chunk([{ text: "" }])], [second([THOUGHT])], [chunk([THOUGHT])]],
    ["may be a call", [TEXT], [second([CALL])], [chunk([CALL])]],
    [
      "keeps the end where its text is there already",
      [TEXT],
      [second([THOUGHT, { text: " " }], { finishReason: "STOP" })],
      [chunk([{ text: "" }], { finishReason: "STOP" })],
    ],
    ["keeps a signature", [TEXT], [second([{ text: " ", thoughtSignature: "s" }])], [chunk([{ text: "", thoughtSignature: "s" }])]],
    ["passes what has no candidates", [TEXT], [payload({ usageMetadata: {} })], [payload({ usageMetadata: {} })]],
    ["passes errors", [TEXT], [payload({ error: { code: 503 } })], [payload({ error: { code: 503 } })]],
  ])("%s", (_name, first, continuation, expected) => {
    const splice = noted(...first).splice();
    expect(continuation.flatMap((one) => splice(one))).toEqual([...expected]);
  });
});

describe("a Gemini request that goes on", () => {
  const user = { role: "user", parts: [{ text: "Hi" }] };
  const told = { role: "model", parts: [{ text: "you" }] };

  test.each<[string, unknown, readonly JsonObject[]]>([
    ["behind a user's turn", [user], [user, told]],
    ["behind a turn that is no list", user, [user, told]],
    [
      "in the client's own beginning",
      [user, { role: "model", parts: [{ text: "How are " }] }],
      [user, { role: "model", parts: [{ text: "How are " }, { text: "you" }] }],
    ],
  ])("%s", (_name, contents, expected) => {
    const request = { contents, tools: [] };
    expect(noted(TEXT).continuing(request)).toEqual({ ...request, contents: expected });
  });

  test.each<[string, readonly Payload[], boolean]>([
    ["a text", [TEXT], true],
    ["nothing", [], true],
    ["thoughts that are over", [chunk([THOUGHT]), TEXT], true],
    ["thoughts alone", [chunk([THOUGHT])], false],
    ["a signature", [TEXT, chunk([{ text: "", thoughtSignature: "s" }])], false],
    ["a call", [TEXT, chunk([CALL])], false],
    ["an image", [TEXT, chunk([{ inlineData: {} }])], false],
    ["a second candidate", [TEXT, chunk([{ text: "x" }], { index: 1 })], false],
    ["an end", [TEXT, chunk([{ text: "" }], { finishReason: "STOP" })], false],
    ["a refused question", [payload({ promptFeedback: { blockReason: "SAFETY" } })], false],
  ])("is there or not behind %s", (name, payloads, expected) => {
    expect(noted(...payloads).isEmpty()).toBe(name === "nothing");
    expect(noted(...payloads).continuing(REQUESTS.gemini) !== undefined).toBe(expected);
  });

  test.each([
    [{ generationConfig: { candidateCount: 1 } }, true],
    [{ generationConfig: { candidateCount: 2 } }, false],
    [{ generation_config: { candidate_count: 2 } }, false],
  ])("with %j is there: %p", (config, expected) => {
    expect(noted(TEXT).continuing({ ...REQUESTS.gemini, ...config }) !== undefined).toBe(expected);
  });
});

test.each([
  [429, 429, "RESOURCE_EXHAUSTED"],
  [500, 500, "INTERNAL"],
  [502, 502, "UNAVAILABLE"],
  [503, 503, "UNAVAILABLE"],
  [504, 504, "DEADLINE_EXCEEDED"],
  [0, 500, "INTERNAL"],
])("status %p is told with code %p as %s", (status, code, word) => {
  expect(gemini.error({ message: "M", status }, { frames: 3 })).toEqual([payload({ error: { code, message: "M", status: word } })]);
});
