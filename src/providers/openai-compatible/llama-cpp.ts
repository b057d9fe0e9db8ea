import { entry } from "../shared.ts";
import { type CompatibleHost, overflow, PLAIN } from "./shared.ts";

/** llama.cpp's server: the token counts stand beside the text. */
export const LLAMA_CPP: CompatibleHost = {
  errors: {
    context_length: [
      entry(
        "llama_cpp",
        400,
        "C",
        "block/goose#11048",
        (facts) => ({
          error: {
            message:
              facts.message ??
              `Prompt has ${facts.inputTokens} tokens, but the configured context size is ${facts.contextTokensMax} tokens`,
            code: "context_length_exceeded",
            n_prompt_tokens: facts.inputTokens,
            n_ctx: facts.contextTokensMax,
          },
        }),
        PLAIN,
      ),
      overflow("llama_cpp_old", () => "the request exceeds the available context size, try increasing it"),
    ],
  },
};
