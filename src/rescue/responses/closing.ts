import type { JsonObject } from "../../dialects/shared.ts";
import type { OpenMessage } from "./place.ts";

/** An event's type and what it says. */
export type Closing = readonly [type: string, fields: JsonObject];

/** What closes the text of a message that is open. */
export function partClosings({ item, outputIndex, part }: OpenMessage): readonly Closing[] {
  if (part === undefined) return [];
  const at = { item_id: item.id, output_index: outputIndex, content_index: part.contentIndex };
  const done: Closing = ["response.content_part.done", { ...at, part: textPart(part.text) }];
  return part.isSaid ? [done] : [["response.output_text.done", { ...at, text: part.text, logprobs: [] }], done];
}

/** And what closes the message. */
export function closings(open: OpenMessage): readonly Closing[] {
  const { item, outputIndex, parts, part } = open;
  const content = part === undefined ? parts : [...parts, textPart(part.text)];
  return [
    ...partClosings(open),
    ["response.output_item.done", { output_index: outputIndex, item: { ...item, status: "completed", content } }],
  ];
}

export function textPart(text: string): JsonObject {
  return { type: "output_text", annotations: [], logprobs: [], text };
}
