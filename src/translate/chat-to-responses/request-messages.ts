import type { JsonObject } from "../../dialects/shared.ts";
import { type Findings, withoutDrops } from "../chat/findings.ts";
import { answeredCall, type Call, type Message, readAssistant, readCall, readMessages } from "../chat/messages.ts";
import { type PartTable, partsOf } from "../chat/parts.ts";
import { dropOthers } from "../chat/validation.ts";
import type { RequestOptions } from "../translation.ts";
import { ASSISTANT_PARTS, inputText, outputText, TEXT_PARTS, TOOL_PARTS, USER_PARTS } from "./request-parts.ts";

export type Conversation = { readonly input: readonly JsonObject[]; readonly instructions: string | undefined };

/** What has been said so far that later messages depend on. */
type Draft = {
  readonly input: JsonObject[];
  readonly instructions: string[];
  /** Every call that the assistant has made, by its id. */
  readonly calls: Map<string, Call>;
};

export function translateMessages(value: unknown, { systemMessages }: RequestOptions, findings: Findings): Conversation {
  const draft: Draft = { input: [], instructions: [], calls: new Map() };
  const listeners = {
    system: (message: Message, role: string) => addSystemMessage(message, role, systemMessages, draft, findings),
    user(message: Message) {
      dropOthers(message.json, new Set(["role", "content"]), "messages", findings);
      draft.input.push(messageItem("user", contentOf(message, USER_PARTS, findings)));
    },
    assistant: (message: Message) => addAssistantMessage(message, draft, findings),
    tool: (message: Message) => addToolMessage(message, draft, findings),
  };
  readMessages(value, listeners, findings);
  const { input, instructions } = draft;
  return { input, instructions: instructions.length === 0 ? undefined : instructions.join("\n\n") };
}

function contentOf({ json, param }: Message, table: PartTable, findings: Findings): readonly JsonObject[] {
  return partsOf(json.content, `${param}.content`, table, inputText, findings);
}

function messageItem(role: string, content: readonly JsonObject[]): JsonObject {
  return { type: "message", role, content };
}

function addSystemMessage(
  message: Message,
  role: string,
  systemMessages: RequestOptions["systemMessages"],
  draft: Draft,
  findings: Findings,
) {
  const isLeftOut = systemMessages === "drop";
  const parts = contentOf(message, TEXT_PARTS, isLeftOut ? withoutDrops(findings) : findings);
  if (isLeftOut) return;
  dropOthers(message.json, new Set(["role", "content"]), "messages", findings);
  if (systemMessages === "input") {
    draft.input.push(messageItem(role, parts));
    return;
  }
  for (const part of parts) {
    if (typeof part.text === "string" && part.text !== "") draft.instructions.push(part.text);
    if (part.prompt_cache_breakpoint !== undefined) findings.drop("messages.content.prompt_cache_breakpoint");
  }
}

const ASSISTANT_KEYS: ReadonlySet<string> = new Set(["role", "content", "refusal", "tool_calls", "function_call", "audio"]);

function addAssistantMessage(message: Message, draft: Draft, findings: Findings) {
  dropOthers(message.json, ASSISTANT_KEYS, "messages", findings);
  const said = readAssistant(message, findings);
  if (said === undefined) return;
  const { hasContent, refusal, calls } = said;
  const parts = [
    ...(hasContent ? partsOf(message.json.content, `${message.param}.content`, ASSISTANT_PARTS, outputText, findings) : []),
    ...(refusal === "" ? [] : [{ type: "refusal", refusal }]),
  ];
  if (parts.length > 0) draft.input.push(messageItem("assistant", parts));
  for (const [index, call] of calls.entries()) addCall(call, `${message.param}.tool_calls[${index}]`, draft, findings);
}

function addCall(value: unknown, param: string, draft: Draft, findings: Findings) {
  const call = readCall(value, param, findings);
  if (call === undefined) return;
  const { id: call_id, kind, name, said } = call;
  draft.calls.set(call_id, call);
  draft.input.push(
    kind === "custom"
      ? { type: "custom_tool_call", call_id, name, input: said }
      : { type: "function_call", call_id, name, arguments: said },
  );
}

function addToolMessage(message: Message, { calls, input }: Draft, findings: Findings) {
  const call = answeredCall(message, (id) => calls.get(id), findings);
  if (call === undefined) return;
  const { content } = message.json;
  const parts = contentOf(message, TOOL_PARTS, findings);
  const type = call.kind === "custom" ? "custom_tool_call_output" : "function_call_output";
  input.push({ type, call_id: call.id, output: typeof content === "string" ? content : parts });
}
