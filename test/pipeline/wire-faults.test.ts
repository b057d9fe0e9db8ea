import { describe, expect, test } from "bun:test";
import type { Clock } from "../../src/core/clock.ts";
import { BodyCut, type WirePiece, type WireScript, type WireStep } from "../../src/core/exchange.ts";
import type { Parameters } from "../../src/core/fault.ts";
import { scriptOf } from "../../src/pipeline/helpers/wire-script.ts";
import type { Planned } from "../../src/pipeline/planned.ts";
import { wireFaultsOf } from "../../src/pipeline/wire-faults.ts";
import { contextWith, faultNamed, responsePieces } from "../faults/fakes.ts";

type Slept = { readonly clock: Clock; readonly slept: number[] };

/** Nothing is waited for; what would have been is noted. */
function fakeClock(): Slept {
  const slept: number[] = [];
  return { slept, clock: { monotonicMs: () => 0, wallMs: () => 0, sleep: async (ms) => void slept.push(ms) } };
}

const GONE = new AbortController().signal;
const BODY = [new TextEncoder().encode("hello world")];

function planned(name: string, parameters: Parameters = {}, side: "client" | "upstream" = "client"): Planned {
  // Only these two are looked at.
  return { rule: { side } as Planned["rule"], fault: faultNamed(name), context: contextWith(parameters) };
}

/** The pieces as a response gives them: `end` tells how its source ended. */
function source(pieces: readonly WirePiece[], cut?: BodyCut) {
  const state: { end: "read" | "left" | undefined } = { end: undefined };
  async function* given(): AsyncGenerator<WirePiece> {
    let isRead = false;
    try {
      for (const piece of pieces) {
        if (cut !== undefined && piece.part === "end") throw cut;
        yield piece;
      }
      isRead = true;
    } finally {
      state.end = isRead ? "read" : "left";
    }
  }
  return { pieces: given(), state };
}

/** The bytes and the last step of a script. */
async function perform(script: WireScript): Promise<{ readonly text: string; readonly writes: number; readonly last: WireStep["kind"] }> {
  let text = "";
  for (let writes = 0; ; writes++) {
    const step = await script.next();
    if (step.kind !== "write") return { text, writes, last: step.kind };
    text += Buffer.from(step.bytes).toString("latin1");
  }
}

async function run(faults: readonly Planned[], pieces = responsePieces("length", BODY), cut?: BodyCut) {
  const { clock, slept } = fakeClock();
  const wire = wireFaultsOf(faults, "client", { clock, gone: GONE });
  if (wire === undefined) throw new Error("no wire fault");
  const from = source(pieces, cut);
  const done = await perform(wire.script(from.pieces));
  return { ...done, slept, source: from.state.end, skipped: wire.skipped() };
}

const HEAD = "HTTP/1.1 200 OK\r\nx-length: 7\r\nContent-Length: 11\r\nx-last: 1\r\n\r\n";

test("only the faults of the side that is asked for, and none where there are none", () => {
  const performing = { clock: fakeClock().clock, gone: GONE };
  const faults = [planned("truncate_body", {}, "upstream"), planned("slow", { rate: 1 })];
  expect(wireFaultsOf(faults, "client", performing)).toBeUndefined();
  expect(wireFaultsOf(faults, "upstream", performing)).toBeDefined();
  expect(wireFaultsOf([], "upstream", performing)).toBeUndefined();
});

describe("slow_head with another fault, whichever rule comes first", () => {
  const orders = (name: string, parameters: Parameters) => {
    const [slow, other] = [planned("slow_head", { gap: 3 }), planned(name, parameters)];
    return [
      ["first", [slow, other]],
      ["last", [other, slow]],
    ] as const;
  };

  test.each(orders("truncate_body", { by: "fin" }))("%s: truncate_body", async (_place, faults) => {
    const { text, last, slept, source, skipped } = await run(faults);
    expect([text, last, source, skipped]).toEqual([`${HEAD}hello`, "close", "left", []]);
    expect(slept).toEqual(Array.from(HEAD, () => 3));
  });

  test.each(orders("wrong_length", { says: "less", by: 1 }))("%s: wrong_length", async (_place, faults) => {
    const { text, last, slept } = await run(faults);
    expect([text, last, slept.length]).toEqual([`${HEAD.replace("11", "10")}hello world`, "complete", HEAD.length]);
  });

  test.each(orders("duplicate_head", {}))("%s: both heads of duplicate_head are slow", async (_place, faults) => {
    const { text, slept } = await run(faults);
    expect([text, slept.length]).toEqual([`${HEAD}${HEAD}hello world`, 2 * HEAD.length]);
  });

  test.each(orders("half_close", { at: "start" }))(
    "%s: there is no head to be slow when half_close is before it",
    async (_place, faults) => {
      const { text, last, slept, skipped } = await run(faults);
      expect([text, last, slept]).toEqual(["", "half_close", []]);
      expect(skipped).toEqual([{ fault: "slow_head", reason: "its place never came" }]);
    },
  );

  test("the pauses of two add up", async () => {
    const { text, slept } = await run([planned("slow_head", { gap: 3 }), planned("slow_head", { gap: 4 })]);
    expect([text, slept.reduce((sum, ms) => sum + ms, 0)]).toEqual([`${HEAD}hello world`, 7 * HEAD.length]);
  });
});

test("the source learns that nobody reads on before the last step is given", async () => {
  expect((await run([planned("truncate_body", { by: "reset" })])).source).toBe("left");
  expect((await run([planned("half_close", { at: "head" })])).source).toBe("left");
  expect((await run([planned("duplicate_head")])).source).toBe("read");
});

test.each([
  ["close", "close"],
  ["reset", "reset"],
] as const)("a body that is cut by %s stays cut, behind all that came before it", async (by, last) => {
  const { text, ...done } = await run([planned("late_reset")], responsePieces("length", BODY), new BodyCut(by));
  expect([text, done.last]).toEqual([`${HEAD}hello world`, last]);
  expect(done.skipped).toEqual([{ fault: "late_reset", reason: "its place never came" }]);
});

test("a fault that finds nothing to do is skipped", async () => {
  const { text, last, skipped } = await run([planned("truncate_body", { bytes: 11 })]);
  expect([text, last]).toEqual([`${HEAD}hello world`, "complete"]);
  expect(skipped).toEqual([{ fault: "truncate_body", reason: "its place never came" }]);
});

describe("a script", () => {
  const of = (...kinds: readonly ("close" | "reset" | "half_close" | "end")[]) => {
    const { clock } = fakeClock();
    return scriptOf([{ kind: "write", bytes: new Uint8Array(1) }, ...kinds.map((kind) => ({ kind }))], { clock, gone: GONE });
  };

  test.each(["close", "reset", "half_close"] as const)("ends with %s, and has nothing behind it", async (kind) => {
    expect(await perform(of(kind, "reset"))).toEqual({ text: "\0", writes: 1, last: kind });
  });

  test("is complete where nothing ends it, and at a proper end", async () => {
    expect((await perform(of())).last).toBe("complete");
    expect((await perform(of("end", "reset"))).last).toBe("complete");
  });

  test("has no next step when it hangs", async () => {
    const { clock } = fakeClock();
    const script = scriptOf([{ kind: "hang" }], { clock, gone: GONE });
    expect(await Promise.race([script.next(), Bun.sleep(20).then(() => "silence")])).toBe("silence");
  });
});
