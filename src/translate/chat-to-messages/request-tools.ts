import { isObject, type JsonObject, objectsOf } from "../../dialects/shared.ts";
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
  wrongType,
} from "../chat/validation.ts";
import { customDescription, INPUT_SCHEMA } from "../custom-tools.ts";

const TOOL_TYPES = ["function", "custom"] as const;

type Tool = { readonly name: string; readonly input_schema: JsonObject; readonly description?: string };

/**
 * `tools` and `tool_choice` of a Messages request. A conversation in which tools were called must name them; where the client
 * offers none any more, they stand there by name alone, and the model may not call them.
 */
export function translateTools(json: JsonObject, called: ReadonlySet<string>, findings: Findings): JsonObject {
  const given = optional(list("objects"))(json.tools, "tools", findings) ?? [];
  const tools = given.flatMap((tool, index) => translateTool(tool, `tools[${index}]`, findings) ?? []);
  const choice = optional(translateChoice)(json.tool_choice, "tool_choice", findings);
  const isParallel = optional(flag)(json.parallel_tool_calls, "parallel_tool_calls", findings) ?? true;
  if (tools.length === 0) {
    if (choice?.isForced)
      findings.wrong(null, "tool_choice", "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.");
    const named = [...called].map((name) => ({ name, input_schema: NO_PARAMETERS }));
    return named.length === 0 ? {} : { tools: named, tool_choice: { type: "none" } };
  }
  const offered = tools.filter(({ name }) => choice?.allowed?.includes(name) !== false);
  for (const name of choice?.allowed ?? []) {
    if (!tools.some((tool) => tool.name === name)) {
      findings.wrong(
        null,
        "tool_choice",
        `Invalid value for 'tool_choice': the tool '${name.slice(0, NAME_CHARACTERS_MAX)}' is not found in 'tools'.`,
      );
    }
  }
  const alone = isParallel ? {} : { disable_parallel_tool_use: true };
  if (choice === undefined) return { tools, ...(!isParallel && { tool_choice: { type: "auto", ...alone } }) };
  // Which tools it may not call is said by leaving them out; what must be one of none is no choice.
  if (choice.type === "none" || offered.length === 0) return { tools, tool_choice: { type: "none" } };
  if (choice.type === "tool") return { tools, tool_choice: { type: "tool", name: choice.allowed?.[0], ...alone } };
  return { tools: offered, tool_choice: { type: choice.type, ...alone } };
}

const NAME_CHARACTERS_MAX = 100;
const NO_PARAMETERS: JsonObject = { type: "object", properties: {} };

function translateTool(value: unknown, param: string, findings: Findings): Tool | undefined {
  const tool = object(value, param, findings);
  const type = tool && required(oneOf(TOOL_TYPES))(tool.type, `${param}.type`, findings);
  const inner = type && required(object)(tool[type], `${param}.${type}`, findings);
  if (tool === undefined || type === undefined || inner === undefined) return undefined;
  dropOthers(tool, new Set(["type", type]), "tools", findings);
  return type === "function" ? functionTool(inner, `${param}.function`, findings) : customTool(inner, `${param}.custom`, findings);
}

/**
 * A strict function would be one for the target too, but it compiles the schemas of all of them into one grammar and refuses
 * the request where that grows too large, from some six tools on (anthropics/anthropic-sdk-typescript#885).
 */
function functionTool(tool: JsonObject, param: string, findings: Findings): Tool | undefined {
  dropOthers(tool, new Set(["name", "description", "parameters", "strict"]), "tools.function", findings);
  if (optional(flag)(tool.strict, `${param}.strict`, findings) === true) findings.drop("tools.function.strict");
  const name = required(filledText)(tool.name, `${param}.name`, findings);
  const description = optional(messageText)(tool.description, `${param}.description`, findings);
  const parameters = optional(keptObject)(tool.parameters, `${param}.parameters`, findings) ?? NO_PARAMETERS;
  // The target wants the type said.
  const input_schema = typeof parameters.type === "string" ? parameters : { ...parameters, type: "object" };
  return name === undefined ? undefined : { name, ...(description !== undefined && { description }), input_schema };
}

/** The target knows functions alone: one of one text. */
function customTool(tool: JsonObject, param: string, findings: Findings): Tool | undefined {
  dropOthers(tool, new Set(["name", "description", "format"]), "tools.custom", findings);
  const name = required(filledText)(tool.name, `${param}.name`, findings);
  const given = optional(messageText)(tool.description, `${param}.description`, findings);
  const format = optional(object)(tool.format, `${param}.format`, findings);
  const type = format && required(oneOf(["text", "grammar"]))(format.type, `${param}.format.type`, findings);
  const grammar = type === "grammar" ? required(object)(format?.grammar, `${param}.format.grammar`, findings) : undefined;
  if (grammar !== undefined) required(messageText)(grammar.definition, `${param}.format.grammar.definition`, findings);
  const description = customDescription(given, grammar);
  return name === undefined ? undefined : { name, ...(description !== undefined && { description }), input_schema: INPUT_SCHEMA };
}

/** The names of the tools whose input is a text for the client. */
export function customToolsOf({ tools }: JsonObject): ReadonlySet<string> {
  const names = objectsOf(tools).flatMap(({ type, custom }) =>
    type === "custom" && isObject(custom) && typeof custom.name === "string" ? [custom.name] : [],
  );
  return new Set(names);
}

// ---- tool_choice ----

type Choice = {
  readonly type: "none" | "auto" | "any" | "tool";
  /** It cannot be without tools. */
  readonly isForced: boolean;
  /** Undefined: all. */
  readonly allowed?: readonly string[];
};

const WORDS: Readonly<Record<"none" | "auto" | "required", Choice>> = {
  none: { type: "none", isForced: false },
  auto: { type: "auto", isForced: false },
  required: { type: "any", isForced: true },
};

function translateChoice(value: unknown, param: string, findings: Findings): Choice | undefined {
  if (typeof value === "string") {
    const word = oneOf(["none", "auto", "required"])(value, param, findings);
    return word && WORDS[word];
  }
  if (!isObject(value)) return wrongType("one of a string or object", value, param, findings);
  const type = required(oneOf(["function", "custom", "allowed_tools"]))(value.type, `${param}.type`, findings);
  if (type === "allowed_tools") return allowedTools(value.allowed_tools, `${param}.allowed_tools`, findings);
  const name = type && namedTool(value, type, param, findings);
  return name === undefined ? undefined : { type: "tool", isForced: true, allowed: [name] };
}

function allowedTools(value: unknown, param: string, findings: Findings): Choice | undefined {
  const allowed = required(object)(value, param, findings);
  const tools = allowed && required(list("objects"))(allowed.tools, `${param}.tools`, findings);
  const mode = allowed && required(oneOf(["auto", "required"]))(allowed.mode, `${param}.mode`, findings);
  const names = tools?.flatMap((tool, index) => {
    const at = `${param}.tools[${index}]`;
    const found = object(tool, at, findings);
    const type = found && required(oneOf(TOOL_TYPES))(found.type, `${at}.type`, findings);
    return (type && found && namedTool(found, type, at, findings)) ?? [];
  });
  return mode === undefined || names === undefined ? undefined : { ...WORDS[mode], allowed: names };
}

function namedTool(tool: JsonObject, type: "function" | "custom", param: string, findings: Findings): string | undefined {
  const named = required(object)(tool[type], `${param}.${type}`, findings);
  return named && required(filledText)(named.name, `${param}.${type}.name`, findings);
}
