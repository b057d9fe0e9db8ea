import { isObject, type JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "./findings.ts";
import { dropOthers, filledText, keptObject, list, messageText, object, oneOf, optional, required, wrongType } from "./validation.ts";

const TOOL_TYPES = ["function", "custom"] as const;
type ToolType = (typeof TOOL_TYPES)[number];

const KEYS: Readonly<Record<ToolType, ReadonlySet<string>>> = {
  function: new Set(["name", "description", "parameters", "strict"]),
  custom: new Set(["name", "description", "format"]),
};

/** One of `tools`, and what is said of it under the name of its type, which stands at `param`. */
export type Tool = { readonly type: ToolType; readonly inner: JsonObject; readonly param: string };

export function readTool(value: unknown, index: number, findings: Findings): Tool | undefined {
  const param = `tools[${index}]`;
  const tool = object(value, param, findings);
  const type = tool && required(oneOf(TOOL_TYPES))(tool.type, `${param}.type`, findings);
  const inner = type && required(object)(tool[type], `${param}.${type}`, findings);
  if (tool === undefined || type === undefined || inner === undefined) return undefined;
  dropOthers(tool, new Set(["type", type]), "tools", findings);
  dropOthers(inner, KEYS[type], `tools.${type}`, findings);
  return { type, inner, param: `${param}.${type}` };
}

export const NO_PARAMETERS: JsonObject = { type: "object", properties: {} };

export type Named = { readonly name: string | undefined; readonly description?: string };

export function readNames({ inner, param }: Tool, findings: Findings): Named {
  const name = required(filledText)(inner.name, `${param}.name`, findings);
  const description = optional(messageText)(inner.description, `${param}.description`, findings);
  return { name, ...(description !== undefined && { description }) };
}

/** A function without parameters has an empty list of them. */
export function readParametersOf({ inner, param }: Tool, findings: Findings): JsonObject {
  return optional(keptObject)(inner.parameters, `${param}.parameters`, findings) ?? NO_PARAMETERS;
}

export type CustomFormat = { readonly type: "text" | "grammar"; readonly grammar?: JsonObject };

export function readFormat(format: JsonObject, param: string, findings: Findings): CustomFormat | undefined {
  const type = required(oneOf(["text", "grammar"]))(format.type, `${param}.type`, findings);
  if (type !== "grammar") return type && { type };
  const grammar = required(object)(format.grammar, `${param}.grammar`, findings);
  if (grammar === undefined) return undefined;
  required(messageText)(grammar.definition, `${param}.grammar.definition`, findings);
  return { type, grammar };
}

// ---- tool_choice ----

export type NamedTool = { readonly type: ToolType; readonly name: string };

export type ToolChoice =
  | "none"
  | "auto"
  | "required"
  | NamedTool
  | { readonly type: "allowed_tools"; readonly mode: "auto" | "required"; readonly tools: readonly NamedTool[] };

/** A word, or an object whose inner names have moved up. */
export function readToolChoice(value: unknown, param: string, findings: Findings): ToolChoice | undefined {
  if (typeof value === "string") return oneOf(["none", "auto", "required"])(value, param, findings);
  if (!isObject(value)) return wrongType("one of a string or object", value, param, findings);
  const type = required(oneOf(["function", "custom", "allowed_tools"]))(value.type, `${param}.type`, findings);
  if (type === "allowed_tools") return allowedTools(value.allowed_tools, `${param}.allowed_tools`, findings);
  return type && namedTool(value, type, param, findings);
}

function allowedTools(value: unknown, param: string, findings: Findings): ToolChoice | undefined {
  const allowed = required(object)(value, param, findings);
  const given = allowed && required(list("objects"))(allowed.tools, `${param}.tools`, findings);
  const mode = allowed && required(oneOf(["auto", "required"]))(allowed.mode, `${param}.mode`, findings);
  const tools = given?.flatMap((tool, index) => allowedTool(tool, `${param}.tools[${index}]`, findings) ?? []);
  return mode && tools && { type: "allowed_tools", mode, tools };
}

function allowedTool(value: unknown, param: string, findings: Findings): NamedTool | undefined {
  const tool = object(value, param, findings);
  const type = tool && required(oneOf(TOOL_TYPES))(tool.type, `${param}.type`, findings);
  return type && namedTool(tool, type, param, findings);
}

function namedTool(tool: JsonObject, type: ToolType, param: string, findings: Findings): NamedTool | undefined {
  const named = required(object)(tool[type], `${param}.${type}`, findings);
  const name = named && required(filledText)(named.name, `${param}.${type}.name`, findings);
  return name === undefined ? undefined : { type, name };
}
