import { HTTP_FAULT_NAMES, PROVIDER_NAMES, type ProviderName } from "../../../src/core/provider.ts";
import { DIALECTS } from "../../../src/dialects/index.ts";
import { PROVIDERS } from "../../../src/providers/index.ts";
import type { TestDaemon } from "./daemon.ts";
import { circuitsOf, type GatewayEvent, startGateway } from "./gateway-daemon.ts";
import { type AskSdk, sdkOf } from "./gateway-sdks.ts";
import { SILENT, startScript } from "./gateway-upstream.ts";
import type { SdkName } from "./sdk-clients.ts";

export const MATRIX_GROUPS = ["answers", "transport", "streams"] as const;
export type MatrixGroup = (typeof MATRIX_GROUPS)[number];

/** A failure of a target, in one form that it has there. */
export type Form = {
  readonly provider: ProviderName;
  readonly dialect: SdkName;
  readonly group: MatrixGroup;
  /** `rate_limit variant=tokens`; or how the target itself is. */
  readonly command: string;
  /** Which target it needs, where a fault cannot do it. */
  readonly target?: "refusing" | "silent";
  /** Of the form itself. */
  readonly status?: number;
};

export type Way = "whole" | "streamed";

/** What came of it. */
export type Measured = {
  /** The failure of the last attempt; `none` where it was an answer. */
  readonly class: string;
  readonly attempts: number;
  /** What an official client made of it. */
  readonly client: string;
  readonly circuit: CircuitWord;
};

/**
 * What it was to the circuit: `failure` counts, and opens it again where it was a probe; `success` closes it then; `nothing` lets the next one
 * probe. Of a stream that works and then does not, both.
 */
export type CircuitWord = "failure" | "success" | "nothing" | "success, failure";

/** A whole answer meets no fault of streams. */
export type Row = { readonly form: Form; readonly cells: Readonly<{ whole?: Measured; streamed: Measured }> };

const DIALECT_OF: Readonly<Record<ProviderName, readonly [SdkName, ...SdkName[]]>> = {
  openai: ["chat", "responses"],
  anthropic: ["messages"],
  google: ["gemini"],
  openrouter: ["chat"],
  tetrate: ["chat"],
  databricks: ["chat"],
};

const TRANSPORT = [
  "reset",
  "close",
  "garbage",
  "garbage kind=chunk_size",
  "half_close at=head",
  "truncate_body",
  "truncate_body by=reset",
  "wrong_length says=less",
] as const;

const CUTS = ["cut after=3tokens", "cut after=3tokens by=fin", "cut after=3tokens by=end", "cut after=0"] as const;

export const FORMS: readonly Form[] = PROVIDER_NAMES.flatMap((provider) => {
  const [dialect, ...others] = DIALECT_OF[provider];
  const answers = HTTP_FAULT_NAMES.flatMap((fault) =>
    PROVIDERS[provider].errors[fault].map(
      ({ variant, status }): Form => ({ provider, dialect, group: "answers", command: `${fault} variant=${variant}`, status }),
    ),
  );
  const transport = [
    ...TRANSPORT.map((command): Form => ({ provider, dialect, group: "transport", command })),
    { provider, dialect, group: "transport", command: "refuses connections", target: "refusing" } as const,
    { provider, dialect, group: "transport", command: "gives nothing within its time", target: "silent" } as const,
  ];
  const streams = [dialect, ...others].flatMap((spoken) => [
    ...(PROVIDERS[provider].streamErrors[spoken] ?? DIALECTS[spoken].streamErrors).map(
      ({ variant }): Form => ({ provider, dialect: spoken, group: "streams", command: `error_event variant=${variant} after=3tokens` }),
    ),
    { provider, dialect: spoken, group: "streams", command: "error_event" } as const,
    ...CUTS.map((command): Form => ({ provider, dialect: spoken, group: "streams", command })),
  ]);
  return [...answers, ...transport, ...streams];
});

/** A rate limit is tried again once, a failure twice. The forms ask for two seconds where they name a time. */
const RETRY = { transient_delay: 0.001, rate_limit_delay: 0.001, max_rate_limit_retries: 1, max_retry_after: 3 } as const;
/** None opens by itself. One that is opened by hand is due at once. */
const BREAKER = { failure_threshold: 1_000, cooldown_seconds: 0.001, window_seconds: 3_600 } as const;
const SILENCE_SECONDS = 0.15;

/** Forms that run at a time: many wait, as their provider asks. */
const RUNNING_MAX = 64;

/** Every form, whole and streamed, through the binary: first with retries, then as the probe of an open circuit. */
export async function measureMatrix(): Promise<readonly Row[]> {
  const silent = await startScript(SILENT);
  const places = {
    faulty: await startPlace(["--simulate", "--tokens", "8"], {}),
    // Nobody listens on the port of tcpmux.
    refusing: await startPlace([], { upstream: "http://127.0.0.1:1" }),
    silent: await startPlace([], { upstream: silent.url, timeout: SILENCE_SECONDS }),
  };
  const seen: { readonly form: Form; readonly whole: Seen | undefined; readonly streamed: Seen }[] = [];
  // Those that wait begin first.
  const waiting = FORMS.map((form, index) => ({ form, index })).toSorted((one, other) => waits(other.form) - waits(one.form));
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { form, index } = next;
      const look = (way: Way) => seenAt(places[form.target ?? "faulty"], form, way, `m${index}-${way}`);
      const [whole, streamed] = await Promise.all([form.group === "streams" ? undefined : look("whole"), look("streamed")]);
      seen[index] = { form, whole, streamed };
    }
  };
  await Promise.all(Array.from({ length: RUNNING_MAX }, work));
  for (const place of Object.values(places)) await place.finish();
  silent.stop();
  return seen.map(({ form, whole, streamed }) => {
    const place = places[form.target ?? "faulty"];
    const of = ({ probe, model, ...rest }: Seen): Measured => ({ ...rest, circuit: circuitWord(place, form.provider, model, probe) });
    return { form, cells: { ...(whole === undefined ? {} : { whole: of(whole) }), streamed: of(streamed) } };
  });
}

function waits({ command, target }: Form): number {
  return command.startsWith("rate_limit") || target === "silent" ? 1 : 0;
}

/** What is seen at once; the circuits are looked at together, in the end. */
type Seen = Omit<Measured, "circuit"> & {
  readonly model: string;
  /** The model of the request that was the probe. */
  readonly probe: string;
};

async function seenAt({ daemon, events, clientOf }: Place, form: Form, way: Way, model: string): Promise<Seen> {
  const ask = clientOf(form);
  const through = async (name: string) => {
    if (form.target === undefined) await rule(daemon, `add ${form.command} * side=upstream model=${name} id=${name}`);
    const client = await ask(name, way === "streamed");
    const { gateway } = await events.exchange(name);
    if (form.target === undefined) await rule(daemon, `rm ${name}`);
    return { client, class: gateway?.failure ?? "none", attempts: gateway?.attempts ?? 0 };
  };
  const asked = await through(model);
  for (let round = 0; ; round++) {
    const probe = `${model}-${round}`;
    await open(daemon, `${form.provider}/${probe}`);
    // It can come before the cooldown is over: then it is no probe, and asks nobody.
    if ((await through(probe)).attempts > 0) return { ...asked, client: steady(form, asked.client), model, probe };
  }
}

/** As the probe and as a request of a closed circuit it must come to the same. */
function circuitWord({ events, failuresOf }: Place, provider: ProviderName, model: string, probe: string): CircuitWord {
  const moves = events
    .circuit(probe)
    .filter(({ from }) => from === "half_open")
    .map(({ to }) => to)
    .join();
  const counts = failuresOf(`${provider}/${model}`) === 1;
  const countsAsProbe = failuresOf(`${provider}/${probe}`) === 1;
  if (counts !== countsAsProbe) throw new Error(`${model} counts ${counts ? "" : "not "}as a failure, as a probe otherwise`);
  if (moves === "" && !counts) return "nothing";
  if (moves === "open" && counts) return "failure";
  if (moves === "closed") return counts ? "success, failure" : "success";
  throw new Error(`${model}: the probe's circuit went to ${moves || "nowhere"}`);
}

/** Google's client knows an error that is no event only where it is a chunk of its own when it is read. */
function steady({ dialect, command }: Form, client: string): string {
  const isBare = dialect === "gemini" && /^error_event variant=(?!data)/.test(command);
  return isBare && /^(?:Error Incomplete JSON segment|ApiError 50)/.test(client) ? "ApiError, or an error of syntax" : client;
}

/** A daemon, and what is known of it. */
type Place = {
  readonly daemon: TestDaemon;
  readonly events: Followed;
  /** The same for each of a provider's dialects. */
  readonly clientOf: (form: Form) => AskSdk;
  /** Ends the daemon. */
  readonly finish: () => Promise<void>;
  /** Failures that the circuit has counted; after `finish`. */
  readonly failuresOf: (circuit: string) => number;
};

async function startPlace(args: readonly string[], provider: Readonly<Record<string, string | number>>): Promise<Place> {
  const providers = Object.keys(provider).length === 0 ? {} : Object.fromEntries(PROVIDER_NAMES.map((name) => [name, provider]));
  const daemon = await startGateway("wire", { retry: RETRY, breaker: BREAKER, providers }, ...args);
  const events = await follow(daemon);
  const clients = new Map<string, AskSdk>();
  let failures: ReadonlyMap<string, number> = new Map();
  return {
    daemon,
    events,
    clientOf({ provider: of, dialect }) {
      const client = clients.get(`${of} ${dialect}`) ?? sdkOf(daemon.origin, of, dialect);
      clients.set(`${of} ${dialect}`, client);
      return client;
    },
    async finish() {
      failures = new Map((await circuitsOf(daemon)).map((each) => [each.circuit, each.failures] as const));
      events.stop();
      await daemon.stop();
    },
    failuresOf: (circuit) => failures.get(circuit) ?? 0,
  };
}

async function open({ socket }: TestDaemon, circuit: string): Promise<void> {
  const answer = await fetch("http://localhost/v1/breakers/open", { unix: socket, method: "POST", body: JSON.stringify({ circuit }) });
  await answer.arrayBuffer();
}

async function rule(daemon: TestDaemon, command: string): Promise<void> {
  const { status, body } = await daemon.command(command);
  if (status !== 200) throw new Error(`${command}: ${JSON.stringify(body)}`);
}

type Followed = {
  /** That of the model, once it has ended. */
  readonly exchange: (model: string) => Promise<GatewayEvent>;
  readonly circuit: (model: string) => readonly GatewayEvent[];
  readonly stop: () => void;
};

/** Reads the events as they come: there are more than a daemon keeps. */
async function follow({ socket }: TestDaemon): Promise<Followed> {
  const leaving = new AbortController();
  const exchanges = new Map<string, PromiseWithResolvers<GatewayEvent>>();
  const circuits = new Map<string, GatewayEvent[]>();
  const exchangeOf = (model: string) => {
    const known = exchanges.get(model) ?? Promise.withResolvers<GatewayEvent>();
    exchanges.set(model, known);
    return known;
  };
  const take = (event: GatewayEvent) => {
    const model = event.model ?? "";
    if (event.type === "exchange") exchangeOf(model).resolve(event);
    if (event.type === "circuit") circuits.set(model, [...(circuits.get(model) ?? []), event]);
  };
  const answer = await fetch("http://localhost/v1/events", { unix: socket, signal: leaving.signal });
  const read = async () => {
    const decoder = new TextDecoder();
    let unread = "";
    for await (const chunk of answer.body ?? []) {
      const lines = (unread + decoder.decode(chunk, { stream: true })).split("\n");
      unread = lines.pop() ?? "";
      for (const line of lines) take(JSON.parse(line) as GatewayEvent);
    }
  };
  read().catch(() => {});
  return { exchange: (model) => exchangeOf(model).promise, circuit: (model) => circuits.get(model) ?? [], stop: () => leaving.abort() };
}
