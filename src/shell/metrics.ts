import type { CooldownView } from "../core/cooldown.ts";
import type { ExchangeEvent, FaultproxyEvent } from "../core/event.ts";
import type { BreakerView, StoreHealth } from "../core/state-store.ts";
import { named } from "../core/visible-name.ts";
import { createRouteMetrics } from "./metrics-routes.ts";
import { add, type Counter, counter, gauge, head, labelText, line } from "./metrics-text.ts";
import type { RouteState } from "./route-states.ts";

/** Distinct values that a label may take; further ones are counted together as `other`. */
const LABEL_VALUES_MAX = 100;

/** Upper bounds as OpenTelemetry's GenAI conventions advise them: seconds of an operation, seconds to the first token, tokens. */
const OPERATION_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const FIRST_TOKEN_SECONDS = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
const TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864];

export type Metrics = {
  readonly note: (event: FaultproxyEvent) => void;
  /** In Prometheus' text format 0.0.4. */
  readonly text: (now: {
    readonly running: number;
    readonly circuits: readonly BreakerView[];
    readonly store: StoreHealth;
    readonly ledger: { readonly isUp: boolean; readonly pending: number } | undefined;
    readonly routes: readonly RouteState[];
    readonly cooldowns: readonly CooldownView[];
  }) => string;
};

type Distribution = { readonly bounds: readonly number[]; readonly counts: number[]; sum: number; count: number };

/** Exchanges that differ in no label; found by one look for each exchange. */
type Series = {
  /** Where a route chose the target, the one that answered. */
  readonly provider: string;
  /** Whose price it has: the one that was asked for, behind a route the one that answered. */
  readonly model: string;
  readonly kind: string;
  readonly status: string;
  /** Of OpenTelemetry's names; undefined where the gateway had no part in it. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  requests: number;
  readonly operation: Distribution;
  readonly firstToken: Distribution;
  readonly input: Distribution;
  readonly output: Distribution;
  costUsd: number;
  priced: number;
  unpriced: number;
};

export function createMetrics(): Metrics {
  const models = boundedNames();
  const series = new Map<string, Series>();
  const refusals: Counter = new Map();
  const retries: Counter = new Map();
  const transitions: Counter = new Map();
  const injections: Counter = new Map();
  const ofRoutes = createRouteMetrics();

  /** One after another, most differ in nothing. */
  let last: { readonly event: ExchangeEvent; readonly series: Series } | undefined;
  const seriesOf = (event: ExchangeEvent): Series => {
    if (last !== undefined && isAlike(last.event, event)) return last.series;
    last = { event, series: seriesWith(event) };
    return last.series;
  };
  const seriesWith = ({ provider: clients, kind, status, dialect, model, gateway, error }: ExchangeEvent): Series => {
    const answeredBy = gateway?.answeredBy ?? undefined;
    const provider = answeredBy ?? clients;
    const asked = models(model ?? "unknown");
    const answered = models(gateway?.answeredModel ?? "unknown");
    // Our own refusals are errors too.
    const failure = gateway?.failure ?? error ?? "";
    const key = `${provider} ${kind} ${status} ${dialect} ${gateway === undefined} ${answeredBy} ${asked} ${answered} ${failure}`;
    const known = series.get(key);
    if (known !== undefined) return known;
    const labels = {
      gen_ai_operation_name: OPERATIONS[dialect ?? "none"] ?? "unknown",
      gen_ai_provider_name: SYSTEMS[provider] ?? provider,
      gen_ai_request_model: asked,
      gen_ai_response_model: answered,
      ...(failure === "" ? {} : { error_type: failure }),
    };
    const made: Series = {
      provider,
      model: answeredBy === undefined || answered === "unknown" ? asked : answered,
      kind,
      status: status === null ? "none" : String(status),
      labels: gateway === undefined ? undefined : labels,
      requests: 0,
      operation: distribution(OPERATION_SECONDS),
      firstToken: distribution(FIRST_TOKEN_SECONDS),
      input: distribution(TOKENS),
      output: distribution(TOKENS),
      costUsd: 0,
      priced: 0,
      unpriced: 0,
    };
    series.set(key, made);
    return made;
  };

  const noteExchange = (event: ExchangeEvent) => {
    const { gateway, durationMs, kind } = event;
    if (kind === "page") return;
    const one = seriesOf(event);
    one.requests++;
    if (gateway === undefined) return;
    const { usage, costUsd, firstTokenMs, limit } = gateway;
    if (limit !== null)
      add(refusals, labelText({ provider: event.provider, scope: limit.scope, metric: limit.metric, window: limit.window }));
    observe(one.operation, durationMs / 1_000);
    if (firstTokenMs !== null) observe(one.firstToken, firstTokenMs / 1_000);
    if (usage === null) return;
    observe(one.input, usage.inputTokens);
    observe(one.output, usage.outputTokens);
    if (costUsd === null) one.unpriced++;
    else {
      one.priced++;
      one.costUsd += costUsd;
    }
  };

  /** The series' numbers by fewer labels than they have. */
  const summed = (labelsOf: (one: Series) => Readonly<Record<string, string>> | undefined, numberOf: (one: Series) => number): Counter => {
    const sums: Counter = new Map();
    for (const one of series.values()) {
      const labels = labelsOf(one);
      if (labels !== undefined) add(sums, labelText(labels), numberOf(one));
    }
    return sums;
  };
  const gatewaySeries = () => [...series.values()].flatMap((one) => (one.labels === undefined ? [] : [{ ...one, labels: one.labels }]));
  const costLabels = ({ provider, model }: Series) => ({ provider, model });

  return {
    note(event) {
      ofRoutes.note(event);
      if (event.type === "exchange") noteExchange(event);
      else if (event.type === "retry") add(retries, labelText({ provider: event.provider, class: event.class }));
      else if (event.type === "decision" && event.injected) add(injections, labelText({ provider: event.provider, fault: event.fault }));
      else if (event.type === "circuit") add(transitions, labelText({ provider: event.provider, to: event.to }));
    },
    text({ running, circuits, store, ledger, routes, cooldowns }) {
      // Of circuits only as many are told as a label may have values; the rest stands at /health.
      const told = circuits.slice(0, LABEL_VALUES_MAX);
      const circuitLabels = ({ key }: BreakerView) => labelText({ provider: key.provider, model: key.model ?? "" });
      const all = gatewaySeries();
      return [
        ...histogram(
          "gen_ai_client_operation_duration_seconds",
          "Duration of inference requests.",
          all.map(({ labels, operation }) => [labels, operation]),
        ),
        ...histogram(
          "gen_ai_server_time_to_first_token_seconds",
          "Time to the first output of streamed answers.",
          all.map(({ labels, firstToken }) => [labels, firstToken]),
        ),
        ...histogram(
          "gen_ai_client_token_usage",
          "Input and output tokens of answers.",
          all.flatMap(({ labels, input, output }) => [
            [{ ...labels, gen_ai_token_type: "input" }, input] as const,
            [{ ...labels, gen_ai_token_type: "output" }, output] as const,
          ]),
        ),
        ...counter(
          "faultproxy_requests_total",
          "Requests by provider, kind of endpoint and status.",
          summed(
            ({ provider, kind, status }) => ({ provider, kind, status }),
            ({ requests }) => requests,
          ),
        ),
        ...counter("faultproxy_limit_refusals_total", "Requests that a limit refused.", refusals),
        ...counter("faultproxy_retries_total", "Attempts that failed and were repeated, by class of failure.", retries),
        ...counter("faultproxy_injected_faults_total", "Faults that rules chose for requests and attempts.", injections),
        ...counter("faultproxy_circuit_transitions_total", "Changes of circuits.", transitions),
        ...counter(
          "faultproxy_cost_usd_total",
          "Cost of answers in USD, as far as prices are known.",
          summed(
            (one) => (one.priced === 0 ? undefined : costLabels(one)),
            ({ costUsd }) => costUsd,
          ),
        ),
        ...counter(
          "faultproxy_unpriced_answers_total",
          "Answers with usage whose price is not known.",
          summed(
            (one) => (one.unpriced === 0 ? undefined : costLabels(one)),
            ({ unpriced }) => unpriced,
          ),
        ),
        ...gauge("faultproxy_running_requests", "Requests that are being answered.", [["", running]]),
        ...gauge(
          "faultproxy_circuit_state",
          "0 closed, 1 half open, 2 open.",
          told.map((view) => [circuitLabels(view), { closed: 0, half_open: 1, open: 2 }[view.state]]),
        ),
        ...gauge(
          "faultproxy_circuit_failures",
          "Failures within the window.",
          told.map((view) => [circuitLabels(view), view.failures]),
        ),
        ...gauge("faultproxy_state_store_up", "1: limits and circuits are decided by the store.", [
          [labelText({ kind: store.kind }), Number(store.isUp)],
        ]),
        ...gauge("faultproxy_state_store_instances", "Instances that share the store, as last seen.", [["", store.instances]]),
        ...(ledger === undefined
          ? []
          : [
              ...gauge("faultproxy_ledger_up", "1: rows can be written.", [["", Number(ledger.isUp)]]),
              ...gauge("faultproxy_ledger_pending_rows", "Rows that wait to be written.", [["", ledger.pending]]),
            ]),
        ...ofRoutes.lines(routes, cooldowns),
        "",
      ].join("\n");
    },
  };
}

/** Well-known values of `gen_ai.provider.name` and `gen_ai.operation.name`. */
const SYSTEMS: Readonly<Record<string, string>> = { google: "gcp.gemini" };
const OPERATIONS: Readonly<Record<string, string>> = {
  chat: "chat",
  messages: "chat",
  responses: "chat",
  gemini: "generate_content",
  none: "unknown",
};

/** Each of them is told in dozens of lines. */
function isAlike(one: ExchangeEvent, other: ExchangeEvent): boolean {
  return (
    one.provider === other.provider &&
    one.kind === other.kind &&
    one.status === other.status &&
    one.dialect === other.dialect &&
    one.model === other.model &&
    one.error === other.error &&
    one.gateway?.answeredModel === other.gateway?.answeredModel &&
    one.gateway?.answeredBy === other.gateway?.answeredBy &&
    one.gateway?.failure === other.gateway?.failure
  );
}

function boundedNames(): (name: string) => string {
  const seen = new Set<string>();
  return (wireName) => {
    const name = named(wireName);
    if (seen.has(name)) return name;
    if (seen.size >= LABEL_VALUES_MAX) return "other";
    seen.add(name);
    return name;
  };
}

function distribution(bounds: readonly number[]): Distribution {
  return { bounds, counts: bounds.map(() => 0), sum: 0, count: 0 };
}

function observe(of: Distribution, value: number): void {
  const { bounds, counts } = of;
  of.sum += value;
  of.count++;
  let index = 0;
  while (index < bounds.length && value > (bounds[index] ?? 0)) index++;
  if (index < bounds.length) counts[index] = (counts[index] ?? 0) + 1;
}

/** Series that differ in what these labels do not tell are one. */
function together(all: readonly (readonly [labels: Readonly<Record<string, string>>, of: Distribution])[]): Map<string, Distribution> {
  const merged = new Map<string, Distribution>();
  for (const [labels, of] of all) {
    if (of.count === 0) continue;
    const key = labelText(labels);
    const { bounds, counts, sum, count } = merged.get(key) ?? distribution(of.bounds);
    const added = counts.map((below, index) => below + (of.counts[index] ?? 0));
    merged.set(key, { bounds, counts: added, sum: sum + of.sum, count: count + of.count });
  }
  return merged;
}

function histogram(
  name: string,
  help: string,
  all: readonly (readonly [labels: Readonly<Record<string, string>>, of: Distribution])[],
): readonly string[] {
  const lines = [...together(all)].flatMap(([key, { bounds, counts, sum, count }]) => {
    let below = 0;
    return [
      ...bounds.map((bound, index) => {
        below += counts[index] ?? 0;
        return line(`${name}_bucket`, `${key},le="${bound}"`, below);
      }),
      line(`${name}_bucket`, `${key},le="+Inf"`, count),
      line(`${name}_sum`, key, sum),
      line(`${name}_count`, key, count),
    ];
  });
  return [...head(name, help, "histogram"), ...lines];
}
