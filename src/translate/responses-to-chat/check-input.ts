import { isObject, type JsonObject } from "../../dialects/shared.ts";
import { contentMistakes } from "./check-content.ts";
import { toolMistakes } from "./check-tools.ts";
import { CALLS, DROPPED_ITEMS, itemType, MESSAGES, OUTPUTS, roleOf, STATE_ITEMS } from "./items.ts";
import {
  depthMistakes,
  lengthMistakes,
  type Mistakes,
  missing,
  mistake,
  nameMistakes,
  textMistakes,
  wrongType,
  wrongValue,
} from "./mistakes.ts";

export function* inputMistakes(input: unknown): Mistakes {
  if (input === undefined || input === null || (Array.isArray(input) && input.length === 0)) return yield missing("input");
  if (typeof input === "string") return yield* lengthMistakes(input, "input");
  if (!Array.isArray(input)) return yield wrongType("input", "one of a string or an array of objects", input);
  for (const [index, item] of input.entries()) yield* itemMistakes(item, `input[${index}]`);
  yield* pairMistakes(input.filter(isObject));
}

const ROLES = ["assistant", "system", "developer", "user"];

function* itemMistakes(item: unknown, place: string): Mistakes {
  if (!isObject(item)) return yield wrongType(place, "an object", item);
  const type = itemType(item);
  if (typeof type !== "string") return yield wrongType(`${place}.type`, "a string", type);
  if (MESSAGES.has(type)) return yield* messageMistakes(item, place);
  if (CALLS.has(type)) {
    yield* nameMistakes(item, "call_id", place);
    yield* nameMistakes(item, "name", place);
    return yield* textMistakes(item, type === "function_call" ? "arguments" : "input", place);
  }
  if (OUTPUTS.has(type)) {
    yield* nameMistakes(item, "call_id", place);
    return yield* contentMistakes(item, "output", place, "output");
  }
  if (type === "additional_tools") {
    yield* depthMistakes(item.tools, `${place}.tools`);
    return yield* toolMistakes(item.tools, `${place}.tools`);
  }
  if (STATE_ITEMS.has(type)) yield onlyAtTheService(place, type);
  if (!DROPPED_ITEMS.has(type))
    yield wrongValue(`${place}.type`, type, ["message", ...names(CALLS), ...names(OUTPUTS), ...names(DROPPED_ITEMS)]);
}

function names(types: ReadonlySet<unknown>): readonly string[] {
  return [...types].map(String);
}

function* messageMistakes(item: JsonObject, place: string): Mistakes {
  const role = roleOf(item);
  if (role === undefined) yield missing(`${place}.role`);
  if (typeof role !== "string") return yield wrongType(`${place}.role`, "a string", role);
  if (!ROLES.includes(role)) yield wrongValue(`${place}.role`, role, ROLES);
  const holder = role === "user" || role === "assistant" ? role : "system";
  yield* contentMistakes(item, "content", place, holder);
}

function onlyAtTheService(place: string, type: string) {
  const message = `'${place}' is of type '${type}', which stands for what only the Responses service holds. The target speaks Chat Completions: send the items themselves.`;
  return mistake(`${place}.type`, "invalid_value", message);
}

/** Every output answers a call before it, and every call is answered: so the service has it, in these words, and Chat servers too. */
function* pairMistakes(items: readonly JsonObject[]): Mistakes {
  const known = new Set<unknown>();
  const unanswered = new Map<unknown, string>();
  for (const item of items) {
    const type = itemType(item);
    if (CALLS.has(type)) {
      known.add(item.call_id);
      unanswered.set(item.call_id, type === "function_call" ? "function call" : "custom tool call");
    } else if (OUTPUTS.has(type)) {
      if (!known.has(item.call_id)) {
        const kind = type === "function_call_output" ? "function call" : "custom tool call";
        yield mistake("input", null, `No tool call found for ${kind} output with call_id ${item.call_id}.`);
      }
      unanswered.delete(item.call_id);
    } else if (DROPPED_ITEMS.has(type)) known.add(item.call_id);
  }
  for (const [callId, kind] of unanswered) yield mistake("input", null, `No tool output found for ${kind} ${callId}.`);
}
