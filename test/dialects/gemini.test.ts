import { describe, expect, test } from "bun:test";
import type { GenerateContentResponse } from "@google/genai";
import type { Answer } from "../../src/core/dialect.ts";
import { gemini } from "../../src/dialects/gemini.ts";
import { JSON_ARRAY } from "../../src/stream/json-array.ts";
import {
  ANSWERS,
  type AnswerName,
  collected,
  ENVELOPE,
  errorFacts,
  rendered,
  rewrittenPayloads,
  streamOf,
  TEXT,
  withClients,
} from "./serve.ts";

const REQUEST = { model: "gemini-2.5-flash", contents: "Hi" };
const STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent";

function whole(body: string): Promise<GenerateContentResponse> {
  return withClients(body, ({ google }) => google.models.generateContent(REQUEST));
}

function streamed(body: string): Promise<readonly GenerateContentResponse[]> {
  return withClients(body, async ({ google }) => collected(await google.models.generateContentStream(REQUEST)), "text/event-stream");
}

function summary(chunks: readonly GenerateContentResponse[]) {
  return {
    text: chunks.map(textOf).join(""),
    finish: chunks.at(-1)?.candidates?.[0]?.finishReason as string | undefined,
    calls: chunks.flatMap(callsOf).map(({ name, args }) => [name, args]),
    outputTokens: chunks.at(-1)?.usageMetadata?.candidatesTokenCount,
  };
}

function array(answer: Answer): string {
  const decoder = new TextDecoder();
  const elements = gemini
    .frames(answer, ENVELOPE, { usageInStream: true })
    .map(({ event, data }, index) => decoder.decode(JSON_ARRAY.render(event, data, index)));
  return elements.join("") + JSON_ARRAY.trailer;
}

const CALL = ["get_weather", JSON.parse(ANSWERS.call.toolCalls[0].argumentsText)];
const JOINED = TEXT.text.join("");

describe("Gemini answers through the official client", () => {
  const cases: readonly (readonly [AnswerName, string, string, readonly unknown[]])[] = [
    ["text", JOINED, "STOP", []],
    ["length", JOINED, "MAX_TOKENS", []],
    ["filtered", JOINED, "SAFETY", []],
    ["empty", "", "STOP", []],
    ["refusal", ANSWERS.refusal.refusal, "STOP", []],
    ["call", "", "STOP", [CALL]],
    ["twoCallsAndText", JOINED, "STOP", [CALL, ["no_arguments", {}]]],
    ["brokenCall", "", "MALFORMED_FUNCTION_CALL", []],
  ];
  test.each([...cases])("%s: whole and streamed say the same", async (name, text, finish, calls) => {
    const expected = { text, finish, calls: [...calls], outputTokens: ANSWERS[name].outputTokens };
    expect(summary([await whole(gemini.whole(ANSWERS[name], ENVELOPE))])).toEqual(expected as never);
    expect(summary(await streamed(streamOf(gemini, ANSWERS[name])))).toEqual(expected as never);
    expect(summary(JSON.parse(array(ANSWERS[name])))).toEqual(expected as never);
  });

  test("an empty answer has no parts", () => {
    expect(JSON.parse(gemini.whole(ANSWERS.empty, ENVELOPE)).candidates[0].content).toEqual({ role: "model" });
  });
});

function textOf(chunk: GenerateContentResponse): string {
  return (chunk.candidates?.[0]?.content?.parts ?? []).map((part) => part.text ?? "").join("");
}

function callsOf(chunk: GenerateContentResponse) {
  return (chunk.candidates?.[0]?.content?.parts ?? []).flatMap((part) => part.functionCall ?? []);
}

describe("Gemini requests", () => {
  test.each([
    [STREAM, "alt=sse", "sse"],
    [STREAM, "key=k&alt=sse", "sse"],
    [STREAM, "%24alt=sse", "sse"],
    [STREAM, "", "json-array"],
    [STREAM, "alt=json", "json-array"],
    ["/v1beta/models/m:generateContent", "", "whole"],
  ])("%s?%s is framed as %s", (path, query, expected) => {
    expect(gemini.framing(path, query).name).toBe(expected as "sse");
  });

  test("say model, stream, limits, tools and prompt", () => {
    const facts = gemini.facts(STREAM, "alt=sse", {
      systemInstruction: { parts: [{ text: "x".repeat(20) }] },
      generationConfig: { maxOutputTokens: 77 },
      contents: [
        { role: "user", parts: [{ text: "look" }, { inlineData: { mimeType: "image/png", data: "A".repeat(1000) } }] },
        { role: "model", parts: [{ functionCall: { name: "f", args: {} } }] },
        { role: "user", parts: [{ functionResponse: { name: "f", response: { result: "res" } } }] },
      ],
      tools: [{ functionDeclarations: [{ name: "f" }, { name: "g" }] }, { googleSearch: {} }],
    });
    expect(facts).toEqual({
      model: "gemini-2.5-flash",
      stream: true,
      session: undefined,
      user: undefined,
      // 20 + 4 + 1 + 1 + 3 characters of the conversation, 2 of the tools.
      inputCharacters: 31,
      inputTokens: Math.ceil(31 / 4),
      outputTokensMax: 77,
      tools: ["f", "g"],
      prompt: "look",
      afterToolResult: true,
      usageInStream: true,
    });
  });

  test.each([
    ["/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro", false],
    ["/v1beta/tunedModels/my%2Dmodel:streamGenerateContent", "my-model", true],
    ["/v1/projects/p/locations/l/publishers/google/models/gemini-2.5-pro:streamGenerateContent", "gemini-2.5-pro", true],
  ])("%s asks for %s", (path, model, stream) => {
    expect(gemini.facts(path, "", undefined)).toMatchObject({ model, stream });
  });
});

describe("Gemini errors in a stream", () => {
  const before = rendered(gemini.frames(TEXT, ENVELOPE, { usageInStream: true }).slice(0, 2));

  test("the bare form leaves the framing, byte for byte", () => {
    expect(gemini.streamErrors[0].text(errorFacts())).toBe(
      '{\n  "error": {\n    "code": 503,\n    "message": "The model is overloaded. Please try again later.",\n    "status": "UNAVAILABLE"\n  }\n}\n',
    );
  });

  test("the official client sees each of them", async () => {
    for (const entry of gemini.streamErrors) await expect(streamed(before + entry.text(errorFacts()))).rejects.toThrow();
  });

  test("in an array it is an element, first or last", () => {
    const decoder = new TextDecoder();
    for (const entry of gemini.streamErrors) {
      const alone = entry.text(errorFacts({ framing: "json-array", index: 0 })) + JSON_ARRAY.trailer;
      expect(JSON.parse(alone)).toMatchObject([{ error: { status: expect.any(String) } }]);
      const after =
        decoder.decode(JSON_ARRAY.render(undefined, '{"candidates":[]}', 0)) +
        entry.text(errorFacts({ framing: "json-array", index: 1 })) +
        JSON_ARRAY.trailer;
      expect(JSON.parse(after)).toHaveLength(2);
    }
  });
});

describe("Gemini rewriters", () => {
  test("leave out the usage", async () => {
    const chunks = await streamed(
      rendered(rewrittenPayloads(gemini.frames(TEXT, ENVELOPE, { usageInStream: true }), gemini.withoutUsage())),
    );
    expect(chunks.every((chunk) => chunk.usageMetadata === undefined)).toBe(true);
    expect(summary(chunks).text).toBe(JOINED);
  });

  test.each([0, 1, 3, 6, 100])("end a stream by length after %p tokens", async (tokens) => {
    const payloads = rewrittenPayloads(gemini.frames(TEXT, ENVELOPE, { usageInStream: true }), gemini.endedByLength(tokens));
    expect(summary(await streamed(rendered(payloads)))).toMatchObject({ text: TEXT.text.slice(0, tokens).join(""), finish: "MAX_TOKENS" });
  });

  test("empty a last chunk that brings output after the limit", () => {
    const rewrite = gemini.endedByLength(1);
    const first = '{"candidates":[{"content":{"parts":[{"text":"one"}],"role":"model"}}]}';
    expect(rewrite(first)).toBe(first);
    const last = rewrite(
      '{"candidates":[{"content":{"parts":[{"text":" two"}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{}}',
    );
    expect(JSON.parse(last ?? "")).toEqual({
      candidates: [{ content: { parts: [{ text: "" }], role: "model" }, finishReason: "MAX_TOKENS" }],
      usageMetadata: {},
    });
  });

  test("end a whole answer by length", async () => {
    expect(summary([await whole(gemini.endedByLength(2)(gemini.whole(ANSWERS.twoCallsAndText, ENVELOPE)) ?? "")])).toMatchObject({
      text: "Hello, w",
      finish: "MAX_TOKENS",
      calls: [],
    });
  });
});
