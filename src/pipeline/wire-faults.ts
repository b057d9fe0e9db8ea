import type { Clock } from "../core/clock.ts";
import type { Skipped } from "../core/event.ts";
import type { WirePiece, WireScript } from "../core/exchange.ts";
import type { Gone } from "../core/gone.ts";
import type { Rule } from "../core/rule.ts";
import { damageBy } from "./helpers/wire-script.ts";
import type { Planned } from "./planned.ts";

export type WireFaults = {
  readonly script: (pieces: AsyncIterable<WirePiece>) => WireScript;
  /** Faults that found nothing to act on, as known by now. */
  readonly skipped: () => readonly Skipped[];
};

/** The planned faults over the bytes of a response on one side, those that only pace last; undefined where there are none. */
export function wireFaultsOf(
  faults: readonly Planned[],
  side: Rule["side"],
  performing: { readonly clock: Clock; readonly gone: Gone },
): WireFaults | undefined {
  if (faults.length === 0) return undefined;
  const group = faults
    .flatMap(({ rule, fault, context }) => (fault.acts === "wire" && rule.side === side ? [{ fault, context }] : []))
    .toSorted((one, other) => Number(other.fault.terminal) - Number(one.fault.terminal));
  if (group.length === 0) return undefined;
  const { script, hasActed } = damageBy(
    group.map(({ fault, context }) => fault.start(context)),
    performing,
  );
  return {
    script,
    skipped: () => group.filter((_, index) => !hasActed(index)).map(({ fault }) => ({ fault: fault.name, reason: "its place never came" })),
  };
}
