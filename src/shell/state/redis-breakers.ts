import type { BreakerKey, BreakerOutcome, BreakerTicket, BreakerVerdict, BreakerView, CircuitState } from "../../core/state-store.ts";
import { circuitKey, REASONS, ticketAfter } from "../../policy/breaker.ts";
import { CIRCUITS_MAX } from "./circuit-table.ts";
import { type Breakers, type BreakersSetup, createMemoryBreakers } from "./memory-breakers.ts";
import { type Call, createMissedCalls } from "./missed-calls.ts";
import { ADMIT, NAMES, OPEN, RELEASE, RESET, SETTLE, VIEW } from "./redis-breakers-scripts.ts";
import { keyOfName, numbersOf, type SharedCircuit, sharedCircuit, stateOf } from "./shared-circuit.ts";
import { AWAY, type RunScript, type SharedScripts } from "./shared-scripts.ts";

/** Circuits that a view shows, those that last moved; and so many in one call, which nobody else must wait long for. */
const VIEWED_MAX = 10_000;
const AT_ONCE = 100;

/** A ticket of the shared circuit, and what it is for our own. */
type SharedTicket = BreakerTicket & {
  /** False: our own circuit alone knows of it. */
  readonly isShared: boolean;
  readonly localGeneration: number;
  /** There was a spell of global rate limits, which a success ends. */
  readonly hasSpell: boolean;
};

/** In place of a generation: that of whichever closed circuit there is. */
const ANY_CLOSED = -1;

export type RedisBreakersSetup = Omit<BreakersSetup, "circuitsMax"> & {
  readonly scripts: SharedScripts;
  /** In place of the store's own clock. */
  readonly storeMs?: () => number;
};

/**
 * Circuits that several instances share. Beside them it keeps circuits of its own, with every outcome that it sees and
 * every state that it hears of, and decides by those while the store is away.
 */
export function createRedisBreakers(setup: RedisBreakersSetup): Breakers {
  const { settings, providerOpenModels, monotonicMs, wallMs, tell, scripts, storeMs } = setup;
  /** Of this process alone; in the names of what it does. */
  const instance = crypto.randomUUID();
  let things = 0;
  const newId = () => `${instance}:${things++}`;
  /** What our own circuits do is news only while they decide. */
  let isDeciding = false;
  const local = createMemoryBreakers({
    settings,
    providerOpenModels,
    monotonicMs,
    wallMs,
    tell: (event) => {
      if (isDeciding) tell(event);
    },
  });
  const missed = createMissedCalls(scripts, monotonicMs);

  const clock = () => (storeMs === undefined ? "" : String(storeMs()));
  const listKey = scripts.keyOf("circuits");
  const circuitOf = (key: BreakerKey) => sharedCircuit(scripts, key);

  function deciding<Value>(decide: () => Value): Value {
    isDeciding = true;
    try {
      return decide();
    } finally {
      isDeciding = false;
    }
  }

  function moved(key: BreakerKey, from: CircuitState, to: CircuitState, reason: string): void {
    if (from !== to) tell({ kind: "circuit", key, from, to, reason });
  }

  function decideLocally(key: BreakerKey): BreakerVerdict {
    const verdict = deciding(() => local.admit(key));
    const ticket: SharedTicket = { ...verdict.ticket, isShared: false, localGeneration: verdict.ticket.generation, hasSpell: true };
    return { ...verdict, ticket };
  }

  async function admit(key: BreakerKey): Promise<BreakerVerdict> {
    const { hash, cooling } = circuitOf(key);
    const id = newId();
    const answer = await scripts.run(ADMIT, [hash, cooling], [clock(), String(providerOpenModels()), id]);
    const [passes, isProbe, generation, retryAfterMs, openForMs, wasOpen, hasSpell] = numbersOf(answer);
    if (generation === undefined || retryAfterMs === undefined || openForMs === undefined) {
      // It may have become the probe all the same, and nobody would ever settle that.
      missed.later((run) => run(RELEASE, [hash], [id]));
      return decideLocally(key);
    }
    local.learn(key, openForMs < 0 ? undefined : openForMs);
    if (wasOpen === 1) moved(key, "open", "half_open", REASONS.cooldownOver);
    const ticket: SharedTicket = {
      key,
      generation,
      isProbe: isProbe === 1,
      isShared: true,
      localGeneration: local.generationOf(key),
      hasSpell: hasSpell === 1,
    };
    return passes === 1 ? { kind: "pass", ticket } : { kind: "refused", ticket, retryAfterMs };
  }

  function settleShared(key: BreakerKey, generation: number, isProbe: boolean, outcome: BreakerOutcome): void {
    const { name, member, hash, failures, cooling } = circuitOf(key);
    const id = newId();
    const call: Call = async (run, ageMs) => {
      const { failureThreshold, windowMs, cooldownMs, escalationMs } = settings;
      const numbers = [failureThreshold, windowMs, cooldownMs, escalationMs].map(String);
      const answer = await run(
        SETTLE,
        [hash, failures, cooling, listKey],
        [clock(), String(ageMs), String(generation), isProbe ? "1" : "0", outcome, ...numbers, id, member, name],
      );
      const [what, count] = numbersOf(answer);
      if (what === 1) moved(key, "closed", "open", REASONS.failures(count ?? failureThreshold, settings));
      if (what === 2) moved(key, "half_open", "open", REASONS.probeFailed);
      if (what === 3) moved(key, "half_open", "closed", REASONS.probeSucceeded);
      if (what === 1 || what === 2) local.learn(key, cooldownMs);
      return answer;
    };
    void missed.send(call);
  }

  /** Our own circuit hears of it at once: the store may be gone before it answers. */
  function settleLocally({ key, localGeneration, isProbe }: SharedTicket, outcome: BreakerOutcome): void {
    if (!isProbe) local.settle({ key, generation: localGeneration, isProbe: false }, outcome);
    else if (outcome === "success") local.learn(key, undefined);
    else if (outcome === "failure") local.learn(key, settings.cooldownMs);
  }

  /** A call that the store would do nothing with is spared: most requests of a closed circuit end so. */
  function isNews({ isProbe, hasSpell }: SharedTicket, outcome: BreakerOutcome): boolean {
    if (isProbe) return true;
    return outcome === "success" ? hasSpell : outcome !== "neutral";
  }

  function settle(ticket: BreakerTicket, outcome: BreakerOutcome): BreakerTicket {
    if (!isSharedTicket(ticket)) return ticket;
    const { key, generation, isProbe, hasSpell } = ticket;
    if (ticket.isShared) {
      settleLocally(ticket, outcome);
      if (isNews(ticket, outcome)) settleShared(key, generation, isProbe, outcome);
      const after: SharedTicket = { ...ticketAfter(ticket, outcome), isShared: true, localGeneration: local.generationOf(key), hasSpell };
      return after.generation === generation ? ticket : after;
    }
    const settleOwn = () => local.settle({ key, generation, isProbe }, outcome);
    const own = scripts.isUp() ? settleOwn() : deciding(settleOwn);
    // The others will want to know of failures; a success here does not speak for what they saw.
    if (!isProbe && (outcome === "failure" || outcome === "global_rate_limit")) settleShared(key, ANY_CLOSED, false, outcome);
    const after: SharedTicket = { ...own, isShared: false, localGeneration: own.generation, hasSpell };
    return after;
  }

  async function circuits(
    run: RunScript,
    asked: BreakerKey | undefined,
    countMax: number,
  ): Promise<readonly SharedCircuit[] | typeof AWAY> {
    if (asked?.model !== undefined) return [circuitOf(asked)];
    const names = await run(NAMES, [listKey], [String(countMax)]);
    if (!Array.isArray(names)) return AWAY;
    return names
      .flatMap((name: unknown) => (typeof name === "string" ? (keyOfName(name) ?? []) : []))
      .filter(({ provider }) => asked === undefined || provider === asked.provider)
      .map(circuitOf);
  }

  async function views(of: readonly SharedCircuit[]): Promise<readonly BreakerView[] | undefined> {
    const nowWallMs = wallMs();
    const keys = of.flatMap(({ hash, failures }) => [hash, failures]);
    const names = of.map(({ name }) => name);
    const answer = await scripts.run(VIEW, [listKey, ...keys], [clock(), String(settings.windowMs), ...names]);
    if (!Array.isArray(answer)) return undefined;
    return of.flatMap(({ key }, index) => {
      const seen: unknown = answer[index];
      if (!Array.isArray(seen) || seen[0] !== 1) return [];
      const state = stateOf(seen[1]);
      const cooldownUntilWallMs = state === "closed" ? undefined : nowWallMs + Number(seen[3]);
      return [{ key, state, failures: Number(seen[2]), cooldownUntilWallMs }];
    });
  }

  async function resetShared(run: RunScript, { key, name, member, hash, failures, cooling }: SharedCircuit): Promise<unknown> {
    const from = await run(RESET, [hash, failures, cooling, listKey], [clock(), String(settings.windowMs), member, name]);
    if (typeof from === "string") moved(key, stateOf(from), "closed", REASONS.reset);
    return from;
  }

  /** Gives how many there were. */
  async function resetAll(run: RunScript, asked: BreakerKey | undefined): Promise<number | typeof AWAY> {
    const those = await circuits(run, asked, CIRCUITS_MAX);
    if (those === AWAY) return AWAY;
    let count = 0;
    for (let from = 0; from < those.length; from += AT_ONCE) {
      const answers = await Promise.all(those.slice(from, from + AT_ONCE).map((one) => resetShared(run, one)));
      if (answers.includes(AWAY)) return AWAY;
      count += answers.filter((answer) => typeof answer === "string").length;
    }
    return count;
  }

  async function viewAll(): Promise<readonly BreakerView[] | undefined> {
    const those = await circuits(scripts.run, undefined, VIEWED_MAX);
    if (those === AWAY) return undefined;
    const found: BreakerView[] = [];
    for (let from = 0; from < those.length; from += AT_ONCE) {
      const some = await views(those.slice(from, from + AT_ONCE));
      if (some === undefined) return undefined;
      found.push(...some);
    }
    return found;
  }

  return {
    admit(asked) {
      const key = circuitKey(asked);
      return scripts.isUp() ? admit(key) : decideLocally(key);
    },

    settle,

    breakers: async () => (await viewAll()) ?? local.breakers(),

    async resetBreaker(asked) {
      const key = asked === undefined ? undefined : circuitKey(asked);
      const count = await missed.send((run) => resetAll(run, key));
      if (typeof count !== "number") return deciding(() => local.resetBreaker(key));
      await local.resetBreaker(key);
      return count;
    },

    async openBreaker(asked) {
      const key = circuitKey(asked);
      const { name, member, hash, cooling } = circuitOf(key);
      const answer = await missed.send(async (run) => {
        const from = await run(OPEN, [hash, cooling, listKey], [clock(), String(settings.cooldownMs), member, name]);
        if (typeof from === "string") moved(key, stateOf(from), "open", REASONS.opened);
        return from;
      });
      await (answer === AWAY ? deciding(() => local.openBreaker(key)) : local.openBreaker(key));
    },
  };
}

function isSharedTicket(ticket: BreakerTicket): ticket is SharedTicket {
  return "isShared" in ticket;
}
