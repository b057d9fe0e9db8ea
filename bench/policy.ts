/** What a decision of limits and of a circuit costs, in µs, with few keys and with many: as the gateway makes them in memory. */
import type { BreakerVerdict, Limit } from "../src/core/state-store.ts";
import { limitsOf } from "../src/policy/limits-of.ts";
import { createStateStore } from "../src/shell/state/state-store.ts";

const clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep: async () => {},
};

function store() {
  return createStateStore({
    url: undefined,
    prefix: "bench",
    breaker: { failureThreshold: 5, windowMs: 120_000, cooldownMs: 300_000, escalationMs: 60_000 },
    providerOpenModels: () => 0,
    clock,
    tell: () => {},
  });
}

const LIMITS = {
  requestsPerMinute: 1_000_000_000,
  tokensPerMinute: 1_000_000_000,
  requestsPerDay: 1_000_000_000,
  tokensPerDay: 1_000_000_000,
  onStoreLoss: "share",
  overrides: [{ scope: "key", member: "*", requestsPerMinute: 1_000_000, tokensPerMinute: 1_000_000 }],
} as const;

const ROUND = 200_000;

/** The median of five rounds after one that warms up. */
function medianUs(once: (index: number) => void): number {
  const round = () => {
    const start = performance.now();
    for (let index = 0; index < ROUND; index++) once(index);
    return ((performance.now() - start) * 1_000) / ROUND;
  };
  round();
  return [round(), round(), round(), round(), round()].sort((a, b) => a - b)[2] ?? Number.NaN;
}

export function policyCosts(): readonly (readonly [name: string, us: number])[] {
  return [10, 1_000, 100_000].flatMap((keys) => {
    const limits = store();
    const held: readonly (readonly Limit[])[] = Array.from({ length: keys }, (_, index) =>
      limitsOf(LIMITS, { provider: "openai", model: "gpt-4o", key: `key-${index}`, user: undefined }),
    );
    const reserve = medianUs((index) => void limits.reserve(held[index % keys] ?? [], 100));
    const circuits = store();
    const names = Array.from({ length: keys }, (_, index) => ({ provider: "openai", model: `model-${index}` }) as const);
    const circuit = medianUs((index) => {
      const verdict = circuits.admit(names[index % keys] ?? { provider: "openai", model: undefined }) as BreakerVerdict;
      circuits.settle(verdict.ticket, "success");
    });
    return [
      [`six limits, ${keys} keys`, reserve],
      [`circuit: admit and settle, ${keys} keys`, circuit],
    ] as const;
  });
}

if (import.meta.main) for (const [name, us] of policyCosts()) process.stdout.write(`${name}: ${us.toFixed(2)} µs\n`);
