import { countOf, isObject, type JsonObject, objectsOf } from "../../dialects/shared.ts";
import { createSeam } from "../seam.ts";
import { textPart } from "./closing.ts";
import type { OpenMessage } from "./place.ts";

/**
 * The continuation's first message, whose first text goes on behind the client's: in the message and the part that are open there, or in
 * one of its own. It gives texts as the client has them in the end.
 */
export type Joint = {
  /** The message that goes on; undefined: the continuation's stands for itself. */
  readonly open: OpenMessage | undefined;
  /** An event's text or part, as far as it has one. */
  readonly fitEvent: (event: JsonObject) => JsonObject;
  /** The message when it is done. */
  readonly fitItem: (item: JsonObject) => JsonObject;
  /** The next piece of the text. */
  readonly fitPiece: (piece: string) => string;
};

export function createJoint(open: OpenMessage | undefined, text: string): Joint {
  const fitPiece = createSeam(text);
  const there = open?.part?.text ?? "";
  const whole = (continuation: string): string => there + createSeam(text)(continuation);
  const fitText = (holder: JsonObject): JsonObject => (typeof holder.text === "string" ? { ...holder, text: whole(holder.text) } : holder);

  const fitContent = (content: readonly JsonObject[]): readonly JsonObject[] => {
    const [head, ...rest] = content;
    if (head?.type === "output_text") return [...(open?.parts ?? []), fitText(head), ...rest];
    return [...(open?.parts ?? []), ...(open?.part === undefined ? [] : [textPart(there)]), ...content];
  };
  return {
    open,
    fitPiece,
    fitEvent: (event) => (isObject(event.part) ? { ...event, part: fitText(event.part) } : fitText(event)),
    fitItem: (item) => ({
      ...item,
      ...(open !== undefined && { id: open.item.id }),
      ...(Array.isArray(item.content) && { content: fitContent(objectsOf(item.content)) }),
    }),
  };
}

/** Where the parts of that message stand in the client's. */
export type PartPlace = {
  /** Added to the continuation's indexes. */
  readonly shift: number;
  /** The continuation's index of the text that goes on; undefined where it begins with something else. */
  readonly textIndex: unknown;
};

/** As its first part tells, or what comes in it. */
export function partPlaceOf({ content_index, part, type }: JsonObject, open: OpenMessage | undefined): PartPlace {
  const isText = isObject(part) ? part.type === "output_text" : typeof type === "string" && type.startsWith("response.output_text.");
  const textIndex = isText ? content_index : undefined;
  const shift = open?.part === undefined ? 0 : open.part.contentIndex + (isText ? 0 : 1) - (countOf(content_index) ?? 0);
  return { shift, textIndex };
}
