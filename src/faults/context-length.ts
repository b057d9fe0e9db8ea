import type { ErrorContext } from "../core/provider.ts";
import { httpFault } from "./helpers/http-error.ts";

/** How far a prompt that would have fitted is said to be over the window, in tokens. */
const OVER_TOKENS_MIN = 27;

export const contextLength = httpFault({
  name: "context_length",
  letter: "c",
  title: "📏 Context length exceeded",
  summary: "the prompt is longer than the model's context window",
  adjust: overflowing,
});

/** A prompt that really is too long keeps its own number. */
function overflowing(context: ErrorContext): ErrorContext {
  const { inputTokens, contextTokensMax } = context;
  if (inputTokens > contextTokensMax) return context;
  return { ...context, inputTokens: contextTokensMax + Math.max(OVER_TOKENS_MIN, inputTokens) };
}
