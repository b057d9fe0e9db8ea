import { expect, test } from "bun:test";
import { join } from "node:path";
import { BINARY, CLEAN_ENVIRONMENT } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { exchangeEvent } from "./support/gateway-daemon.ts";
import { rowsWhen } from "./support/ledger.ts";
import { sayingsOf, USAGES } from "./support/route-answers.ts";
import { inWords } from "./support/route-clients.ts";
import { startRoutePair } from "./support/route-pair.ts";

const primary = sayingsOf("messages", "primary", async () => {});
const fallback = sayingsOf("messages", "fallback", async () => {});

/** What a stream says of its input before it fails; more than the whole limit. */
const LOST_TOKENS = 5_000;
const REQUESTS = 3;

async function costOf(ledger: string, ...options: readonly string[]): Promise<unknown> {
  const child = Bun.spawn([BINARY, "cost", "--ledger", ledger, "--json", ...options], { env: CLEAN_ENVIRONMENT, stdout: "pipe" });
  return JSON.parse(await child.stdout.text());
}

test("limits, ledger and costs take in what the target says whose answer it is, and nothing of those that failed", async () => {
  using folder = temporaryFolder();
  const ledger = join(folder.path, "ledger.sqlite");
  await using pair = await startRoutePair({
    engine: "wire",
    spoken: "messages",
    toml: `
[retry]
max_transient_retries = 1
transient_delay = 0.002
[limits]
tokens_per_minute = ${USAGES.fallback.input * REQUESTS}
[cost]
ledger = ${JSON.stringify(ledger)}
[[cost.price]]
model = "m"
input_per_million = 1000
output_per_million = 10000
`,
    primary: [primary.beginsWithError("overloaded", LOST_TOKENS)],
    fallback: [fallback.good],
  });
  for (let request = 1; request <= REQUESTS; request++) {
    expect(inWords(await pair.ask({ way: "streamed" }))).toBe("the fallback's answer");
    // What it took is told when it has ended.
    await exchangeEvent(pair.daemon, request);
  }
  expect(inWords(await pair.ask())).toContain("RateLimitError 429");
  const { input, output } = USAGES.fallback;
  const rows = await rowsWhen(ledger, REQUESTS + 1);
  expect(rows.map((row) => [row.status, row.input_tokens, row.output_tokens])).toEqual([
    ...Array.from({ length: REQUESTS }, () => [200, input, output]),
    [429, null, null],
  ]);
  expect(await costOf(ledger)).toMatchObject({
    total: {
      requests: REQUESTS + 1,
      failed: 1,
      inputTokens: input * REQUESTS,
      outputTokens: output * REQUESTS,
      costUsd: (REQUESTS * (input * 1_000 + output * 10_000)) / 1_000_000,
    },
  });
  // Once the circuit is open the primary is not asked any more.
  expect(pair.primary.asked.length).toBeGreaterThanOrEqual(2);
  expect(pair.fallback.asked.length).toBe(REQUESTS);
});
