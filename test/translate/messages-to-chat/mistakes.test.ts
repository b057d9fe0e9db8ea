import { describe, expect, test } from "bun:test";
import type { JsonObject } from "../../../src/dialects/shared.ts";
import { REQUEST, translated } from "./helpers.ts";

function nested(levels: number): unknown {
  return JSON.parse(`${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`);
}

function inUser(...content: readonly unknown[]): JsonObject {
  return { messages: [{ role: "user", content }] };
}

function afterUser(...messages: readonly unknown[]): JsonObject {
  return { messages: [{ role: "user", content: "Go" }, ...messages] };
}

const USE = { type: "tool_use", id: "toolu_1", name: "f", input: {} };
const RESULT = { type: "tool_result", tool_use_id: "toolu_1", content: "1" };
const TAGS = "'document', 'image', 'search_result', 'text'";

/** What a client adds to the plain request, the place, and the words that follow the place. */
const rows: readonly (readonly [asked: JsonObject, place: string, words: string])[] = [
  [{ model: undefined }, "model", "Field required"],
  [{ model: 1 }, "model", "Input should be a valid string"],
  [{ max_tokens: null }, "max_tokens", "Field required"],
  [{ max_tokens: "100" }, "max_tokens", "Input should be a valid integer"],
  [{ max_tokens: 1.5 }, "max_tokens", "Input should be a valid integer"],
  [{ max_tokens: 0 }, "max_tokens", "Input should be greater than or equal to 1"],
  [{ messages: undefined }, "messages", "Field required"],
  [{ messages: "Hi" }, "messages", "Input should be a valid list"],
  [{ messages: [] }, "messages", "at least one message is required"],
  [{ messages: ["Hi"] }, "messages.0", "Input should be a valid dictionary"],
  [{ messages: [{ content: "Hi" }] }, "messages.0.role", "Field required"],
  [{ messages: [{ role: "tool", content: "Hi" }] }, "messages.0.role", "Input should be 'user' or 'assistant'"],
  [{ messages: [{ role: "user" }] }, "messages.0.content", "Field required"],
  [{ messages: [{ role: "user", content: 1 }] }, "messages.0.content", "Input should be a valid list"],
  [
    { messages: [{ role: "user", content: "" }] },
    "messages.0",
    "all messages must have non-empty content except for the optional final assistant message",
  ],
  [inUser(1), "messages.0.content.0", "Input should be a valid dictionary"],
  [inUser({ text: "Hi" }), "messages.0.content.0.type", "Field required"],
  [inUser({ type: "text" }), "messages.0.content.0.text.text", "Field required"],
  [
    inUser({ type: "txt" }),
    "messages.0.content.0",
    `Input tag 'txt' found using 'type' does not match any of the expected tags: ${TAGS}, 'container_upload', 'tool_result'`,
  ],
  [inUser({ type: "image" }), "messages.0.content.0.image.source", "Field required"],
  [
    inUser({ type: "image", source: { type: "base64", data: "x" } }),
    "messages.0.content.0.image.source.base64.media_type",
    "Field required",
  ],
  [
    inUser({ type: "image", source: { type: "file", file_id: "f" } }),
    "messages.0.content.0.image.source.file",
    "the backend's API has no images by file id; send the image itself",
  ],
  [
    inUser({ type: "document", source: { type: "url", url: "https://a" } }),
    "messages.0.content.0.document.source.url",
    "the backend's API has no documents by URL; send the document itself",
  ],
  [
    inUser({ type: "document", source: { type: "file", file_id: "f" } }),
    "messages.0.content.0.document.source.file",
    "the backend's API has no documents by file id; send the document itself",
  ],
  [inUser({ type: "container_upload", file_id: "f" }), "messages.0.content.0", "the backend's API has no containers to put files into"],
  [
    inUser({ type: "text", text: "x".repeat(8 * 1024 * 1024 + 1) }),
    "messages.0.content.0.text.text",
    "String should have at most 8388608 characters",
  ],
  [
    inUser(RESULT),
    "messages.0.content.0",
    "unexpected `tool_use_id` found in `tool_result` blocks: toolu_1. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
  ],
  [
    afterUser({ role: "assistant", content: [USE] }, { role: "user", content: [{ ...RESULT, tool_use_id: "toolu_2" }] }),
    "messages.2.content.0",
    "unexpected `tool_use_id` found in `tool_result` blocks: toolu_2. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
  ],
  [
    afterUser(
      { role: "assistant", content: [USE] },
      { role: "user", content: [RESULT] },
      { role: "assistant", content: "Yes" },
      { role: "user", content: [RESULT] },
    ),
    "messages.4.content.0",
    "unexpected `tool_use_id` found in `tool_result` blocks: toolu_1. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
  ],
  [
    afterUser({ role: "assistant", content: [USE] }, { role: "user", content: [RESULT, RESULT] }),
    "messages.2.content.1",
    "each tool_use must have a single result. Found multiple `tool_result` blocks with id: toolu_1",
  ],
  [
    afterUser({ role: "assistant", content: [USE] }, { role: "user", content: "Well?" }),
    "messages.1",
    "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
  ],
  [
    afterUser({ role: "assistant", content: [USE] }),
    "messages.1",
    "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
  ],
  [afterUser({ role: "assistant", content: [USE, USE] }), "messages.1.content", "`tool_use` ids must be unique, found twice: toolu_1"],
  [
    afterUser({ role: "assistant", content: [{ ...USE, input: "{}" }] }),
    "messages.1.content.0.tool_use.input",
    "Input should be a valid dictionary",
  ],
  [
    afterUser({ role: "assistant", content: [{ ...USE, input: nested(600) }] }),
    "messages.1.content.0.tool_use.input",
    "Input is nested too deeply",
  ],
  [
    afterUser({ role: "assistant", content: [USE] }, { role: "user", content: [{ ...RESULT, content: [{ type: "text", text: 1 }] }] }),
    "messages.2.content.0.tool_result.content.0.text.text",
    "Input should be a valid string",
  ],
  [{ system: 1 }, "system", "Input should be a valid list"],
  [{ system: [{ type: "image" }] }, "system.0", "Input tag 'image' found using 'type' does not match any of the expected tags: 'text'"],
  [{ temperature: "1" }, "temperature", "Input should be a valid number"],
  [{ top_p: true }, "top_p", "Input should be a valid number"],
  [{ stream: "true" }, "stream", "Input should be a valid boolean"],
  [{ stop_sequences: "a" }, "stop_sequences", "Input should be a valid list"],
  [{ stop_sequences: ["a", 1] }, "stop_sequences.1", "Input should be a valid string"],
  [{ metadata: "u" }, "metadata", "Input should be a valid dictionary"],
  [{ metadata: { user_id: 1 } }, "metadata.user_id", "Input should be a valid string"],
  [{ thinking: { type: "enabled", budget_tokens: "many" } }, "thinking.enabled.budget_tokens", "Input should be a valid integer"],
  [
    { thinking: { type: "on" } },
    "thinking",
    "Input tag 'on' found using 'type' does not match any of the expected tags: 'adaptive', 'between_tools', 'disabled', 'enabled'",
  ],
  [{ output_config: { effort: "some" } }, "output_config.effort", "Input should be 'low', 'medium', 'high', 'xhigh', 'max'"],
  [{ output_config: { format: { type: "json_schema" } } }, "output_config.format.schema", "Field required"],
  [{ output_format: { type: "json_schema", schema: nested(600) } }, "output_format.schema", "Input is nested too deeply"],
  [{ tools: {} }, "tools", "Input should be a valid list"],
  [{ tools: [{ input_schema: {} }] }, "tools.0.custom.name", "Field required"],
  [{ tools: [{ name: "f" }] }, "tools.0.custom.input_schema", "Field required"],
  [
    { tools: [{ type: "function", function: {} }] },
    "tools.0",
    "Input tag 'function' found using 'type' does not match any of the expected tags: 'custom'",
  ],
  [{ tool_choice: "auto" }, "tool_choice", "Input should be a valid dictionary"],
  [{ tool_choice: { type: "tool" } }, "tool_choice.tool.name", "Field required"],
  [{ tool_choice: { type: "tool", name: "f" } }, "tool_choice.tool.name", "Tool 'f' not found in provided tools"],
  [
    { tools: [{ type: "web_search_20250305", name: "web_search" }], tool_choice: { type: "tool", name: "web_search" } },
    "tool_choice.tool.name",
    "Tool 'web_search' is one of the service's own and cannot be passed on to the backend",
  ],
  [
    { tools: [{ type: "web_search_20250305", name: "web_search" }], tool_choice: { type: "any" } },
    "tool_choice.any",
    "none of the tools can be passed on to the backend",
  ],
];

describe("a wrong request is told as the service tells it", () => {
  test.each(rows.map(([asked, place, words], index) => [`${index}: ${place}: ${words}`, asked, place, words] as const))(
    "%s",
    (_name, asked, place, words) => {
      expect(translated({ ...REQUEST, ...asked })).toMatchObject({
        kind: "mistake",
        status: 400,
        message: `${place}: ${words}`,
        param: place,
      });
    },
  );

  test("what is wrong first is told, and long words are cut", () => {
    const result = translated({ ...REQUEST, max_tokens: 0, ...inUser({ type: "x".repeat(1_000) }) });
    expect(result).toMatchObject({ kind: "mistake", param: "messages.0.content.0" });
    expect(result.kind === "mistake" && result.message.length).toBeLessThan(300);
  });
});
