import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { HeaderList } from "../../../../src/core/headers.ts";
import { CHUNK_LINE_BYTES_MAX, EMPTY_LINES_MAX, HEAD_BYTES_MAX } from "../../../../src/engines/wire/http1/limits.ts";
import type { MessageEvent } from "../../../../src/engines/wire/http1/message.ts";
import { type MessageReader, requestReader, responseReader } from "../../../../src/engines/wire/http1/reader.ts";
import { chunk, joined, LAST_CHUNK, requestHead, responseHead } from "../../../../src/engines/wire/http1/writer.ts";
import { anyBytes, anyPlaces, cutAt, PROPERTY_OPTIONS } from "../../../stream/properties.ts";
import { CUT_REQUESTS, MALFORMED_REQUESTS, ODD_REQUESTS } from "./corpus/requests.ts";
import { MALFORMED_RESPONSES, ODD_RESPONSES, RESPONSES_WITH_MORE } from "./corpus/responses.ts";
import { eventsOf, inBlocks, latin1, plain, textOf } from "./support.ts";

type AnyReader = MessageReader<object>;
const toPost = () => responseReader(() => "POST");
const READERS: readonly (readonly [name: string, readerOf: () => AnyReader])[] = [
  ["request", requestReader],
  ["response", toPost],
];

function eventsToEnd(reader: AnyReader, blocks: Iterable<Buffer>): MessageEvent<object>[] {
  return [...eventsOf(reader, blocks), ...reader.finish()];
}

/** The same events however the bytes are cut; and what they say of bodies stands in the bytes, in its place. */
function expectExactEvents(readerOf: () => AnyReader, bytes: Buffer, places: readonly number[]): readonly MessageEvent<object>[] {
  const atOnce = eventsToEnd(readerOf(), [bytes]);
  expect(
    plain(
      eventsToEnd(
        readerOf(),
        cutAt(bytes, places).map((block) => Buffer.from(block)),
      ),
    ),
  ).toEqual(plain(atOnce));
  expect(plain(eventsToEnd(readerOf(), inBlocks(bytes, 1)))).toEqual(plain(atOnce));
  expectBodiesInPlace(bytes, atOnce);
  return atOnce;
}

function expectBodiesInPlace(bytes: Buffer, events: readonly MessageEvent<object>[]): void {
  const text = textOf(bytes);
  let at = 0;
  for (const event of events) {
    if (event.kind === "head") {
      while (text.startsWith("\r\n", at)) at += 2;
      at = text.indexOf("\r\n\r\n", at) + 4;
    } else if (event.kind !== "error") {
      const raw = textOf(event.raw);
      expect(text.slice(at, at + raw.length)).toBe(raw);
      if (event.kind === "data") expectPayloadInRaw(raw, event.payload.map(textOf));
      at += raw.length;
      if (event.kind === "end" && event.rest.length > 0) expect(textOf(event.rest)).toBe(text.slice(at));
    }
  }
  expect(at).toBeLessThanOrEqual(bytes.length);
}

function expectPayloadInRaw(raw: string, payload: readonly string[]): void {
  let at = 0;
  for (const part of payload) {
    const found = raw.indexOf(part, at);
    expect(found).toBeGreaterThanOrEqual(at);
    at = found + part.length;
  }
}

type Seeds = { readonly wellFormed: readonly string[]; readonly malformed: readonly string[] };

/** Without the long ones, which would only make every run slow. */
function seedsOf(cases: readonly { readonly bytes: string }[]): readonly string[] {
  return cases.map(({ bytes }) => bytes).filter((bytes) => bytes.length < 2_000);
}

const REQUESTS: Seeds = { wellFormed: seedsOf(ODD_REQUESTS), malformed: seedsOf([...MALFORMED_REQUESTS, ...CUT_REQUESTS]) };
const RESPONSES: Seeds = { wellFormed: seedsOf([...ODD_RESPONSES, ...RESPONSES_WITH_MORE]), malformed: seedsOf(MALFORMED_RESPONSES) };
const PIECES = [
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  "\0",
  " ",
  "\t",
  ":",
  ";",
  ",",
  '"',
  "0",
  "5",
  "f",
  "\x0b",
  "\x80",
  "\xff",
  "HTTP/1.1",
  "GET / ",
  "chunked",
  "Transfer-Encoding: chunked\r\n",
  "Content-Length: 5\r\n",
];

/** Something of the corpus with bytes added, left out, doubled and replaced, or the beginning of one with the end of another. */
function mutated({ wellFormed, malformed }: Seeds): fc.Arbitrary<Buffer> {
  const seed = fc.oneof(fc.constantFrom(...wellFormed), fc.constantFrom(...malformed));
  const change = fc.record({
    at: fc.nat(2_000),
    removed: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(8)),
    added: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...PIECES) },
      fc.string({ unit: "binary-ascii", maxLength: 4 }),
      fc.constant(""),
    ),
  });
  return fc
    .tuple(seed, fc.array(change, { maxLength: 4 }), fc.option(fc.tuple(seed, fc.nat(2_000)), { nil: undefined }))
    .map(([text, changes, other]) => {
      let found = text;
      for (const { at, removed, added } of changes) {
        const place = at % (found.length + 1);
        found = found.slice(0, place) + added + found.slice(place + removed);
      }
      if (other !== undefined) found = found.slice(0, other[1] % (found.length + 1)) + other[0].slice(other[1] % (other[0].length + 1));
      return latin1(found);
    });
}

describe.each([...READERS])("%s bytes", (name, readerOf) => {
  const seeds = name === "request" ? REQUESTS : RESPONSES;

  test("of the corpus give the same events however they are cut", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds.wellFormed, ...seeds.malformed),
        anyPlaces,
        (bytes, places) => void expectExactEvents(readerOf, latin1(bytes), places),
      ),
      PROPERTY_OPTIONS,
    );
  });

  test("that were damaged give the same events however they are cut, and never an exception", () => {
    fc.assert(
      fc.property(mutated(seeds), anyPlaces, (bytes, places) => void expectExactEvents(readerOf, bytes, places)),
      { ...PROPERTY_OPTIONS, numRuns: 2_000 },
    );
  });

  test("of no meaning give the same events however they are cut, and never an exception", () => {
    const begun = name === "request" ? "POST / HTTP/1.1\r\nHost: a\r\n" : "HTTP/1.1 200 OK\r\n";
    const starts = ["", begun, `${begun}Transfer-Encoding: chunked\r\n\r\n`, `${begun}Transfer-Encoding: chunked\r\n\r\n0\r\n`];
    fc.assert(
      fc.property(fc.constantFrom(...starts), anyBytes, anyPlaces, (start, bytes, places) => {
        expectExactEvents(readerOf, Buffer.concat([latin1(start), bytes]), places);
      }),
      PROPERTY_OPTIONS,
    );
  });
});

const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/);
const FRAMING = /^(host|content-length|transfer-encoding)$/i;
const NOT_IN_TRAILERS =
  /^(authorization|connection|content-\w+|cookie|expect|host|keep-alive|max-forwards|proxy-\w+|set-cookie|te|trailer|transfer-encoding|upgrade)$/i;
const fieldText = (bytes: Uint8Array) => textOf(bytes).replace(/[^\t\x20-\x7e\x80-\xff]/g, "");
const value = fc.uint8Array({ maxLength: 20 }).map((bytes) => fieldText(bytes).replace(/^[ \t]+|[ \t]+$/g, ""));
const fields = fc.array(
  fc.tuple(
    token.filter((name) => !FRAMING.test(name)),
    value,
  ),
  { maxLength: 5 },
);
const trailerFields = fc.array(
  fc.tuple(
    token.filter((name) => !NOT_IN_TRAILERS.test(name)),
    value,
  ),
  { maxLength: 2 },
);
const extension = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  token.map((name) => `;${name}`),
  fc.tuple(token, token).map(([name, text]) => `;${name}=${text}`),
  fc.tuple(token, value).map(([name, text]) => `;${name}="${text.replace(/["\\]/g, "\\$&")}"`),
);
const content = fc.uint8Array({ minLength: 1, maxLength: 40 });
/** What `chunk` would write, or the same with leading zeros, capitals and extensions. */
const chunkBytes = fc.tuple(content, extension, fc.nat(3), fc.boolean()).map(([payload, extensions, zeros, isUpper]) => {
  const digits = payload.length.toString(16);
  const plainSize = extensions === "" && zeros === 0 && !isUpper;
  const size = "0".repeat(zeros) + (isUpper ? digits.toUpperCase() : digits);
  return { payload, raw: plainSize ? chunk(payload) : Buffer.concat([latin1(`${size}${extensions}\r\n`), payload, latin1("\r\n")]) };
});

type Body = {
  readonly fields: HeaderList;
  readonly raw: Buffer;
  readonly payload: Buffer;
  readonly tail: Buffer;
  readonly trailers: HeaderList;
};
const NOTHING = Buffer.alloc(0);
const noBody = fc.constant<Body>({ fields: [], raw: NOTHING, payload: NOTHING, tail: NOTHING, trailers: [] });
const lengthBody = fc.uint8Array({ maxLength: 100 }).map<Body>((bytes) => {
  const raw = Buffer.from(bytes);
  return { fields: [["Content-Length", String(raw.length)]], raw, payload: raw, tail: NOTHING, trailers: [] };
});
const chunkedBody = fc
  .tuple(fc.array(chunkBytes, { maxLength: 5 }), extension, trailerFields)
  .map<Body>(([chunks, extensions, trailers]) => ({
    fields: [["Transfer-Encoding", "chunked"]],
    raw: Buffer.concat(chunks.map(({ raw }) => raw)),
    payload: Buffer.concat(chunks.map(({ payload }) => payload)),
    tail:
      extensions === "" && trailers.length === 0
        ? LAST_CHUNK
        : latin1(`0${extensions}\r\n${trailers.map(([name, text]) => `${name}:${text}\r\n`).join("")}\r\n`),
    trailers,
  }));

function expectedOf(head: object, body: Body): readonly unknown[] {
  return [
    { kind: "head", head: expect.objectContaining(head) },
    ...(body.raw.length === 0 ? [] : [{ kind: "data", raw: textOf(body.raw), payload: textOf(body.payload) }]),
    { kind: "end", raw: textOf(body.tail), trailers: body.trailers },
  ];
}

describe("what is written is read back", () => {
  const target = fc.oneof(
    fc.constantFrom("/", "/v1/chat/completions?x=1", "http://a", "https://a:1/b?c", "//a"),
    fc.uint8Array({ maxLength: 20 }).map((bytes) => `/${textOf(bytes).replace(/[^!-"$-~\x80-\xff]/g, "")}`),
  );
  const host = fc.constantFrom("", "a", "a.b:80", "[::1]:80", "a_b", "127.0.0.1:");
  const method = token.filter((name) => name !== "CONNECT");

  test("requests", () => {
    const request = fc
      .tuple(method, target, host, fields, fc.oneof(noBody, lengthBody, chunkedBody))
      .map(([name, path, authority, others, body]) => {
        const headers: HeaderList = [...others, ["hOst", authority], ...body.fields];
        const bytes = joined(requestHead(name, path, headers), Buffer.concat([body.raw, body.tail]));
        return { bytes, expected: expectedOf({ method: name, target: path, minor: 1, headers }, body) };
      });
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 3 }), anyPlaces, (requests, places) => {
        const bytes = Buffer.concat(requests.map((one) => one.bytes));
        const events = expectExactEvents(requestReader, bytes, places);
        expect(plain(events)).toEqual(requests.flatMap(({ expected }) => [...expected]));
      }),
      PROPERTY_OPTIONS,
    );
  });

  test("responses", () => {
    const status = fc.integer({ min: 100, max: 999 });
    const reason = fc.uint8Array({ maxLength: 20 }).map(fieldText);
    const response = fc.tuple(status, reason, fields, fc.oneof(lengthBody, chunkedBody)).map(([code, phrase, others, framed]) => {
      const hasBody = code >= 200 && code !== 204 && code !== 304;
      const body: Body = hasBody ? framed : { ...framed, raw: NOTHING, payload: NOTHING, tail: NOTHING, trailers: [] };
      const headers: HeaderList = [...others, ...body.fields];
      const bytes = joined(responseHead(code, phrase, headers), Buffer.concat([body.raw, body.tail]));
      return { bytes, expected: expectedOf({ status: code, reason: phrase, minor: 1, headers }, body) };
    });
    fc.assert(
      fc.property(fc.array(response, { minLength: 1, maxLength: 3 }), anyPlaces, (responses, places) => {
        const bytes = Buffer.concat(responses.map((one) => one.bytes));
        const events = expectExactEvents(toPost, bytes, places);
        expect(plain(events)).toEqual(responses.flatMap(({ expected }) => [...expected]));
      }),
      PROPERTY_OPTIONS,
    );
  });

  test("the standard reason, where none is given", () => {
    expect(responseHead(429, undefined, [])).toBe("HTTP/1.1 429 Too Many Requests\r\n\r\n");
    expect(responseHead(529, undefined, [])).toBe("HTTP/1.1 529 \r\n\r\n");
  });
});

describe("a sender that never comes to an end is refused at the limit:", () => {
  const BLOCK_BYTES = 1_024;
  const head = "POST / HTTP/1.1\r\nHost: a\r\n";
  const answer = "HTTP/1.1 200 OK\r\n";
  const chunked = "Transfer-Encoding: chunked\r\n\r\n";
  const rows: readonly (readonly [name: string, readerOf: () => AnyReader, start: string, endless: string, limitBytes: number])[] = [
    ["empty lines", requestReader, "", "\r\n", 2 * (EMPTY_LINES_MAX + 1)],
    ["method", requestReader, "", "A", HEAD_BYTES_MAX],
    ["target", requestReader, "GET /", "a", HEAD_BYTES_MAX],
    ["field name", requestReader, head, "a", HEAD_BYTES_MAX],
    ["field value", requestReader, `${head}X-A: `, "b", HEAD_BYTES_MAX],
    ["white space before a value", requestReader, `${head}X-A:`, " ", HEAD_BYTES_MAX],
    ["short fields", requestReader, head, "A:\r\n", HEAD_BYTES_MAX],
    ["long fields", requestReader, head, `X-A: ${"b".repeat(991)}\r\n`, HEAD_BYTES_MAX],
    ["chunk size", requestReader, head + chunked, "0", CHUNK_LINE_BYTES_MAX],
    ["chunk extension", requestReader, `${head}${chunked}5;a=`, "b", CHUNK_LINE_BYTES_MAX],
    ["chunk extensions", requestReader, `${head}${chunked}5`, ";a", CHUNK_LINE_BYTES_MAX],
    ["trailer", requestReader, `${head}${chunked}0\r\nX-A: `, "b", HEAD_BYTES_MAX],
    ["short trailers", requestReader, `${head}${chunked}0\r\n`, "A:\r\n", HEAD_BYTES_MAX],
    ["long trailers", requestReader, `${head}${chunked}0\r\n`, `X-A: ${"b".repeat(991)}\r\n`, HEAD_BYTES_MAX],
    ["reason", toPost, "HTTP/1.1 200 ", "a", HEAD_BYTES_MAX],
    ["response field", toPost, `${answer}X-A: `, "b", HEAD_BYTES_MAX],
    ["response chunk extension", toPost, `${answer}${chunked}5;a=`, "b", CHUNK_LINE_BYTES_MAX],
    ["response trailers", toPost, `${answer}${chunked}0\r\n`, `X-A: ${"b".repeat(991)}\r\n`, HEAD_BYTES_MAX],
  ];
  test.each(rows.map((row) => [...row] as const))("%s", (_name, readerOf, start, endless, limitBytes) => {
    const block = latin1(endless.repeat(Math.ceil(BLOCK_BYTES / endless.length)));
    for (const blocks of [[block], inBlocks(block, 1), [Buffer.concat(Array.from({ length: 200 }, () => block))]]) {
      const reader = readerOf();
      reader.read(latin1(start));
      let heldBytes = start.length;
      let isRefused = false;
      while (!isRefused && heldBytes <= limitBytes + start.length + 200 * block.length) {
        for (const bytes of blocks) {
          heldBytes += bytes.length;
          if (reader.read(bytes).some(({ kind }) => kind === "error")) {
            isRefused = true;
            break;
          }
        }
      }
      expect(isRefused).toBe(true);
      expect(heldBytes).toBeLessThanOrEqual(limitBytes + start.length + (blocks[0]?.length ?? 0));
    }
  });
});

describe("time grows with the bytes, not with their square:", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\n";
  const chunked = "Transfer-Encoding: chunked\r\n\r\n";
  const rows: readonly (readonly [name: string, bytesOf: (bytes: number) => string, bytesMax: number])[] = [
    ["one long field", (bytes) => `${head}X-A: ${"b".repeat(bytes)}`, 60_000],
    ["a long target", (bytes) => `GET /${"a".repeat(bytes)}`, 60_000],
    ["many fields", (bytes) => `${head}${`X-A: ${"b".repeat(233)}\r\n`.repeat(bytes / 240)}`, 60_000],
    ["a long trailer", (bytes) => `${head}${chunked}0\r\nX-A: ${"b".repeat(bytes)}`, 60_000],
    ["many chunks", (bytes) => `${head}${chunked}${"1\r\nx\r\n".repeat(bytes / 6)}`, 60_000],
    ["a length", (bytes) => `${head}Content-Length: 9999999\r\n\r\n${"x".repeat(bytes)}`, 60_000],
  ];
  const PARTS = 32;

  /** Each in a reader of its own. The best of some runs: what else the machine does only makes a run longer. */
  function bestMs(messages: readonly Buffer[]): number {
    let best = Number.POSITIVE_INFINITY;
    for (let run = 0; run < 5; run++) {
      const work = messages.map((bytes) => ({ reader: requestReader(), blocks: inBlocks(bytes, 1) }));
      const start = performance.now();
      for (const { reader, blocks } of work) for (const block of blocks) reader.read(block);
      best = Math.min(best, performance.now() - start);
    }
    return best;
  }

  // Linear, both take as long; with the square, the whole takes as many times as long as there are parts, less what a block costs anyway.
  test.each(rows.map((row) => [...row] as const))("%s, byte by byte", (_name, bytesOf, bytesMax) => {
    const parts = Array.from({ length: PARTS }, () => latin1(bytesOf(bytesMax / PARTS)));
    const whole = [latin1(bytesOf(bytesMax))];
    bestMs(parts);
    expect(bestMs(whole) / bestMs(parts)).toBeLessThan(3);
  });
});
