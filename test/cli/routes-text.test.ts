import { describe, expect, test } from "bun:test";
import { routeLine, routesText } from "../../src/cli/routes-text.ts";
import { untilText } from "../../src/cli/until-text.ts";
import type { RouteTargetStatus } from "../../src/shell/route-status.ts";

const NOW = new Date(2026, 2, 31, 12, 30).getTime();
const at = (ms: number) => new Date(NOW + ms).toISOString();

function target(name: string, changes: Partial<RouteTargetStatus> = {}): RouteTargetStatus {
  const circuit = { state: "closed", failures: 0, cooldownUntil: null } as const;
  return { name, circuit, cooldown: null, credential: null, passedOver: null, ...changes };
}

describe("routes on a terminal", () => {
  test("are a table each, with what keeps requests from a target and what to do about it", () => {
    const detail = "the file /k holds a token that expired; put a new one there";
    const expired = { source: "file /k", state: "expired", expires: at(-60_000), detail } as const;
    const text = routesText(
      [
        {
          match: { provider: "openai", model: "gpt-4*" },
          targets: [
            target("openai/gpt-4o", {
              circuit: { state: "open", failures: 5, cooldownUntil: at(90_000) },
              passedOver: "circuit_open",
              credential: { source: "env OPENAI_API_KEY", state: "ready", expires: null, detail: null },
            }),
            target("openai/gpt-4o#2", {
              circuit: null,
              cooldown: { reason: "global_rate_limit", until: at(42_000) },
              passedOver: "cooldown",
            }),
            target("anthropic/claude", { credential: expired, passedOver: "credential_expired" }),
            target("anthropic/claude#2", { credential: expired, passedOver: "credential_expired" }),
          ],
        },
        {
          match: {},
          targets: [
            target("openai", { circuit: { state: "closed", failures: 1, cooldownUntil: null } }),
            target("google", { circuit: { state: "half_open", failures: 3, cooldownUntil: null } }),
            target("databricks", { passedOver: "no_upstream" }),
            target("openai\u001b[2J"),
          ],
        },
      ],
      NOW,
    );
    expect(text).toBe(
      [
        "Routes:",
        "  provider openai, model gpt-4*",
        "    openai/gpt-4o       circuit open until 12:31:30                    env OPENAI_API_KEY: ready",
        "    openai/gpt-4o#2     left alone until 12:30:42 (global rate limit)",
        "    anthropic/claude    not asked                                      file /k: expired since 12:29:00",
        "    anthropic/claude#2  not asked                                      file /k: expired since 12:29:00",
        "    the file /k holds a token that expired; put a new one there",
        "  every request",
        "    openai         1 failure",
        "    google         circuit half open",
        "    databricks     no host is set",
        "    openai\\x1b[2J  ready",
        "",
      ].join("\n"),
    );
  });

  test("are nothing where there are none", () => {
    expect(routesText([], NOW)).toBe("");
  });
});

test("a route is a line in the banner", () => {
  const targets = [target("openai/gpt-4o"), target("anthropic\u001b[2J")];
  expect(routeLine({ match: { model: "gpt-*" }, targets })).toBe("Route: model gpt-*: openai/gpt-4o → anthropic\\x1b[2J");
});

test.each([
  [0, "12:30:00"],
  [90_000, "12:31:30"],
  [-3_600_000, "11:30:00"],
  [48 * 3_600_000, "2026-04-02 12:30:00"],
])("a moment in %p ms is told as %s", (ms, expected) => {
  expect(untilText(at(ms), NOW)).toBe(expected);
});
