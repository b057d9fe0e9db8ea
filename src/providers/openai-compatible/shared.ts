import type { ErrorEntry, ErrorFacts, HttpFaultName, StreamErrorEntry } from "../../core/provider.ts";
import { entry, JSON_HEADERS, openaiBody } from "../shared.ts";

/** The faults whose entries the openai provider takes from these hosts; of the rest no host's own form is known. */
export type CompatibleFault = Exclude<HttpFaultName, "permission" | "timeout" | "bad_gateway">;

/** What a host that speaks OpenAI's dialect answers in its own manner; the variants are named after the host. */
export type CompatibleHost = {
  readonly errors: Partial<Readonly<Record<CompatibleFault, readonly ErrorEntry[]>>>;
  /** Errors inside a Chat Completions stream. */
  readonly streamErrors?: readonly StreamErrorEntry[];
};

/** Hosts of which no retry hint is known in public; they answer with a content type and nothing else that matters. */
export const PLAIN = { headers: () => JSON_HEADERS, retryHint: false } as const;

export const OVERFLOW_SOURCE = "badlogic/pi-mono packages/ai/src/utils/overflow.ts (text); envelope unverified";

/** A context overflow of which the text alone is known. */
export function overflow(variant: string, text: (facts: ErrorFacts) => string): ErrorEntry {
  return entry(
    variant,
    400,
    "S",
    OVERFLOW_SOURCE,
    (facts) => openaiBody(facts, { message: text(facts), type: "invalid_request_error", code: null }),
    PLAIN,
  );
}

export function streamed(
  variant: string,
  evidence: StreamErrorEntry["evidence"],
  source: string,
  done: boolean,
  text: StreamErrorEntry["text"],
): StreamErrorEntry {
  return { variant, evidence, source, done, text };
}
