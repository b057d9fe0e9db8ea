import { AWAY, type RunScript, type SharedScripts } from "./shared-scripts.ts";

/** Something to tell the store, so long after it happened. Gives `AWAY` where the store was not there. */
export type Call = (run: RunScript, ageMs: number) => Promise<unknown>;

export type MissedCalls = {
  /** Tells the store now, or when it is back. */
  readonly send: (call: Call) => Promise<unknown>;
  /** When it is back. */
  readonly later: (call: Call) => void;
};

/** Kept of what the store could not be told, the newest. */
const MISSED_MAX = 10_000;

/** Told at a time; they arrive in their order all the same. */
const AT_ONCE = 100;

/** What the store could not be told while it was away is told when it returns, in the order in which it happened. */
export function createMissedCalls(scripts: SharedScripts, monotonicMs: () => number): MissedCalls {
  let missed: { readonly call: Call; readonly atMs: number }[] = [];

  function keep(call: Call, atMs: number): void {
    missed.push({ call, atMs });
    // Not one by one: each time it would move all of them.
    if (missed.length > MISSED_MAX * 2) missed = missed.slice(-MISSED_MAX);
  }

  scripts.onReturn(async (run) => {
    missed = missed.slice(-MISSED_MAX);
    while (missed.length > 0) {
      const some = missed.splice(0, AT_ONCE);
      const nowMs = monotonicMs();
      const answers = await Promise.all(some.map(({ call, atMs }) => call(run, Math.max(0, Math.round(nowMs - atMs)))));
      const untold = some.filter((_, index) => answers[index] === AWAY);
      if (untold.length === 0) continue;
      missed.unshift(...untold);
      return;
    }
  });

  return {
    async send(call) {
      const atMs = monotonicMs();
      const answer = await call(scripts.run, 0);
      if (answer === AWAY) keep(call, atMs);
      return answer;
    },
    later: (call) => keep(call, monotonicMs()),
  };
}
