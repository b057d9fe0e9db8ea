import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import {
  type Check,
  dropOthers,
  emptyList,
  filledText,
  keptObject,
  messageText,
  missing,
  object,
  optional,
  required,
  text,
  unsupported,
  wrongType,
} from "../chat/validation.ts";

/** What a message of one role may consist of. */
export type PartTable = ReadonlyMap<string, Check<JsonObject>>;

const PART = "messages.content";

const textPart: Check<JsonObject> = (value, param, findings) => {
  const part = object(value, param, findings);
  if (part === undefined) return undefined;
  dropOthers(part, new Set(["type", "text", "prompt_cache_breakpoint"]), PART, findings);
  return {
    type: "input_text",
    text: required(messageText)(part.text, `${param}.text`, findings),
    ...breakpointOf(part, param, findings),
  };
};

const imagePart: Check<JsonObject> = (value, param, findings) => {
  const part = object(value, param, findings);
  const image = required(object)(part?.image_url, `${param}.image_url`, findings);
  if (part === undefined || image === undefined) return undefined;
  dropOthers(part, new Set(["type", "image_url", "prompt_cache_breakpoint"]), PART, findings);
  dropOthers(image, new Set(["url", "detail"]), `${PART}.image_url`, findings);
  return {
    type: "input_image",
    image_url: required(filledText)(image.url, `${param}.image_url.url`, findings),
    detail: optional(text)(image.detail, `${param}.image_url.detail`, findings) ?? "auto",
    ...breakpointOf(part, param, findings),
  };
};

const FILE_KEYS = ["file_id", "file_data", "filename"] as const;

const filePart: Check<JsonObject> = (value, param, findings) => {
  const part = object(value, param, findings);
  const file = required(object)(part?.file, `${param}.file`, findings);
  if (part === undefined || file === undefined) return undefined;
  dropOthers(part, new Set(["type", "file", "prompt_cache_breakpoint"]), PART, findings);
  dropOthers(file, new Set(FILE_KEYS), `${PART}.file`, findings);
  const fields = FILE_KEYS.flatMap((key) => {
    const found = optional(text)(file[key], `${param}.file.${key}`, findings);
    return found === undefined ? [] : [[key, found] as const];
  });
  if (!fields.some(([key]) => key !== "filename")) return missing(`${param}.file.file_id`, findings);
  return { type: "input_file", ...Object.fromEntries(fields), ...breakpointOf(part, param, findings) };
};

/** The target's input has texts, images and files alone (openai resources/responses, ResponseInputContent). */
const audioPart: Check<JsonObject> = (_value, param, findings) =>
  findings.wrong("unsupported_content", param, `Unsupported content: '${param}' is audio, which the backend of this model cannot take.`);

/** Both APIs mark the end of a prompt's cached beginning alike. */
function breakpointOf({ prompt_cache_breakpoint }: JsonObject, param: string, findings: Findings): JsonObject {
  const found = optional(keptObject)(prompt_cache_breakpoint, `${param}.prompt_cache_breakpoint`, findings);
  return found === undefined ? {} : { prompt_cache_breakpoint: found };
}

export const TEXT_PARTS: PartTable = new Map([["text", textPart]]);

export const USER_PARTS: PartTable = new Map([
  ["text", textPart],
  ["image_url", imagePart],
  ["input_audio", audioPart],
  ["file", filePart],
]);

/** Wider than Chat Completions itself, which knows only texts here: the target takes images and files too. */
export const TOOL_PARTS: PartTable = new Map([
  ["text", textPart],
  ["image_url", imagePart],
  ["file", filePart],
]);

/** What the model said; the cache marks of its texts have no place in the target's input. */
export const ASSISTANT_PARTS: PartTable = new Map<string, Check<JsonObject>>([
  [
    "text",
    (value, param, findings) => {
      const part = object(value, param, findings);
      if (part === undefined) return undefined;
      dropOthers(part, new Set(["type", "text"]), PART, findings);
      return outputText(required(messageText)(part.text, `${param}.text`, findings) ?? "");
    },
  ],
  [
    "refusal",
    (value, param, findings) => {
      const part = object(value, param, findings);
      if (part === undefined) return undefined;
      dropOthers(part, new Set(["type", "refusal"]), PART, findings);
      return { type: "refusal", refusal: required(messageText)(part.refusal, `${param}.refusal`, findings) };
    },
  ],
]);

export function outputText(said: string): JsonObject {
  return { type: "output_text", text: said, annotations: [] };
}

/** The parts of a content: one for a text, none where it is wrong. */
export function partsOf(
  content: unknown,
  param: string,
  table: PartTable,
  ofText: (text: string) => JsonObject,
  findings: Findings,
): readonly JsonObject[] {
  if (typeof content === "string") {
    const whole = messageText(content, param, findings);
    return whole === undefined ? [] : [ofText(whole)];
  }
  if (content === undefined) {
    missing(param, findings);
    return [];
  }
  if (!Array.isArray(content)) {
    wrongType("one of a string or array of objects", content, param, findings);
    return [];
  }
  if (content.length === 0) emptyList(param, findings);
  return content.map((part: unknown, index) => partOf(part, `${param}[${index}]`, table, findings)).filter((part) => part !== undefined);
}

function partOf(value: unknown, param: string, table: PartTable, findings: Findings): JsonObject | undefined {
  const part = object(value, param, findings);
  const type = part && required(text)(part.type, `${param}.type`, findings);
  if (type === undefined) return undefined;
  const check = table.get(type);
  return check === undefined ? unsupported(type, [...table.keys()], `${param}.type`, findings) : check(part, param, findings);
}

export function inputText(said: string): JsonObject {
  return { type: "input_text", text: said };
}
