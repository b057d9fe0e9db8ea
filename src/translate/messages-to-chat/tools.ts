import { type JsonObject, textOf } from "../../dialects/shared.ts";
import type { Notes } from "./notes.ts";
import { BOOLEAN, clipped, DICTIONARY, dropOthers, LIST, optional, required, requiredJson, STRING, tagOf } from "./values.ts";

/** Tools that the service defines, and mostly runs, itself: `web_search_20250305`, `bash_20250124`. Their names have a date, but for these. */
const DEFINED_BY_SERVICE = /_\d{8}$|^(?:mcp_toolset|tool_search_tool_(?:bm25|regex))$/;

/** `tools`, `tool_choice` and `parallel_tool_calls` of a Chat Completions request; keys that would say nothing are left out. */
export function readTools(notes: Notes, json: JsonObject): JsonObject {
  /** By name: does the target get it? */
  const known = new Map<string, boolean>();
  const tools = (optional(notes, json.tools, "tools", LIST) ?? []).flatMap((value, index) => {
    const place = `tools.${index}`;
    const tool = required(notes, value, place, DICTIONARY);
    if (tool === undefined) return [];
    const type = optional(notes, tool.type, `${place}.type`, STRING) ?? "custom";
    const name = textOf(tool.name) ?? textOf(tool.mcp_server_name);
    const isOwn = !DEFINED_BY_SERVICE.test(type);
    if (name !== undefined) known.set(name, isOwn);
    if (isOwn) return [functionTool(notes, { ...tool, type }, place)];
    notes.drop(`tools.${clipped(type)}`);
    return [];
  });
  const choice = readChoice(notes, json.tool_choice, known);
  // A choice without tools is refused by OpenAI.
  return tools.length === 0 ? {} : { tools, ...choice };
}

function functionTool(notes: Notes, tool: JsonObject, place: string): JsonObject {
  tagOf(notes, tool, place, ["custom"]);
  const inside = `${place}.custom`;
  dropOthers(notes, tool, ["name", "description", "input_schema", "strict"], "tools.");
  const description = optional(notes, tool.description, `${inside}.description`, STRING);
  const strict = optional(notes, tool.strict, `${inside}.strict`, BOOLEAN);
  return {
    type: "function",
    function: {
      name: required(notes, tool.name, `${inside}.name`, STRING),
      ...(description !== undefined && { description }),
      parameters: requiredJson(notes, tool.input_schema, `${inside}.input_schema`),
      ...(strict !== undefined && { strict }),
    },
  };
}

function readChoice(notes: Notes, value: unknown, known: ReadonlyMap<string, boolean>): JsonObject {
  const choice = optional(notes, value, "tool_choice", DICTIONARY);
  const tag = choice === undefined ? undefined : tagOf(notes, choice, "tool_choice", ["any", "auto", "none", "tool"]);
  if (choice === undefined || tag === undefined) return {};
  dropOthers(notes, choice, ["name", "disable_parallel_tool_use"], "tool_choice.");
  const alone = optional(notes, choice.disable_parallel_tool_use, `tool_choice.${tag}.disable_parallel_tool_use`, BOOLEAN) === true;
  return { tool_choice: choiceOf(notes, tag, choice, known), ...(alone && { parallel_tool_calls: false }) };
}

/** A tool that must be used and that the target does not get is a mistake: the answer could not be what was asked for. */
function choiceOf(notes: Notes, tag: "any" | "auto" | "none" | "tool", choice: JsonObject, known: ReadonlyMap<string, boolean>): unknown {
  if (tag === "auto" || tag === "none") return tag;
  if (tag === "any") {
    if (![...known.values()].includes(true)) notes.wrong("tool_choice.any", "none of the tools can be passed on to the backend");
    return "required";
  }
  const name = required(notes, choice.name, "tool_choice.tool.name", STRING);
  if (name === undefined) return undefined;
  const isPassedOn = known.get(name);
  if (isPassedOn === undefined) notes.wrong("tool_choice.tool.name", `Tool '${clipped(name)}' not found in provided tools`);
  if (isPassedOn === false) {
    notes.wrong("tool_choice.tool.name", `Tool '${clipped(name)}' is one of the service's own and cannot be passed on to the backend`);
  }
  return { type: "function", function: { name } };
}
