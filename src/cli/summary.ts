import type { FaultproxyEvent } from "../core/event.ts";
import type { EventLog } from "../shell/event-log.ts";

/** What happened in a run, in numbers. */
export type Summary = {
  readonly requests: number;
  readonly durationMs: number;
  /** Requests by status; `none` where no status was sent. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly injections: Readonly<Record<string, number>>;
  /** Faults that fired and found nothing to work on, by `fault (reason)`; not among the injections. */
  readonly skipped: Readonly<Record<string, number>>;
  /** Errors of the proxy's own, by reason. */
  readonly errors: Readonly<Record<string, number>>;
  /** Decisions for which a number was drawn: the seed gives them again. */
  readonly draws: number;
  readonly seed: number;
};

/** Counts events as they come. Gives the function that tells the counts; `requests` is known to the daemon. */
export function summarize(events: EventLog, seed: number): (requests: number) => Summary {
  const started = performance.now();
  const statuses: Record<string, number> = {};
  const injections: Record<string, number> = {};
  const skipped: Record<string, number> = {};
  const errors: Record<string, number> = {};
  let draws = 0;
  const count = (counts: Record<string, number>, name: string) => {
    counts[name] = (counts[name] ?? 0) + 1;
  };
  events.subscribe((event: FaultproxyEvent) => {
    if (event.type === "decision") {
      if (event.injected) count(injections, event.fault);
      if (event.drawn !== null) draws++;
      return;
    }
    if (event.type !== "exchange") return;
    count(statuses, event.status === null ? "none" : String(event.status));
    if (event.error !== null) count(errors, event.error);
    for (const { fault, reason } of event.skipped) {
      count(skipped, `${fault} (${reason})`);
      injections[fault] = (injections[fault] ?? 0) - 1;
      if (injections[fault] === 0) delete injections[fault];
    }
  });
  return (requests) => ({
    requests,
    durationMs: Math.round(performance.now() - started),
    statuses,
    injections,
    skipped,
    errors,
    draws,
    seed,
  });
}

export function summaryText({ requests, durationMs, statuses, injections, skipped, errors, draws, seed }: Summary): string {
  const total = Object.values(injections).reduce((sum, number) => sum + number, 0);
  const seconds = (durationMs / 1_000).toFixed(1);
  const lines = [
    `${requests} ${requests === 1 ? "request" : "requests"} in ${seconds} s${list(statuses, (status) => (status === "none" ? "no status" : status))}`,
    `${total} ${total === 1 ? "injection" : "injections"}${list(injections, (fault) => fault)}`,
    ...(Object.keys(skipped).length === 0 ? [] : [`not done${list(skipped, (name) => name)}`]),
    ...(requests === 0 ? ["the command may not read the variables that point it here; faultproxy run --help lists them"] : []),
    ...(draws === 0 ? [] : [`the same again: --seed ${seed}`]),
    ...(Object.keys(errors).length === 0 ? [] : [`errors of the proxy itself${list(errors, (reason) => reason)}`]),
  ];
  return lines.map((line) => `faultproxy: ${line}\n`).join("");
}

function list(counts: Readonly<Record<string, number>>, name: (key: string) => string): string {
  const parts = Object.entries(counts).map(([key, number]) => `${number} × ${name(key)}`);
  return parts.length === 0 ? "" : `: ${parts.join(", ")}`;
}
