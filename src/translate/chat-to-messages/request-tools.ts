import { isObject, type JsonObject, objectsOf } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import { type Tool as ChatTool, NO_PARAMETERS, readFormat, readNames, readParametersOf, readTool, readToolChoice } from "../chat/tools.ts";
import { flag, list, object, optional } from "../chat/validation.ts";
import { customDescription, INPUT_SCHEMA } from "../custom-tools.ts";

type Tool = { readonly name: string; readonly input_schema: JsonObject; readonly description?: string };

/**
 * `tools` and `tool_choice` of a Messages request. A conversation in which tools were called must name them; where the client
 * offers none any more, they stand there by name alone, and the model may not call them.
 */
export function translateTools(json: JsonObject, called: ReadonlySet<string>, findings: Findings): JsonObject {
  const given = optional(list("objects"))(json.tools, "tools", findings) ?? [];
  const tools = given.flatMap((tool, index) => translateTool(tool, index, findings) ?? []);
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

function translateTool(value: unknown, index: number, findings: Findings): Tool | undefined {
  const tool = readTool(value, index, findings);
  return tool && (tool.type === "function" ? functionTool(tool, findings) : customTool(tool, findings));
}

/**
 * A strict function would be one for the target too, but it compiles the schemas of all of them into one grammar and refuses
 * the request where that grows too large, from some six tools on (anthropics/anthropic-sdk-typescript#885).
 */
function functionTool(tool: ChatTool, findings: Findings): Tool | undefined {
  if (optional(flag)(tool.inner.strict, `${tool.param}.strict`, findings) === true) findings.drop("tools.function.strict");
  const { name, ...described } = readNames(tool, findings);
  const parameters = readParametersOf(tool, findings);
  // The target wants the type said.
  const input_schema = typeof parameters.type === "string" ? parameters : { ...parameters, type: "object" };
  return name === undefined ? undefined : { name, ...described, input_schema };
}

/** The target knows functions alone: one of one text. */
function customTool(tool: ChatTool, findings: Findings): Tool | undefined {
  const { name, description: given } = readNames(tool, findings);
  const param = `${tool.param}.format`;
  const format = optional(object)(tool.inner.format, param, findings);
  const description = customDescription(given, format && readFormat(format, param, findings)?.grammar);
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
  const choice = readToolChoice(value, param, findings);
  if (choice === undefined) return undefined;
  if (typeof choice === "string") return WORDS[choice];
  if (choice.type === "allowed_tools") return { ...WORDS[choice.mode], allowed: choice.tools.map(({ name }) => name) };
  return { type: "tool", isForced: true, allowed: [choice.name] };
}
