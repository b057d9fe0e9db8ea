import { describe, expect, test } from "bun:test";
import { cooldownRoutes } from "../../src/shell/control-cooldowns.ts";
import { answer } from "../../src/shell/control-routes.ts";
import { type CooldownChange, createCooldowns } from "../../src/shell/cooldowns.ts";
import { fakeClock } from "../support.ts";

const TARGETS = ["openai/gpt-4o", "anthropic/claude-sonnet-4-5"];

function started() {
  const changes: CooldownChange[] = [];
  const cooldowns = createCooldowns(fakeClock(), (change) => changes.push(change));
  const targets = TARGETS.map((name) => ({ name, circuit: undefined, cooldown: undefined, credential: undefined, passedOver: undefined }));
  const routes = cooldownRoutes({ cooldowns: () => cooldowns, routes: () => [{ match: {}, isServed: true, targets }] });
  const ask = async (method: string, path: string, body?: string) => {
    const asked = await answer(new Request(`http://localhost${path}`, { method, ...(body === undefined ? {} : { body }) }), routes);
    return { status: asked.status, body: await asked.json() };
  };
  return { cooldowns, changes, ask };
}

describe("cooldowns at the control socket", () => {
  test("are told by target and reason, without a word of credentials", async () => {
    const { cooldowns, ask } = started();
    expect(await ask("GET", "/v1/cooldowns")).toEqual({ status: 200, body: { cooldowns: [] } });
    cooldowns.enter({ target: "openai/gpt-4o", credential: "aaaa" }, "quota", 60_000);
    cooldowns.enter({ target: "openai/gpt-4o", credential: "bbbb" }, "quota", 90_000);
    cooldowns.enter({ target: "openai/gpt-4o", credential: "cccc" }, "auth", 30_000);
    const { body } = await ask("GET", "/v1/cooldowns");
    expect(body).toEqual({
      cooldowns: [
        { target: "openai/gpt-4o", reason: "quota", until: new Date(fakeClock().wallMs() + 90_000).toISOString(), credentials: 2 },
        { target: "openai/gpt-4o", reason: "auth", until: new Date(fakeClock().wallMs() + 30_000).toISOString(), credentials: 1 },
      ],
    });
    expect(JSON.stringify(body)).not.toMatch(/aaaa|bbbb|cccc/);
  });

  const RESETS: readonly (readonly [string, string | undefined, number, number])[] = [
    ["of one target", '{"target":"openai/gpt-4o"}', 1, 1],
    ["of a target that is not left alone", '{"target":"anthropic/claude-sonnet-4-5"}', 0, 3],
    ["of one that no route has any more", '{"target":"gone"}', 1, 2],
    ["of all, with null", '{"target":null}', 2, 0],
    ["of all, with nothing named", "{}", 2, 0],
    ["of all, without a body", undefined, 2, 0],
  ];
  test.each(RESETS)("%s end", async (_, sent, reset, left) => {
    const { cooldowns, changes, ask } = started();
    cooldowns.enter({ target: "openai/gpt-4o", credential: "a" }, "quota", 60_000);
    cooldowns.enter({ target: "openai/gpt-4o", credential: "b" }, "quota", 60_000);
    cooldowns.enter({ target: "gone", credential: undefined }, "auth", 60_000);
    expect(await ask("POST", "/v1/cooldowns/reset", sent)).toEqual({ status: 200, body: { reset } });
    expect(cooldowns.all().length).toBe(left);
    expect(changes.length).toBe(6 - left);
  });

  const MISTAKES: readonly (readonly [string, string])[] = [
    ['{"target":"openai/gpt4o"}', 'no route has a target "openai/gpt4o"; did you mean openai/gpt-4o?'],
    ['{"target":"xyz"}', 'no route has a target "xyz" (ctl status lists them)'],
    ['{"target":7}', 'expected JSON such as {"target": "openai/gpt-5"}'],
    ["openai/gpt-4o", 'expected JSON such as {"target": "openai/gpt-5"}'],
    ["null", 'expected JSON such as {"target": "openai/gpt-5"}'],
  ];
  test.each(MISTAKES)("%s is a mistake, and ends none", async (sent, message) => {
    const { cooldowns, ask } = started();
    cooldowns.enter({ target: "openai/gpt-4o", credential: "a" }, "quota", 60_000);
    expect(await ask("POST", "/v1/cooldowns/reset", sent)).toEqual({ status: 400, body: { error: { message } } });
    expect(cooldowns.all().length).toBe(1);
  });

  test("are a conflict where there are no routes", async () => {
    const routes = cooldownRoutes({ cooldowns: () => undefined, routes: () => [] });
    for (const [method, path] of [
      ["GET", "/v1/cooldowns"],
      ["POST", "/v1/cooldowns/reset"],
    ] as const) {
      const asked = await answer(new Request(`http://localhost${path}`, { method }), routes);
      expect(asked.status).toBe(409);
      expect(await asked.json()).toEqual({
        error: { message: "there are no routes: a [[route]] in the configuration file makes one" },
      });
    }
  });
});
