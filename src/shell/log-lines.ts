import type { Settings } from "../config/settings.ts";
import type {
  CircuitEvent,
  CooldownEvent,
  CredentialEvent,
  DecisionEvent,
  ExchangeEvent,
  FailoverEvent,
  FaultproxyEvent,
  GatewayFacts,
  HealedEvent,
  RetryEvent,
  StoreEvent,
} from "../core/event.ts";
import type { FailureClass } from "../core/failure.ts";
import type { Tried } from "../core/gateway.ts";
import type { Rules } from "../core/rule.ts";

type Level = Exclude<Settings["logLevel"], "silent">;
const ORDER: Readonly<Record<Settings["logLevel"], number>> = { silent: 0, error: 1, warn: 2, info: 3, debug: 4 };

/** A line for an event, without its line end; undefined where the level does not ask for one. */
export type LogLine = (event: FaultproxyEvent) => string | undefined;

export type LogOptions = Pick<Settings, "logFormat" | "logLevel"> & {
  /** For what is left of a rule's count. */
  readonly rules: () => Rules;
  /** Makes text from the wire fit for a terminal. */
  readonly visible: (text: string) => string;
};

/** Undefined where no event can give a line. No text is built for events below the level. */
export function logLines({ logFormat, logLevel, rules, visible }: LogOptions): LogLine | undefined {
  const upTo = ORDER[logLevel];
  if (upTo === 0) return undefined;
  const pretty = (event: FaultproxyEvent): string => {
    switch (event.type) {
      case "decision":
        return decisionLine(event, rules());
      case "exchange":
        return exchangeLine(event, visible);
      case "retry":
        return visible(retryLine(event));
      case "healed":
        return visible(healedLine(event));
      case "circuit":
        return visible(circuitLine(event));
      case "failover":
        return visible(failoverLine(event));
      case "cooldown":
        return visible(cooldownLine(event));
      case "credential":
        return visible(credentialLine(event));
      case "store":
        return visible(storeLine(event));
    }
  };
  const text = logFormat === "json" ? (event: FaultproxyEvent) => JSON.stringify(event) : pretty;
  return (event) => (ORDER[levelOf(event)] <= upTo ? text(event) : undefined);
}

function levelOf(event: FaultproxyEvent): Level {
  switch (event.type) {
    case "decision":
      return event.injected ? "warn" : "debug";
    case "exchange":
      if (event.error !== null) return "error";
      // Health is asked for all the time.
      return event.kind === "page" ? "debug" : "info";
    case "retry":
    case "healed":
    case "circuit":
    case "failover":
    case "cooldown":
    case "credential":
    case "store":
      return "warn";
  }
}

function retryLine({ time, exchange, attempt, class: failure, status, provider, target, waitMs }: RetryEvent): string {
  const what = `${failure.replaceAll("_", " ")}${status === null ? "" : ` (${status})`}`;
  return `${clockTime(time)} 🔁 #${exchange} attempt ${attempt} of ${target ?? provider} failed: ${what}; again in ${waitMs} ms`;
}

function failoverLine({ time, exchange, from, to, class: failure, status, isRescue }: FailoverEvent): string {
  const what = failureWords({ status, failure: failure ?? undefined });
  const failed = `${from} failed${isRescue ? " in the middle of its answer" : ""}${what === "" ? "" : `: ${what}`}`;
  return `${clockTime(time)} 🔀 #${exchange} ${failed}; ${to} ${isRescue ? "goes on" : "is asked"}`;
}

/** With another credential it may be asked meanwhile. */
function cooldownLine({ time, target, class: failure, forMs }: CooldownEvent): string {
  if (failure === null || forMs === null) return `${clockTime(time)} 🟢 ${target} may be asked again`;
  return `${clockTime(time)} 🧊 ${target} is left alone for ${durationText(forMs)} with this key: ${failure.replaceAll("_", " ")}`;
}

function credentialLine({ time, source, state, detail }: CredentialEvent): string {
  if (state === "ready") return `${clockTime(time)} 🔑 credential ${source}: it can be used again`;
  return `${clockTime(time)} 🔑 credential ${source}: ${detail ?? state}`;
}

function storeLine({ time, isUp, detail }: StoreEvent): string {
  return `${clockTime(time)} ${isUp ? "✅ state store: " : "⚠️  state store away, decided from memory: "}${detail}`;
}

function healedLine({ time, exchange, provider, failures, counted }: HealedEvent): string {
  const what = failures === 1 ? "a failure" : `${failures} failures`;
  return `${clockTime(time)} 🩹 #${exchange} ${provider} answered after ${what}${counted ? ", counted for its circuit" : ""}`;
}

function circuitLine({ time, provider, model, from, to, reason }: CircuitEvent): string {
  const which = model === null ? provider : `${provider}/${model}`;
  return `${clockTime(time)} ⚡ circuit of ${which}: ${from.replaceAll("_", " ")} → ${to.replaceAll("_", " ")} (${reason})`;
}

function exchangeLine(event: ExchangeEvent, visible: (text: string) => string): string {
  const { exchange, method, path, status, durationMs, done, skipped, error, gateway, model } = event;
  const notes = [
    ...(gateway === undefined ? [] : gatewayNotes(gateway, model)),
    ...(error === null ? [] : [error]),
    ...(done === "delivered" ? [] : [done.replaceAll("_", " ")]),
    ...skipped.map(({ fault, reason }) => `${fault} not done: ${reason}`),
  ];
  const noted = notes.length === 0 ? "" : ` (${visible(notes.join("; "))})`;
  return `${clockTime(event.time)} #${exchange} ${visible(method)} ${visible(path)} → ${visible(wayText(event))} ${status ?? "no status"} ${durationMs} ms${noted}`;
}

/** Who was asked: the provider, or the targets of a route and what each of them came to. */
function wayText({ provider, gateway }: ExchangeEvent): string {
  const tried = gateway?.tried ?? [];
  const [only] = tried;
  if (only === undefined) return provider;
  if (tried.length === 1 && only.failure === undefined && only.attempts > 0) return only.target;
  return `${tried.map(triedText).join(", ")}:`;
}

function triedText({ target, attempts, status, failure, reason }: Tried): string {
  if (failure !== undefined) return `${target} failed (${failureWords({ status, failure, reason, attempts })})`;
  return attempts === 0 ? `${target} passed over (${(reason ?? "").replaceAll("_", " ")})` : `${target} answered`;
}

type FailureFacts = {
  readonly status: number | null | undefined;
  readonly failure: FailureClass | undefined;
  readonly reason?: string | undefined;
  readonly attempts?: number;
};

/** `503 degraded ×3`; what a good status came to has a reason instead. */
function failureWords({ status, failure, reason, attempts = 1 }: FailureFacts): string {
  const isError = status !== undefined && status !== null && status >= 400;
  const words = [isError ? String(status) : "", failure ?? "", isError ? "" : (reason ?? "")].map((word) => word.replaceAll("_", " "));
  return [...words, attempts > 1 ? `×${attempts}` : ""].filter((word) => word !== "").join(" ");
}

/** In the largest unit that says it exactly, from a second on. */
function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds % 3_600 === 0) return `${seconds / 3_600} h`;
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

/** Model, stream, time to the first token, tokens, cost. */
function gatewayNotes(
  { stream, attempts, answeredModel, firstTokenMs, usage, costUsd }: GatewayFacts,
  model: string | null,
): readonly string[] {
  const named = answeredModel ?? model;
  return [
    ...(named === null ? [] : [named]),
    ...(stream ? [`stream${firstTokenMs === null ? "" : `, first token ${Math.round(firstTokenMs)} ms`}`] : []),
    ...(usage === null ? [] : [`${usage.inputTokens} + ${usage.outputTokens} tokens`]),
    ...(costUsd === null ? [] : [`$${costUsd.toFixed(6)}`]),
    ...(attempts > 1 ? [`${attempts} attempts`] : []),
  ];
}

function decisionLine(event: DecisionEvent, rules: Rules): string {
  const { exchange, fault, provider, rule, drawn, injected } = event;
  const time = clockTime(event.time);
  const name = rule === "mode" ? "mode" : `rule ${rule}`;
  const notes = [name, ...(drawn === null ? [] : [`drew ${drawn.toFixed(3)}`]), ...(injected ? left(rule, rules) : [])].join("; ");
  return injected
    ? `${time} 💥 #${exchange} ${fault} → ${provider} (${notes})`
    : `${time} #${exchange} ${fault} passed over → ${provider} (${notes})`;
}

/** What is left of the rule's count now. */
function left(id: string, { mode, added }: Rules): readonly string[] {
  const rule = id === "mode" ? mode : added.find((candidate) => candidate.id === id);
  if (rule === undefined) return ["0 left"];
  return rule.amount.kind === "count" ? [`${rule.amount.remaining} left`] : [];
}

/** HH:MM:SS of the local time zone. */
function clockTime(rfc3339: string): string {
  return new Date(rfc3339).toTimeString().slice(0, 8);
}
