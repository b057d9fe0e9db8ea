import type { Clock } from "../../core/clock.ts";
import { BodyCut } from "../../core/exchange.ts";
import type { Gone } from "../../core/gone.ts";

/** A piece that was due has not come. */
export class TooSlow extends BodyCut {
  constructor() {
    super("close");
  }
}

/**
 * Breaks off readings that take too long, or that nobody waits for any more. One timer is enough for a whole stream: it is set on only when it
 * goes off, and a reading leaves nothing behind.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #gone: Gone;
  #dueMs = Number.POSITIVE_INFINITY;
  #sleepsUntilMs = Number.POSITIVE_INFINITY;
  #sleep: AbortController | undefined;
  #breakOff: ((error: BodyCut) => void) | undefined;
  #isStopped = false;

  constructor(clock: Clock, gone: Gone) {
    this.#clock = clock;
    this.#gone = gone;
    gone.addEventListener("abort", this.#leave);
  }

  /** Monotonic; infinity: it never goes off. */
  set(dueMs: number): void {
    this.#dueMs = dueMs;
    if (dueMs >= this.#sleepsUntilMs || this.#isStopped || dueMs === Number.POSITIVE_INFINITY) return;
    this.#sleep?.abort();
    void this.#run(new AbortController());
  }

  /** Throws `TooSlow`, or `BodyCut` where the client has gone. The reading itself goes on, and may be waited for again. */
  guard<Value>(reading: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      // The reading may fail all the same, and a failure that nobody takes ends the process.
      if (this.#gone.aborted) reject(new BodyCut("reset"));
      this.#breakOff = reject;
      reading.then(resolve, reject);
      // It may have gone off while nobody read.
      if (this.#dueMs <= this.#clock.monotonicMs()) reject(new TooSlow());
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#sleep?.abort();
    this.#gone.removeEventListener("abort", this.#leave);
  }

  readonly #leave = () => {
    this.#sleep?.abort();
    this.#breakOff?.(new BodyCut("reset"));
  };

  async #run(sleep: AbortController): Promise<void> {
    this.#sleep = sleep;
    while (!sleep.signal.aborted) {
      const leftMs = this.#dueMs - this.#clock.monotonicMs();
      if (leftMs <= 0) {
        this.#breakOff?.(new TooSlow());
        break;
      }
      if (leftMs === Number.POSITIVE_INFINITY) break;
      this.#sleepsUntilMs = this.#dueMs;
      await this.#clock.sleep(leftMs, sleep.signal);
    }
    if (this.#sleep === sleep) {
      this.#sleep = undefined;
      this.#sleepsUntilMs = Number.POSITIVE_INFINITY;
    }
  }
}
