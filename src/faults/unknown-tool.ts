import { answerFault, plainAnswer, randomId } from "./helpers/answer.ts";

export const unknownTool = answerFault({
  name: "unknown_tool",
  summary: "a call of a tool that was not offered",
  answer: (context) => ({
    ...plainAnswer(context),
    text: [],
    toolCalls: [{ id: randomId(context.errorContext.random), name: notOffered(context.facts.tools), argumentsText: '{"query":"status"}' }],
    finish: "tool_calls",
    outputTokens: 17,
  }),
});

function notOffered(tools: readonly string[]): string {
  let name = "nonexistent_tool";
  while (tools.includes(name)) name += "_";
  return name;
}
