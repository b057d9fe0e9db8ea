import type { InputError } from "../../core/errors.ts";
import { type LedgerReader, readLedger } from "./ledger-reader.ts";

/** How a target of routes has failed. */
export type FailedTarget = {
  readonly target: string;
  /** Of the failure. */
  readonly class: string;
  /** That went on to another target because of it, or failed themselves. */
  readonly requests: number;
  /** How often it was asked for them. */
  readonly attempts: number;
  /** Requests that another target answered all the same. */
  readonly answeredElsewhere: number;
  /** Unix time of the last. */
  readonly lastMs: number;
};

const FAILURES = `
  SELECT json_extract(each.value, '$.target') AS target,
    json_extract(each.value, '$.class') AS class,
    count(*) AS requests,
    coalesce(sum(json_extract(each.value, '$.attempts')), 0) AS attempts,
    sum(kept.target IS NOT NULL) AS answeredElsewhere,
    max(time_ms) AS lastMs
  FROM kept, json_each(CASE WHEN json_valid(failed) THEN failed ELSE '[]' END) AS each
  WHERE failed IS NOT NULL
  GROUP BY 1, 2 ORDER BY requests DESC, 1, 2`;

/** What failed at targets of routes, by target and class, the most frequent first. */
export function readFailed(path: string, sinceMs: number): readonly FailedTarget[] | InputError {
  return readLedger(path, sinceMs, ({ all }: LedgerReader) => all<FailedTarget>(FAILURES), []);
}
