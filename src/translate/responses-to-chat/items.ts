import type { JsonObject } from "../../dialects/shared.ts";

/** The type of an item; one without is a message, or only refers to another. */
export function itemType({ type, role, content, id }: JsonObject): unknown {
  if (type !== undefined && type !== null) return type;
  return role === undefined && content === undefined && typeof id === "string" ? "item_reference" : "message";
}

export const CALLS: ReadonlySet<unknown> = new Set(["function_call", "custom_tool_call"]);
export const OUTPUTS: ReadonlySet<unknown> = new Set(["function_call_output", "custom_tool_call_output"]);

/** What stands for a conversation that only the service has; without it the model would be asked something else. */
export const STATE_ITEMS: ReadonlySet<unknown> = new Set([
  "item_reference",
  "compaction",
  "compaction_summary",
  "compaction_trigger",
  "context_compaction",
]);

/**
 * Items that have no place in Chat Completions. Reasoning is among them: its texts could go on as `reasoning_content`, which
 * DeepSeek wants back, but others refuse as an unknown key (Cerebras, Groq, Mistral), and the most ignore.
 */
export const DROPPED_ITEMS: ReadonlySet<unknown> = new Set([
  "reasoning",
  "local_shell_call",
  "local_shell_call_output",
  "shell_call",
  "shell_call_output",
  "apply_patch_call",
  "apply_patch_call_output",
  "web_search_call",
  "file_search_call",
  "code_interpreter_call",
  "image_generation_call",
  "computer_call",
  "computer_call_output",
  "mcp_list_tools",
  "mcp_approval_request",
  "mcp_approval_response",
  "mcp_call",
  "tool_search_call",
  "tool_search_output",
  "configuration_update",
  "program",
  "program_output",
]);

/** A message, also the one that agents of Codex send each other. */
export const MESSAGES: ReadonlySet<unknown> = new Set(["message", "agent_message"]);

/** Agents write to each other as users do. */
export function roleOf(item: JsonObject): unknown {
  return item.type === "agent_message" ? "user" : item.role;
}
