import type { Settings } from "../config/settings.ts";
import { type InputError, isInputError } from "../core/errors.ts";
import type { FaultproxyEvent } from "../core/event.ts";
import { DRAIN_MS_MAX } from "../core/limits.ts";
import type { Ports, Target } from "../core/ports.ts";
import type { ProviderName } from "../core/provider.ts";
import { NO_RULES, type Rules } from "../core/rule.ts";
import type { Engine, Listener } from "../engines/engine.ts";
import { SERVE_ENGINE } from "../engines/serve/index.ts";
import { createWireEngine } from "../engines/wire/index.ts";
import { createPipeline } from "../pipeline/run.ts";
import { applyCommand } from "../rules/apply.ts";
import { type Command, parseCommand } from "../rules/language.ts";
import { needsRawSockets } from "../rules/raw-sockets.ts";
import { createSimulator } from "../simulator/simulator.ts";
import { createEventLog, type EventLog } from "./event-log.ts";
import { REAL_CLOCK } from "./real-clock.ts";
import { targetsOf } from "./targets.ts";
import { withoutContentCoding } from "./without-content-coding.ts";

/** The running proxy, as the command line and the control socket see it. */
export type Daemon = {
  readonly host: string;
  readonly port: number;
  readonly seed: number;
  readonly startedWallMs: number;
  /** Provider ports that were opened beside the main one. */
  readonly providerPorts: Partial<Readonly<Record<ProviderName, number>>>;
  readonly targets: Readonly<Record<ProviderName, Target>>;
  readonly rules: () => Rules;
  /** Reads and performs one command. `quit` and `list` change nothing; the caller acts on them. A mistake changes nothing. */
  readonly command: (text: string) => { readonly command: Command; readonly rules: Rules } | InputError;
  readonly counts: () => { readonly requests: number; readonly injections: number; readonly running: number };
  readonly events: EventLog;
  /** No new requests; running ones get up to DRAIN_MS_MAX, or are broken off, also later. Resolves when it is over. */
  readonly stop: (breakOff: boolean) => Promise<void>;
};

function engineOf(settings: Settings, environment: Readonly<Record<string, string | undefined>>): Engine {
  if (settings.engine === "serve") return SERVE_ENGINE;
  return createWireEngine({
    environment,
    connectMs: 10_000,
    headMs: 0,
    idleMs: 0,
    trustAll: environment.NODE_TLS_REJECT_UNAUTHORIZED === "0",
  });
}

/** Puts settings, engine, pipeline and stores together and opens the ports. */
export function startDaemon(settings: Settings, environment: Readonly<Record<string, string | undefined>>): Daemon | InputError {
  const engine = engineOf(settings, environment);
  const targets = targetsOf(settings, environment);
  if (isInputError(targets)) return targets;
  const seed = settings.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const events = createEventLog();
  let rules: Rules = NO_RULES;
  let requests = 0;
  let injections = 0;
  let running = 0;

  const command: Daemon["command"] = (text) => {
    const parsed = parseCommand(text);
    if (isInputError(parsed)) return parsed;
    const impossible = engine.wire === undefined ? needsRawSockets(parsed) : undefined;
    if (impossible !== undefined) return impossible;
    const next = applyCommand(rules, parsed, REAL_CLOCK.monotonicMs());
    if (isInputError(next)) return next;
    rules = next;
    return { command: parsed, rules };
  };
  if (settings.mode !== undefined) {
    const started = command(settings.mode);
    if (isInputError(started)) return started;
  }

  const ports: Ports = {
    clock: REAL_CLOCK,
    seed,
    defaultProvider: settings.defaultProvider,
    targets,
    rules: {
      get: () => rules,
      set: (next) => {
        rules = next;
      },
    },
    forward: engine.forward,
    wire: engine.wire,
    simulate: createSimulator(settings, REAL_CLOCK),
    withoutContentCoding,
    record(event: FaultproxyEvent) {
      if (event.type === "decision" && event.injected) injections++;
      if (event.type === "exchange") {
        running--;
        injections -= event.skipped.length;
      }
      events.add(event);
    },
  };
  const pipeline = createPipeline(ports);
  const listeners: Listener[] = [];
  const open = (port: number, provider: ProviderName | undefined): Listener | InputError => {
    const listener = engine.listen({
      host: settings.host,
      port,
      provider,
      nextId: () => ++requests,
      handle(received) {
        running++;
        return pipeline(received);
      },
    });
    if (!isInputError(listener)) listeners.push(listener);
    return listener;
  };

  const main = open(settings.port, undefined);
  if (isInputError(main)) return main;
  const providerPorts: Partial<Record<ProviderName, number>> = {};
  for (const [provider, port] of Object.entries(settings.providerPorts) as [ProviderName, number][]) {
    const listener = open(port, provider);
    if (isInputError(listener)) {
      for (const opened of listeners) void opened.stop(true);
      return listener;
    }
    providerPorts[provider] = listener.port;
  }

  let drained: Promise<void> | undefined;
  const breakOffAll = async () => {
    await Promise.all(listeners.map((listener) => listener.stop(true)));
  };
  const drain = async () => {
    const late = new AbortController();
    const ended = Promise.all(listeners.map((listener) => listener.stop(false)));
    await Promise.race([ended, REAL_CLOCK.sleep(DRAIN_MS_MAX, late.signal).then(breakOffAll)]);
    late.abort();
  };
  return {
    host: settings.host,
    port: main.port,
    seed,
    startedWallMs: REAL_CLOCK.wallMs(),
    providerPorts,
    targets,
    rules: () => rules,
    command,
    counts: () => ({ requests, injections, running }),
    events,
    async stop(breakOff) {
      drained ??= drain();
      if (breakOff) await breakOffAll();
      await drained;
    },
  };
}
