import type { Settings } from "../config/settings.ts";
import type { DecisionEvent, ExchangeEvent, FaultproxyEvent } from "../core/event.ts";
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
  const pretty = (event: FaultproxyEvent) => (event.type === "decision" ? decisionLine(event, rules()) : exchangeLine(event, visible));
  const text = logFormat === "json" ? (event: FaultproxyEvent) => JSON.stringify(event) : pretty;
  return (event) => (ORDER[levelOf(event)] <= upTo ? text(event) : undefined);
}

function levelOf(event: FaultproxyEvent): Level {
  if (event.type === "decision") return event.injected ? "warn" : "debug";
  return event.error === null ? "info" : "error";
}

function exchangeLine(event: ExchangeEvent, visible: (text: string) => string): string {
  const { exchange, method, path, provider, status, durationMs, done, skipped, error } = event;
  const notes = [
    ...(error === null ? [] : [error]),
    ...(done === "delivered" ? [] : [done.replaceAll("_", " ")]),
    ...skipped.map(({ fault, reason }) => `${fault} not done: ${reason}`),
  ];
  const noted = notes.length === 0 ? "" : ` (${visible(notes.join("; "))})`;
  return `${clockTime(event.time)} #${exchange} ${visible(method)} ${visible(path)} → ${provider} ${status ?? "no status"} ${durationMs} ms${noted}`;
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
