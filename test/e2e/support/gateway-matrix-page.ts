import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PROVIDER_NAMES } from "../../../src/core/provider.ts";
import { PROVIDERS } from "../../../src/providers/index.ts";
import { type Form, MATRIX_GROUPS, type MatrixGroup, type Measured, measureMatrix, type Row } from "./gateway-matrix.ts";

export const MATRIX_PAGE = join(import.meta.dir, "../../../docs/gateway-matrix.md");

const INTRODUCTION = `# What the gateway makes of failures

Every failure that the catalogues know, in the provider's own form, as the target's (\`side=upstream\`), through the built binary with retries and circuit
breaker on. \`make matrix\` writes this page; \`test/e2e/gateway-matrix.test.ts\` measures it all again and compares it with what is written here.

- **class**: what the failure is taken for. \`degraded\`: the target does not work. \`global_rate_limit\`: the account is out of its rate.
  \`local_rate_limit\`: this request was too much at this moment. \`quota\`, \`auth\`, \`context_window\`, \`content_filter\`, and \`client\`, every other mistake
  of a request, are answers of a target that works, and asking again is no use. \`none\`: no failure.
- **asked**: how often the target was asked, with \`max_transient_retries = 2\` (the default) and \`max_rate_limit_retries = 1\`. The forms that name a time
  ask for 2 s, which is waited for.
- **client**: what the official SDK makes of it, its own retries off: class of the exception, status, and the word for the error. \`provider_degraded\` is
  the gateway's own answer.
- **circuit**: \`failure\` counts towards opening the circuit, and opens it again where the request was the probe of an open one. \`success\` closes it then.
  \`nothing\` changes nothing, and the next request may probe. A stream that works and then breaks off is both, one after the other.

Where a streamed answer differs from a whole one, it stands behind the semicolon. A stream that has begun is passed on as it comes: it cannot be asked
for again.
`;

const TITLES: Readonly<Record<MatrixGroup, string>> = {
  answers: "errors in place of an answer",
  transport: "connections",
  streams: "inside a stream",
};

/** The page that these measurements make. */
export function matrixPage(rows: readonly Row[]): string {
  const tables = PROVIDER_NAMES.flatMap((provider) =>
    MATRIX_GROUPS.map((group) => {
      const own = rows.filter(({ form }) => form.provider === provider && form.group === group);
      const title = `## ${PROVIDERS[provider].title}: ${TITLES[group]}`;
      return `${title}\n\n${table(own, group)}\n`;
    }),
  );
  return [INTRODUCTION, ...tables].join("\n");
}

function table(rows: readonly Row[], group: MatrixGroup): string {
  const dialects = new Set(rows.map(({ form }) => form.dialect));
  const head = [...(group === "answers" ? ["fault", "form", "status"] : [...(dialects.size > 1 ? ["dialect"] : []), "failure"])];
  const named = ({ dialect, command, status }: Form): readonly string[] => {
    if (group !== "answers")
      return [...(dialects.size > 1 ? [dialect] : []), command.includes("_") || !/ \w+ /.test(command) ? code(command) : command];
    const [fault = "", variant = ""] = command.split(" variant=");
    return [code(fault), code(variant), String(status)];
  };
  const lines = rows.map(({ form, cells }) => [
    ...named(form),
    ...[
      (cell: Measured) => cell.class,
      (cell: Measured) => String(cell.attempts),
      (cell: Measured) => cell.client,
      (cell: Measured) => cell.circuit,
    ].map((of) => pair(cells.whole === undefined ? undefined : of(cells.whole), of(cells.streamed))),
  ]);
  const columns = [...head, "class", "asked", "client", "circuit"];
  return [columns, columns.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function pair(whole: string | undefined, streamed: string): string {
  return whole === undefined || whole === streamed ? streamed : `${whole}; ${streamed}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) writeFileSync(MATRIX_PAGE, matrixPage(await measureMatrix()));
