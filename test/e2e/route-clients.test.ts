import { describe, expect, test } from "bun:test";
import { ENGINES, eventually } from "./support/daemon.ts";
import { circuitsOf, exchangeEvent } from "./support/gateway-daemon.ts";
import { SILENT } from "./support/gateway-upstream.ts";
import { sayingsOf } from "./support/route-answers.ts";
import { inWords } from "./support/route-clients.ts";
import { startRoutePair } from "./support/route-pair.ts";

const primary = sayingsOf("chat", "primary", async () => {});
const fallback = sayingsOf("chat", "fallback", async () => {});

describe.each(ENGINES)("clients of a route with the %s engine", (engine) => {
  test("of many that come when an open circuit is due one tries the primary, and all others are answered by the fallback", async () => {
    const asMany = 30;
    const others = Promise.withResolvers<void>();
    await using pair = await startRoutePair({
      engine,
      toml: "[retry]\nmax_transient_retries = 0\n[breaker]\nfailure_threshold = 1\ncooldown_seconds = 0.2",
      primary: [
        primary.error("overloaded"),
        // The probe is on its way until the others have their answers.
        async (asked) => {
          await others.promise;
          await primary.good(asked);
        },
      ],
      fallback: [fallback.good],
    });
    expect(inWords(await pair.ask())).toBe("the fallback's answer");
    await eventually(async () => (await circuitsOf(pair.daemon)).find(({ state }) => state === "half_open"), "the end of the cooldown");
    let left = asMany - 1;
    const heard = await Promise.all(
      Array.from({ length: asMany }, async () => {
        const words = inWords(await pair.ask());
        if (--left === 0) others.resolve();
        return words;
      }),
    );
    const byWhom = Map.groupBy(heard, (words) => words);
    expect([...byWhom].map(([words, all]) => [words, all.length]).toSorted()).toEqual([
      ["the fallback's answer", asMany - 1],
      ["the primary's answer", 1],
    ]);
    expect([pair.primary.asked.length, pair.fallback.asked.length]).toEqual([2, asMany]);
  });

  test("who leaves while the primary is silent ends its request, and nobody else is asked or blamed", async () => {
    await using pair = await startRoutePair({ engine, primary: [SILENT], fallback: [fallback.good] });
    const client = new AbortController();
    const leaving = pair.ask({ leaving: client.signal });
    await eventually(() => pair.primary.asked[0], "the request");
    client.abort();
    await leaving;
    const { done, gateway } = await exchangeEvent(pair.daemon);
    expect([done, gateway?.attempts, gateway?.failure]).toEqual(["client_gone", 1, null]);
    await Promise.all(pair.primary.connections.map(({ ended }) => ended));
    expect([pair.primary.asked.length, pair.fallback.asked.length]).toEqual([1, 0]);
    expect(await circuitsOf(pair.daemon)).toEqual([]);
  });

  test("who leaves while a rescue is silent ends that too", async () => {
    await using pair = await startRoutePair({
      engine,
      route: 'rescue = "restart"\nbuffer = true',
      primary: [primary.half("fin")],
      fallback: [SILENT],
      toml: "[retry]\nmax_transient_retries = 0",
    });
    const client = new AbortController();
    const leaving = pair.ask({ way: "streamed", leaving: client.signal });
    await eventually(() => pair.fallback.asked[0], "the rescue");
    client.abort();
    await leaving;
    expect((await exchangeEvent(pair.daemon)).done).toBe("client_gone");
    await Promise.all(pair.fallback.connections.map(({ ended }) => ended));
  });

  test("a body that is too large to be kept goes to the first target, once, and its error to the client", async () => {
    await using pair = await startRoutePair({
      engine,
      toml: "[retry]\nmax_body_bytes = 100",
      primary: [primary.error("overloaded")],
      fallback: [fallback.good],
    });
    expect(inWords(await pair.ask({ prompt: "y".repeat(500) }))).toBe("InternalServerError 503 server_is_overloaded, the primary's");
    expect([pair.primary.asked.length, pair.fallback.asked.length]).toEqual([1, 0]);
  });
});
