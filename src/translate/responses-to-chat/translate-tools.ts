import { isObject, type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";
import { customDescription, INPUT_SCHEMA } from "../custom-tools.ts";
import type { RequestOptions } from "../translation.ts";
import { asksForNothing, type Dropped, drop } from "./dropped.ts";
import { definitionsOf, type OfferedTool, type OfferedTools } from "./tools.ts";

/**
 * How custom tools, whose input is free text, are offered: as what Chat Completions calls by the same name, or as functions of one
 * text, since most servers but OpenAI's know functions only.
 */
export type CustomTools = NonNullable<RequestOptions["customTools"]>;

/** The keys of a request that speak of tools. */
export function translateTools(request: JsonObject, offered: OfferedTools, custom: CustomTools, dropped: Dropped): JsonObject {
  nameDropped(request, dropped);
  // Many servers refuse an empty list, and a choice where there is nothing to choose from.
  if (offered.list.length === 0) return {};
  const choice = translateChoice(request.tool_choice, offered, custom);
  return {
    tools: offered.list.map((tool) => translateTool(tool, custom)),
    ...(choice !== undefined && { tool_choice: choice }),
    ...(typeof request.parallel_tool_calls === "boolean" && { parallel_tool_calls: request.parallel_tool_calls }),
  };
}

/** A tool whose loading was to be deferred is offered at once: nothing is lost. */
const TRANSLATED: ReadonlySet<string> = new Set(["type", "name", "description", "parameters", "strict", "format", "defer_loading"]);

function nameDropped(request: JsonObject, dropped: Dropped): void {
  for (const { definition } of definitionsOf(request)) {
    const { type } = definition;
    if (type !== "function" && type !== "custom") drop(dropped, textOf(type) ?? "", "tools.");
    else {
      for (const [key, value] of Object.entries(definition)) {
        if (!TRANSLATED.has(key) && value !== false && !asksForNothing(value)) drop(dropped, key, "tools.");
      }
    }
  }
}

function translateTool(tool: OfferedTool, custom: CustomTools): JsonObject {
  if (tool.kind === "function") return functionTool(tool);
  return custom === "custom" ? customTool(tool) : customAsFunction(tool);
}

function functionTool({ chatName, definition: { description, parameters, strict } }: OfferedTool): JsonObject {
  return {
    type: "function",
    function: {
      name: chatName,
      ...(typeof description === "string" && { description }),
      ...(isObject(parameters) && { parameters }),
      ...(typeof strict === "boolean" && { strict }),
    },
  };
}

function customTool({ chatName, definition: { description, format } }: OfferedTool): JsonObject {
  return {
    type: "custom",
    custom: {
      name: chatName,
      ...(typeof description === "string" && { description }),
      ...(isObject(format) && { format: nested(format) }),
    },
  };
}

/** Chat Completions has the grammar one level deeper. */
function nested({ type, definition, syntax }: JsonObject): JsonObject {
  return type === "grammar" ? { type, grammar: { definition, syntax } } : { type };
}

function customAsFunction({ chatName, definition: { description, format } }: OfferedTool): JsonObject {
  const said = customDescription(description, isObject(format) && format.type === "grammar" ? format : undefined);
  return {
    type: "function",
    function: { name: chatName, ...(said !== undefined && { description: said }), parameters: INPUT_SCHEMA },
  };
}

/** Undefined where the choice is the target's default. The request has been checked: what is forced is offered. */
function translateChoice(choice: unknown, offered: OfferedTools, custom: CustomTools): unknown {
  if (typeof choice === "string") return choice;
  if (!isObject(choice)) return undefined;
  if (choice.type !== "allowed_tools") return namedChoice(choice, offered, custom);
  const tools = objectsOf(choice.tools).flatMap((tool) => namedChoice(tool, offered, custom) ?? []);
  return tools.length === 0 ? "none" : { type: "allowed_tools", allowed_tools: { mode: choice.mode, tools } };
}

function namedChoice(choice: JsonObject, offered: OfferedTools, custom: CustomTools): JsonObject | undefined {
  const tool = chosenTool(choice, offered);
  if (tool === undefined) return undefined;
  const name = tool.chatName;
  return tool.kind === "custom" && custom === "custom" ? { type: "custom", custom: { name } } : { type: "function", function: { name } };
}

/** The offered tool that a choice means; undefined where it is another kind of tool, or not offered. */
export function chosenTool({ type, name, namespace }: JsonObject, offered: OfferedTools): OfferedTool | undefined {
  if ((type !== "function" && type !== "custom") || typeof name !== "string") return undefined;
  const tool = offered.byChatName.get(offered.chatNameOf(namespace, name));
  return tool?.kind === type ? tool : undefined;
}
