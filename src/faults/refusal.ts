import { answerFault, plainAnswer } from "./helpers/answer.ts";
import { textOf } from "./helpers/parameters.ts";

export const refusal = answerFault({
  name: "refusal",
  summary: "the model declines, in the manner of its API",
  parameters: {
    message: { type: "text", default: "I'm sorry, but I can't help with that request.", summary: "what it says" },
  },
  answer: (context) => ({ ...plainAnswer(context), text: [], refusal: textOf(context.parameters, "message") ?? "", outputTokens: 12 }),
});
