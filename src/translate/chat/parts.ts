import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "./findings.ts";
import { dropOthers, emptyList, messageText, missing, object, required, text, unsupported, wrongType } from "./validation.ts";

/** What a target makes of one part of a content. */
export type ReadPart = (part: JsonObject, param: string, findings: Findings) => JsonObject | undefined;

/** What a message of one role may consist of. */
export type PartTable = ReadonlyMap<string, ReadPart>;

/** The place without numbers, for what is dropped. */
export const PART = "messages.content";

/** A part of one text, under the name of its type. */
export function saidPart(key: "text" | "refusal", ofText: (said: string) => JsonObject): ReadPart {
  return (part, param, findings) => {
    dropOthers(part, new Set(["type", key]), PART, findings);
    return ofText(required(messageText)(part[key], `${param}.${key}`, findings) ?? "");
  };
}

/** No target's input has it. */
export function refuseAudio(param: string, findings: Findings): undefined {
  const message = `Unsupported content: '${param}' is audio, which the backend of this model cannot take.`;
  return findings.wrong("unsupported_content", param, message);
}

/** Results of tools may be more than Chat Completions itself knows, which is texts: the targets take images and files there too. */
export function inputTables(textPart: ReadPart, imagePart: ReadPart, filePart: ReadPart) {
  const texts: PartTable = new Map([["text", textPart]]);
  const results: PartTable = new Map([...texts, ["image_url", imagePart], ["file", filePart]]);
  const users: PartTable = new Map([
    ["text", textPart],
    ["image_url", imagePart],
    ["input_audio", (_part, param, findings) => refuseAudio(param, findings)],
    ["file", filePart],
  ]);
  return { texts, users, results };
}

/** The parts of a content: one for a text, none where it is wrong. */
export function partsOf(
  content: unknown,
  param: string,
  table: PartTable,
  ofText: (said: string) => JsonObject,
  findings: Findings,
): readonly JsonObject[] {
  if (typeof content === "string") {
    const whole = messageText(content, param, findings);
    return whole === undefined ? [] : [ofText(whole)];
  }
  if (content === undefined) missing(param, findings);
  else if (!Array.isArray(content)) wrongType("one of a string or array of objects", content, param, findings);
  else if (content.length === 0) emptyList(param, findings);
  else
    return content.map((part: unknown, index) => partOf(part, `${param}[${index}]`, table, findings)).filter((part) => part !== undefined);
  return [];
}

function partOf(value: unknown, param: string, table: PartTable, findings: Findings): JsonObject | undefined {
  const part = object(value, param, findings);
  const type = part && required(text)(part.type, `${param}.type`, findings);
  if (part === undefined || type === undefined) return undefined;
  const read = table.get(type);
  return read === undefined ? unsupported(type, [...table.keys()], `${param}.type`, findings) : read(part, param, findings);
}
