import type { JsonObject } from "../../dialects/shared.ts";
import type { RequestMistake, RequestOptions, TranslatedRequest } from "../translation.ts";
import { readConversation } from "./conversation.ts";
import { createNotes } from "./notes.ts";
import { readSettings } from "./settings.ts";
import { readTools } from "./tools.ts";
import { dropOthers, required, STRING } from "./values.ts";

/** What is read here or in a file beside; any other key is named as dropped. */
const READ = [
  "max_tokens",
  "messages",
  "metadata",
  "model",
  "output_config",
  "output_format",
  "stop_sequences",
  "stream",
  "system",
  "temperature",
  "thinking",
  "tool_choice",
  "tools",
  "top_p",
] as const;

/** A request of the Messages API as one of Chat Completions. */
export function translateRequest(json: JsonObject, { systemMessages }: RequestOptions): TranslatedRequest | RequestMistake {
  const notes = createNotes();
  const model = required(notes, json.model, "model", STRING) ?? "";
  const messages = readConversation(notes, json, systemMessages);
  const body = { model, messages, ...readTools(notes, json), ...readSettings(notes, json, model) };
  // The service's choice of tier is what a target does that is not told any.
  dropOthers(notes, json, json.service_tier === "auto" ? [...READ, "service_tier"] : READ, "");
  return notes.mistake() ?? { kind: "request", body, dropped: notes.dropped() };
}
