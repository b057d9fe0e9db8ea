import type { Settings } from "../config/settings.ts";
import { type InputError, isInputError } from "../core/errors.ts";
import type { FaultproxyEvent } from "../core/event.ts";
import { DRAIN_MS_MAX } from "../core/limits.ts";
import type { Ports, Target } from "../core/ports.ts";
import type { ProviderName } from "../core/provider.ts";
import { NO_RULES, type Rules } from "../core/rule.ts";
import type { Engine, ListenAddress, Listener } from "../engines/engine.ts";
import { SERVE_ENGINE } from "../engines/serve/index.ts";
import { createWireEngine } from "../engines/wire/index.ts";
import { createPipeline } from "../pipeline/run.ts";
import { applyCommand } from "../rules/apply.ts";
import { type Command, parseCommand } from "../rules/language.ts";
import { needsRawSockets } from "../rules/raw-sockets.ts";
import { createSimulator } from "../simulator/simulator.ts";
import { createEventLog, type EventLog } from "./event-log.ts";
import { handedSockets, type SocketAddress } from "./handed-sockets.ts";
import { originOf, type Scheme } from "./origin.ts";
import { REAL_CLOCK } from "./real-clock.ts";
import { removeStale } from "./stale-socket.ts";
import { targetsOf } from "./targets.ts";
import { serverCertificate } from "./tls-identity.ts";
import { withoutContentCoding } from "./without-content-coding.ts";

/** The running proxy, as the command line and the control socket see it. */
export type Daemon = {
  /** Of all its TCP ports. */
  readonly scheme: Scheme;
  readonly host: string;
  /** 0 where it was handed sockets, and none of them is a TCP port for all providers. */
  readonly port: number;
  readonly seed: number;
  readonly startedWallMs: number;
  /** Where it listens beside host and port, for people. */
  readonly addresses: readonly string[];
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
    connectMs: settings.connectTimeoutMs,
    headMs: settings.headTimeoutMs,
    idleMs: settings.idleTimeoutMs,
    trustAll: environment.NODE_TLS_REJECT_UNAUTHORIZED === "0",
  });
}

/** Puts settings, engine, pipeline and stores together and opens the ports. */
export async function startDaemon(
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Daemon | InputError> {
  const engine = engineOf(settings, environment);
  const targets = targetsOf(settings, environment);
  if (isInputError(targets)) return targets;
  const certificate = serverCertificate(settings);
  if (isInputError(certificate)) return certificate;
  const scheme = certificate === undefined ? "http" : "https";
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
    simulate: createSimulator({ ...settings, scheme }, REAL_CLOCK),
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
  /** Undefined once opened; whatever was opened before a mistake is closed. */
  const open = async (
    address: ListenAddress,
    provider: ProviderName | undefined,
    setting: string,
    isTcp = address.kind === "tcp",
  ): Promise<Listener | InputError> => {
    const mistake = address.kind === "unix" ? await removeStale(address.path, setting) : undefined;
    const listener =
      mistake ??
      engine.listen({
        address,
        certificate: isTcp ? certificate : undefined,
        reusePort: settings.reusePort,
        setting,
        provider,
        nextId: () => ++requests,
        handle(received) {
          running++;
          return pipeline(received);
        },
      });
    if (!isInputError(listener)) listeners.push(listener);
    else for (const opened of listeners) void opened.stop(true);
    return listener;
  };

  const handed = handedSockets(environment, process.pid);
  const handedMain = handed.find(({ at, provider }) => at?.kind === "tcp" && provider === undefined)?.at;
  let main: { readonly host: string; readonly port: number } | undefined = handedMain?.kind === "tcp" ? handedMain : undefined;
  const addresses: string[] = [];
  const providerPorts: Partial<Record<ProviderName, number>> = {};
  /** A provider's clients are told its own port, which they join to the host that all are told. */
  const note = (at: SocketAddress | undefined, provider: ProviderName | undefined) => {
    if (provider === undefined && at === main) return;
    const shown = at === undefined ? "a socket that was handed over" : at.kind === "unix" ? `unix:${at.path}` : originOf({ scheme, ...at });
    addresses.push(provider === undefined ? shown : `${provider} ${shown}`);
    if (provider !== undefined && at?.kind === "tcp" && at.host === (main?.host ?? settings.host)) providerPorts[provider] ??= at.port;
  };
  for (const { fd, provider, at } of handed) {
    const listener = await open({ kind: "fd", fd }, provider, "the socket unit", at?.kind !== "unix");
    if (isInputError(listener)) return listener;
    note(at, provider);
  }
  if (handed.length === 0) {
    const listener = await open({ kind: "tcp", host: settings.host, port: settings.port }, undefined, "--port");
    if (isInputError(listener)) return listener;
    main = { host: settings.host, port: listener.port ?? settings.port };
    for (const [provider, port] of Object.entries(settings.providerPorts) as [ProviderName, number][]) {
      const listener = await open({ kind: "tcp", host: settings.host, port }, provider, `providers.${provider}.port`);
      if (isInputError(listener)) return listener;
      providerPorts[provider] = listener.port ?? port;
    }
  }
  for (const { address, provider } of settings.listen) {
    const listener = await open(address, provider, "--listen");
    if (isInputError(listener)) return listener;
    note(address.kind === "unix" ? address : { ...address, port: listener.port ?? address.port }, provider);
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
    scheme,
    host: main?.host ?? settings.host,
    port: main?.port ?? 0,
    addresses,
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
