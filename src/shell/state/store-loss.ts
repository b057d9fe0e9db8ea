import type { Limit, LimitRefusal } from "../../core/state-store.ts";

/** When a request that nothing is left for without the store may try again: the store may be back. */
const RETRY_AFTER_MS = 1_000;

/** The part of a limit that one of so many instances may let through: all parts together are the limit. */
export function shareOf(limit: number, { count, rank }: { readonly count: number; readonly rank: number }): number {
  return Math.floor(limit / count) + (rank < limit % count ? 1 : 0);
}

/** What the limits come to while the store is away, in their order; or a refusal where nothing is left of one of them. */
export function withoutStore(
  limits: readonly Limit[],
  instances: { readonly count: number; readonly rank: number },
): readonly Limit[] | LimitRefusal {
  const rest = limits.map((limit) => ({ ...limit, limit: restOf(limit, instances) }));
  const shut = limits.find((_, index) => rest[index]?.limit === 0);
  return shut === undefined ? rest : { kind: "refused", limit: shut, remaining: 0, retryAfterMs: RETRY_AFTER_MS };
}

function restOf({ limit, onStoreLoss }: Limit, instances: { readonly count: number; readonly rank: number }): number {
  if (onStoreLoss === "open") return Number.POSITIVE_INFINITY;
  return onStoreLoss === "closed" ? 0 : shareOf(limit, instances);
}
