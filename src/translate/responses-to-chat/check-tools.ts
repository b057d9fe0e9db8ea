import { isObject, type JsonObject, objectsOf, textOf } from "../../dialects/shared.ts";
import { type Mistakes, mistake, nameMistakes, optionalMistakes, wrongType, wrongValue } from "./mistakes.ts";
import type { OfferedTools } from "./tools.ts";
import { chosenTool } from "./translate-tools.ts";

/** `tools`, and the same in a namespace or an item. */
export function* toolMistakes(tools: unknown, place: string): Mistakes {
  if (tools === undefined || tools === null) return;
  if (!Array.isArray(tools)) return yield wrongType(place, "an array of objects", tools);
  for (const [index, tool] of tools.entries()) yield* definitionMistakes(tool, `${place}[${index}]`);
}

function* definitionMistakes(tool: unknown, place: string): Mistakes {
  if (!isObject(tool)) return yield wrongType(place, "an object", tool);
  yield* nameMistakes(tool, "type", place);
  const { type } = tool;
  // Of the others only the type is read, to name what is left out.
  if (type !== "function" && type !== "custom" && type !== "namespace") return;
  yield* nameMistakes(tool, "name", place);
  yield* optionalMistakes(tool.description, "string", `${place}.description`);
  if (type === "namespace") return yield* toolMistakes(tool.tools, `${place}.tools`);
  yield* optionalMistakes(tool.parameters, "object", `${place}.parameters`);
  yield* optionalMistakes(tool.strict, "boolean", `${place}.strict`);
  yield* optionalMistakes(tool.format, "object", `${place}.format`);
  if (type === "custom" && isObject(tool.format)) yield* formatMistakes(tool.format, `${place}.format`);
}

function* formatMistakes(format: JsonObject, place: string): Mistakes {
  yield* nameMistakes(format, "type", place);
  if (format.type === "grammar") {
    yield* nameMistakes(format, "definition", place);
    yield* nameMistakes(format, "syntax", place);
  } else if (format.type !== "text") yield wrongValue(`${place}.type`, String(format.type), ["text", "grammar"]);
}

const CHOICES = ["none", "auto", "required"];

/** What forces a tool that the target is not offered is wrong: left out, the model would do something else. */
export function* choiceMistakes(choice: unknown, offered: OfferedTools): Mistakes {
  if (choice === undefined || choice === null) return;
  if (typeof choice === "string") {
    if (!CHOICES.includes(choice)) yield wrongValue("tool_choice", choice, CHOICES);
    if (choice === "required" && offered.list.length === 0) yield nothingToChoose();
    return;
  }
  if (!isObject(choice)) return yield wrongType("tool_choice", "one of a string or an object", choice);
  yield* nameMistakes(choice, "type", "tool_choice");
  if (choice.type === "allowed_tools") return yield* allowedMistakes(choice, offered);
  if (choice.type !== "function" && choice.type !== "custom") yield unsupported(textOf(choice.type) ?? "");
  yield* nameMistakes(choice, "name", "tool_choice");
  if (chosenTool(choice, offered) === undefined) {
    yield mistake("tool_choice", "invalid_value", `Tool choice '${textOf(choice.name)?.slice(0, 64)}' not found in 'tools' parameter.`);
  }
}

const MODES = ["auto", "required"];

function* allowedMistakes(choice: JsonObject, offered: OfferedTools): Mistakes {
  yield* nameMistakes(choice, "mode", "tool_choice");
  if (!MODES.includes(String(choice.mode))) yield wrongValue("tool_choice.mode", String(choice.mode), MODES);
  if (!Array.isArray(choice.tools)) yield wrongType("tool_choice.tools", "an array of objects", choice.tools);
  const isSome = objectsOf(choice.tools).some((tool) => chosenTool(tool, offered) !== undefined);
  if (choice.mode === "required" && !isSome) yield nothingToChoose();
}

function nothingToChoose() {
  return mistake("tool_choice", "invalid_value", "'tool_choice' requires a tool, but none of 'tools' can be offered to the target.");
}

function unsupported(type: string) {
  const message = `'tool_choice' forces the tool '${type.slice(0, 64)}', which the target does not have: it speaks Chat Completions.`;
  return mistake("tool_choice", "invalid_value", message);
}
