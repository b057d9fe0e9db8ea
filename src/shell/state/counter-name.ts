import { createHash } from "node:crypto";
import type { Limit } from "../../core/state-store.ts";

/** Models and users are whatever a client says; what is kept of them is short all the same. */
const MEMBER_CHARACTERS_MAX = 100;

export function shortMember({ member }: Limit): string {
  return member.length <= MEMBER_CHARACTERS_MAX ? member : `sha256-${createHash("sha256").update(member).digest("hex")}`;
}

/** What can be kept: nothing of it holds on to a long text. */
export function withShortMember(limit: Limit): Limit {
  const member = shortMember(limit);
  return member === limit.member ? limit : { ...limit, member };
}

/** Tells counters apart. */
export function counterName(limit: Limit): string {
  return `${limit.metric}:${limit.window}:${limit.scope}:${shortMember(limit)}`;
}
