import { randomStream } from "../core/random.ts";

type JsonObject = { readonly [key: string]: unknown };

const DIMENSIONS = 16;
/** The most that any current embedding model gives. */
const DIMENSIONS_MAX = 4_096;
const CHARACTERS_PER_TOKEN = 4;

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One vector of length 1 for each input; the SDKs ask for them as base64 of 32-bit floats. */
export function openaiEmbeddings(json: unknown): unknown {
  const request = isObject(json) ? json : {};
  const inputs = inputsOf(request.input);
  const dimensions = dimensionsOf(request.dimensions);
  const tokens = Math.ceil(inputs.join("").length / CHARACTERS_PER_TOKEN);
  return {
    object: "list",
    data: inputs.map((input, index) => {
      const vector = vectorOf(input, dimensions);
      return { object: "embedding", index, embedding: request.encoding_format === "base64" ? base64Of(vector) : vector };
    }),
    model: request.model ?? "text-embedding-3-small",
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

export function geminiEmbeddings(json: unknown, isBatch: boolean): unknown {
  const request = isObject(json) ? json : {};
  const embed = (one: unknown) => ({
    values: vectorOf(
      JSON.stringify(isObject(one) ? (one.content ?? null) : null),
      dimensionsOf(isObject(one) ? one.outputDimensionality : undefined),
    ),
  });
  if (!isBatch) return { embedding: embed(request) };
  return { embeddings: (Array.isArray(request.requests) ? request.requests : []).map(embed) };
}

/** A text, a list of texts, the tokens of one text, or a list of those. */
function inputsOf(input: unknown): readonly string[] {
  if (!Array.isArray(input) || input.every((element) => typeof element === "number")) return [JSON.stringify(input ?? "")];
  return input.map((element) => JSON.stringify(element));
}

function dimensionsOf(asked: unknown): number {
  return typeof asked === "number" && Number.isInteger(asked) && asked > 0 ? Math.min(asked, DIMENSIONS_MAX) : DIMENSIONS;
}

function vectorOf(input: string, dimensions: number): readonly number[] {
  const random = randomStream(0, input);
  const values = Array.from({ length: dimensions }, () => random.next() * 2 - 1);
  const length = Math.hypot(...values);
  // Rounded to what a 32-bit float holds, so that both encodings say the same.
  return values.map((value) => Math.fround(value / length));
}

function base64Of(vector: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(vector.length * 4));
  for (const [index, value] of vector.entries()) view.setFloat32(index * 4, value, true);
  return btoa(Array.from(new Uint8Array(view.buffer), (byte) => String.fromCharCode(byte)).join(""));
}
