import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Action, Parameters } from "../../src/core/fault.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { actionsOverPieces, type BodyForm, joined, planOf, responsePieces, textOver } from "./fakes.ts";

const FORMS: readonly BodyForm[] = ["length", "chunked", "until_close"];
const OVER_BYTES = FAULTS.filter(({ acts }) => acts === "wire").map(({ name }) => name);

const encoder = new TextEncoder();
const bodies = (...texts: readonly string[]) => texts.map((text) => encoder.encode(text));
const HELLO = bodies("hello ", "world");

/** The bytes of a response without a fault. */
function whole(form: BodyForm, body: readonly Uint8Array[] = HELLO): string {
  return responsePieces(form, body)
    .map(({ bytes }) => Buffer.from(bytes).toString("latin1"))
    .join("");
}

const headOf = (text: string) => text.slice(0, text.indexOf("\r\n\r\n") + 4);
const bodyOf = (text: string) => text.slice(text.indexOf("\r\n\r\n") + 4);

/** What goes out, and what comes behind it; `complete` where the connection goes on as it would. */
function over(name: string, form: BodyForm, parameters: Parameters = {}, body = HELLO) {
  const actions = actionsOverPieces(name, responsePieces(form, body), parameters);
  return { text: Buffer.from(joined(actions)).toString("latin1"), ends: endOf(actions) };
}

function endOf(actions: readonly Action[]): string {
  const kind = actions.at(-1)?.kind ?? "write";
  return kind === "write" || kind === "delay" ? "complete" : kind;
}

describe.each(FORMS)("over a response whose body ends by %s", (form) => {
  const all = whole(form);

  test("hang_after_headers is the head and silence", () => {
    expect(over("hang_after_headers", form)).toEqual({ text: headOf(all), ends: "hang" });
  });

  test("duplicate_head is the head twice", () => {
    expect(over("duplicate_head", form)).toEqual({ text: headOf(all) + all, ends: "complete" });
  });

  test("late_reset is everything and RST", () => {
    expect(over("late_reset", form)).toEqual({ text: all, ends: "reset" });
  });

  test.each([
    ["start", ""],
    ["head", headOf(all)],
    ["end", all],
  ])("half_close at=%s", (at, text) => {
    expect(over("half_close", form, { at })).toEqual({ text, ends: "half_close" });
  });

  test("slow_head is the same bytes, those of the head one by one with a pause behind each", () => {
    const actions = actionsOverPieces("slow_head", responsePieces(form, HELLO), { gap: 7 });
    const head = actions.slice(0, 2 * headOf(all).length);
    expect(textOver(actions)).toBe(all);
    expect(textOver(head)).toBe(headOf(all));
    for (const [index, action] of head.entries()) {
      if (index % 2 === 1) expect(action).toEqual({ kind: "delay", ms: 7 });
      else expect(action.kind === "write" && action.bytes.length).toBe(1);
    }
    expect(actions.slice(head.length).filter(({ kind }) => kind !== "write")).toEqual([]);
  });

  test.each([
    ["fin", "close"],
    ["reset", "reset"],
  ])("truncate_body by=%s breaks off by it", (by, ends) => {
    expect(over("truncate_body", form, { by }).ends).toBe(ends);
  });
});

describe("truncate_body", () => {
  const cut = (form: BodyForm, bytes: number | undefined, ...texts: readonly string[]) => {
    const { text, ends } = over("truncate_body", form, { by: "fin", ...(bytes === undefined ? {} : { bytes }) }, bodies(...texts));
    return [bodyOf(text), ends];
  };

  test.each<[BodyForm, number | undefined, readonly string[], string, string]>([
    ["length", undefined, ["hello ", "world"], "hello", "close"],
    ["length", 0, ["hello"], "", "close"],
    ["length", 4, ["hello"], "hell", "close"],
    ["length", 6, ["hello ", "world"], "hello ", "close"],
    ["length", 7, ["hello ", "world"], "hello w", "close"],
    // All that was promised has come: nothing is missing.
    ["length", 11, ["hello ", "world"], "hello world", "complete"],
    ["length", 99, ["hello"], "hello", "complete"],
    ["length", undefined, [], "", "complete"],
    ["length", undefined, ["x"], "", "close"],
    ["chunked", undefined, ["hello ", "world"], "6\r\nhel", "close"],
    ["chunked", 0, ["hello"], "5\r\n", "close"],
    ["chunked", 8, ["hello ", "world"], "6\r\nhello \r\n5\r\nwo", "close"],
    // At the border of two chunks: the next one is announced and does not come.
    ["chunked", 6, ["hello ", "world"], "6\r\nhello \r\n5\r\n", "close"],
    // The whole body, but not its end.
    ["chunked", 5, ["hello"], "5\r\nhello\r\n", "close"],
    ["chunked", 99, ["hello"], "5\r\nhello\r\n0\r\n\r\n", "complete"],
    ["chunked", undefined, [], "", "close"],
    ["until_close", undefined, ["hello ", "world"], "hel", "close"],
    ["until_close", 7, ["hello ", "world"], "hello w", "close"],
    ["until_close", 99, ["hello"], "hello", "complete"],
  ])("%s, bytes=%p of %j: %j, %s", (form, bytes, texts, expected, ends) => {
    expect(cut(form, bytes, ...texts)).toEqual([expected, ends]);
  });

  test("however a body comes in pieces, so many bytes of it go out, and they are its beginning", () => {
    const property = fc.property(
      fc.constantFrom(...FORMS),
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 8 }),
      fc.nat(200),
      (form, pieces, bytes) => {
        const actions = actionsOverPieces("truncate_body", responsePieces(form, pieces), { by: "fin", bytes });
        const out = Buffer.from(joined(actions)).toString("latin1");
        const everything = whole(form, pieces);
        expect(everything.startsWith(out)).toBe(true);
        const lengthBytes = Buffer.concat(pieces).length;
        const isCut = form === "length" ? bytes < lengthBytes : bytes <= lengthBytes;
        expect(endOf(actions)).toBe(isCut ? "close" : "complete");
        if (!isCut) expect(out).toBe(everything);
        else if (form !== "chunked") expect(bodyOf(out).length).toBe(bytes);
        else expect(payloadOf(bodyOf(out))).toBe(Buffer.concat(pieces).subarray(0, bytes).toString("latin1"));
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  test("without bytes= half of a body that has a length comes, rounded down", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 8 }), (pieces) => {
        const { text, ends } = over("truncate_body", "length", {}, pieces);
        expect([bodyOf(text).length, ends]).toEqual([Math.floor(Buffer.concat(pieces).length / 2), "close"]);
      }),
      { numRuns: 100 },
    );
  });
});

/** The bytes inside chunks, the beginning of a last one included. */
function payloadOf(body: string): string {
  const size = /^([0-9a-f]+)\r\n/.exec(body);
  if (size === null) return "";
  const start = size[0].length;
  const length = Number.parseInt(size[1] ?? "", 16);
  return body.slice(start, start + length) + payloadOf(body.slice(start + length + 2));
}

describe("wrong_length", () => {
  const head = (form: BodyForm, parameters: Parameters, ...texts: readonly string[]) =>
    headOf(over("wrong_length", form, parameters, bodies(...texts)).text);

  test.each<[Parameters, readonly string[], number]>([
    [{ says: "more" }, ["hello"], 15],
    [{ says: "more", by: 3 }, ["hello"], 8],
    [{ says: "more", by: 1 }, [], 1],
    [{ says: "less", by: 3 }, ["hello"], 2],
    [{ says: "less" }, ["hello"], 0],
  ])("%j of %j says %d, and nothing else is changed", (parameters, texts, said) => {
    const usual = headOf(whole("length", bodies(...texts)));
    expect(head("length", parameters, ...texts)).toBe(usual.replace(/Content-Length: \d+/, `Content-Length: ${said}`));
  });

  test.each<[BodyForm, string, string]>([
    ["chunked", "more", "x-last: 1\r\nContent-Length: 1000000\r\n\r\n"],
    ["chunked", "less", "x-last: 1\r\nContent-Length: 10\r\n\r\n"],
    ["until_close", "more", "x-last: 1\r\nContent-Length: 1000000\r\n\r\n"],
    ["until_close", "less", "x-last: 1\r\nContent-Length: 10\r\n\r\n"],
  ])("%s, says=%s: a length that nobody knows is made up, and the body comes without chunk framing", (form, says, end) => {
    const { text } = over("wrong_length", form, { says });
    expect(headOf(text)).toEndWith(end);
    expect(headOf(text)).not.toContain("chunked");
    expect(bodyOf(text)).toBe("hello world");
  });

  test.each(FORMS)("%s: says=more ends in silence, says=less as the response would", (form) => {
    expect(over("wrong_length", form, { says: "more" }).ends).toBe("hang");
    expect(over("wrong_length", form, { says: "less" }).ends).toBe("complete");
  });

  test("an empty body cannot have less than its length", () => {
    const pieces = responsePieces("length", []);
    const actions = actionsOverPieces("wrong_length", pieces, { says: "less" });
    expect(actions).toEqual(pieces.map((piece) => ({ kind: "write", bytes: piece.bytes, piece })));
  });
});

describe("a response without a body", () => {
  /** Only what shows in a head, or behind the response, is done to it. */
  const LEFT_ALONE = ["hang_after_headers", "truncate_body", "wrong_length"];
  const WITHOUT: readonly (readonly [string, string, string])[] = [
    ["to HEAD", "HEAD", "200 OK"],
    ["204", "GET", "204 No Content"],
    ["304", "GET", "304 Not Modified"],
  ];

  test.each(WITHOUT.flatMap(([what, method, status]) => LEFT_ALONE.map((name) => [what, name, method, status] as const)))(
    "%s is left alone by %s",
    (_what, name, method, status) => {
      for (const form of FORMS) {
        // A HEAD request is told of the length that a GET would be told of.
        const pieces = responsePieces(form, HELLO, status).flatMap((piece) =>
          piece.part === "body" ? [] : [piece.part === "end" ? { ...piece, bytes: new Uint8Array() } : piece],
        );
        const actions = actionsOverPieces(name, pieces, { says: "more", by: name === "truncate_body" ? "fin" : 5 }, { method });
        expect(actions).toEqual(pieces.map((piece) => ({ kind: "write", bytes: piece.bytes, piece })));
      }
    },
  );

  test("hang_after_headers leaves an empty body alone too", () => {
    expect(over("hang_after_headers", "length", {}, []).ends).toBe("complete");
    expect(over("hang_after_headers", "chunked", {}, []).ends).toBe("hang");
  });
});

test.each(OVER_BYTES)("%s: the bytes of a response are not written to", (name) => {
  fc.assert(
    fc.property(fc.constantFrom(...FORMS), fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 4 }), (form, pieces) => {
      const before = whole(form, pieces);
      const response = responsePieces(form, pieces);
      actionsOverPieces(name, response, { gap: 0 });
      expect(response.map(({ bytes }) => Buffer.from(bytes).toString("latin1")).join("")).toBe(before);
    }),
    { numRuns: 20 },
  );
});

describe("garbage", () => {
  const garbage = (kind: string, options = {}) => {
    const actions = planOf("garbage", { kind }, options);
    return { actions, text: Buffer.from(joined(actions)).toString("latin1") };
  };

  test("bytes begin no response, and the connection is closed behind them", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { actions, text } = garbage("bytes", { seed });
        expect([actions.map(({ kind }) => kind), text.length]).toEqual([["write", "close"], 256]);
        expect(text).not.toMatch(/^[\r\nHh{[]/);
      }),
      { numRuns: 50 },
    );
  });

  test("the same seed gives the same bytes", () => {
    expect(garbage("bytes", { seed: 7 }).text).toBe(garbage("bytes", { seed: 7 }).text);
    expect(garbage("bytes", { seed: 8 }).text).not.toBe(garbage("bytes", { seed: 7 }).text);
  });

  test.each([true, false])("status_line is right but for two letters (stream: %p)", (stream) => {
    const { actions, text } = garbage("status_line", { stream });
    expect(text).toStartWith("HTTP/1.1 2OO OK\r\n");
    expect(text).toContain(`\r\ncontent-type: ${stream ? "text/event-stream" : "application/json"}\r\n`);
    expect(text).toContain(`\r\ncontent-length: ${bodyOf(text).length}\r\n`);
    expect(actions.at(-1)).toEqual({ kind: "close" });
    if (!stream) JSON.parse(bodyOf(text));
  });

  test("chunk_size has a size that is no number, right behind the head", () => {
    const { actions, text } = garbage("chunk_size");
    expect(text).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(headOf(text)).toContain("\r\ntransfer-encoding: chunked\r\n");
    expect(bodyOf(text)).toMatch(/^zz\r\ndata: [\s\S]*\r\n0\r\n\r\n$/);
    expect(actions.at(-1)).toEqual({ kind: "close" });
  });

  test.each([true, false])("binary is a right answer of no text (stream: %p)", (stream) => {
    const [action, ...more] = garbage("binary", { stream }).actions;
    if (action?.kind !== "respond") throw new Error("no answer");
    expect(more).toEqual([]);
    expect([action.status, action.body.length, action.body[0]]).toEqual([200, 256, 0x80]);
    expect(action.headers).toContainEqual(["content-type", stream ? "text/event-stream" : "application/json"]);
    expect(action.headers).toContainEqual(["x-request-id", "req_1"]);
  });

  test.each(["bytes", "status_line", "chunk_size", "binary"])("%s needs no dialect", (kind) => {
    expect(garbage(kind, { dialect: undefined }).actions.length).toBeGreaterThan(0);
  });
});

test("close is a FIN and nothing else", () => {
  expect(planOf("close")).toEqual([{ kind: "close" }]);
});
