import type { JsonObject } from "../../dialects/shared.ts";
import type { Notes } from "./notes.ts";
import { DICTIONARY, dropOthers, LIST, required, requiredJson, requiredText, STRING, tagOf } from "./values.ts";

/** A call as Chat Completions has it. */
export type Call = {
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
};

export type AssistantTurn = { readonly text: string; readonly calls: readonly Call[] };

const TAGS = [
  "redacted_thinking",
  "text",
  "thinking",
  "tool_use",
  // What the service's own tools leave behind: a call that the service made itself, and its result.
  "advisor_tool_result",
  "bash_code_execution_tool_result",
  "code_execution_tool_result",
  "compaction",
  "container_upload",
  "fallback",
  "mcp_tool_result",
  "mcp_tool_use",
  "server_tool_use",
  "text_editor_code_execution_tool_result",
  "tool_search_tool_result",
  "web_fetch_tool_result",
  "web_search_tool_result",
] as const;

/**
 * What the assistant said before. Its texts are joined without anything between them: the service cuts one text into
 * blocks wherever a citation stands.
 */
export function assistantTurn(notes: Notes, content: unknown, place: string): AssistantTurn {
  if (typeof content === "string") return { text: requiredText(notes, content, place), calls: [] };
  const texts: string[] = [];
  const calls: Call[] = [];
  for (const [index, value] of (required(notes, content, place, LIST) ?? []).entries()) {
    const at = `${place}.${index}`;
    const block = required(notes, value, at, DICTIONARY);
    const tag = block === undefined ? undefined : tagOf(notes, block, at, TAGS);
    if (block === undefined || tag === undefined) continue;
    if (tag === "text") {
      dropOthers(notes, block, ["text"], "messages.");
      texts.push(requiredText(notes, block.text, `${at}.text.text`));
    } else if (tag === "tool_use") calls.push(toolCall(notes, block, `${at}.tool_use`));
    // Thinking has no place in Chat Completions, and signed or hidden thinking means nothing to another model.
    else notes.drop(tag === "redacted_thinking" ? "messages.thinking" : `messages.${tag}`);
  }
  return { text: texts.join(""), calls };
}

function toolCall(notes: Notes, block: JsonObject, place: string): Call {
  dropOthers(notes, block, ["id", "name", "input", "caller"], "messages.");
  const id = required(notes, block.id, `${place}.id`, STRING) ?? "";
  const name = required(notes, block.name, `${place}.name`, STRING) ?? "";
  const input = requiredJson(notes, block.input, `${place}.input`);
  return { id, type: "function", function: { name, arguments: JSON.stringify(input) } };
}
