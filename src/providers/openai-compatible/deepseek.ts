import type { ErrorFacts } from "../../core/provider.ts";
import { entry } from "../shared.ts";
import { type CompatibleHost, PLAIN } from "./shared.ts";

const STATUS_SOURCE = "api-docs.deepseek.com/quick_start/error_codes (status); text unverified";

function deepseekError(facts: ErrorFacts, message: string, type: string): unknown {
  return { error: { message: facts.message ?? message, type, param: null, code: "invalid_request_error" } };
}

/** DeepSeek: `code` is the same for everything. */
export const DEEPSEEK: CompatibleHost = {
  errors: {
    context_length: [
      entry(
        "deepseek",
        400,
        "C",
        "evalstate/fast-agent#621",
        (facts) =>
          deepseekError(
            facts,
            `This model's maximum context length is ${facts.contextTokensMax} tokens. However, you requested ${facts.inputTokens + facts.outputTokensMax} tokens (${facts.inputTokens} in the messages, ${facts.outputTokensMax} in the completion). Please reduce the length of the messages or completion.`,
            "invalid_request_error",
          ),
        PLAIN,
      ),
    ],
    rate_limit: [
      entry("deepseek", 429, "U", STATUS_SOURCE, (facts) => deepseekError(facts, "Rate Limit Reached", "rate_limit_error"), PLAIN),
    ],
    server_error: [entry("deepseek", 500, "U", STATUS_SOURCE, (facts) => deepseekError(facts, "Server Error", "server_error"), PLAIN)],
    overloaded: [entry("deepseek", 503, "U", STATUS_SOURCE, (facts) => deepseekError(facts, "Server Overloaded", "server_error"), PLAIN)],
    auth: [
      entry(
        "deepseek",
        401,
        "C",
        "deepseek-ai/DeepSeek-R1#82, szczyglis-dev/py-gpt#112",
        (facts) =>
          deepseekError(facts, `Authentication Fails, Your api key: ****${facts.maskedKey.slice(-4)} is invalid`, "authentication_error"),
        PLAIN,
      ),
    ],
    quota: [
      entry("deepseek", 402, "C", "Aider-AI/aider#4851", (facts) => deepseekError(facts, "Insufficient Balance", "unknown_error"), PLAIN),
    ],
  },
};
