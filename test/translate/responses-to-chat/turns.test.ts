import { expect, test } from "bun:test";
import type { ResponseCreateParams } from "openai/resources/responses/responses";
import { objectsOf } from "../../../src/dialects/shared.ts";
import { responsesToChat } from "../../../src/translate/responses-to-chat.ts";
import { context, json, OPTIONS } from "./support.ts";

const REQUEST: ResponseCreateParams = {
  model: "m",
  instructions: "Be kind.",
  input: [
    {
      type: "additional_tools",
      role: "developer",
      tools: [
        { type: "namespace", name: "functions", description: "", tools: [{ type: "custom", name: "exec" }] },
        { type: "namespace", name: "mcp__docs", description: "", tools: [{ type: "function", name: "search", parameters: {} }] },
      ],
    },
    { type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] },
  ],
};

const search = { id: "call_b", type: "function", function: { name: "mcp__docs__search", arguments: '{"q":"x"}' } };
const custom = { id: "call_a", type: "custom", custom: { name: "exec", input: "1+1" } };
const asFunction = { id: "call_a", type: "function", function: { name: "exec", arguments: '{"input":"1+1"}' } };

test.each([
  { form: "custom tools", customTools: "custom" as const, exec: custom },
  { form: "functions in their place", customTools: "function" as const, exec: asFunction },
])("what the target said comes back to it in the next turn as it said it: $form", ({ customTools, exec }) => {
  const message = { role: "assistant", content: "Wait.", tool_calls: [exec, search] };
  const answer = { id: "chatcmpl-1", choices: [{ message: { ...message, reasoning: "Hm." }, finish_reason: "tool_calls" }] };
  const { body } = responsesToChat.whole(answer, context(REQUEST));
  const output = objectsOf(body.output);
  // What Codex needs to find its tools.
  expect(output).toMatchObject([
    { type: "reasoning" },
    { type: "message" },
    { type: "custom_tool_call", name: "exec", input: "1+1" },
    { type: "function_call", name: "search", namespace: "mcp__docs" },
  ]);
  const results = [
    { type: "custom_tool_call_output", call_id: "call_a", output: "2" },
    { type: "function_call_output", call_id: "call_b", output: "found" },
  ];
  const next = responsesToChat.request(json({ ...REQUEST, input: [...objectsOf(REQUEST.input), ...output, ...results] }), {
    ...OPTIONS,
    customTools,
  });
  expect(next).toMatchObject({
    kind: "request",
    dropped: ["input.reasoning"],
    body: {
      messages: [
        { role: "system", content: "Be kind." },
        { role: "user", content: "Hi" },
        message,
        { role: "tool", tool_call_id: "call_a", content: "2" },
        { role: "tool", tool_call_id: "call_b", content: "found" },
      ],
    },
  });
});
