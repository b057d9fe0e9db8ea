import { describe, expect, test } from "bun:test";
import { NO_FACTS } from "../../src/pipeline/helpers/read-facts.ts";
import { answerTo } from "../../src/simulator/answer.ts";
import { mayAskForJson, structuredOutput } from "../../src/simulator/structured-output.ts";

const SCHEMA = {
  type: "object",
  properties: { reasoning: { type: "string" }, model_choice: { type: "string", enum: ["flash", "pro"] }, note: { type: "string" } },
  required: ["reasoning", "model_choice"],
};
const EXAMPLE = { reasoning: "example", model_choice: "flash" };

describe("a request for JSON gets JSON of its schema", () => {
  test.each<[string, object, object]>([
    ["chat", { response_format: { type: "json_schema", json_schema: { name: "choice", schema: SCHEMA } } }, EXAMPLE],
    ["chat, any object", { response_format: { type: "json_object" } }, {}],
    ["responses", { text: { format: { type: "json_schema", name: "choice", schema: SCHEMA } } }, EXAMPLE],
    ["messages", { output_config: { format: { type: "json_schema", schema: SCHEMA } } }, EXAMPLE],
    ["gemini", { generationConfig: { responseMimeType: "application/json", responseJsonSchema: SCHEMA } }, EXAMPLE],
    [
      "gemini, types in capitals",
      { generation_config: { response_mime_type: "application/json", response_schema: upper(SCHEMA) } },
      EXAMPLE,
    ],
  ])("%s", (_, request, expected) => {
    expect(JSON.parse(structuredOutput(request) ?? "")).toEqual(expected);
    expect(mayAskForJson(new TextEncoder().encode(JSON.stringify(request)))).toBe(true);
    const whole = answerTo({ ...NO_FACTS, model: "m" }, request, 3, "id");
    expect(JSON.parse(whole.text.join(""))).toEqual(expected);
    expect(whole.finish).toBe("stop");
  });

  test("which the request's own limit cuts", () => {
    const request = { text: { format: { type: "json_schema", schema: SCHEMA } } };
    const cut = answerTo({ ...NO_FACTS, model: "m", outputTokensMax: 2 }, request, 24, "id");
    expect(cut).toMatchObject({ finish: "length", outputTokens: 2, text: ['{"re', "ason"] });
  });
});

test.each<[string, unknown]>([
  ["nothing said", { model: "gpt-4o", messages: [] }],
  ["text", { response_format: { type: "text" } }],
  ["text in Responses", { text: { format: { type: "text" } } }],
  ["another type of Google's", { generationConfig: { responseMimeType: "text/plain" } }],
  ["no object", []],
  ["broken values", { response_format: null, text: "format", generationConfig: 3 }],
])("text stays text: %s", (_, request) => {
  expect(structuredOutput(request)).toBeUndefined();
});

function upper(schema: typeof SCHEMA) {
  return {
    ...schema,
    type: "OBJECT",
    properties: Object.fromEntries(Object.entries(schema.properties).map(([key, value]) => [key, { ...value, type: "STRING" }])),
  };
}
