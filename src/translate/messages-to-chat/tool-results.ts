import type { JsonObject } from "../../dialects/shared.ts";
import type { Notes } from "./notes.ts";
import { PART_TAGS, type Part, partsOf, textPart } from "./parts.ts";
import { BOOLEAN, DICTIONARY, dropOthers, LIST, optional, required, requiredText, STRING, tagOf } from "./values.ts";

export type ToolResult = {
  readonly id: string;
  /** The Chat Completions message of role `tool`. */
  readonly message: JsonObject;
  /** What a tool message cannot hold, with a line that says where it is from: for the user message that follows. */
  readonly parts: readonly Part[];
};

export function toolResult(notes: Notes, block: JsonObject, place: string): ToolResult {
  const inside = `${place}.tool_result`;
  dropOthers(notes, block, ["tool_use_id", "content", "is_error"], "messages.");
  const id = required(notes, block.tool_use_id, `${inside}.tool_use_id`, STRING) ?? "";
  const isError = optional(notes, block.is_error, `${inside}.is_error`, BOOLEAN) === true;
  const all = resultParts(notes, block.content, `${inside}.content`);
  const texts = all.flatMap((part) => (part.type === "text" ? [part.text] : []));
  const others = all.filter(({ type }) => type !== "text");
  if (others.length > 0) texts.push("(What the tool returned beside text is in the user message after the results.)");
  return {
    id,
    message: { role: "tool", tool_call_id: id, content: withError(isError, texts.join("\n\n")) },
    parts: others.length === 0 ? [] : [textPart(`From the result of tool call ${id}:`), ...others],
  };
}

/** Chat Completions has no mark for a failed call; the model must still see that it failed. */
function withError(isError: boolean, text: string): string {
  if (!isError || text.startsWith("Error")) return text;
  return text === "" ? "Error" : `Error: ${text}`;
}

function resultParts(notes: Notes, content: unknown, place: string): readonly Part[] {
  if (content === undefined || content === null) return [];
  if (typeof content === "string") return [textPart(requiredText(notes, content, place))];
  return (required(notes, content, place, LIST) ?? []).flatMap((value, index) => {
    const at = `${place}.${index}`;
    const block = required(notes, value, at, DICTIONARY);
    const tag = block === undefined ? undefined : tagOf(notes, block, at, [...PART_TAGS, "browser_state", "tool_reference"]);
    if (block === undefined || tag === undefined) return [];
    if (tag !== "browser_state" && tag !== "tool_reference") return partsOf(notes, tag, block, at);
    notes.drop(`messages.${tag}`);
    return [];
  });
}
