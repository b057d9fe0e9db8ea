import { isObject, type JsonObject } from "../../dialects/shared.ts";
import type { Notes } from "./notes.ts";
import { DICTIONARY, dropOthers, LIST, optional, required, requiredText, STRING, tagOf } from "./values.ts";

/** A part of a user message in Chat Completions. */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "image_url"; readonly image_url: { readonly url: string } }
  | { readonly type: "file"; readonly file: { readonly filename: string; readonly file_data: string } };

/** The blocks that become parts, in user messages and in the results of tools. */
export const PART_TAGS = ["document", "image", "search_result", "text"] as const;
export type PartTag = (typeof PART_TAGS)[number];

export function partsOf(notes: Notes, tag: PartTag, block: JsonObject, place: string): readonly Part[] {
  const inside = `${place}.${tag}`;
  switch (tag) {
    case "text":
      dropOthers(notes, block, ["text"], "messages.");
      return [textPart(requiredText(notes, block.text, `${inside}.text`))];
    case "image":
      dropOthers(notes, block, ["source"], "messages.");
      return [imagePart(notes, block.source, `${inside}.source`)];
    case "document":
      dropOthers(notes, block, ["source", "title", "context"], "messages.");
      return documentParts(notes, block, inside);
    case "search_result":
      dropOthers(notes, block, ["source", "title", "content"], "messages.");
      return [textPart(searchResultText(notes, block, inside))];
  }
}

export function textPart(text: string): Part {
  return { type: "text", text };
}

function imagePart(notes: Notes, value: unknown, place: string): Part {
  const source = required(notes, value, place, DICTIONARY) ?? { type: "url", url: "" };
  const tag = tagOf(notes, source, place, ["base64", "file", "url"]);
  if (tag === "file") notes.wrong(`${place}.file`, "the backend's API has no images by file id; send the image itself");
  if (tag === "base64") return { type: "image_url", image_url: { url: dataUrl(notes, source, `${place}.base64`) } };
  const url = tag === "url" ? required(notes, source.url, `${place}.url.url`, STRING) : undefined;
  return { type: "image_url", image_url: { url: url ?? "" } };
}

function dataUrl(notes: Notes, source: JsonObject, place: string): string {
  const mediaType = required(notes, source.media_type, `${place}.media_type`, STRING);
  return `data:${mediaType};base64,${required(notes, source.data, `${place}.data`, STRING)}`;
}

/** Documents by URL and by file id have no form in Chat Completions, and the model must not answer without them. */
function documentParts(notes: Notes, block: JsonObject, inside: string): readonly Part[] {
  const place = `${inside}.source`;
  const source = required(notes, block.source, place, DICTIONARY);
  const title = optional(notes, block.title, `${inside}.title`, STRING);
  const context = optional(notes, block.context, `${inside}.context`, STRING);
  const tag = source === undefined ? undefined : tagOf(notes, source, place, ["base64", "content", "file", "text", "url"]);
  if (source === undefined || tag === undefined) return [];
  const about = [context, tag === "base64" ? undefined : title].flatMap((text) => (text ? [textPart(text)] : []));
  switch (tag) {
    case "base64": {
      // The API wants a name for a file that comes as data.
      const file = { filename: title || "document.pdf", file_data: dataUrl(notes, source, `${place}.base64`) };
      return [...about, { type: "file", file }];
    }
    case "text":
      return [...about, textPart(requiredText(notes, source.data, `${place}.text.data`))];
    case "content":
      return [...about, ...contentParts(notes, source.content, `${place}.content.content`)];
    case "file":
    case "url":
      notes.wrong(
        `${place}.${tag}`,
        `the backend's API has no documents by ${tag === "url" ? "URL" : "file id"}; send the document itself`,
      );
      return [];
  }
}

/** The inside of a document: a text, or blocks of text and images. */
function contentParts(notes: Notes, content: unknown, place: string): readonly Part[] {
  if (typeof content === "string") return [textPart(requiredText(notes, content, place))];
  return (required(notes, content, place, LIST) ?? []).flatMap((value, index) => {
    const block = required(notes, value, `${place}.${index}`, DICTIONARY);
    const tag = block === undefined ? undefined : tagOf(notes, block, `${place}.${index}`, ["image", "text"]);
    return block === undefined || tag === undefined ? [] : partsOf(notes, tag, block, `${place}.${index}`);
  });
}

function searchResultText(notes: Notes, block: JsonObject, inside: string): string {
  const heads = [block.title, block.source].map((value, index) =>
    requiredText(notes, value, `${inside}.${index === 0 ? "title" : "source"}`),
  );
  const texts = (required(notes, block.content, `${inside}.content`, LIST) ?? []).map((value, index) =>
    requiredText(notes, isObject(value) ? value.text : undefined, `${inside}.content.${index}.text`),
  );
  return [heads.join("\n"), ...texts].join("\n\n");
}

/**
 * The content of a user message. Text alone goes as one string: DeepSeek and others refuse lists ("invalid type:
 * sequence, expected a string", cline/cline#230). A blank line stands where a block ended.
 */
export function userContent(parts: readonly Part[]): string | readonly Part[] {
  const texts = parts.flatMap((part) => (part.type === "text" ? [part.text] : []));
  return texts.length === parts.length ? texts.join("\n\n") : parts;
}
