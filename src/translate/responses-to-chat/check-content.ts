import { isObject, type JsonObject } from "../../dialects/shared.ts";
import { lengthMistakes, type Mistakes, mistake, nameMistakes, textMistakes, wrongType, wrongValue } from "./mistakes.ts";

/** Whose content it is; each may hold other parts. Chat Completions has text alone in all but the messages of users. */
export type Holder = "user" | "assistant" | "system" | "output";

/**
 * `encrypted_content` is what agents of Codex write to each other, which nobody but the service can read. The service refuses a
 * text of the wrong side (`input_text` of an assistant); here it is a text.
 */
const PARTS: Readonly<Record<Holder, readonly string[]>> = {
  user: ["input_text", "input_image", "input_file", "output_text", "encrypted_content"],
  assistant: ["output_text", "refusal", "input_text", "encrypted_content"],
  system: ["input_text", "output_text"],
  output: ["input_text", "input_image", "input_file", "output_text", "encrypted_content"],
};

export function* contentMistakes(item: JsonObject, key: "content" | "output", place: string, holder: Holder): Mistakes {
  const content = item[key];
  const param = `${place}.${key}`;
  if (typeof content === "string") return yield* lengthMistakes(content, param);
  if (content === undefined) yield* textMistakes(item, key, place);
  if (!Array.isArray(content)) return yield wrongType(param, "one of a string or an array of objects", content);
  for (const [index, part] of content.entries()) yield* partMistakes(part, `${param}[${index}]`, PARTS[holder]);
}

function* partMistakes(part: unknown, place: string, supported: readonly string[]): Mistakes {
  if (!isObject(part)) return yield wrongType(place, "an object", part);
  yield* nameMistakes(part, "type", place);
  const type = String(part.type);
  if (!supported.includes(type)) yield wrongValue(`${place}.type`, type, supported);
  if (type === "input_text" || type === "output_text") yield* textMistakes(part, "text", place);
  if (type === "refusal") yield* textMistakes(part, "refusal", place);
  if (type === "input_image") yield* imageMistakes(part, place);
  if (type === "input_file") yield* fileMistakes(part, place);
}

function* imageMistakes(image: JsonObject, place: string): Mistakes {
  if (isGiven(image.file_id) && !isGiven(image.image_url)) {
    yield mistake(`${place}.file_id`, "invalid_value", elsewhere(`${place}.file_id`, "give the image itself as 'image_url'"));
  }
  yield* nameMistakes(image, "image_url", place);
}

function* fileMistakes(file: JsonObject, place: string): Mistakes {
  if (isGiven(file.file_data)) return yield* nameMistakes(file, "file_data", place);
  if (isGiven(file.file_url)) {
    yield mistake(`${place}.file_url`, "invalid_value", elsewhere(`${place}.file_url`, "give the file itself as 'file_data'"));
  }
  if (isGiven(file.file_id)) return yield* nameMistakes(file, "file_id", place);
  yield* nameMistakes(file, "file_data", place);
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function elsewhere(param: string, instead: string): string {
  return `'${param}' cannot be sent to the target, which speaks Chat Completions; ${instead}.`;
}
