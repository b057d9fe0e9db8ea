import { exampleOf } from "./example-arguments.ts";

/** Where the dialects say that the answer must be JSON, and of which schema. */

type Json = { readonly [key: string]: unknown };

const MARKERS = ['"response_format"', '"format"', '"output_format"', '"responseMimeType"', '"response_mime_type"'].map((text) =>
  Buffer.from(text),
);

/** Whether a body is worth parsing for it. */
export function mayAskForJson(body: Uint8Array): boolean {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return MARKERS.some((marker) => bytes.includes(marker));
}

/** JSON text of the schema that the request gives for its answer; undefined where it asks for no JSON. */
export function structuredOutput(json: unknown): string | undefined {
  const schema = answerSchema(objectOf(json));
  return schema === undefined ? undefined : JSON.stringify(exampleOf(schema));
}

/** `{}` where any JSON will do. */
function answerSchema(request: Json): Json | undefined {
  const format = [request.response_format, objectOf(request.text).format, objectOf(request.output_config).format, request.output_format]
    .map(objectOf)
    .find(({ type }) => type === "json_schema" || type === "json_object");
  if (format !== undefined) return objectOf(objectOf(format.json_schema).schema ?? format.schema);
  const config = objectOf(request.generationConfig ?? request.generation_config);
  if ((config.responseMimeType ?? config.response_mime_type) !== "application/json") return undefined;
  return objectOf(config.responseSchema ?? config.response_schema ?? config.responseJsonSchema ?? config.response_json_schema);
}

function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
