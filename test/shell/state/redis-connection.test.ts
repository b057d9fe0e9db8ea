import { describe, expect, test } from "bun:test";
import { HEARTBEAT_MS } from "../../../src/shell/state/heartbeat-script.ts";
import { createRedisConnection, type RedisSetup } from "../../../src/shell/state/redis-connection.ts";
import type { RedisLink } from "../../../src/shell/state/run-script.ts";
import { AWAY, type Script } from "../../../src/shell/state/shared-scripts.ts";

const SCRIPT: Script = { name: "test", source: "return 1" };

/** Time that passes when it is told to. */
function fakeTime() {
  let nowMs = 0;
  let timers: { readonly atMs: number; readonly action: () => void }[] = [];
  return {
    after(ms: number, action: () => void) {
      const timer = { atMs: nowMs + ms, action };
      timers.push(timer);
      return () => {
        timers = timers.filter((one) => one !== timer);
      };
    },
    /** Runs what is due, in order. */
    async pass(ms: number) {
      const untilMs = nowMs + ms;
      for (;;) {
        await settled();
        const next = timers.filter(({ atMs }) => atMs <= untilMs).sort((one, other) => one.atMs - other.atMs)[0];
        if (next === undefined) break;
        nowMs = Math.max(nowMs, next.atMs);
        timers = timers.filter((one) => one !== next);
        next.action();
      }
      nowMs = untilMs;
    },
    waiting: () => timers.length,
    nowMs: () => nowMs,
  };
}

/** All promises that can go on have gone on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

type Sent = {
  readonly command: string;
  readonly words: readonly string[];
  readonly answer: (value: unknown) => void;
  readonly fail: (message: string) => void;
};

/** Servers that are played: heartbeats are answered at once unless told otherwise, all else when the test says so. */
function played(changes: Partial<RedisSetup> = {}, refuses = false) {
  const time = fakeTime();
  /** What happens right after a bound is over. */
  const late = { action: () => {} };
  const sent: Sent[] = [];
  const told: string[] = [];
  const state = { opened: 0, closed: 0, refuses, isSilent: false, connecting: Promise.resolve() };
  let close = () => {};
  const open = (onClose: () => void): RedisLink => {
    close = onClose;
    state.opened++;
    return {
      connect: async () => {
        if (state.refuses) throw new Error("Connection closed");
        await state.connecting;
      },
      send: (command, words) => {
        const { promise, resolve, reject } = Promise.withResolvers<unknown>();
        if (words[2]?.endsWith("instances")) {
          if (!state.isSilent) resolve([1, 0]);
        } else sent.push({ command, words, answer: resolve, fail: (message) => reject(new Error(message)) });
        return promise;
      },
      close: () => void state.closed++,
    };
  };
  const scripts = createRedisConnection({
    url: "redis://someone:s3cr%2Ft@127.0.0.1:1/2",
    prefix: "test",
    timeoutMs: 25,
    onChange: (isUp, detail) => told.push(`${isUp ? "up" : "away"}: ${detail}`),
    open,
    after: (ms, action) =>
      time.after(ms, () => {
        action();
        if (ms === 25) late.action();
      }),
    monotonicMs: time.nowMs,
    ...changes,
  });
  return { time, late, sent, told, state, scripts, close: () => close() };
}

/** The answer, or undefined where none came yet. */
async function soFar(answer: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  void answer.then((settledValue) => {
    value = settledValue;
  });
  await settled();
  return value;
}

describe("a script", () => {
  test("is run by its hash, and by its text where the server does not know it", async () => {
    const { sent, scripts } = played();
    await settled();
    const answer = scripts.run(SCRIPT, ["a", "b"], ["1"]);
    await settled();
    expect(sent[0]).toMatchObject({ command: "EVALSHA", words: ["e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "2", "a", "b", "1"] });
    sent[0]?.fail("NOSCRIPT No matching script. Please use EVAL.");
    await settled();
    expect(sent[1]).toMatchObject({ command: "EVAL", words: ["return 1", "2", "a", "b", "1"] });
    sent[1]?.answer(1);
    expect(await answer).toBe(1);
    scripts.close();
  });

  test("that is not answered is given up at the bound, and the next does not wait", async () => {
    const { time, sent, state, told, scripts } = played();
    await settled();
    state.isSilent = true;
    const first = scripts.run(SCRIPT, [], []);
    await time.pass(24);
    expect(await soFar(first)).toBeUndefined();
    await time.pass(1);
    expect(await soFar(first)).toBe(AWAY);
    expect(scripts.isUp()).toBe(false);
    expect(await soFar(scripts.run(SCRIPT, [], []))).toBe(AWAY);
    expect(sent).toHaveLength(1);
    expect(told).toEqual(["up: redis://127.0.0.1:1/2", "away: redis://127.0.0.1:1/2: no answer within 25 ms"]);
    scripts.close();
  });

  test("whose answer is there when the process goes on after a pause is answered", async () => {
    const { time, late, sent, scripts } = played();
    await settled();
    const answer = scripts.run(SCRIPT, [], []);
    late.action = () => sent[0]?.answer(7);
    await time.pass(25);
    expect(await answer).toBe(7);
    expect(scripts.isUp()).toBe(true);
    scripts.close();
  });

  test("that fails tells why, and the connection is made anew", async () => {
    const { time, sent, state, told, scripts } = played();
    await settled();
    const answer = scripts.run(SCRIPT, [], []);
    await settled();
    sent[0]?.fail("READONLY You can't write against a read only replica.");
    expect(await answer).toBe(AWAY);
    await settled();
    expect(told.at(-1)).toBe("away: redis://127.0.0.1:1/2: test: READONLY You can't write against a read only replica.");
    expect(scripts.detail()).toContain("READONLY");
    await time.pass(50);
    expect(scripts.isUp()).toBe(true);
    expect(scripts.detail()).toBeUndefined();
    expect(state).toMatchObject({ opened: 2, closed: 1 });
    scripts.close();
  });
});

test("a late answer of one time does not end the next", async () => {
  const { time, scripts } = played();
  await settled();
  const first = scripts.run(SCRIPT, [], []);
  await time.pass(20);
  const second = scripts.run(SCRIPT, [], []);
  await time.pass(5);
  expect(await first).toBe(AWAY);
  await time.pass(15);
  // The server was only slow: the same connection is up again by now, or will be.
  await time.pass(100);
  expect(await second).toBe(AWAY);
  expect(scripts.isUp()).toBe(true);
  scripts.close();
});

describe("when the store is back", () => {
  test("listeners bring it in step, one after the other, before anybody else asks it", async () => {
    const { time, sent, scripts } = played();
    const heard: string[] = [];
    scripts.onReturn(async (run) => {
      heard.push("first");
      expect(await scripts.run(SCRIPT, [], ["too early"])).toBe(AWAY);
      expect(scripts.isUp()).toBe(false);
      heard.push(`first: ${String(await run(SCRIPT, [], ["in step"]))}`);
    });
    scripts.onReturn(async () => void heard.push("second"));
    await settled();
    expect(heard).toEqual(["first"]);
    sent[0]?.answer("done");
    await time.pass(0);
    expect(heard).toEqual(["first", "first: done", "second"]);
    expect(scripts.isUp()).toBe(true);
    expect(sent).toHaveLength(1);
    scripts.close();
  });

  test("it stays away where they could not, and they are asked again", async () => {
    const { time, sent, scripts } = played();
    let times = 0;
    scripts.onReturn(async (run) => {
      times++;
      // Once it does not answer, nobody waits for it again.
      if ((await run(SCRIPT, [], [])) === AWAY) expect(await run(SCRIPT, [], [])).toBe(AWAY);
    });
    await settled();
    sent[0]?.fail("OOM command not allowed when used memory > 'maxmemory'.");
    await time.pass(0);
    expect(scripts.isUp()).toBe(false);
    expect(scripts.detail()).toContain("OOM");
    await time.pass(50);
    sent[1]?.answer(1);
    await time.pass(0);
    expect(times).toBe(2);
    expect(scripts.isUp()).toBe(true);
    scripts.close();
  });
});

test("attempts grow rarer, up to one a second, and say once that it is away", async () => {
  const { time, state, told, scripts } = played({ url: "not a URL" }, true);
  for (let step = 0; step < 100; step++) await time.pass(100);
  expect(state.opened).toBeWithin(12, 30);
  expect(told).toHaveLength(1);
  scripts.close();
});

test("a connection that is seen to close is made anew, without waiting for anything", async () => {
  const { time, state, told, scripts, close } = played();
  await settled();
  close();
  expect(scripts.isUp()).toBe(false);
  await time.pass(50);
  expect(scripts.isUp()).toBe(true);
  expect(state.opened).toBe(2);
  expect(told[1]).toBe("away: redis://127.0.0.1:1/2: connection closed");
  scripts.close();
});

test("a server that does not answer heartbeats is away, whether or not anybody asks", async () => {
  const { time, state, scripts } = played();
  await settled();
  expect(scripts.isUp()).toBe(true);
  state.isSilent = true;
  await time.pass(HEARTBEAT_MS + 1_000);
  expect(scripts.isUp()).toBe(false);
  expect(scripts.detail()).toContain("no answer within 1000 ms");
  scripts.close();
});

test.each([
  ["at once after a steady time", 10_000, true],
  ["and not at once after a short one", 9_000, false],
])("one slow answer, and the same connection is asked again: %s", async (_, upMs, isUp) => {
  const { time, state, scripts } = played();
  await time.pass(upMs);
  const answer = scripts.run(SCRIPT, [], []);
  await time.pass(25);
  expect(await answer).toBe(AWAY);
  await settled();
  expect(scripts.isUp()).toBe(isUp);
  await time.pass(50);
  expect(scripts.isUp()).toBe(true);
  expect(state).toMatchObject({ opened: 1, closed: 0 });
  scripts.close();
});

test("a slow server is not asked over and over", async () => {
  const { time, sent, scripts } = played();
  for (let step = 0; step < 200; step++) {
    void scripts.run(SCRIPT, [], []);
    await time.pass(50);
  }
  // 10 s, each of them with a bound of 25 ms.
  expect(sent.length).toBeLessThan(40);
  scripts.close();
});

test("after closing nothing is left to wait for", async () => {
  const { time, state, scripts } = played();
  await settled();
  scripts.close();
  expect(await scripts.run(SCRIPT, [], [])).toBe(AWAY);
  await time.pass(0);
  expect(time.waiting()).toBe(0);
  expect(state).toMatchObject({ opened: 1, closed: 1 });
});

test("a connection that comes after closing is closed", async () => {
  const { time, state, told, scripts, close } = played();
  await settled();
  const { promise, resolve } = Promise.withResolvers<void>();
  state.connecting = promise;
  close();
  await time.pass(50);
  expect(state.opened).toBe(2);
  scripts.close();
  resolve();
  await time.pass(0);
  expect(state.closed).toBe(2);
  expect(time.waiting()).toBe(0);
  expect(told).toHaveLength(2);
});
