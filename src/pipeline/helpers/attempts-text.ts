import type { Tried } from "../../core/gateway.ts";
import { named } from "../../core/visible-name.ts";

/** What was tried, for `x-faultproxy-attempts`: `openai/gpt-4o 503 degraded x3, anthropic/claude-sonnet-4-5 200`. */
export function attemptsText(tried: readonly Tried[]): string {
  return tried.map(textOf).join(", ");
}

function textOf({ target, attempts, status, failure, reason }: Tried): string {
  const words = [
    named(target),
    status,
    failure,
    status === undefined || failure === undefined ? reason : undefined,
    attempts > 1 ? `x${attempts}` : undefined,
  ];
  return words.filter((word) => word !== undefined).join(" ");
}
