import { expect, test } from "bun:test";
import fc from "fast-check";
import { createEventLog } from "../../src/shell/event-log.ts";
import { eventStream } from "../../src/shell/event-stream.ts";
import { exchangeEvent } from "./support.ts";

const FOLLOWING = { type: "following" };

const forever = new AbortController().signal;

async function nextLines(reader: {
  readonly read: () => Promise<{ readonly value?: Uint8Array | undefined }>;
}): Promise<readonly { type: string; exchange?: number; count?: number }[]> {
  const { value } = await reader.read();
  return Buffer.from(value ?? [])
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

test("a reader that is too slow loses events, and is told how many at the place where they are missing", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.integer({ min: 1, max: 900 }), fc.constant("read" as const)), { maxLength: 20 }),
      async (steps) => {
        const log = createEventLog();
        const reader = eventStream(log, true, forever, 700).getReader();
        let added = 0;
        let expected = 1;
        const check = async () => {
          for (const line of await nextLines(reader)) {
            if (line.type === "dropped") expected += line.count ?? Number.NaN;
            else if (line.type === "exchange") expect(line.exchange).toBe(expected++);
          }
        };
        await check();
        for (const step of steps) {
          if (step === "read") {
            if (expected <= added) await check();
          } else for (let i = 0; i < step; i++) log.add(exchangeEvent(++added));
        }
        while (expected <= added) await check();
        expect(expected).toBe(added + 1);
      },
    ),
  );
});

test("with more waiting than it may, the newest are the ones that are lost", async () => {
  const log = createEventLog();
  const reader = eventStream(log, true, forever, 3).getReader();
  for (let id = 1; id <= 10; id++) log.add(exchangeEvent(id));
  expect(await nextLines(reader)).toMatchObject([FOLLOWING, { exchange: 1 }, { exchange: 2 }, { type: "dropped", count: 8 }]);
  log.add(exchangeEvent(11));
  expect(await nextLines(reader)).toMatchObject([{ exchange: 11 }]);
});

test("readers that do not follow leave nothing behind", async () => {
  const over = new AbortController();
  let listening = 0;
  const add = over.signal.addEventListener.bind(over.signal);
  over.signal.addEventListener = ((...words: Parameters<typeof add>) => {
    listening++;
    add(...words);
  }) as typeof add;
  for (let i = 0; i < 3; i++) await new Response(eventStream(createEventLog(), false, over.signal)).text();
  expect(listening).toBe(0);
});

test("a reader that waits gets each event when it comes", async () => {
  const log = createEventLog();
  log.add(exchangeEvent(1));
  const reader = eventStream(log, true, forever).getReader();
  expect(await nextLines(reader)).toMatchObject([{ exchange: 1 }, FOLLOWING]);
  const next = nextLines(reader);
  log.add(exchangeEvent(2));
  expect(await next).toMatchObject([{ exchange: 2 }]);
});

test("a reader that follows hears at once that it does", async () => {
  const reader = eventStream(createEventLog(), true, forever).getReader();
  expect(await nextLines(reader)).toEqual([FOLLOWING]);
});

test("without following it ends after the kept events, also where there are none", async () => {
  const log = createEventLog();
  expect(await new Response(eventStream(log, false, forever)).text()).toBe("");
  for (let id = 1; id <= 1_000; id++) log.add(exchangeEvent(id));
  const text = await new Response(eventStream(log, false, forever)).text();
  expect(text.trim().split("\n")).toHaveLength(1_000);
});

test("a reader that leaves is forgotten", async () => {
  const log = createEventLog();
  let subscribed = 0;
  const counted = {
    ...log,
    subscribe(listener: Parameters<typeof log.subscribe>[0]) {
      subscribed++;
      const end = log.subscribe(listener);
      return () => {
        subscribed--;
        end();
      };
    },
  };
  const reader = eventStream(counted, true, forever).getReader();
  expect(subscribed).toBe(1);
  await reader.cancel();
  expect(subscribed).toBe(0);
});

test("it ends when it is over, with what was waiting", async () => {
  const log = createEventLog();
  const over = new AbortController();
  const stream = eventStream(log, true, over.signal);
  log.add(exchangeEvent(1));
  over.abort();
  log.add(exchangeEvent(2));
  expect((await new Response(stream).text()).trim().split("\n")).toHaveLength(2);
});
