import type { CooldownReason } from "../../core/cooldown.ts";
import type { OpenResponse } from "../../core/exchange.ts";
import type { Tried } from "../../core/gateway.ts";
import { withHeader } from "../../core/headers.ts";
import type { ProviderName } from "../../core/provider.ts";
import { attemptsText } from "./attempts-text.ts";
import { ownError } from "./own-error.ts";

/** A target that was passed over for now. */
export type Waiting = { readonly leftMs: number; readonly cooldown: CooldownReason | undefined };

export type NoTarget = {
  /** Whose client it is. */
  readonly provider: ProviderName;
  readonly tried: readonly Tried[];
  readonly waiting: readonly Waiting[];
  readonly isOutOfTime: boolean;
};

/** The answer where no target could be asked at all, and why it is our own. */
export function noTarget(what: NoTarget): { readonly response: OpenResponse; readonly error: string } {
  const { provider, tried, waiting, isOutOfTime } = what;
  const own = (status: number, error: string, message: string) => ({ response: ownError(provider, status, error, message), error });
  if (isOutOfTime)
    return own(504, "time_budget", "the time for finding a target is over (timeout of the route, or x-llm-proxy-timeout-ms)");
  const all = attemptsText(tried);
  if (waiting.length === 0 && tried.some(({ reason }) => reason === "not_lent")) {
    const message = `the credentials of this route are lent only to requests from this machine or with a key of this proxy ([server] api_keys), and never to pages of other sites: ${all}`;
    return own(403, "no_target", message);
  }
  if (waiting.length === 0) return own(503, "no_target", `no target of this route can be asked: ${all}`);
  const isOfRates = waiting.every(({ cooldown }) => cooldown !== undefined && cooldown !== "auth");
  const { response, error } = own(isOfRates ? 429 : 503, "no_target", `no target of this route can be asked for now: ${all}`);
  const seconds = Math.max(1, Math.ceil(Math.min(...waiting.map(({ leftMs }) => leftMs)) / 1_000));
  return { response: { ...response, headers: withHeader(response.headers, "Retry-After", String(seconds)) }, error };
}
