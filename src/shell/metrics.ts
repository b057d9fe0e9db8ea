import type { ExchangeEvent, FaultproxyEvent } from "../core/event.ts";
import type { BreakerView, StoreHealth } from "../core/state-store.ts";

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
  }) => string;
};

type Counter = Map<string, number>;
type Histogram = {
  readonly bounds: readonly number[];
  readonly series: Map<string, { readonly counts: number[]; sum: number; count: number }>;
};

export function createMetrics(): Metrics {
  const models = boundedNames();
  const requests: Counter = new Map();
  const refusals: Counter = new Map();
  const retries: Counter = new Map();
  const transitions: Counter = new Map();
  const cost: Counter = new Map();
  const unpriced: Counter = new Map();
  const operations: Histogram = { bounds: OPERATION_SECONDS, series: new Map() };
  const firstTokens: Histogram = { bounds: FIRST_TOKEN_SECONDS, series: new Map() };
  const tokens: Histogram = { bounds: TOKENS, series: new Map() };

  const noteExchange = (event: ExchangeEvent) => {
    const { provider, status, gateway, durationMs, model, kind } = event;
    if (kind === "page") return;
    add(requests, labels({ provider, kind, status: status === null ? "none" : String(status) }));
    if (gateway === undefined) return;
    if (gateway.limit !== null) add(refusals, labels({ provider, ...gateway.limit }));
    const { usage, costUsd, firstTokenMs, failure, answeredModel } = gateway;
    const named = {
      gen_ai_operation_name: OPERATIONS[event.dialect ?? "none"],
      gen_ai_provider_name: SYSTEMS[provider] ?? provider,
      gen_ai_request_model: models(model ?? "unknown"),
      gen_ai_response_model: models(answeredModel ?? "unknown"),
    };
    const ofError = failure === null ? {} : { error_type: failure };
    observe(operations, labels({ ...named, ...ofError }), durationMs / 1_000);
    if (firstTokenMs !== null) observe(firstTokens, labels(named), firstTokenMs / 1_000);
    if (usage === null) return;
    observe(tokens, labels({ ...named, gen_ai_token_type: "input" }), usage.inputTokens);
    observe(tokens, labels({ ...named, gen_ai_token_type: "output" }), usage.outputTokens);
    const whose = labels({ provider, model: named.gen_ai_request_model });
    if (costUsd === null) add(unpriced, whose);
    else add(cost, whose, costUsd);
  };

  return {
    note(event) {
      if (event.type === "exchange") noteExchange(event);
      else if (event.type === "retry") add(retries, labels({ provider: event.provider, class: event.class }));
      else if (event.type === "circuit") add(transitions, labels({ provider: event.provider, to: event.to }));
    },
    text({ running, circuits, store, ledger }) {
      // Of circuits only as many are told as a label may have values; the rest stands at /health.
      const told = circuits.slice(0, LABEL_VALUES_MAX);
      const circuitLabels = ({ key }: BreakerView) => labels({ provider: key.provider, model: key.model ?? "" });
      return [
        ...histogram("gen_ai_client_operation_duration_seconds", "Duration of inference requests.", operations),
        ...histogram("gen_ai_server_time_to_first_token_seconds", "Time to the first output of streamed answers.", firstTokens),
        ...histogram("gen_ai_client_token_usage", "Input and output tokens of answers.", tokens),
        ...counter("faultproxy_requests_total", "Requests by provider, kind of endpoint and status.", requests),
        ...counter("faultproxy_limit_refusals_total", "Requests that a limit refused.", refusals),
        ...counter("faultproxy_retries_total", "Attempts that failed and were repeated, by class of failure.", retries),
        ...counter("faultproxy_circuit_transitions_total", "Changes of circuits.", transitions),
        ...counter("faultproxy_cost_usd_total", "Cost of answers in USD, as far as prices are known.", cost),
        ...counter("faultproxy_unpriced_answers_total", "Answers with usage whose price is not known.", unpriced),
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
          [labels({ kind: store.kind }), Number(store.isUp)],
        ]),
        ...gauge("faultproxy_state_store_instances", "Instances that share the store, as last seen.", [["", store.instances]]),
        ...(ledger === undefined
          ? []
          : [
              ...gauge("faultproxy_ledger_up", "1: rows can be written.", [["", Number(ledger.isUp)]]),
              ...gauge("faultproxy_ledger_pending_rows", "Rows that wait to be written.", [["", ledger.pending]]),
            ]),
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

function boundedNames(): (name: string) => string {
  const seen = new Set<string>();
  return (name) => {
    if (seen.has(name)) return name;
    if (seen.size >= LABEL_VALUES_MAX) return "other";
    seen.add(name);
    return name;
  };
}

function labels(values: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(values)
    .map(([name, value = ""]) => `${name}="${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`)
    .join(",");
}

function add(counter: Counter, key: string, amount = 1): void {
  counter.set(key, (counter.get(key) ?? 0) + amount);
}

function observe({ bounds, series }: Histogram, key: string, value: number): void {
  let found = series.get(key);
  if (found === undefined) {
    found = { counts: bounds.map(() => 0), sum: 0, count: 0 };
    series.set(key, found);
  }
  found.sum += value;
  found.count++;
  const index = bounds.findIndex((bound) => value <= bound);
  if (index >= 0) found.counts[index] = (found.counts[index] ?? 0) + 1;
}

function head(name: string, help: string, type: string): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function line(name: string, key: string, value: number): string {
  return key === "" ? `${name} ${value}` : `${name}{${key}} ${value}`;
}

function counter(name: string, help: string, values: Counter): readonly string[] {
  return [...head(name, help, "counter"), ...[...values].map(([key, value]) => line(name, key, value))];
}

function gauge(name: string, help: string, values: readonly (readonly [key: string, value: number])[]): readonly string[] {
  return [...head(name, help, "gauge"), ...values.map(([key, value]) => line(name, key, value))];
}

function histogram(name: string, help: string, { bounds, series }: Histogram): readonly string[] {
  const lines = [...series].flatMap(([key, { counts, sum, count }]) => {
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
