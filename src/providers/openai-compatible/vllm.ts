import { entry } from "../shared.ts";
import { type CompatibleHost, PLAIN, streamed } from "./shared.ts";

/** vLLM: no `error` member, `code` is the status as a number. */
export const VLLM: CompatibleHost = {
  errors: {
    context_length: [
      entry(
        "vllm",
        400,
        "S",
        "vllm-project/vllm#20409 (text); envelope unverified",
        (facts) => ({
          object: "error",
          message:
            facts.message ??
            `This model's maximum context length is ${facts.contextTokensMax} tokens. However, you requested ${facts.inputTokens + facts.outputTokensMax} tokens (${facts.inputTokens} in the messages, ${facts.outputTokensMax} in the completion). Please reduce the length of the messages or completion.`,
          type: "BadRequestError",
          param: null,
          code: facts.status,
        }),
        PLAIN,
      ),
    ],
    server_error: [
      entry(
        "vllm",
        500,
        "S",
        "block/goose crates/goose/src/providers/openai.rs, test (the object, in a stream); HTTP form unverified",
        (facts) => ({ object: "error", message: facts.message ?? "CUDA out of memory", code: facts.status }),
        PLAIN,
      ),
    ],
  },
  streamErrors: [
    streamed(
      "vllm",
      "F",
      "block/goose crates/goose/src/providers/openai.rs, test",
      false,
      (facts) => `data: ${JSON.stringify({ object: "error", message: facts.message ?? "CUDA out of memory", code: 500 })}\n\n`,
    ),
  ],
};
