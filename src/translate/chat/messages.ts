import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "./findings.ts";
import { refuseAudio } from "./parts.ts";
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
} from "./validation.ts";

/** A message and where it stands: `param` in most of OpenAI's texts, `place` in those on the order of messages. */
export type Message = { readonly json: JsonObject; readonly param: string; readonly place: string };

/** What a target makes of the messages of each role. */
export type Listeners = {
  readonly system: (message: Message, role: "system" | "developer") => void;
  readonly user: (message: Message) => void;
  readonly assistant: (message: Message) => void;
  readonly tool: (message: Message) => void;
};

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;

/** Ends with the first message that is wrong. */
export function readMessages(value: unknown, listeners: Listeners, findings: Findings): void {
  const messages = required(filledList("objects"))(value, "messages", findings) ?? [];
  for (const [index, element] of messages.entries()) {
    const param = `messages[${index}]`;
    const json = object(element, param, findings);
    if (json !== undefined) readMessage({ json, param, place: `messages.[${index}].role` }, listeners, findings);
    if (findings.mistake() !== undefined) break;
  }
}

function readMessage(message: Message, listeners: Listeners, findings: Findings) {
  const { json, param } = message;
  const role = required(text)(json.role, `${param}.role`, findings);
  optional(text)(json.name, `${param}.name`, findings);
  switch (role) {
    case undefined:
      return;
    case "system":
    case "developer":
      return listeners.system(message, role);
    case "user":
    case "assistant":
    case "tool":
      return listeners[role](message);
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

/** What an assistant's message has beside its content, and whether that is to be read. */
export type Said = { readonly hasContent: boolean; readonly refusal: string; readonly calls: readonly unknown[] };

export function readAssistant({ json, param }: Message, findings: Findings): Said | undefined {
  const { content, audio, function_call } = json;
  if (function_call !== undefined && function_call !== null) {
    const name = `${param}.function_call`;
    return findings.wrong("unsupported_parameter", name, `Unsupported parameter: '${name}'. Use '${param}.tool_calls' instead.`);
  }
  // Only the service that spoke knows what the id stands for; without it the model would not know what it said.
  if (audio !== undefined && audio !== null) return refuseAudio(`${param}.audio`, findings);
  const refusal = optional(messageText)(json.refusal, `${param}.refusal`, findings) ?? "";
  const calls = optional(list("objects"))(json.tool_calls, `${param}.tool_calls`, findings) ?? [];
  const hasMore = calls.length > 0 || refusal !== "";
  const isAbsent = content === undefined || content === null;
  if (isAbsent && !hasMore) return missing(`${param}.content`, findings);
  const saysNothing = isAbsent || content === "" || (Array.isArray(content) && content.length === 0);
  return { hasContent: !(saysNothing && hasMore), refusal, calls };
}

export type Call = { readonly id: string; readonly kind: "function" | "custom"; readonly name: string; readonly said: string };

/** The index stands there for streams that were joined; it says nothing. */
const CALL_KEYS: ReadonlySet<string> = new Set(["id", "type", "function", "custom", "index"]);

export function readCall(value: unknown, param: string, findings: Findings): Call | undefined {
  const call = object(value, param, findings);
  if (call === undefined) return undefined;
  dropOthers(call, CALL_KEYS, "messages.tool_calls", findings);
  const id = required(filledText)(call.id, `${param}.id`, findings);
  // Clients exist that leave the type of a function's call out.
  const given = call.type === undefined && call.function !== undefined ? "function" : call.type;
  const kind = required(oneOf(["function", "custom"]))(given, `${param}.type`, findings);
  const called = kind && required(object)(call[kind], `${param}.${kind}`, findings);
  if (called === undefined) return undefined;
  const key = kind === "custom" ? "input" : "arguments";
  dropOthers(called, new Set(["name", key]), `messages.tool_calls.${kind}`, findings);
  const name = required(filledText)(called.name, `${param}.${kind}.name`, findings);
  const said = required(messageText)(called[key], `${param}.${kind}.${key}`, findings);
  return id === undefined || kind === undefined || name === undefined || said === undefined ? undefined : { id, kind, name, said };
}

/** The call that a tool's message answers. `callOf` knows those that it may answer. */
export function answeredCall<T>({ json, param, place }: Message, callOf: (id: string) => T | undefined, findings: Findings): T | undefined {
  dropOthers(json, new Set(["role", "content", "tool_call_id"]), "messages", findings);
  const id = required(filledText)(json.tool_call_id, `${param}.tool_call_id`, findings);
  if (id === undefined) return undefined;
  // OpenAI's own text and place, dot and spelling included (dimagi/open-chat-studio#1659).
  const said = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
  return callOf(id) ?? findings.wrong(null, place, said);
}
