import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import { inputTables, PART, type PartTable, partsOf, type ReadPart, saidPart } from "../chat/parts.ts";
import { dropOthers, filledText, missing, object, optional, required, text } from "../chat/validation.ts";
import { dataOf } from "./data-url.ts";

const imagePart: ReadPart = (part, param, findings) => {
  const image = required(object)(part.image_url, `${param}.image_url`, findings);
  if (image === undefined) return undefined;
  dropOthers(part, new Set(["type", "image_url"]), PART, findings);
  // How closely to look is the target's choice.
  dropOthers(image, new Set(image.detail === "auto" ? ["url", "detail"] : ["url"]), `${PART}.image_url`, findings);
  optional(text)(image.detail, `${param}.image_url.detail`, findings);
  const place = `${param}.image_url.url`;
  const url = required(filledText)(image.url, place, findings);
  if (url === undefined) return undefined;
  if (/^https?:\/\//i.test(url)) return { type: "image", source: { type: "url", url } };
  const data = dataOf(url);
  if (data?.mediaType.startsWith("image/"))
    return { type: "image", source: { type: "base64", media_type: data.mediaType, data: data.base64 } };
  return findings.wrong(
    "invalid_value",
    place,
    `Invalid '${place}'. Expected a URL of http or https, or a data URL of an image in base64, but got a value with another format.`,
  );
};

const filePart: ReadPart = (part, param, findings) => {
  const file = required(object)(part.file, `${param}.file`, findings);
  if (file === undefined) return undefined;
  dropOthers(part, new Set(["type", "file"]), PART, findings);
  dropOthers(file, new Set(["file_id", "file_data", "filename"]), `${PART}.file`, findings);
  const place = `${param}.file.file_data`;
  const title = optional(text)(file.filename, `${param}.file.filename`, findings);
  const given = optional(text)(file.file_data, place, findings);
  if (given) return documentBlock(given, title || undefined, place, findings);
  const id = optional(filledText)(file.file_id, `${param}.file.file_id`, findings);
  if (id === undefined) return missing(`${param}.file.file_data`, findings);
  return findings.wrong(
    "unsupported_content",
    `${param}.file.file_id`,
    `Unsupported content: '${param}.file.file_id' names a file that the backend of this model cannot reach. Send the file itself in 'file_data'.`,
  );
};

function documentBlock(given: string, title: string | undefined, place: string, findings: Findings): JsonObject | undefined {
  // Some clients send the data without what it is.
  const data = dataOf(given) ?? (given.startsWith(PDF_BEGINNING) ? { mediaType: PDF, base64: given } : undefined);
  const named = title === undefined ? {} : { title };
  if (data?.mediaType === PDF) {
    return { type: "document", source: { type: "base64", media_type: PDF, data: data.base64 }, ...named };
  }
  if (data?.mediaType.startsWith("text/")) {
    return { type: "document", source: { type: "text", media_type: "text/plain", data: textIn(data.base64) }, ...named };
  }
  if (data?.mediaType.startsWith("image/"))
    return { type: "image", source: { type: "base64", media_type: data.mediaType, data: data.base64 } };
  return findings.wrong(
    "unsupported_content",
    place,
    `Unsupported content: '${place}' is no data URL in base64 of a PDF, a text or an image, and the backend of this model takes no other files.`,
  );
}

const PDF = "application/pdf";
/** "%PDF-" in base64. */
const PDF_BEGINNING = "JVBERi0";

function textIn(base64: string): string {
  return new TextDecoder().decode(Buffer.from(base64, "base64"));
}

const textPart = saidPart("text", textBlock);

export const { texts: TEXT_PARTS, users: USER_PARTS, results: TOOL_PARTS } = inputTables(textPart, imagePart, filePart);

export const ASSISTANT_PARTS: PartTable = new Map([
  ["text", textPart],
  ["refusal", saidPart("refusal", textBlock)],
]);

export function textBlock(said: string): JsonObject {
  return { type: "text", text: said };
}

/** The blocks of a content, without blank texts, which the target refuses; none where something is wrong. */
export function blocksOf(content: unknown, param: string, table: PartTable, findings: Findings): readonly JsonObject[] {
  return partsOf(content, param, table, textBlock, findings).filter(({ type, text: said }) => type !== "text" || !isBlank(said));
}

function isBlank(said: unknown): boolean {
  return typeof said !== "string" || said.trim() === "";
}
