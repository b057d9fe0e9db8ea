import type { BeforeFault } from "../core/fault.ts";
import { DEGRADED_SIGNAL, degradedAnswer } from "../policy/degraded-answer.ts";
import { numberOf, textOf } from "./helpers/parameters.ts";

/** What a gateway answers that has given the provider up. With `side=upstream` our own retries, circuit and failover meet it. */
export const forceDegraded: BeforeFault = {
  name: "force_degraded",
  level: "http",
  summary: "a gateway's 503 in the place of a provider that is down: provider_degraded, with its marker",
  terminal: true,
  parameters: {
    signal: { type: "text", default: DEGRADED_SIGNAL, summary: "the marker in the text" },
    retry_after: { type: "duration", default: "5s", minimum: 0, summary: "until a retry makes sense" },
  },
  acts: "before",
  plan({ exchange, parameters }) {
    const signal = textOf(parameters, "signal") ?? DEGRADED_SIGNAL;
    const { status, headers, body } = degradedAnswer(exchange.provider, signal, numberOf(parameters, "retry_after") ?? 0);
    return [{ kind: "respond", status, headers, body }];
  },
};
