import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import {
  dropOthers,
  filledList,
  filledText,
  list,
  messageText,
  missing,
  object,
  oneOf,
  optional,
  required,
  text,
  unsupported,
} from "../chat/validation.ts";
import type { RequestOptions } from "../translation.ts";
import { ASSISTANT_PARTS, inputText, outputText, partsOf, TEXT_PARTS, TOOL_PARTS, USER_PARTS } from "./request-parts.ts";

export type Conversation = { readonly input: readonly JsonObject[]; readonly instructions: string | undefined };

/** What has been said so far that later messages depend on. */
type Draft = {
  readonly input: JsonObject[];
  readonly instructions: string[];
  /** The kind of every call that the assistant has made, by its id. */
  readonly calls: Map<string, CallKind>;
};

type CallKind = "function" | "custom";

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

export function translateMessages(value: unknown, { systemMessages }: RequestOptions, findings: Findings): Conversation {
  const messages = required(filledList("objects"))(value, "messages", findings) ?? [];
  const draft: Draft = { input: [], instructions: [], calls: new Map() };
  for (const [index, element] of messages.entries()) {
    const message = object(element, `messages[${index}]`, findings);
    if (message !== undefined) addMessage(message, index, systemMessages, draft, findings);
    if (findings.mistake() !== undefined) break;
  }
  const { input, instructions } = draft;
  return { input, instructions: instructions.length === 0 ? undefined : instructions.join("\n\n") };
}

function addMessage(
  message: JsonObject,
  index: number,
  systemMessages: RequestOptions["systemMessages"],
  draft: Draft,
  findings: Findings,
) {
  const param = `messages[${index}]`;
  const role = required(text)(message.role, `${param}.role`, findings);
  optional(text)(message.name, `${param}.name`, findings);
  switch (role) {
    case undefined:
      return;
    case "system":
    case "developer":
      return addSystemMessage(message, role, param, systemMessages, draft, findings);
    case "user":
      dropOthers(message, new Set(["role", "content"]), "messages", findings);
      draft.input.push(messageItem(role, partsOf(message.content, `${param}.content`, USER_PARTS, inputText, findings)));
      return;
    case "assistant":
      return addAssistantMessage(message, param, draft, findings);
    case "tool":
      return addToolMessage(message, index, draft, findings);
    case "function":
      return findings.wrong(
        "unsupported_value",
        `${param}.role`,
        `Unsupported value: '${param}.role' does not support 'function'. Use the role 'tool' with a 'tool_call_id'.`,
      );
    default:
      return unsupported(role, ROLES, `${param}.role`, findings);
  }
}

function messageItem(role: string, content: readonly JsonObject[]): JsonObject {
  return { type: "message", role, content };
}

function addSystemMessage(
  message: JsonObject,
  role: string,
  param: string,
  systemMessages: RequestOptions["systemMessages"],
  draft: Draft,
  findings: Findings,
) {
  const isLeftOut = systemMessages === "drop";
  // What is left out because of the settings has lost nothing that the target could not express.
  const findingsOfParts = isLeftOut ? { ...findings, drop: () => {} } : findings;
  const parts = partsOf(message.content, `${param}.content`, TEXT_PARTS, inputText, findingsOfParts);
  if (isLeftOut) return;
  dropOthers(message, new Set(["role", "content"]), "messages", findings);
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

function addAssistantMessage(message: JsonObject, param: string, draft: Draft, findings: Findings) {
  const { content, audio, function_call } = message;
  dropOthers(message, ASSISTANT_KEYS, "messages", findings);
  if (function_call !== undefined && function_call !== null) {
    const name = `${param}.function_call`;
    return findings.wrong("unsupported_parameter", name, `Unsupported parameter: '${name}'. Use '${param}.tool_calls' instead.`);
  }
  if (audio !== undefined && audio !== null) {
    // Only the service that spoke knows what the id stands for; without it the model would not know what it said.
    const name = `${param}.audio`;
    return findings.wrong(
      "unsupported_content",
      name,
      `Unsupported content: '${name}' is audio, which the backend of this model cannot take.`,
    );
  }
  const refusal = optional(messageText)(message.refusal, `${param}.refusal`, findings);
  const calls = optional(list("objects"))(message.tool_calls, `${param}.tool_calls`, findings) ?? [];
  const hasMore = calls.length > 0 || (refusal !== undefined && refusal !== "");
  const isAbsent = content === undefined || content === null;
  if (isAbsent && !hasMore) return missing(`${param}.content`, findings);
  const saysNothing = isAbsent || content === "" || (Array.isArray(content) && content.length === 0);
  const parts = [
    ...(saysNothing && hasMore ? [] : partsOf(content, `${param}.content`, ASSISTANT_PARTS, outputText, findings)),
    ...(refusal ? [{ type: "refusal", refusal }] : []),
  ];
  if (parts.length > 0) draft.input.push(messageItem("assistant", parts));
  for (const [index, call] of calls.entries()) addCall(call, `${param}.tool_calls[${index}]`, draft, findings);
}

function addCall(value: unknown, param: string, draft: Draft, findings: Findings) {
  const call = object(value, param, findings);
  if (call === undefined) return;
  dropOthers(call, CALL_KEYS, "messages.tool_calls", findings);
  const call_id = required(filledText)(call.id, `${param}.id`, findings);
  // Clients exist that leave the type of a function's call out.
  const given = call.type === undefined && call.function !== undefined ? "function" : call.type;
  const kind = required(oneOf(["function", "custom"]))(given, `${param}.type`, findings);
  if (call_id === undefined || kind === undefined) return;
  const called = required(object)(call[kind], `${param}.${kind}`, findings);
  if (called === undefined) return;
  const isCustom = kind === "custom";
  const key = isCustom ? "input" : "arguments";
  dropOthers(called, new Set(["name", key]), `messages.tool_calls.${kind}`, findings);
  const name = required(filledText)(called.name, `${param}.${kind}.name`, findings);
  const said = required(messageText)(called[key], `${param}.${kind}.${key}`, findings);
  draft.calls.set(call_id, kind);
  draft.input.push({ type: isCustom ? "custom_tool_call" : "function_call", call_id, name, [key]: said });
}

/** The index stands there for streams that were joined; it says nothing. */
const CALL_KEYS: ReadonlySet<string> = new Set(["id", "type", "function", "custom", "index"]);

function addToolMessage(message: JsonObject, index: number, draft: Draft, findings: Findings) {
  const { content } = message;
  const param = `messages[${index}]`;
  dropOthers(message, new Set(["role", "content", "tool_call_id"]), "messages", findings);
  const call_id = required(filledText)(message.tool_call_id, `${param}.tool_call_id`, findings);
  if (call_id === undefined) return;
  const kind = draft.calls.get(call_id);
  if (kind === undefined) {
    // OpenAI's own text and place, dot and spelling included (dimagi/open-chat-studio#1659).
    const said = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
    return findings.wrong(null, `messages.[${index}].role`, said);
  }
  const parts = partsOf(content, `${param}.content`, TOOL_PARTS, inputText, findings);
  const type = kind === "custom" ? "custom_tool_call_output" : "function_call_output";
  draft.input.push({ type, call_id, output: typeof content === "string" ? content : parts });
}
