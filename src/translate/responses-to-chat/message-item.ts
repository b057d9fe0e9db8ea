import type { JsonObject } from "../../dialects/shared.ts";
import type { Emit, OpenItem } from "./output.ts";

export type MessageItem = OpenItem & {
  readonly addText: (delta: string, logprobs: readonly JsonObject[]) => void;
  readonly addRefusal: (delta: string) => void;
  readonly addAnnotations: (annotations: readonly JsonObject[]) => void;
};

type Part =
  | { readonly type: "output_text"; text: string; readonly annotations: JsonObject[]; readonly logprobs: JsonObject[] }
  | { readonly type: "refusal"; refusal: string };

type TextPart = Part & { type: "output_text" };
type RefusalPart = Part & { type: "refusal" };

export function openMessage(id: string, output_index: number, emit: Emit, onPart: () => void): MessageItem {
  const item = { id, type: "message", role: "assistant" };
  const parts: Part[] = [];
  let isPartOpen = false;
  emit("response.output_item.added", { output_index, item: { ...item, status: "in_progress", content: [] } });

  const send = (type: string, fields: JsonObject) =>
    emit(`response.${type}`, { item_id: id, output_index, content_index: parts.length - 1, ...fields });
  const start = <P extends Part>(part: P): P => {
    closePart();
    parts.push(part);
    isPartOpen = true;
    onPart();
    // The events say what the part is now; the part itself goes on to grow.
    send("content_part.added", { part: structuredClone(part) });
    return part;
  };
  const openPart = () => (isPartOpen ? parts.at(-1) : undefined);
  const textPart = (): TextPart => {
    const part = openPart();
    return part?.type === "output_text" ? part : start({ type: "output_text", annotations: [], logprobs: [], text: "" });
  };
  const refusalPart = (): RefusalPart => {
    const part = openPart();
    return part?.type === "refusal" ? part : start({ type: "refusal", refusal: "" });
  };
  const closePart = () => {
    const part = openPart();
    if (part === undefined) return;
    if (part.type === "refusal") send("refusal.done", { refusal: part.refusal });
    else send("output_text.done", { text: part.text, logprobs: part.logprobs });
    send("content_part.done", { part });
    isPartOpen = false;
  };
  return {
    addText(delta, logprobs) {
      const part = textPart();
      part.text += delta;
      for (const logprob of logprobs) part.logprobs.push(logprob);
      send("output_text.delta", { delta, logprobs });
    },
    addRefusal(delta) {
      refusalPart().refusal += delta;
      send("refusal.delta", { delta });
    },
    addAnnotations(annotations) {
      const part = textPart();
      for (const annotation of annotations) {
        send("output_text.annotation.added", { annotation_index: part.annotations.length, annotation });
        part.annotations.push(annotation);
      }
    },
    close(status) {
      closePart();
      const closed = { ...item, status, content: parts };
      emit("response.output_item.done", { output_index, item: closed });
      return closed;
    },
  };
}
