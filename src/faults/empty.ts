import { answerFault, plainAnswer } from "./helpers/answer.ts";

export const empty = answerFault({
  name: "empty",
  summary: "an answer without any output that ends as if all were well",
  // The end-of-turn token is counted by the providers that send such answers.
  answer: (context) => ({ ...plainAnswer(context), text: [], outputTokens: 1 }),
});
