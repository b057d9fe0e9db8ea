import type { Clock } from "../src/core/clock.ts";
import { isInputError } from "../src/core/errors.ts";
import type { Identified, RequestFacts } from "../src/core/exchange.ts";
import { NO_RULES, type Rules } from "../src/core/rule.ts";
import { applyCommand } from "../src/rules/apply.ts";
import { parseCommand } from "../src/rules/language.ts";

export const FACTS: RequestFacts = {
  model: "gpt-4o",
  stream: false,
  session: undefined,
  user: undefined,
  inputCharacters: 40,
  inputTokens: 10,
  outputTokensMax: undefined,
  tools: [],
  prompt: "Hello",
  afterToolResult: false,
  usageInStream: false,
};

/** A Chat Completions request to OpenAI unless told otherwise. */
export function exchange(changes: Partial<Identified> = {}): Identified {
  return {
    id: 1,
    method: "POST",
    target: "/v1/chat/completions",
    headers: [],
    body: { lengthBytes: 0, whole: async () => new Uint8Array(), forward: async () => null },
    listenerProvider: undefined,
    clientGone: new AbortController().signal,
    interim: undefined,
    canUpgrade: false,
    authority: undefined,
    via: "tcp",
    receivedMonotonicMs: 0,
    provider: "openai",
    dialect: "chat",
    kind: "inference",
    upstreamTarget: "/v1/chat/completions",
    path: "/v1/chat/completions",
    query: "",
    ...changes,
  };
}

/** The rules after these commands, all set at time 0. */
export function rulesOf(...commands: readonly string[]): Rules {
  return commands.reduce<Rules>((rules, text) => {
    const command = parseCommand(text);
    const next = isInputError(command) ? command : applyCommand(rules, command, 0);
    if (isInputError(next)) throw new Error(`${text}: ${next.message}`);
    return next;
  }, NO_RULES);
}

/** Time that passes only when somebody sleeps; the sleeps are kept. */
export function fakeClock(): Clock & { readonly slept: number[] } {
  let now = 0;
  const slept: number[] = [];
  return {
    slept,
    monotonicMs: () => now,
    wallMs: () => 1_760_000_000_000 + now,
    async sleep(ms) {
      slept.push(ms);
      now += ms;
    },
  };
}
