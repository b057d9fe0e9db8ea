import { isObject, type JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import {
  dropOthers,
  filledText,
  flag,
  keptObject,
  list,
  messageText,
  object,
  oneOf,
  optional,
  required,
  text,
  wrongType,
} from "../chat/validation.ts";

const TOOL_TYPES = ["function", "custom"] as const;

export function translateTools(value: unknown, findings: Findings): readonly JsonObject[] {
  const tools = list("objects")(value, "tools", findings) ?? [];
  return tools.map((tool, index) => translateTool(tool, `tools[${index}]`, findings)).filter((tool) => tool !== undefined);
}

function translateTool(value: unknown, param: string, findings: Findings): JsonObject | undefined {
  const tool = object(value, param, findings);
  const type = tool && required(oneOf(TOOL_TYPES))(tool.type, `${param}.type`, findings);
  const inner = type && required(object)(tool[type], `${param}.${type}`, findings);
  if (tool === undefined || type === undefined || inner === undefined) return undefined;
  dropOthers(tool, new Set(["type", type]), "tools", findings);
  return type === "function" ? functionTool(inner, `${param}.function`, findings) : customTool(inner, `${param}.custom`, findings);
}

const NO_PARAMETERS: JsonObject = { type: "object", properties: {} };

/**
 * Where the client does not say, a function is not strict in Chat Completions, while Responses makes its schema strict
 * (platform guide "Function calling", strict mode). A function without parameters has an empty list of them.
 */
function functionTool(tool: JsonObject, param: string, findings: Findings): JsonObject {
  dropOthers(tool, new Set(["name", "description", "parameters", "strict"]), "tools.function", findings);
  return {
    type: "function",
    name: required(filledText)(tool.name, `${param}.name`, findings),
    ...described(tool, param, findings),
    parameters: optional(keptObject)(tool.parameters, `${param}.parameters`, findings) ?? NO_PARAMETERS,
    strict: optional(flag)(tool.strict, `${param}.strict`, findings) ?? false,
  };
}

function customTool(tool: JsonObject, param: string, findings: Findings): JsonObject {
  dropOthers(tool, new Set(["name", "description", "format"]), "tools.custom", findings);
  const format = optional(object)(tool.format, `${param}.format`, findings);
  return {
    type: "custom",
    name: required(filledText)(tool.name, `${param}.name`, findings),
    ...described(tool, param, findings),
    ...(format !== undefined && { format: customFormat(format, `${param}.format`, findings) }),
  };
}

function customFormat(format: JsonObject, param: string, findings: Findings): JsonObject | undefined {
  const type = required(oneOf(["text", "grammar"]))(format.type, `${param}.type`, findings);
  if (type !== "grammar") return { type };
  const grammar = required(object)(format.grammar, `${param}.grammar`, findings);
  return (
    grammar && {
      type,
      definition: required(messageText)(grammar.definition, `${param}.grammar.definition`, findings),
      syntax: required(text)(grammar.syntax, `${param}.grammar.syntax`, findings),
    }
  );
}

function described({ description }: JsonObject, param: string, findings: Findings): JsonObject {
  const found = optional(messageText)(description, `${param}.description`, findings);
  return found === undefined ? {} : { description: found };
}

/** A word, or an object whose inner name moves up. */
export function translateToolChoice(value: unknown, findings: Findings): string | JsonObject | undefined {
  if (typeof value === "string") return oneOf(["none", "auto", "required"])(value, "tool_choice", findings);
  if (!isObject(value)) return wrongType("one of a string or object", value, "tool_choice", findings);
  const type = required(oneOf(["function", "custom", "allowed_tools"]))(value.type, "tool_choice.type", findings);
  if (type !== "allowed_tools") return type && namedTool(value, type, "tool_choice", findings);
  const param = "tool_choice.allowed_tools";
  const allowed = required(object)(value.allowed_tools, param, findings);
  const tools = allowed && required(list("objects"))(allowed.tools, `${param}.tools`, findings);
  return (
    tools && {
      type,
      mode: required(oneOf(["auto", "required"]))(allowed.mode, `${param}.mode`, findings),
      tools: tools.map((tool, index) => allowedTool(tool, `${param}.tools[${index}]`, findings)),
    }
  );
}

function allowedTool(value: unknown, param: string, findings: Findings): JsonObject | undefined {
  const tool = object(value, param, findings);
  const type = tool && required(oneOf(TOOL_TYPES))(tool.type, `${param}.type`, findings);
  return type && namedTool(tool, type, param, findings);
}

function namedTool(tool: JsonObject, type: "function" | "custom", param: string, findings: Findings): JsonObject | undefined {
  const named = required(object)(tool[type], `${param}.${type}`, findings);
  return named && { type, name: required(filledText)(named.name, `${param}.${type}.name`, findings) };
}
