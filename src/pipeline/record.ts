import type { ExchangeEvent } from "../core/event.ts";
import type { Delivery, Identified, OpenResponse, RequestFacts } from "../core/exchange.ts";
import type { Ports } from "../core/ports.ts";
import type { Decision } from "./decide.ts";

/** Collects what happens to one exchange and writes its events: the decisions when they are made, the end when it comes. */
export function recorder(exchange: Identified, ports: Ports) {
  let model: string | null = null;
  let faults: string[] = [];
  const notes: string[] = [];
  const common = () => ({
    time: new Date(ports.clock.wallMs()).toISOString(),
    exchange: exchange.id,
    provider: exchange.provider,
    dialect: exchange.dialect ?? null,
    method: exchange.method,
    path: exchange.path,
    model,
  });
  const end = (status: number | null, how: string, error: string | null) => {
    const event: ExchangeEvent = {
      type: "exchange",
      ...common(),
      kind: exchange.kind,
      status,
      done: [how, ...notes].join("; "),
      faults,
      error,
      durationMs: Math.round(ports.clock.monotonicMs() - exchange.receivedMonotonicMs),
    };
    ports.record(event);
  };

  return {
    decided(decisions: readonly Decision[], facts: RequestFacts | undefined): void {
      model = facts?.model ?? null;
      faults = decisions.filter((decision) => decision.injected).map((decision) => decision.rule.fault);
      if (exchange.kind !== "inference" && decisions.length === 0) return;
      for (const decision of decisions.length > 0 ? decisions : [undefined]) {
        ports.record({
          type: "decision",
          ...common(),
          rule: decision?.rule.id ?? null,
          fault: decision?.rule.fault ?? null,
          drawn: decision?.drawn ?? null,
          injected: decision?.injected ?? false,
        });
      }
    },
    /** A planned fault found nothing that it could act on. */
    skipped(fault: string, why: string): void {
      notes.push(`${fault} not done: ${why}`);
    },
    deliver(response: OpenResponse, error: string | undefined): Delivery {
      return {
        kind: "response",
        response,
        done: (how) => end(response.status, how === "complete" ? "delivered" : how === "cut" ? "cut" : "client gone", error ?? null),
      };
    },
    without(kind: Exclude<Delivery["kind"], "response">): Delivery {
      end(null, kind, null);
      return { kind };
    },
  };
}
