import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isInputError } from "../../src/core/errors.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { type Command, parseCommand } from "../../src/rules/language.ts";

function parsed(text: string): Command {
  const command = parseCommand(text);
  if (isInputError(command)) throw new Error(`${text}: ${command.message}`);
  return command;
}

function mistake(text: string): string {
  const command = parseCommand(text);
  if (!isInputError(command)) throw new Error(`${text} was taken as ${JSON.stringify(command)}`);
  return command.message;
}

function draft(text: string) {
  const command = parsed(text);
  if (command.kind !== "mode" && command.kind !== "add") throw new Error(`${text} is no rule`);
  return command.draft;
}

describe("amounts", () => {
  const all = { kind: "all" } as const;
  const none = { kind: "none" } as const;
  const count = (remaining: number) => ({ kind: "count", remaining }) as const;
  const share = (value: number) => ({ kind: "share", share: value }) as const;
  test.each([
    ["c", count(1)],
    ["C", count(1)],
    ["c 4", count(4)],
    ["c4", count(4)],
    ["c 1", count(1)],
    ["c 0.3", share(0.3)],
    ["c0.3", share(0.3)],
    ["c .3", share(0.3)],
    ["c 30%", share(0.3)],
    ["c30%", share(0.3)],
    ["c 30 %", share(0.3)],
    ["c 2.5%", share(0.025)],
    ["c 100%", all],
    ["c100%", all],
    ["c 1.0", all],
    ["c *", all],
    ["c*", all],
    ["  c   *  ", all],
    ["c 0", none],
    ["c 0%", none],
    ["c 0.0", none],
    ["context_length 30%", share(0.3)],
    ["Context-Length*", all],
  ])("%s", (text, amount) => {
    expect(draft(text)).toMatchObject({ fault: "context_length", amount });
  });
});

test.each([
  ["c", "context_length"],
  ["r", "rate_limit"],
  ["u", "server_error"],
  ["a", "auth"],
  ["o", "overloaded"],
  ["b", "quota"],
])("letter %s is %s", (letter, fault) => {
  expect(draft(letter).fault).toBe(fault);
});

test.each(FAULTS.map(({ name }) => [name]))("%s can be asked for by name", (name) => {
  expect(draft(name).fault).toBe(name);
});

test.each([
  ["n", { kind: "none" }],
  ["N", { kind: "none" }],
  ["q", { kind: "quit" }],
  ["ls", { kind: "list" }],
  ["clear", { kind: "clear" }],
  ["rm 3", { kind: "remove", id: "3" }],
])("%s", (text, command) => {
  expect(parsed(text)).toEqual(command as Command);
});

test("keys aim and shape the rule", () => {
  expect(
    draft(
      'add r 2 provider=openai model="gpt-4*" stream=on nth=3 after_requests=2 window=10s-40s retry_after=7 message="slow down, please" id=mine side=upstream',
    ),
  ).toMatchObject({
    id: "mine",
    side: "upstream",
    fault: "rate_limit",
    amount: { kind: "count", remaining: 2 },
    aim: { provider: "openai", model: "gpt-4*", stream: true, nth: 3, afterRequests: 2, window: { fromMs: 10_000, untilMs: 40_000 } },
    parameters: { retry_after: 7_000, message: "slow down, please" },
  });
});

test.each([
  ["cut after=5", { unit: "frames", count: 5 }],
  ["cut after=20tokens", { unit: "tokens", count: 20 }],
  ["cut after=1024bytes", { unit: "bytes", count: 1024 }],
  ["cut after=300ms", { unit: "ms", count: 300 }],
  ["cut after=2s", { unit: "ms", count: 2000 }],
])("%s is a position", (text, after) => {
  expect(draft(text).parameters).toMatchObject({ after });
});

describe("mistakes say what is wrong and what would be right", () => {
  test.each([
    ["", "nothing was typed"],
    ["x", "unknown fault"],
    ["rate_limti", "did you mean rate_limit?"],
    ["contxt_length 3", "did you mean context_length?"],
    ["c 120%", "from 0% to 100%"],
    ["c 1.5", "from 0.0 to 1.0"],
    ["c -1", "not negative"],
    ["c-1", "not negative"],
    ["c 3 4", "one amount is enough"],
    ["c three", "a count such as 3"],
    ["c 0,3", "a share such as 0.3"],
    ["c 1e3", "a count such as 3"],
    ["c 99999999999999999999", "smaller count"],
    ["c retry_afer=3", "unknown key"],
    ["r retry_afer=3", "did you mean retry_after?"],
    ["r retry_after=soon", "a duration"],
    ["r status=99", "200 to 599"],
    ["r variant=tokns", "did you mean tokens?"],
    ["r provider=opnai", "did you mean openai?"],
    ["r stream=maybe", "on or off"],
    ["r nth=0", "a whole number from 1"],
    ["r window=40s-10s", "a duration such as 30s"],
    ["r side=both", "client or upstream"],
    ["r id=x", "add"],
    ["r status=500 status=501", "twice"],
    ['r message="open', "quote is not closed"],
    ["n 3", "stands alone"],
    ["add", "add takes a fault"],
    ["rm", "rm takes one rule's id"],
    ["path=/x", "unknown fault"],
  ])("%s", (text, part) => {
    expect(mistake(text)).toContain(part);
  });
});

test("no text makes the parser throw", () => {
  const words = fc.constantFrom(
    "c",
    "r",
    "add",
    "rm",
    "30%",
    "*",
    "model=",
    "after=5",
    '"',
    "'",
    "\\",
    "=",
    "%",
    "n",
    "-1",
    "id=a",
    "constructor=5",
    "__proto__=5",
    "toString",
  );
  const text = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.array(words, { maxLength: 6 }).map((parts) => parts.join(" ")),
  );
  fc.assert(
    fc.property(text, (line) => {
      const command = parseCommand(line);
      expect(isInputError(command) ? command.message.length : command.kind.length).toBeGreaterThan(0);
    }),
    { numRuns: 2_000 },
  );
});

test("a rule's own text says the same rule", () => {
  const fault = fc.constantFrom("c", "rate_limit", "cut", "latency");
  const amount = fc.constantFrom("", "3", "*", "12.5%", "0.25", "0.0000001%", "33.333333333333%");
  const keys = fc.subarray([
    "provider=openai",
    "model=gpt*",
    "nth=2",
    "after_requests=4",
    "window=1s-2s",
    'session="a b"',
    "side=upstream",
  ]);
  fc.assert(
    fc.property(fault, amount, keys, (name, count, pairs) => {
      const once = draft(`${name} ${count} ${pairs.join(" ")}`);
      expect(draft(once.text)).toEqual(once);
    }),
  );
});
