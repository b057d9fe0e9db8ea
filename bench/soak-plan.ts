/** What targets, clients and the soak itself know alike. */
import type { ProviderName } from "../src/core/provider.ts";
import { FAULTS } from "../src/faults/index.ts";
import { ALTERING } from "../test/pipeline/support/soak-checks.ts";

/** Whose APIs the three targets have. */
export const TARGETS = ["openai", "anthropic", "google"] as const satisfies readonly ProviderName[];

/** Of the requests before the count begins. */
export const WARM_UP_ID = 0;

/** The stories' own times are those of real targets. */
export const TIME_SCALE = 0.02;

/** Which of the targets a route leads to, and how. */
const WAYS = [
  { rescue: "continue", buffer: false, targets: ["openai", "anthropic", "google"] },
  { rescue: "continue", buffer: false, targets: ["google", "openai", "anthropic"] },
  { rescue: "restart", buffer: true, targets: ["anthropic", "google", "openai"] },
  { rescue: "none", buffer: false, targets: ["openai", "google", "anthropic"] },
] as const;

export const ROUTES = WAYS.length;

/** The proxy's settings. All targets go on behind a beginning. */
export function configuration(ports: readonly number[], ledger: string): string {
  const portOf = (name: (typeof TARGETS)[number]) => ports[TARGETS.indexOf(name)] ?? 0;
  const target = (name: (typeof TARGETS)[number]) =>
    `  { provider = "${name}", url = "http://127.0.0.1:${portOf(name)}", prefill = true, timeout = 1, first_token_timeout = 1, idle_timeout = 0.5 },`;
  const routes = WAYS.map(({ rescue, buffer, targets }, number) =>
    [
      "[[route]]",
      `match = { model = "route-${number}" }`,
      `rescue = "${rescue}"`,
      `buffer = ${buffer}`,
      'cooldown = "200ms"',
      'cooldown_max = "1s"',
      'max_wait = "100ms"',
      "targets = [",
      ...targets.map(target),
      "]",
      "",
    ].join("\n"),
  );
  return [
    "[breaker]",
    "failure_threshold = 20",
    "cooldown_seconds = 1",
    "",
    "[retry]",
    "max_transient_retries = 1",
    "max_rate_limit_retries = 1",
    "transient_delay = 0.02",
    "rate_limit_delay = 0.02",
    "",
    "[cost]",
    `ledger = ${JSON.stringify(ledger)}`,
    "",
    ...routes,
  ].join("\n");
}

/** What takes long takes less here. */
const MANNERS: Readonly<Record<string, string>> = {
  latency: " for=200ms",
  slow: " rate=20kb",
  slow_head: " gap=1ms",
  slow_tokens: " ttft=200ms between=10ms",
};

/** All faults that leave a whole answer as it is, each now and then on the target's side. */
export const RULES: readonly string[] = FAULTS.filter(({ name }) => !ALTERING.has(name)).map(
  ({ name }) => `add ${name} 0.5% side=upstream${MANNERS[name] ?? ""}`,
);

/** What all clients together have seen. */
export type ClientReport = {
  readonly sent: number;
  /** How many of each end and status. */
  readonly ends: Readonly<Record<string, number>>;
  /** Exchanges that the proxy is sure to have had: their clients waited for the end, or got a beginning. */
  readonly answered: readonly number[];
  /** What no client must see. */
  readonly mistakes: readonly string[];
};
