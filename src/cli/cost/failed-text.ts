import type { FailedTarget } from "../../shell/cost/failed-report.ts";
import { type Style, visible } from "../print.ts";
import { aligned, csvText, grouped, left, right } from "./report-text.ts";
import { momentText } from "./since.ts";

/** No name is cut to less. */
const NAME_CHARACTERS_MIN = 24;

/** What failed at which target, as a table. */
export function failedTable(failed: readonly FailedTarget[], style: Style, width: number): string {
  const header = [left("TARGET"), left("CLASS"), right("REQUESTS"), right("ATTEMPTS"), right("ELSEWHERE"), left("LAST")];
  const rows = failed.map(({ target, class: failure, requests, attempts, answeredElsewhere, lastMs }) => [
    left(visible(target)),
    left(visible(failure)),
    ...[requests, attempts, answeredElsewhere].map((count) => right(grouped(count))),
    left(momentText(lastMs)),
  ]);
  const [first = "", ...lines] = aligned([header, ...rows], 0, width, NAME_CHARACTERS_MIN);
  return [style.bold(first), ...lines, "", "ELSEWHERE: answered by another target.", ""].join("\n");
}

export function failedCsv(failed: readonly FailedTarget[]): string {
  const lines = failed.map(({ target, class: failure, requests, attempts, answeredElsewhere, lastMs }) => [
    csvText(target),
    csvText(failure),
    ...[requests, attempts, answeredElsewhere].map(String),
    new Date(lastMs).toISOString(),
  ]);
  return [["target", "class", "requests", "attempts", "answered_elsewhere", "last"], ...lines]
    .map((line) => `${line.join(",")}\n`)
    .join("");
}

export function failedJson(failed: readonly FailedTarget[], ledger: string, sinceMs: number): string {
  const value = {
    ledger,
    since: sinceMs === 0 ? null : new Date(sinceMs).toISOString(),
    failed: failed.map(({ lastMs, ...numbers }) => ({ ...numbers, last: new Date(lastMs).toISOString() })),
  };
  return `${JSON.stringify(value, null, 2)}\n`;
}
