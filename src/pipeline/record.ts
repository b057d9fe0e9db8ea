import type { DoneWord, GatewayFacts, Skipped } from "../core/event.ts";
import type { Delivery, DeliveryEnd, Identified, OpenResponse, WirePiece, WireScript } from "../core/exchange.ts";
import type { Ports } from "../core/ports.ts";
import type { Decision } from "./decide.ts";
import { timestamp } from "./helpers/timestamp.ts";

/** What is known of an exchange beside its response when it ends. */
export type Notes = {
  readonly model: string | undefined;
  /** Faults that it met. */
  readonly faults: readonly string[];
  /** Planned faults that found nothing they could act on, and why; known when the answer has ended. */
  readonly skipped: () => readonly Skipped[];
  /** Why the answer is our own. */
  readonly error: string | undefined;
  /** Of what goes through the gateway: `end` ends it, once, with the status that the client got. */
  readonly governed?: { readonly end: (status: number | null) => GatewayFacts };
  /** The answer is a page of our own. */
  readonly isPage?: true;
};

type Damaging = (pieces: AsyncIterable<WirePiece>) => WireScript;

export const NOTHING_NOTED: Notes = { model: undefined, faults: [], skipped: () => [], error: undefined };

/** An event for each rule that was asked. */
export function recordDecisions(exchange: Identified, model: string | undefined, decisions: readonly Decision[], ports: Ports): void {
  for (const { rule, drawn, injected } of decisions) {
    ports.record({
      type: "decision",
      time: timestamp(ports.clock.wallMs()),
      exchange: exchange.id,
      provider: exchange.provider,
      dialect: exchange.dialect ?? null,
      method: exchange.method,
      path: exchange.path,
      model: told(model),
      rule: rule.id,
      fault: rule.fault,
      drawn: drawn ?? null,
      injected,
    });
  }
}

/** The delivery of a response whose end is recorded; `damage` makes other bytes of those that it would be. */
export function delivered(exchange: Identified, response: OpenResponse, notes: Notes, ports: Ports, damage?: Damaging): Delivery {
  return {
    kind: "response",
    response,
    damage,
    done(how) {
      recordEnd(exchange, how === "unsent" ? null : response.status, WORDS[how], notes, ports);
    },
  };
}

/** The delivery of bytes that are no response. */
export function scripted(exchange: Identified, script: WireScript, notes: Notes, ports: Ports): Delivery {
  return { kind: "bytes", script, done: (how) => recordEnd(exchange, null, WORDS[how], notes, ports) };
}

/** A delivery without a byte. */
export function undelivered(exchange: Identified, kind: "hang" | "reset" | "close", notes: Notes, ports: Ports): Delivery {
  const done = () => recordEnd(exchange, null, kind, notes, ports);
  if (kind === "hang") return { kind, done };
  done();
  return { kind };
}

/** The client left before there was anything to send. */
export function abandoned(exchange: Identified, notes: Notes, ports: Ports): Delivery {
  recordEnd(exchange, null, "client_gone", notes, ports);
  return { kind: "reset" };
}

const WORDS: Readonly<Record<DeliveryEnd, DoneWord>> = {
  complete: "delivered",
  cut: "cut",
  client_gone: "client_gone",
  unsent: "client_gone",
};

function recordEnd(exchange: Identified, status: number | null, done: DoneWord, notes: Notes, ports: Ports): void {
  ports.record({
    type: "exchange",
    // Named one by one, for speed: there is one for every request.
    time: timestamp(ports.clock.wallMs()),
    exchange: exchange.id,
    provider: exchange.provider,
    dialect: exchange.dialect ?? null,
    method: exchange.method,
    path: exchange.path,
    model: told(notes.model),
    kind: notes.isPage === true ? "page" : exchange.kind,
    status,
    done,
    faults: notes.faults,
    skipped: notes.skipped(),
    error: notes.error ?? null,
    durationMs: Math.round(ports.clock.monotonicMs() - exchange.receivedMonotonicMs),
    gateway: notes.governed?.end(status),
  });
}

/** A name from the wire may be as long as a body, and events are kept. */
const MODEL_CHARACTERS_MAX = 256;

function told(model: string | undefined): string | null {
  if (model === undefined || model.length <= MODEL_CHARACTERS_MAX) return model ?? null;
  // A slice would keep the whole text.
  return Buffer.from(model.slice(0, MODEL_CHARACTERS_MAX)).toString();
}
