import type { Delivery, DeliveryEnd, Identified, OpenResponse } from "../core/exchange.ts";
import type { Ports } from "../core/ports.ts";
import type { Decision } from "./decide.ts";

/** What is known of an exchange beside its response when it ends. */
export type Notes = {
  readonly model: string | undefined;
  /** Faults that it met. */
  readonly faults: readonly string[];
  /** Planned faults that found nothing they could act on, and why; known when the answer has ended. */
  readonly skipped: () => readonly string[];
  /** Why the answer is our own. */
  readonly error: string | undefined;
};

export const NOTHING_NOTED: Notes = { model: undefined, faults: [], skipped: () => [], error: undefined };

/** An event for each rule that was asked. */
export function recordDecisions(exchange: Identified, model: string | undefined, decisions: readonly Decision[], ports: Ports): void {
  for (const { rule, drawn, injected } of decisions) {
    ports.record({
      type: "decision",
      ...common(exchange, model, ports),
      rule: rule.id,
      fault: rule.fault,
      drawn: drawn ?? null,
      injected,
    });
  }
}

/** The delivery of a response whose end is recorded. */
export function delivered(exchange: Identified, response: OpenResponse, notes: Notes, ports: Ports): Delivery {
  return { kind: "response", response, done: (how) => recordEnd(exchange, response.status, WORDS[how], notes, ports) };
}

/** A delivery without a response. */
export function undelivered(exchange: Identified, kind: Exclude<Delivery["kind"], "response">, notes: Notes, ports: Ports): Delivery {
  const done = () => recordEnd(exchange, null, kind, notes, ports);
  if (kind === "hang") return { kind, done };
  done();
  return { kind };
}

const WORDS: Readonly<Record<DeliveryEnd, string>> = { complete: "delivered", cut: "cut", client_gone: "client gone" };

function recordEnd(exchange: Identified, status: number | null, how: string, notes: Notes, ports: Ports): void {
  ports.record({
    type: "exchange",
    ...common(exchange, notes.model, ports),
    kind: exchange.kind,
    status,
    done: [how, ...notes.skipped()].join("; "),
    faults: notes.faults,
    error: notes.error ?? null,
    durationMs: Math.round(ports.clock.monotonicMs() - exchange.receivedMonotonicMs),
  });
}

function common(exchange: Identified, model: string | undefined, ports: Ports) {
  return {
    time: new Date(ports.clock.wallMs()).toISOString(),
    exchange: exchange.id,
    provider: exchange.provider,
    dialect: exchange.dialect ?? null,
    method: exchange.method,
    path: exchange.path,
    model: model ?? null,
  };
}
