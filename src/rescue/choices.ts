import { countOf } from "../dialects/shared.ts";

/** Which of the answers that come side by side have finished. */
export type Choices = {
  readonly see: (index: unknown, isFinished: boolean) => void;
  /** All that have been seen, and at least one. */
  readonly areFinished: () => boolean;
};

/** No server gives more, and a hostile one must not use up the memory. */
const CHOICES_MAX = 256;

export function createChoices(): Choices {
  const finished = new Map<number, boolean>();
  let unfinished = 0;
  return {
    see(index, isFinished) {
      const choice = countOf(index) ?? 0;
      const before = finished.get(choice);
      if (before === true || (before === undefined && finished.size === CHOICES_MAX)) return;
      finished.set(choice, isFinished);
      unfinished += (isFinished ? 0 : 1) - (before === false ? 1 : 0);
    },
    areFinished: () => finished.size > 0 && unfinished === 0,
  };
}
