import { type JsonObject, objectsOf, textOf, textsOf } from "../../dialects/shared.ts";
import { asksForNothing, type Dropped, drop } from "./dropped.ts";

/**
 * The texts of a content as one. Between the parts of what a client sends stands a line end, as servers that turn the messages
 * into a prompt put it there; those of an answer were one text. A list of texts would say the same, but many servers (DeepSeek,
 * Groq for some roles) take only a string, and Ollama makes a message of each part.
 */
export function textOfContent(content: unknown, between: "" | "\n"): string {
  if (typeof content === "string") return content;
  return textsOf(objectsOf(content).map((part) => (part.type === "refusal" ? undefined : part.text))).join(between);
}

export function refusalOfContent(content: unknown): string | undefined {
  return textOf(textsOf(objectsOf(content).map((part) => (part.type === "refusal" ? part.refusal : undefined))).join(""));
}

/** The content of a user's message: a text, or parts where there is something beside text. */
export function userContent(content: unknown, dropped: Dropped): string | readonly JsonObject[] {
  nameDroppedParts(content, dropped);
  const parts = objectsOf(content);
  return parts.some(isAttachment) ? parts.flatMap((part) => chatPart(part)) : textOfContent(content, "\n");
}

/** What stands beside text: images and files. */
export function attachmentsOf(content: unknown): readonly JsonObject[] {
  return objectsOf(content)
    .filter(isAttachment)
    .flatMap((part) => chatPart(part));
}

function isAttachment({ type }: JsonObject): boolean {
  return type === "input_image" || type === "input_file";
}

function chatPart({ type, text, image_url, detail, file_data, file_id, filename }: JsonObject): readonly JsonObject[] {
  if (type === "input_image") {
    // "auto" is what no word at all means.
    const fineness = typeof detail === "string" && detail !== "auto" ? { detail } : {};
    return [{ type: "image_url", image_url: { url: image_url, ...fineness } }];
  }
  if (type === "input_file") {
    const source = textOf(file_data) === undefined ? { file_id } : { file_data };
    return [{ type: "file", file: { ...source, ...(typeof filename === "string" && { filename }) } }];
  }
  return typeof text === "string" ? [{ type: "text", text }] : [];
}

export function nameDroppedParts(content: unknown, dropped: Dropped): void {
  for (const { type, detail, prompt_cache_breakpoint } of objectsOf(content)) {
    if (type === "encrypted_content") drop(dropped, "input.content.encrypted_content");
    if (type === "input_file" && !asksForNothing(detail) && detail !== "auto") drop(dropped, "input.content.detail");
    if (!asksForNothing(prompt_cache_breakpoint)) drop(dropped, "input.content.prompt_cache_breakpoint");
  }
}
