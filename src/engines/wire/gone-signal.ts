import type { Gone } from "../../core/gone.ts";

/** Every exchange has one, and hardly any is ever told: an AbortController for each cost as much as reading the request did. */
export class GoneSignal implements Gone {
  aborted = false;
  #listener: (() => void) | undefined;
  /** Beside the first: hardly any exchange has more. */
  #listeners: (() => void)[] | undefined;

  addEventListener(_type: "abort", listener: () => void): void {
    if (this.#listener === undefined) this.#listener = listener;
    else {
      this.#listeners ??= [];
      this.#listeners.push(listener);
    }
  }

  removeEventListener(_type: "abort", listener: () => void): void {
    if (this.#listener === listener) this.#listener = undefined;
    this.#listeners = this.#listeners?.filter((other) => other !== listener);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    const listeners = [this.#listener, ...(this.#listeners ?? [])];
    this.#listener = undefined;
    this.#listeners = undefined;
    for (const listener of listeners) listener?.();
  }
}
