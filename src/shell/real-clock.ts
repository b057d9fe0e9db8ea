import type { Clock } from "../core/clock.ts";

/** The most that a timer takes, some 24 days; with more it would be due at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const REAL_CLOCK: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", finish);
        resolve();
      };
      const timer = setTimeout(finish, Math.min(ms, TIMER_MS_MAX));
      signal.addEventListener("abort", finish);
    }),
};
