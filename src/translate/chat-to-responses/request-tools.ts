import type { JsonObject } from "../../dialects/shared.ts";
import type { Findings } from "../chat/findings.ts";
import { readFormat, readNames, readParametersOf, readTool, type Tool } from "../chat/tools.ts";
import { flag, list, object, optional, required, text } from "../chat/validation.ts";

export function translateTools(value: unknown, findings: Findings): readonly JsonObject[] {
  const tools = list("objects")(value, "tools", findings) ?? [];
  return tools.flatMap<JsonObject>((given, index) => {
    const tool = readTool(given, index, findings);
    if (tool === undefined) return [];
    return tool.type === "function" ? functionTool(tool, findings) : customTool(tool, findings);
  });
}

/**
 * Where the client does not say, a function is not strict in Chat Completions, while Responses makes its schema strict
 * (platform guide "Function calling", strict mode).
 */
function functionTool(tool: Tool, findings: Findings): JsonObject {
  return {
    type: "function",
    ...readNames(tool, findings),
    parameters: readParametersOf(tool, findings),
    strict: optional(flag)(tool.inner.strict, `${tool.param}.strict`, findings) ?? false,
  };
}

function customTool(tool: Tool, findings: Findings): JsonObject {
  const param = `${tool.param}.format`;
  const format = optional(object)(tool.inner.format, param, findings);
  return {
    type: "custom",
    ...readNames(tool, findings),
    ...(format !== undefined && { format: customFormat(format, param, findings) }),
  };
}

function customFormat(format: JsonObject, param: string, findings: Findings): JsonObject | undefined {
  const { type, grammar } = readFormat(format, param, findings) ?? {};
  if (grammar === undefined) return { type };
  return { type, definition: grammar.definition, syntax: required(text)(grammar.syntax, `${param}.grammar.syntax`, findings) };
}
