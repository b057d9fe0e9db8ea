import { expect, test } from "bun:test";
import { BodyCut } from "../../src/core/exchange.ts";
import { GoneSignal } from "../../src/engines/wire/gone-signal.ts";
import { Alarm } from "../../src/pipeline/helpers/alarm.ts";
import { virtualClock } from "./support/virtual-clock.ts";

const clock = () => virtualClock<never>({ ownerNow: () => undefined, slept: () => {} });

test("a reading that fails behind the leaving of its client is missed by nobody", async () => {
  const gone = new GoneSignal();
  gone.abort();
  // Were it missed, it would end this process.
  const reading = Promise.withResolvers<never>();
  const guarded = new Alarm(clock(), gone).guard(reading.promise).catch((error: unknown) => error);
  reading.reject(new BodyCut("close"));
  expect(await guarded).toEqual(new BodyCut("reset"));
});

test("whoever has left keeps no alarm waiting", async () => {
  const gone = new GoneSignal();
  const time = clock();
  const alarm = new Alarm(time, gone);
  alarm.set(60_000);
  const guarded = alarm.guard(new Promise(() => {})).catch((error: unknown) => error);
  gone.abort();
  expect(await guarded).toEqual(new BodyCut("reset"));
  await time.run();
  expect(time.monotonicMs()).toBe(0);
});
