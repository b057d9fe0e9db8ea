import { SETTING_ROWS } from "../config/schema.ts";
import type { Settings } from "../config/settings.ts";
import type { Cooldowns } from "../core/cooldown.ts";
import { type InputError, isInputError } from "../core/errors.ts";
import type { FaultproxyEvent } from "../core/event.ts";
import { DRAIN_MS_MAX } from "../core/limits.ts";
import type { ProviderName } from "../core/provider.ts";
import type { Rules } from "../core/rule.ts";
import type { BreakerView, StateStore, StoreEvent } from "../core/state-store.ts";
import type { Engine } from "../engines/engine.ts";
import { SERVE_ENGINE } from "../engines/serve/index.ts";
import { createWireEngine } from "../engines/wire/index.ts";
import { createPipeline } from "../pipeline/run.ts";
import { createSimulator } from "../simulator/simulator.ts";
import { accessOf, exposedAddress, exposureMistake } from "./access.ts";
import { type ChangedSettings, changedSettings } from "./changed-settings.ts";
import { createEventLog, type EventLog } from "./event-log.ts";
import { createExchangeCounts, type ExchangeCounts } from "./exchange-counts.ts";
import { createGatewayRuntime, featuresOf, type GatewayRuntime } from "./gateway.ts";
import { handedSockets } from "./handed-sockets.ts";
import { openListeners } from "./listeners.ts";
import type { Scheme } from "./origin.ts";
import { REAL_CLOCK } from "./real-clock.ts";
import type { RouteState } from "./route-states.ts";
import { createRunningRules, type RunningRules } from "./running-rules.ts";
import { type Targets, targetsOf } from "./targets.ts";
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
  readonly targets: () => Targets;
  /** Other settings in place of those that it runs by, as far as that can be done while it runs. Exchanges keep those that they began with. */
  readonly reconfigure: (settings: Settings) => ChangedSettings | InputError;
  readonly rules: () => Rules;
  readonly command: RunningRules["command"];
  readonly counts: ExchangeCounts["now"];
  readonly events: EventLog;
  /** Where the circuits are; undefined where the breaker is off. */
  readonly circuits: () => StateStore | undefined;
  /** Undefined where there are no routes. */
  readonly cooldowns: () => Cooldowns | undefined;
  /** With the circuits that are given. */
  readonly routes: (circuits: readonly BreakerView[]) => readonly RouteState[];
  /** No new requests; running ones get up to DRAIN_MS_MAX, or are broken off, also later. Resolves when it is over. */
  readonly stop: (breakOff: boolean) => Promise<void>;
};

function engineOf(settings: Settings, environment: Environment): Engine {
  if (settings.engine === "serve") return SERVE_ENGINE;
  return createWireEngine({
    environment,
    connectMs: settings.connectTimeoutMs,
    headMs: settings.headTimeoutMs,
    idleMs: settings.idleTimeoutMs,
    trustAll: environment.NODE_TLS_REJECT_UNAUTHORIZED === "0",
  });
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Puts settings, engine, pipeline and stores together and opens the ports. `warn` is told what goes on and should not. */
export async function startDaemon(
  settings: Settings,
  environment: Environment,
  warn: (text: string) => void,
): Promise<Daemon | InputError> {
  const engine = engineOf(settings, environment);
  const firstTargets = targetsOf(settings, environment, warn);
  if (isInputError(firstTargets)) return firstTargets;
  let exposed = await exposedAddress(settings, handedSockets(environment, process.pid));
  const exposure = exposureMistake(exposed, settings);
  if (exposure !== undefined) return exposure;
  const certificate = serverCertificate(settings);
  if (isInputError(certificate)) return certificate;
  const scheme = certificate === undefined ? "http" : "https";
  const seed = settings.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const events = createEventLog();
  const counts = createExchangeCounts();
  const rules = createRunningRules(engine.wire !== undefined);
  const started = settings.mode === undefined ? undefined : rules.command(settings.mode);
  if (isInputError(started)) return started;

  const record = (event: FaultproxyEvent) => {
    counts.note(event);
    runtime?.note(event);
    events.add(event);
  };
  let runtime: GatewayRuntime | undefined;
  const runtimeOf = (now: Settings): GatewayRuntime | undefined => {
    if (featuresOf(now).isOn) {
      runtime ??= createGatewayRuntime({
        settings: now,
        environment,
        clock: REAL_CLOCK,
        warn,
        tell: (event) => record(told(event)),
        tellCooldown: ({ target, reason, forMs }) =>
          record({
            type: "cooldown",
            time: now3339(),
            target,
            class: reason ?? null,
            forMs: forMs === undefined ? null : Math.round(forMs),
          }),
        tellCredential: (change) => record({ type: "credential", time: now3339(), ...change }),
        running: () => counts.now().running,
      });
    }
    return runtime;
  };
  const pipelineOf = (now: Settings, of: Targets, forward: Engine["forward"]) =>
    createPipeline({
      clock: REAL_CLOCK,
      seed,
      defaultProvider: now.defaultProvider,
      access: accessOf({ ...now, ...atStart(settings) }, of, () => counts.now().running),
      targets: of,
      rules,
      forward,
      wire: engine.wire,
      simulate: createSimulator({ ...now, scheme }, REAL_CLOCK),
      withoutContentCoding,
      record,
      gateway: runtimeOf(now)?.gatewayOf(now, of),
    });
  let current = settings;
  let targets = firstTargets;
  let pipeline = pipelineOf(current, targets, engine.forward);
  await runtime?.ready();

  const reconfigure: Daemon["reconfigure"] = (next) => {
    const nextTargets = targetsOf(next, environment, warn);
    if (isInputError(nextTargets)) return nextTargets;
    const nextExposure = exposureMistake(exposed, { ...next, open: settings.open });
    if (nextExposure !== undefined) return nextExposure;
    const changed = changedSettings(current, next);
    if (changed.applied.length > 0) {
      targets = nextTargets;
      // Kept connections of the engine before this one end by themselves.
      pipeline = pipelineOf(next, targets, engineOf({ ...next, engine: settings.engine }, environment).forward);
    }
    // What waits for the next start is told each time.
    current = { ...next, ...atStart(settings) };
    return changed;
  };

  const listening = await openListeners({
    engine,
    settings,
    environment,
    certificate,
    bodyBytesMax: () => current.bodyBytesMax,
    nextId: counts.nextId,
    handle(received) {
      counts.begun();
      return pipeline(received);
    },
  });
  if (isInputError(listening)) {
    await runtime?.close();
    return listening;
  }

  exposed ??= listening.exposed;

  let drained: Promise<void> | undefined;
  const drain = async () => {
    const late = new AbortController();
    await Promise.race([listening.stop(false), REAL_CLOCK.sleep(DRAIN_MS_MAX, late.signal).then(() => listening.stop(true))]);
    late.abort();
    await runtime?.close();
  };
  const { host, port, addresses, providerPorts } = listening;
  return {
    scheme,
    host,
    port,
    addresses,
    seed,
    startedWallMs: REAL_CLOCK.wallMs(),
    providerPorts,
    targets: () => targets,
    reconfigure,
    rules: rules.get,
    command: rules.command,
    counts: counts.now,
    events,
    circuits: () => (current.gateway || featuresOf(current).breaker !== "off" ? runtime?.store : undefined),
    cooldowns: () => (current.routes.length > 0 ? runtime?.cooldowns : undefined),
    routes: (circuits) => runtime?.routeStates(circuits) ?? [],
    async stop(breakOff) {
      drained ??= drain();
      if (breakOff) await listening.stop(true);
      await drained;
    },
  };
}

function now3339(): string {
  return new Date(REAL_CLOCK.wallMs()).toISOString();
}

function told(event: StoreEvent): FaultproxyEvent {
  const time = now3339();
  if (event.kind === "store") return { type: "store", time, isUp: event.isUp, detail: event.detail };
  const { key, from, to, reason } = event;
  return { type: "circuit", time, provider: key.provider, model: key.model ?? null, from, to, reason };
}

/** The settings that only a start looks at. */
function atStart(settings: Settings): Partial<Settings> {
  const rows = SETTING_ROWS.filter(([, { onlyAtStart }]) => onlyAtStart).map(([name]) => [name, settings[name]]);
  return { ...Object.fromEntries(rows), providerPorts: settings.providerPorts };
}
