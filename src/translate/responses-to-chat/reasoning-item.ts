import type { Emit, OpenItem } from "./output.ts";

export type ReasoningItem = OpenItem & { readonly add: (delta: string) => void };

/**
 * What a target says of its reasoning is shown as the summary, which is what clients of the Responses API display: the service
 * itself never sends the reasoning.
 */
export function openReasoning(id: string, output_index: number, emit: Emit): ReasoningItem {
  const item = { id, type: "reasoning" };
  const place = { item_id: id, output_index, summary_index: 0 };
  const part = (text: string) => ({ type: "summary_text", text });
  let text = "";
  emit("response.output_item.added", { output_index, item: { ...item, summary: [] } });
  emit("response.reasoning_summary_part.added", { ...place, part: part("") });
  return {
    add(delta) {
      text += delta;
      emit("response.reasoning_summary_text.delta", { ...place, delta });
    },
    close() {
      emit("response.reasoning_summary_text.done", { ...place, text });
      emit("response.reasoning_summary_part.done", { ...place, part: part(text) });
      const closed = { ...item, summary: [part(text)] };
      emit("response.output_item.done", { output_index, item: closed });
      return closed;
    },
  };
}
