import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SPOKEN, type Spoken } from "./route-answers.ts";
import type { Way } from "./route-clients.ts";
import { type Measured, type MeasuredCell, measureFailover } from "./route-failures.ts";
import { GROUPS, ROWS, type Row } from "./route-rows.ts";

export const FAILOVER_PAGE = join(import.meta.dir, "../../../docs/failover-matrix.md");

const INTRODUCTION = `# What a route makes of failures

How it was made: the official SDKs of OpenAI (Chat Completions) and Anthropic (Messages), their own retries off, asked through the built binary, whole and
streamed, and behind it stood targets on raw sockets that fail as each line says, counted what they got and kept it. \`make failover\` writes this page;
\`test/e2e/route-failures.test.ts\` measures it all again, compares it with what is written here, and holds each line against what is expected of it.

Each route has a *primary* and a *fallback* that works, some a *third* target too. They are of the client's provider unless the line says otherwise.
[Failover](failover.md) explains the settings; those that a line does not name have their defaults, but waits between retries are 2 ms, and three failures
open a circuit.

- **client**: what the SDK gives. An answer is one target's whole text with its proper end, or one text that several said; anything else is an error. "A
  beginning, then …" is a stream that ends with an exception: what had come before it cannot be taken back.
- **asked**: requests that the targets have got, in the order of the route. *refused* where nobody listens.
- **seconds**: until the SDK had all of it, the slowest of those that the line is for.
- **told**: \`x-faultproxy-attempts\`, with the targets called as they are here. A first target that answers at once needs none, and what happens behind the
  first output of a stream is in the events and in the ledger.

Where a streamed answer differs from a whole one, it stands behind the semicolon.
`;

/** The page that these measurements make. */
export function failoverPage(cells: readonly MeasuredCell[]): string {
  const tables = GROUPS.map((group) => {
    const lines = ROWS.filter((row) => row.group === group).flatMap((row) =>
      row.asks.map((_, index) =>
        lineOf(
          row,
          index,
          cells.filter((cell) => cell.row === row),
        ),
      ),
    );
    const columns = ["failure", "client", "asked", "seconds", "told"];
    const table = [columns, columns.map(() => "---"), ...lines].map((each) => `| ${each.join(" | ")} |`).join("\n");
    return `## The primary ${group}\n\n${table}\n`;
  });
  return [INTRODUCTION, ...tables].join("\n");
}

/** Machines differ in how fast they are, and in nothing else. */
export function withoutSeconds(page: string): string {
  return page.replace(/\| \d+\.\d(?:; \d+\.\d)? \|/g, "| – |");
}

type Seen = { readonly spoken: Spoken; readonly way: Way; readonly measured: Measured };

function lineOf({ name, asks }: Row, index: number, cells: readonly MeasuredCell[]): readonly string[] {
  const seen = cells.flatMap(({ spoken, way, asked }): readonly Seen[] => {
    const measured = asked[index];
    return measured === undefined ? [] : [{ spoken, way, measured }];
  });
  const title = asks[index]?.title;
  const named = title === undefined ? name : index === 0 ? `${name}: ${title}` : `– ${title}`;
  return [
    coded(named),
    merged(seen, ({ client }) => client),
    merged(seen, ({ asked }) => asked),
    secondsOf(seen),
    merged(seen, ({ told }) => told ?? "–"),
  ];
}

/** Settings as they stand in a file. */
function coded(text: string): string {
  return text.replace(/[a-z_]+ = (?:"\w+"|[\w.]+)/g, (setting) => `\`${setting}\``);
}

function merged(seen: readonly Seen[], of: (measured: Measured) => string): string {
  const texts = SPOKEN.map((spoken) => {
    const [whole, streamed] = (["whole", "streamed"] as const).map((way) => {
      const found = seen.find((each) => each.spoken === spoken && each.way === way);
      return found === undefined ? undefined : of(found.measured);
    });
    return pair(whole, streamed);
  });
  const [openai, anthropic] = texts;
  if (openai === undefined || anthropic === undefined || openai === anthropic) return openai ?? anthropic ?? "";
  return `OpenAI: ${openai}<br>Anthropic: ${anthropic}`;
}

function pair(whole: string | undefined, streamed: string | undefined): string | undefined {
  if (whole === undefined || streamed === undefined || whole === streamed) return whole ?? streamed;
  return `${whole}; ${streamed}`;
}

function secondsOf(seen: readonly Seen[]): string {
  const of = (way: Way) => {
    const all = seen.filter((each) => each.way === way).map(({ measured }) => measured.seconds);
    return all.length === 0 ? undefined : Math.max(...all).toFixed(1);
  };
  return pair(of("whole"), of("streamed")) ?? "";
}

// Few at a time, so that nobody waits for the machine.
if (import.meta.main) writeFileSync(FAILOVER_PAGE, failoverPage((await measureFailover("wire", 4)).cells));
