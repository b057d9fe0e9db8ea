import type { ProviderName } from "../../../src/core/provider.ts";
import { BINARY, CLEAN_ENVIRONMENT, type EngineName, startTestDaemon, type TestDaemon } from "./daemon.ts";

type Values = Readonly<Record<string, number | string | boolean>>;

/** Tables of the configuration file; a table that is there turns its feature on. */
export type GatewayTables = {
  readonly retry?: Values;
  readonly breaker?: Values;
  readonly limits?: Values;
  readonly server?: Values;
  readonly providers?: Partial<Readonly<Record<ProviderName, Values>>>;
};

/** Waits that a test need not notice. */
export const QUICK = { transient_delay: 0.002, rate_limit_delay: 0.002 } as const;

export function gatewayToml({ providers = {}, ...tables }: GatewayTables): string {
  const named = Object.entries(providers).map(([name, values]) => [`providers.${name}`, values] as const);
  return [...Object.entries(tables), ...named]
    .flatMap(([name, values]) => [`[${name}]`, ...Object.entries(values).map(([key, value]) => `${key} = ${JSON.stringify(value)}`), ""])
    .join("\n");
}

/** The built binary with these features. */
export function startGateway(engine: EngineName, tables: GatewayTables, ...args: readonly string[]): Promise<TestDaemon> {
  return startTestDaemon({ engine, toml: gatewayToml(tables), args: ["--seed", "1", ...args] });
}

/** An event of the gateway, as far as tests look at it. */
export type GatewayEvent = {
  readonly type: string;
  readonly exchange: number;
  readonly provider: string;
  readonly model: string | null;
  readonly status: number | null;
  readonly done: string;
  readonly error: string | null;
  readonly faults: readonly string[];
  readonly attempt: number;
  readonly class: string;
  readonly waitMs: number;
  readonly failures: number;
  readonly counted: boolean;
  readonly from: string;
  readonly to: string;
  readonly reason: string;
  readonly gateway?: { readonly attempts: number; readonly failure: string | null; readonly stream: boolean };
};

export async function eventsOf(daemon: Pick<TestDaemon, "events">, type: string): Promise<readonly GatewayEvent[]> {
  return (await daemon.events()).filter((event) => event.type === type) as unknown as readonly GatewayEvent[];
}

/** The exchange of this number, once it has ended. */
export async function exchangeEvent(daemon: Pick<TestDaemon, "events" | "event">, number = 1): Promise<GatewayEvent> {
  return (await daemon.event(({ type, exchange }) => type === "exchange" && exchange === number)) as unknown as GatewayEvent;
}

export type Circuit = {
  readonly circuit: string;
  readonly state: "closed" | "open" | "half_open";
  readonly failures: number;
  readonly cooldownUntil: string | null;
};

export async function circuitsOf({ socket }: Pick<TestDaemon, "socket">): Promise<readonly Circuit[]> {
  const answer = await fetch("http://localhost/v1/breakers", { unix: socket });
  return ((await answer.json()) as { circuits: readonly Circuit[] }).circuits;
}

/** A circuit that nothing has happened to is closed. */
export async function circuitOf(daemon: Pick<TestDaemon, "socket">, name: string): Promise<Circuit> {
  const found = (await circuitsOf(daemon)).find(({ circuit }) => circuit === name);
  return found ?? { circuit: name, state: "closed", failures: 0, cooldownUntil: null };
}

/** `faultproxy ctl` with these words. */
export async function ctl({ socket }: Pick<TestDaemon, "socket">, ...words: readonly string[]) {
  const child = Bun.spawn([BINARY, "ctl", "--socket", socket, ...words], { env: CLEAN_ENVIRONMENT, stdout: "pipe", stderr: "pipe" });
  const [out, problems] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, out, problems };
}
