import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import { inputTables, PART, type PartTable, type ReadPart, saidPart } from "../chat/parts.ts";
import { dropOthers, filledText, keptObject, messageText, missing, object, optional, required, text } from "../chat/validation.ts";

const textPart: ReadPart = (part, param, findings) => {
  dropOthers(part, new Set(["type", "text", "prompt_cache_breakpoint"]), PART, findings);
  return {
    type: "input_text",
    text: required(messageText)(part.text, `${param}.text`, findings),
    ...breakpointOf(part, param, findings),
  };
};

const imagePart: ReadPart = (part, param, findings) => {
  const image = required(object)(part.image_url, `${param}.image_url`, findings);
  if (image === undefined) return undefined;
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

const filePart: ReadPart = (part, param, findings) => {
  const file = required(object)(part.file, `${param}.file`, findings);
  if (file === undefined) return undefined;
  dropOthers(part, new Set(["type", "file", "prompt_cache_breakpoint"]), PART, findings);
  dropOthers(file, new Set(FILE_KEYS), `${PART}.file`, findings);
  const fields = FILE_KEYS.flatMap((key) => {
    const found = optional(text)(file[key], `${param}.file.${key}`, findings);
    return found === undefined ? [] : [[key, found] as const];
  });
  if (!fields.some(([key]) => key !== "filename")) return missing(`${param}.file.file_id`, findings);
  return { type: "input_file", ...Object.fromEntries(fields), ...breakpointOf(part, param, findings) };
};

/** Both APIs mark the end of a prompt's cached beginning alike. */
function breakpointOf({ prompt_cache_breakpoint }: JsonObject, param: string, findings: Findings): JsonObject {
  const found = optional(keptObject)(prompt_cache_breakpoint, `${param}.prompt_cache_breakpoint`, findings);
  return found === undefined ? {} : { prompt_cache_breakpoint: found };
}

export const { texts: TEXT_PARTS, users: USER_PARTS, results: TOOL_PARTS } = inputTables(textPart, imagePart, filePart);

/** What the model said; the cache marks of its texts have no place in the target's input. */
export const ASSISTANT_PARTS: PartTable = new Map([
  ["text", saidPart("text", outputText)],
  ["refusal", saidPart("refusal", (refusal) => ({ type: "refusal", refusal }))],
]);

export function outputText(said: string): JsonObject {
  return { type: "output_text", text: said, annotations: [] };
}

export function inputText(said: string): JsonObject {
  return { type: "input_text", text: said };
}
