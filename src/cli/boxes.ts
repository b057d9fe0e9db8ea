import { PROVIDER_NAMES } from "../core/provider.ts";
import { PROVIDERS } from "../providers/index.ts";
import { originOf } from "../shell/origin.ts";
import type { RuleStatus, Status } from "../shell/status.ts";
import { visible } from "./print.ts";
import { routeLine } from "./routes-text.ts";

const RULE_LINE = "=".repeat(60);

/** The mode and the number of requests, as shown after every command. */
export function statusBox(status: Status): string {
  const rules = status.rules.length === 0 ? [] : [`Rules beside it: ${status.rules.length} (ls)`];
  return [RULE_LINE, `Current mode: ${visible(status.modeTitle)}`, `Requests handled: ${status.requests}`, ...rules, RULE_LINE, ""].join(
    "\n",
  );
}

/** What `serve` prints when it listens. */
export function banner(status: Status): string {
  return [
    RULE_LINE,
    "🔧 faultproxy: provider error proxy",
    RULE_LINE,
    `Port: ${status.port}`,
    `Address: ${status.origin}`,
    ...status.addresses.map((address) => `Listening too: ${address}`),
    ...(status.config === null ? [] : [`Configuration: ${status.config}`]),
    ...(status.backend === null ? [] : [`Backend: ${status.backend.target}${spoken(status.backend.dialect)}`]),
    ...status.routes.map(routeLine),
    `Control socket: ${status.socket ?? "none"}`,
    `Seed: ${status.seed}`,
    "",
    "To use with a client, set these environment variables:",
    ...exportLines(status),
    ...missingLines(status),
    RULE_LINE,
    "",
    `${statusBox(status)}
Commands:
  n            - No error (pass through) - permanent
  c            - Context length exceeded (1 time)
  c 4          - Context length exceeded (4 times)
  c 0.3        - Context length exceeded (30% of requests)
  c 30%        - Context length exceeded (30% of requests)
  c *          - Context length exceeded (100% of requests)
  r            - Rate limit error (1 time)
  u            - Unknown server error (1 time)
  a, o, b      - Authentication error, overloaded, billing or quota
  NAME         - any other fault by name (faultproxy faults lists them)
  add, rm, ls  - keep several rules at once; clear removes all
  reload       - Read the configuration file again
  q            - Quit
`,
  ].join("\n");
}

function spoken(dialect: string | null): string {
  return dialect === null ? "" : ` (speaks ${dialect})`;
}

/** Every variable once: where two providers share one, the first names it. */
function exportLines(status: Status): readonly string[] {
  const variables = new Map<string, string>();
  for (const name of PROVIDER_NAMES) {
    const ownPort = status.providers[name].port;
    const origin = ownPort === null ? status.origin : originOf({ ...status, port: ownPort });
    for (const [variable, value] of PROVIDERS[name].clientVariables(origin)) {
      if (!variables.has(variable)) variables.set(variable, value);
    }
  }
  return [...variables].map(([variable, value]) => `  export ${variable}=${value}`);
}

function missingLines(status: Status): readonly string[] {
  return PROVIDER_NAMES.flatMap((name) => {
    const target = status.providers[name];
    if (target.kind !== "missing") return [];
    return ["", `${PROVIDERS[name].title} needs its real host, set before the start:`, `  export ${target.variable}=https://…`];
  });
}

/** The rules as a table, the mode first. */
export function rulesTable(rules: readonly RuleStatus[]): string {
  if (rules.length === 0) return "no rules\n";
  const rows = [
    ["ID", "MATCHED", "FIRED", "RULE"],
    ...rules.map(({ id, matched, fired, text }) => [id, String(matched), String(fired), visible(text)]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = ([id = "", matched = "", fired = "", text = ""]: readonly string[]) =>
    `${id.padEnd(widths[0] ?? 0)}  ${matched.padStart(widths[1] ?? 0)}  ${fired.padStart(widths[2] ?? 0)}  ${text}`;
  return `${rows.map(line).join("\n")}\n`;
}
