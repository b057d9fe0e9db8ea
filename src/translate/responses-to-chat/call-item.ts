import { inputInArguments } from "../custom-tools.ts";
import type { Emit, OpenItem } from "./output.ts";

export type CallItem = OpenItem & { readonly add: (delta: string) => void };

export type CallFacts = {
  readonly callId: string;
  readonly name: string;
  readonly namespace: string | undefined;
};

/** The arguments of a call that has none: the service never leaves them empty, and clients read them as JSON. */
const NO_ARGUMENTS = "{}";

export function openFunctionCall(id: string, output_index: number, facts: CallFacts, emit: Emit): CallItem {
  const item = { id, type: "function_call", ...keysOf(facts) };
  const place = { item_id: id, output_index };
  let text = "";
  emit("response.output_item.added", { output_index, item: { ...item, status: "in_progress", arguments: "" } });
  const add = (delta: string) => {
    text += delta;
    emit("response.function_call_arguments.delta", { ...place, delta });
  };
  return {
    add,
    close(status) {
      if (text === "" && status === "completed") add(NO_ARGUMENTS);
      emit("response.function_call_arguments.done", { ...place, arguments: text });
      const closed = { ...item, status, arguments: text };
      emit("response.output_item.done", { output_index, item: closed });
      return closed;
    },
  };
}

/**
 * A call of a custom tool. Where the target called a function in its place, the input stands inside the arguments and can be read
 * only when they are whole: then it comes in one piece.
 */
export function openCustomCall(id: string, output_index: number, facts: CallFacts, isFunction: boolean, emit: Emit): CallItem {
  const item = { id, type: "custom_tool_call", ...keysOf(facts) };
  const place = { item_id: id, output_index };
  let text = "";
  const sendDelta = (delta: string) => emit("response.custom_tool_call_input.delta", { ...place, delta });
  emit("response.output_item.added", { output_index, item: { ...item, status: "in_progress", input: "" } });
  return {
    add(delta) {
      text += delta;
      if (!isFunction) sendDelta(delta);
    },
    close(status) {
      const input = isFunction ? inputInArguments(text) : text;
      if (isFunction && input !== "") sendDelta(input);
      emit("response.custom_tool_call_input.done", { ...place, input });
      const closed = { ...item, status, input };
      emit("response.output_item.done", { output_index, item: closed });
      return closed;
    },
  };
}

function keysOf({ callId, name, namespace }: CallFacts) {
  return { call_id: callId, name, ...(namespace !== undefined && { namespace }) };
}
