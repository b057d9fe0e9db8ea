import { describe, expect, test } from "bun:test";
import { GRANTED, REFUSED, TOO_LATE } from "../../../src/shell/state/limit-scripts.ts";
import { createRedisLimits } from "../../../src/shell/state/redis-limits.ts";
import { AWAY, type RunScript, type SharedScripts } from "../../../src/shell/state/shared-scripts.ts";
import { limit } from "../../policy/limits.ts";
import { reservationOf } from "./limit-instance.ts";

type Run = { readonly name: string; readonly keys: readonly string[]; readonly words: readonly string[] };

/** A store that answers as it is told, script by script. Its clock is 1,000,000 ms ahead of ours. */
function answering(answers: Partial<Record<"reserve" | "restore" | "standing" | "correct", (run: Run) => unknown>> = {}) {
  const runs: Run[] = [];
  const listeners: ((run: RunScript) => Promise<void>)[] = [];
  const state = { nowMs: 0, isUp: true, answers };
  const run: RunScript = async ({ name }, keys, words) => {
    const one = { name, keys, words };
    runs.push(one);
    const answer = Object.entries(state.answers).find(([key]) => key === name)?.[1];
    if (answer !== undefined) return answer(one);
    return name === "reserve" ? [GRANTED, 1_000_000 + state.nowMs] : name === "standing" ? [1_000_000 + state.nowMs, null] : GRANTED;
  };
  const scripts: SharedScripts = {
    run: async (...call) => (state.isUp ? run(...call) : AWAY),
    isUp: () => state.isUp,
    keyOf: (name) => `{test}:${name}`,
    instances: () => ({ count: 2, rank: 0 }),
    onReturn: (listener) => void listeners.push(listener),
    detail: () => undefined,
    close() {},
  };
  const limits = createRedisLimits({ scripts, monotonicMs: () => state.nowMs, timeoutMs: 25 });
  return {
    ...limits,
    state,
    ran: (name: string) => runs.filter((one) => one.name === name),
    async comeBack() {
      for (const listener of listeners) await listener(run);
      state.isUp = true;
    },
  };
}

const one = limit({ limit: 4 });
const DEADLINE = 1;

describe("a decision", () => {
  test("is done by the store in time or not at all", async () => {
    const { reserve, ran, state } = answering();
    await reserve([one], 0);
    state.nowMs = 500;
    await reserve([one], 0);
    expect(ran("reserve").map(({ words }) => words[DEADLINE])).toEqual(["", "1000520"]);
  });

  test("that a changed clock holds to be late is asked for once more, without a last time", async () => {
    const late = { left: 1 };
    const { reserve, ran } = answering({ reserve: () => (late.left-- > 0 ? [TOO_LATE, 7_000_000] : [GRANTED, 7_000_000]) });
    expect(reservationOf(await reserve([one], 0))).toMatchObject({ storeMs: 7_000_000 });
    expect(ran("reserve").map(({ words }) => words[DEADLINE])).toEqual(["", ""]);
    await reserve([one], 0);
    expect(ran("reserve")[2]?.words[DEADLINE]).toBe("7000020");
  });

  test.each([
    ["no answer", AWAY],
    ["late again", [TOO_LATE, 1]],
    ["no answer of the script's", "OK"],
    ["an empty one", []],
    ["one of other things", ["x", {}, null]],
    ["a refusal by a limit that was not asked for", [REFUSED, 1, 7, 0, 1]],
    ["nothing", null],
  ])("that gets %s is made here, by this instance's share", async (_, answer) => {
    const { reserve } = answering({ reserve: () => answer });
    const verdicts = [await reserve([one], 0), await reserve([one], 0), await reserve([one], 0)];
    expect(verdicts.map(({ kind }) => kind)).toEqual(["reserved", "reserved", "refused"]);
    expect(verdicts[2]).toMatchObject({ limit: one, remaining: 0, retryAfterMs: 60_000 });
  });

  test("does not wait for anything while the store is away", () => {
    const { reserve, state } = answering();
    state.isUp = false;
    expect(reserve([one], 0)).toMatchObject({ kind: "reserved" });
  });
});

describe("what was granted without the store", () => {
  /** Twice, at 0 and 10 s; the store is back at 20 s. */
  async function grantedTwice(answers: Parameters<typeof answering>[0] = {}) {
    const store = answering(answers);
    store.state.isUp = false;
    const first = reservationOf(await store.reserve([one], 0));
    store.state.nowMs = 10_000;
    const second = reservationOf(await store.reserve([one], 0));
    store.state.nowMs = 20_000;
    return { ...store, first, second };
  }
  const TOLD = ["60000", "2", "20000", "1", "10000", "1"];

  test("is told when it is back, with how long ago it was", async () => {
    const { ran, comeBack } = await grantedTwice();
    await comeBack();
    expect(ran("restore").map(({ words }) => words.slice(3))).toEqual([TOLD]);
    expect(ran("restore")[0]?.keys[0]).toBe("{test}:limit:requests:minute:global:");
  });

  test("is told again where the store was too late for it", async () => {
    const { ran, comeBack, state } = await grantedTwice({ restore: () => TOO_LATE });
    await comeBack();
    state.answers = {};
    await comeBack();
    state.answers = { standing: () => [1_020_000, "20000"] };
    await comeBack();
    expect(ran("restore").map(({ words }) => words.slice(3))).toEqual([TOLD, TOLD]);
  });

  test.each([
    ["again where the store does not know of it", null, 2],
    ["once where it does", "20000", 1],
  ])("is told %s, if no answer came", async (_, mark, times) => {
    const { ran, comeBack, state } = await grantedTwice({ restore: () => AWAY });
    await comeBack();
    state.answers = { standing: () => [1_020_000, mark] };
    await comeBack();
    expect(ran("restore").map(({ words }) => words.slice(3))).toEqual(Array(times).fill(TOLD));
  });

  test("is told before the next decision, if it came while the store came back", async () => {
    const { reserve, ran, state } = await grantedTwice();
    state.isUp = true;
    await reserve([one], 0);
    expect(ran("restore")).toHaveLength(1);
    await reserve([one], 0);
    expect(ran("restore")).toHaveLength(1);
  });

  test("is corrected here until the store knows of it, and there afterwards", async () => {
    const { ran, comeBack, giveBack, first, second } = await grantedTwice();
    giveBack(first);
    await comeBack();
    expect(ran("correct")).toEqual([]);
    expect(ran("restore")[0]?.words.slice(3)).toEqual(["60000", "2", "20000", "0", "10000", "1"]);
    giveBack(second);
    expect(ran("correct").map(({ words }) => words)).toEqual([["", "1010000", "60000", "-1"]]);
  });
});

test("what the store has lost it is told again, and what it kept it is not", async () => {
  const { reserve, ran, comeBack, state } = answering();
  for (const nowMs of [0, 10_000, 20_000]) {
    state.nowMs = nowMs;
    await reserve([one], 0);
  }
  state.answers = { standing: () => [1_030_000, "0"] };
  state.nowMs = 30_000;
  await comeBack();
  expect(ran("restore").map(({ words }) => words.slice(3))).toEqual([["60000", "2", "20000", "1", "10000", "1"]]);
  state.answers = { standing: () => [1_030_000, "30000"] };
  await comeBack();
  expect(ran("restore")).toHaveLength(1);
});

test("a correction made while the store is away is told when it is back, unless it lost what was corrected", async () => {
  const tokens = limit({ metric: "tokens", limit: 100 });
  for (const [mark, corrections] of [
    ["0", [["", "1000000", "60000", "-30"]]],
    [null, []],
  ] as const) {
    const { reserve, reconcile, ran, comeBack, state } = answering({ standing: () => [1_001_000, mark] });
    const reservation = reservationOf(await reserve([one, tokens], 40));
    state.isUp = false;
    state.nowMs = 1_000;
    reconcile(reservation, 10);
    await comeBack();
    expect(ran("correct").map(({ words }) => [...words])).toEqual(corrections.map((words) => [...words]));
    expect(ran("restore").flatMap(({ words }) => words.slice(3))).toEqual(
      mark === null ? ["60000", "1", "1000", "1", "60000", "1", "1000", "10"] : [],
    );
  }
});
