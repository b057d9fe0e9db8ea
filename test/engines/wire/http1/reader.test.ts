import { describe, expect, test } from "bun:test";
import type { HeaderList } from "../../../../src/core/headers.ts";
import { FIELDS_MAX, HEAD_BYTES_MAX } from "../../../../src/engines/wire/http1/limits.ts";
import type { BodyFraming } from "../../../../src/engines/wire/http1/message.ts";
import { requestReader, responseReader } from "../../../../src/engines/wire/http1/reader.ts";
import { eventsOf, inBlocks, latin1, plain, textOf } from "./support.ts";

const NONE: BodyFraming = { kind: "none" };
const CLOSE: BodyFraming = { kind: "close" };
const CHUNKED: BodyFraming = { kind: "chunked" };
const bytesLong = (bytes: number): BodyFraming => ({ kind: "length", bytes });

/** What is read of one message: its head, the body as it came and without its framing, and what stands behind the data. */
type Expected<StartLine> = StartLine & {
  readonly headers: HeaderList;
  readonly framing: BodyFraming;
  readonly raw?: string;
  readonly payload?: string;
  readonly tail?: string;
  readonly trailers?: HeaderList;
};

function expectedEvents({ raw = "", payload = raw, tail = "", trailers = [], ...head }: Expected<object>): readonly unknown[] {
  return [{ kind: "head", head }, ...(raw === "" ? [] : [{ kind: "data", raw, payload }]), { kind: "end", raw: tail, trailers }];
}

describe("a request is read:", () => {
  type Row = readonly [name: string, bytes: string, expected: Expected<{ method: string; target: string; minor: 0 | 1 }>];
  const rows: readonly Row[] = [
    [
      "without a body",
      "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n",
      { method: "GET", target: "/v1/models", minor: 1, headers: [["Host", "a"]], framing: NONE },
    ],
    [
      "with a length",
      "POST /v1?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
      {
        method: "POST",
        target: "/v1?x=1",
        minor: 1,
        headers: [
          ["Host", "a"],
          ["Content-Length", "5"],
        ],
        framing: bytesLong(5),
        raw: "hello",
      },
    ],
    [
      "with length 0",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
      {
        method: "POST",
        target: "/",
        minor: 1,
        headers: [
          ["Host", "a"],
          ["Content-Length", "0"],
        ],
        framing: bytesLong(0),
      },
    ],
    [
      "in chunks, with extensions and trailers as they came",
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n05;a;b="c;d"\r\nhello\r\nA\r\n0123456789\r\n000;e=f\r\nX-A:  b \r\nx-a:\r\n\r\n',
      {
        method: "POST",
        target: "/",
        minor: 1,
        headers: [
          ["Host", "a"],
          ["Transfer-Encoding", "chunked"],
        ],
        framing: CHUNKED,
        raw: '05;a;b="c;d"\r\nhello\r\nA\r\n0123456789\r\n',
        payload: "hello0123456789",
        tail: "000;e=f\r\nX-A:  b \r\nx-a:\r\n\r\n",
        trailers: [
          ["X-A", "b"],
          ["x-a", ""],
        ],
      },
    ],
    [
      "in chunks, none of them with data",
      "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n",
      {
        method: "POST",
        target: "/",
        minor: 1,
        headers: [
          ["Host", "a"],
          ["transfer-encoding", "CHUNKED"],
        ],
        framing: CHUNKED,
        tail: "0\r\n\r\n",
      },
    ],
    [
      "with fields in order, duplicates, capitals, empty values, bytes above ASCII and white space inside values",
      "GET / HTTP/1.1\r\nhOsT: a\r\nX-B: 1\r\nx-a:\t\r\nX-B:2 \t 3\t\r\nX-C: \x80\xa0\xff\r\nX-D::\r\n\r\n",
      {
        method: "GET",
        target: "/",
        minor: 1,
        headers: [
          ["hOsT", "a"],
          ["X-B", "1"],
          ["x-a", ""],
          ["X-B", "2 \t 3"],
          ["X-C", "\x80\xa0\xff"],
          ["X-D", ":"],
        ],
        framing: NONE,
      },
    ],
    ["of HTTP/1.0, without a Host", "GET / HTTP/1.0\r\n\r\n", { method: "GET", target: "/", minor: 0, headers: [], framing: NONE }],
    [
      "behind four empty lines",
      "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
      { method: "GET", target: "/", minor: 1, headers: [["Host", "a"]], framing: NONE },
    ],
    [
      "with a target in absolute-form",
      "GET http://b:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
      { method: "GET", target: "http://b:80/x?y", minor: 1, headers: [["Host", "a"]], framing: NONE },
    ],
    [
      "with a target in authority-form",
      "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
      { method: "CONNECT", target: "b:443", minor: 1, headers: [["Host", "b:443"]], framing: NONE },
    ],
    [
      "with an asterisk as its target",
      "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
      { method: "OPTIONS", target: "*", minor: 1, headers: [["Host", ""]], framing: NONE },
    ],
    [
      "with UTF-8 in its target",
      "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
      { method: "GET", target: "/\xc3\xa4", minor: 1, headers: [["Host", "a"]], framing: NONE },
    ],
  ];
  test.each(rows.map((row) => [...row] as const))("%s", (_name, bytes, expected) => {
    for (const size of [1, 3, bytes.length])
      expect(plain(eventsOf(requestReader(), inBlocks(latin1(bytes), size)))).toEqual(expectedEvents(expected));
  });
});

describe("a response is read:", () => {
  type Row = readonly [name: string, method: string, bytes: string, expected: Expected<{ minor: 0 | 1; status: number; reason: string }>];
  const rows: readonly Row[] = [
    [
      "with a length",
      "POST",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      { minor: 1, status: 200, reason: "OK", headers: [["Content-Length", "5"]], framing: bytesLong(5), raw: "hello" },
    ],
    [
      "in chunks, with trailers",
      "POST",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nServer-Timing: x\r\n\r\n",
      {
        minor: 1,
        status: 200,
        reason: "OK",
        headers: [["Transfer-Encoding", "chunked"]],
        framing: CHUNKED,
        raw: "5;x\r\nhello\r\n",
        payload: "hello",
        tail: "0\r\nServer-Timing: x\r\n\r\n",
        trailers: [["Server-Timing", "x"]],
      },
    ],
    [
      "until the connection ends",
      "POST",
      "HTTP/1.1 200 OK\r\n\r\nhello\r\n\r\n",
      { minor: 1, status: 200, reason: "OK", headers: [], framing: CLOSE, raw: "hello\r\n\r\n" },
    ],
    [
      "until the connection ends, with nothing",
      "POST",
      "HTTP/1.0 200 OK\r\n\r\n",
      { minor: 0, status: 200, reason: "OK", headers: [], framing: CLOSE },
    ],
    [
      "to HEAD, with a length and no body",
      "HEAD",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
      { minor: 1, status: 200, reason: "OK", headers: [["Content-Length", "5"]], framing: NONE },
    ],
    [
      "to HEAD, with chunked and no body",
      "HEAD",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      { minor: 1, status: 200, reason: "OK", headers: [["Transfer-Encoding", "chunked"]], framing: NONE },
    ],
    [
      "to CONNECT, where a tunnel begins whatever the fields say",
      "CONNECT",
      "HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      {
        minor: 1,
        status: 200,
        reason: "Connection established",
        headers: [
          ["Content-Length", "5"],
          ["Transfer-Encoding", "chunked"],
        ],
        framing: NONE,
      },
    ],
    [
      "to CONNECT, refused",
      "CONNECT",
      "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
      {
        minor: 1,
        status: 407,
        reason: "Proxy Authentication Required",
        headers: [["Content-Length", "2"]],
        framing: bytesLong(2),
        raw: "no",
      },
    ],
    ["204", "POST", "HTTP/1.1 204 No Content\r\n\r\n", { minor: 1, status: 204, reason: "No Content", headers: [], framing: NONE }],
    [
      "304 with a length",
      "GET",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
      { minor: 1, status: 304, reason: "Not Modified", headers: [["Content-Length", "5"]], framing: NONE },
    ],
    ["100", "POST", "HTTP/1.1 100 Continue\r\n\r\n", { minor: 1, status: 100, reason: "Continue", headers: [], framing: NONE }],
    ["empty reason", "POST", "HTTP/1.1 204 \r\n\r\n", { minor: 1, status: 204, reason: "", headers: [], framing: NONE }],
    ["absent reason", "POST", "HTTP/1.1 204\r\n\r\n", { minor: 1, status: 204, reason: "", headers: [], framing: NONE }],
    [
      "reason with bytes above ASCII and spaces",
      "POST",
      "HTTP/1.1 204  \x80 \xff \r\n\r\n",
      { minor: 1, status: 204, reason: " \x80 \xff ", headers: [], framing: NONE },
    ],
    ["status 999", "POST", "HTTP/1.1 999 X\r\n\r\n", { minor: 1, status: 999, reason: "X", headers: [], framing: CLOSE }],
  ];
  test.each(rows.map((row) => [...row] as const))("%s", (_name, method, bytes, expected) => {
    for (const size of [1, 3, bytes.length]) {
      const reader = responseReader(() => method);
      const events = eventsOf(reader, inBlocks(latin1(bytes), size));
      expect(plain([...events, ...reader.finish()])).toEqual(expectedEvents(expected));
    }
  });
});

describe("messages behind each other", () => {
  test("come one by one, the next one unread", () => {
    const reader = requestReader();
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    const post = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    const first = reader.read(latin1(get("/a") + post + get("/c")));
    expect(first.map(({ kind }) => kind)).toEqual(["head", "end"]);
    const end = first.at(-1);
    if (end?.kind !== "end") throw new Error("no end");
    expect(textOf(end.rest)).toBe(post + get("/c"));
    expect(reader.isBetween()).toBe(true);
    const second = reader.read(Buffer.from(end.rest));
    expect(second.map(({ kind }) => kind)).toEqual(["head", "data", "end"]);
    expect(second.at(-1)).toMatchObject({ kind: "end" });
  });

  test("have empty lines between them, each message as many as the first", () => {
    const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const events = eventsOf(requestReader(), [latin1(`${get}\r\n\r\n\r\n\r\n${get}\r\n\r\n\r\n\r\n${get}`)]);
    expect(events.filter(({ kind }) => kind === "head")).toHaveLength(3);
  });

  test("a response follows its interim responses, and each is asked for its request", () => {
    const methods = ["POST", "POST", "HEAD"];
    const reader = responseReader(() => methods.shift() ?? "GET");
    const bytes =
      "HTTP/1.1 103 \r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    expect(eventsOf(reader, [latin1(bytes)]).map(({ kind }) => kind)).toEqual(["head", "end", "head", "data", "end", "head", "end"]);
  });
});

describe("a reader", () => {
  test("knows whether it is between two messages", () => {
    const reader = requestReader();
    expect(reader.isBetween()).toBe(true);
    reader.read(latin1("\r\n"));
    expect(reader.isBetween()).toBe(true);
    reader.read(latin1("P"));
    expect(reader.isBetween()).toBe(false);
    reader.read(latin1("OST / HTTP/1.1\r\n"));
    expect(reader.isBetween()).toBe(false);
    reader.read(latin1("Host: a\r\nContent-Length: 2\r\n\r\n"));
    expect(reader.isBetween()).toBe(false);
    reader.read(latin1("hi"));
    expect(reader.isBetween()).toBe(true);
    reader.read(latin1("\x16"));
    expect(reader.isBetween()).toBe(false);
  });

  test("that is between messages when the sender ends has nothing to say, and stays between them", () => {
    const reader = responseReader(() => "POST");
    reader.read(latin1("HTTP/1.1 204 \r\n\r\n"));
    expect(reader.finish()).toEqual([]);
    expect(reader.isBetween()).toBe(true);
  });

  test("says nothing after an error, and nothing after the end", () => {
    const broken = requestReader();
    expect(broken.read(latin1("\x16")).map(({ kind }) => kind)).toEqual(["error"]);
    expect(broken.read(latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))).toEqual([]);
    expect(broken.finish()).toEqual([]);
    const ended = requestReader();
    expect(ended.finish()).toEqual([]);
    expect(ended.read(latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))).toEqual([]);
  });

  test("gives a whole block on as it is", () => {
    const reader = responseReader(() => "POST");
    reader.read(latin1("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"));
    const block = latin1("hello");
    const [event] = reader.read(block);
    expect(event?.kind === "data" && event.raw === block && event.payload[0] === block).toBe(true);
  });

  test("reads data of a chunk before the chunk is complete, and never gives data on whose size it has not understood", () => {
    const reader = responseReader(() => "POST");
    reader.read(latin1("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    expect(reader.read(latin1("a"))).toEqual([]);
    expect(plain(reader.read(latin1("\r\nhel")))).toEqual([{ kind: "data", raw: "a\r\nhel", payload: "hel" }]);
    expect(plain(reader.read(latin1("lo")))).toEqual([{ kind: "data", raw: "lo", payload: "lo" }]);
  });

  test("takes a head and fields up to their limits", () => {
    const start = "GET / HTTP/1.1\r\nHost: a\r\n";
    const head = (bytes: number) => `${start}X-A: ${"b".repeat(bytes - start.length - 9)}\r\n\r\n`;
    expect(head(HEAD_BYTES_MAX)).toHaveLength(HEAD_BYTES_MAX);
    const fields = (count: number) => `${start}${"X-A: b\r\n".repeat(count - 1)}\r\n`;
    for (const size of [1, 1_000, 1_000_000]) {
      const last = (bytes: string) => eventsOf(requestReader(), inBlocks(latin1(bytes), size)).at(-1);
      expect(last(head(HEAD_BYTES_MAX))?.kind).toBe("end");
      expect(last(head(HEAD_BYTES_MAX + 1))).toMatchObject({ kind: "error", error: { code: "head_too_large", status: 431 } });
      expect(last(fields(FIELDS_MAX))?.kind).toBe("end");
      expect(last(fields(FIELDS_MAX + 1))).toMatchObject({ kind: "error", error: { code: "too_many_fields", status: 431 } });
    }
  });
});

describe("a field keeps the line that it came in", () => {
  const head = (text: string) => `GET / HTTP/1.1\r\n${text}\r\n`;
  const lines = (bytes: string, size: number) =>
    eventsOf(requestReader(), inBlocks(latin1(bytes), size)).flatMap((event) =>
      event.kind === "head" ? [event.head.headers.map(([, , line]) => line).join("")] : [],
    );

  test.each([1, 5, 1_000])("in blocks of %i bytes, also where the next head repeats some lines and not others", (size) => {
    const heads = [
      "Host:a\r\nX-A: \t 1 \r\nx-b:2\r\n",
      "Host:a\r\nX-A: \t 2 \r\nx-b:2\r\n",
      "Host:a\r\nx-b:2\r\n",
      "Host:a\r\nx-b:2\r\nX-A: \t 1 \r\n",
    ];
    expect(lines(heads.map(head).join(""), size)).toEqual(heads);
  });
});
