import { answerFault, plainAnswer, randomId } from "./helpers/answer.ts";

export const badToolJson = answerFault({
  name: "bad_tool_json",
  summary: "a call of the first offered tool whose arguments are broken JSON",
  answer: (context) => ({
    ...plainAnswer(context),
    text: [],
    toolCalls: [
      {
        id: randomId(context.errorContext.random),
        name: context.facts.tools[0] ?? "get_weather",
        argumentsText: '{"location":"Paris, Fra',
      },
    ],
    finish: "tool_calls",
    outputTokens: 17,
  }),
});
