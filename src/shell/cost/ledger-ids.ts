/**
 * Rows are found by their time, and an index of their times would cost as much again as the rows themselves. So the id of a row is made from
 * its time: none is lower than `firstIdOf` its time, and all but those of a burst are below that of the next millisecond.
 */

/** A number holds ids exactly until the year 2248. */
export const IDS_PER_MS = 1_024;

const DAY_MS = 86_400_000;

/** No row of this time or a later one has a lower id. */
export function firstIdOf(timeMs: number): number {
  return Math.floor(timeMs) * IDS_PER_MS;
}

/** The same in SQL. */
export function firstIdSql(timeMs: string): string {
  return `${timeMs} * ${IDS_PER_MS}`;
}

/** Ids for the rows of one process. `random`, from 0 to 1, keeps those of several apart most of the time. */
export function createIds(random: number): { readonly next: (timeMs: number) => number } {
  const offset = Math.floor(random * IDS_PER_MS);
  let last = 0;
  return {
    next(timeMs) {
      const first = firstIdOf(timeMs) + offset;
      // A clock that was put back for more than moments begins anew.
      last = last < first || last - first > DAY_MS * IDS_PER_MS ? first : last + 1;
      return last;
    },
  };
}
