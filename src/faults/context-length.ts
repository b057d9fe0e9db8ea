import { httpFault } from "./helpers/http-error.ts";

export const contextLength = httpFault({
  name: "context_length",
  letter: "c",
  summary: "the prompt is longer than the model's context window",
});
