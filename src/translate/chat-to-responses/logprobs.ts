import { type JsonObject, objectsOf } from "../../dialects/shared.ts";

/** In Chat's shape: every key stands in it, while the events of a stream leave out `bytes`. */
export function chatLogprobs(logprobs: unknown): readonly JsonObject[] {
  return objectsOf(logprobs).flatMap((entry) => {
    const token = tokenOf(entry);
    return token === undefined ? [] : [{ ...token, top_logprobs: objectsOf(entry.top_logprobs).flatMap((top) => tokenOf(top) ?? []) }];
  });
}

function tokenOf({ token, logprob, bytes }: JsonObject): JsonObject | undefined {
  if (typeof token !== "string" || typeof logprob !== "number") return undefined;
  return { token, logprob, bytes: Array.isArray(bytes) ? bytes.filter((byte) => typeof byte === "number") : null };
}

/** A choice's `logprobs`. */
export function choiceLogprobs(content: readonly JsonObject[]): JsonObject | null {
  return content.length === 0 ? null : { content, refusal: null };
}
