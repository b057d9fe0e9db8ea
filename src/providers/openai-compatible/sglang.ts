import { entry } from "../shared.ts";
import { type CompatibleHost, PLAIN, streamed } from "./shared.ts";

/** SGLang: OpenAI's object without `param`; `code` is the status as a number. */
export const SGLANG: CompatibleHost = {
  errors: {
    server_error: [
      entry(
        "sglang",
        500,
        "S",
        "aaif-goose/goose#8021 (the object, in a stream); HTTP form unverified",
        (facts) => ({ error: { message: facts.message ?? "Internal server error", type: "InternalServerError", code: facts.status } }),
        PLAIN,
      ),
    ],
  },
  streamErrors: [
    // With a space after each colon and comma: Python's json.dumps wrote it.
    streamed(
      "sglang",
      "C",
      "aaif-goose/goose#8021",
      false,
      (facts) =>
        `data: {"error": {"message": ${JSON.stringify(facts.message ?? "Internal server error")}, "type": "InternalServerError", "code": 500}}\n\n`,
    ),
  ],
};
