import type { Clock } from "../../../src/core/clock.ts";
import type { Gone } from "../../../src/core/gone.ts";

type Sleep<Owner> = {
  readonly dueMs: number;
  readonly order: number;
  readonly owner: Owner | undefined;
  readonly wake: () => void;
  isOver: boolean;
};

export type VirtualClockOptions<Owner> = {
  /** Who sleeps, if it is somebody. */
  readonly ownerNow: () => Owner | undefined;
  /** Somebody has slept to the end. */
  readonly slept: (owner: Owner, nowMs: number) => void;
};

export type VirtualClock = Clock & {
  /** Lets time pass from sleep to sleep until nobody sleeps any more, or it is `untilMs`. */
  readonly run: (untilMs?: number) => Promise<void>;
};

const BEGIN_WALL_MS = 1_760_000_000_000;

/** Time that passes only while everything waits: then it is at once as late as the first of those that sleep wants it to be. */
export function virtualClock<Owner>({ ownerNow, slept }: VirtualClockOptions<Owner>): VirtualClock {
  let nowMs = 0;
  let count = 0;
  const queue: Sleep<Owner>[] = [];
  const wakeNext = (untilMs: number): boolean => {
    for (;;) {
      const [next] = queue;
      if (next === undefined || (!next.isOver && next.dueMs > untilMs)) return false;
      takeFirst(queue);
      if (next.isOver) continue;
      nowMs = Math.max(nowMs, next.dueMs);
      if (next.owner !== undefined) slept(next.owner, nowMs);
      next.wake();
      return true;
    }
  };
  return {
    monotonicMs: () => nowMs,
    wallMs: () => BEGIN_WALL_MS + nowMs,
    sleep: (ms: number, signal: Gone) =>
      new Promise((resolve) => {
        if (signal.aborted) {
          resolve();
          return;
        }
        const wake = () => {
          sleep.isOver = true;
          signal.removeEventListener("abort", wake);
          resolve();
        };
        const owner = ownerNow();
        const sleep: Sleep<Owner> = { dueMs: nowMs + Math.max(0, ms), order: count++, owner, wake, isOver: false };
        signal.addEventListener("abort", wake);
        put(queue, sleep);
      }),
    async run(untilMs = Number.POSITIVE_INFINITY) {
      do await allWait();
      while (wakeNext(untilMs));
      if (untilMs !== Number.POSITIVE_INFINITY) nowMs = Math.max(nowMs, untilMs);
    },
  };
}

/** Behind all promises that can go on by now. */
function allWait(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

// ---- a heap ----

type Place = { readonly dueMs: number; readonly order: number };

function isBefore(one: Place | undefined, other: Place | undefined): boolean {
  if (one === undefined || other === undefined) return one !== undefined;
  return one.dueMs === other.dueMs ? one.order < other.order : one.dueMs < other.dueMs;
}

function swap<Value>(queue: Value[], one: number, other: number): void {
  const [a, b] = [queue[one], queue[other]];
  if (a === undefined || b === undefined) return;
  queue[one] = b;
  queue[other] = a;
}

function put<Value extends Place>(queue: Value[], sleep: Value): void {
  let place = queue.push(sleep) - 1;
  while (place > 0) {
    const above = (place - 1) >> 1;
    if (!isBefore(queue[place], queue[above])) return;
    swap(queue, place, above);
    place = above;
  }
}

function takeFirst(queue: Place[]): void {
  swap(queue, 0, queue.length - 1);
  queue.pop();
  let place = 0;
  for (;;) {
    const [left, right] = [2 * place + 1, 2 * place + 2];
    const child = isBefore(queue[right], queue[left]) ? right : left;
    if (!isBefore(queue[child], queue[place])) return;
    swap(queue, place, child);
    place = child;
  }
}
