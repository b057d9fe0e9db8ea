import type { Clock } from "../../core/clock.ts";
import { type Held, isExpired, notHeld } from "./reading.ts";
import type { WatchedFile } from "./watched-file.ts";

/** What to do about a login of Claude Code's; nobody but itself renews it. */
export const CLAUDE_RENEWAL = "use claude once, which renews it; faultproxy never does";

/** The login of Claude Code: of its files the usable one that expires last. */
export function claudeLogin(files: readonly WatchedFile[], clock: Clock, warn: (text: string) => void): () => Held {
  const warned = new Set<string>();
  const none = notHeld(
    "missing",
    `Claude Code has no login in ${files.map(({ path }) => path).join(" or ")}; log in with claude, and where the login is in a keychain, run: faultproxy credentials sync`,
  );
  return () => {
    const looked = files.map((file) => file.look());
    const best = looked.reduce((one, other) => (isBetter(other, one, clock.wallMs()) ? other : one), none);
    if (best.kind !== "held") return best;
    for (const each of looked) {
      if (each.kind === "held" || each.reading.reason !== "unreadable" || warned.has(each.reading.detail)) continue;
      warned.add(each.reading.detail);
      warn(`${each.reading.detail}. The other file of the login is used`);
    }
    return best;
  };
}

function isBetter(one: Held, other: Held, nowMs: number): boolean {
  const [rank, otherRank] = [rankOf(one, nowMs), rankOf(other, nowMs)];
  return rank === otherRank ? expiryOf(one) > expiryOf(other) : rank > otherRank;
}

function rankOf(of: Held, nowMs: number): number {
  if (of.kind === "held") return isExpired(of.credential, nowMs) ? 2 : 3;
  return of.reading.reason === "unreadable" ? 1 : 0;
}

/** What does not say when it expires may have done so long ago. */
function expiryOf(of: Held): number {
  return (of.kind === "held" ? of.credential.expiresWallMs : undefined) ?? 0;
}
