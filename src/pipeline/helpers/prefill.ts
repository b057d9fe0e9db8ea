import type { RouteTarget } from "../../core/route.ts";

/**
 * Claude up to 4.5 goes on behind the beginning of an answer; later models refuse one with 400, "This model does not support assistant message
 * prefill" (langchain-ai/deepagents#1585). Most other models begin anew without a word, and would say the same twice.
 */
const GOES_ON = /^(?:anthropic[./])?claude-(?:[23]|instant|(?:opus|sonnet|haiku)-4(?:-[0-5])?(?:-\d{8}|@|-v\d|$))/;

/** Does the target go on behind a beginning? `model`: the one that it is asked for. */
export function acceptsPrefill({ acceptsPrefill: isSaid, provider }: RouteTarget, model: string | undefined): boolean {
  return isSaid ?? (provider === "anthropic" && model !== undefined && GOES_ON.test(model));
}
