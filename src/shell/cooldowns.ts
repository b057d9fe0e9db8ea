import type { Clock } from "../core/clock.ts";
import type { CooldownKey, CooldownReason, Cooldowns } from "../core/cooldown.ts";

/** Each target has few credentials; clients that show ever new ones of their own must not fill the memory. */
const COOLDOWNS_MAX = 10_000;

export type CooldownChange = { readonly target: string; readonly reason: CooldownReason | undefined; readonly forMs: number | undefined };

type Entry = { readonly key: CooldownKey; readonly reason: CooldownReason; readonly sinceMs: number; readonly untilMs: number };

/** Cooldowns in memory. `tell` hears of each that begins, and of each that a success or a command has ended. */
export function createCooldowns(clock: Clock, tell: (change: CooldownChange) => void): Cooldowns {
  const entries = new Map<string, Entry>();
  const nameOf = ({ target, credential }: CooldownKey) => `${target}\0${credential ?? ""}`;
  const end = (name: string, { key }: Entry) => {
    entries.delete(name);
    tell({ target: key.target, reason: undefined, forMs: undefined });
  };
  return {
    of(key) {
      if (entries.size === 0) return undefined;
      const entry = entries.get(nameOf(key));
      if (entry === undefined) return undefined;
      const leftMs = entry.untilMs - clock.monotonicMs();
      // It stands until somebody has answered again.
      return leftMs > 0 ? { reason: entry.reason, leftMs } : undefined;
    },
    enter(key, reason, ms) {
      const name = nameOf(key);
      entries.delete(name);
      const [oldest] = entries.keys();
      if (entries.size >= COOLDOWNS_MAX && oldest !== undefined) entries.delete(oldest);
      const sinceMs = clock.monotonicMs();
      entries.set(name, { key, reason, sinceMs, untilMs: sinceMs + ms });
      tell({ target: key.target, reason, forMs: ms });
    },
    succeeded(key, askedMs) {
      if (entries.size === 0) return;
      const name = nameOf(key);
      const entry = entries.get(name);
      if (entry !== undefined && askedMs >= entry.sinceMs) end(name, entry);
    },
    all() {
      const nowMs = clock.monotonicMs();
      const wallMs = clock.wallMs();
      return [...entries.values()].flatMap(({ key, reason, untilMs }) =>
        untilMs <= nowMs ? [] : { key, reason, untilWallMs: wallMs + untilMs - nowMs },
      );
    },
    reset(target) {
      const found = [...entries].filter(([, { key }]) => target === undefined || key.target === target);
      for (const [name, entry] of found) end(name, entry);
      return found.length;
    },
  };
}
