import type { Exchange } from "./any-exchange.ts";
import type { Framing, Message } from "./http-message.ts";

export type Side = "request" | "answer";
export type ProxyName = "wire" | "serve" | "node:http";

/** What one end of a connection has seen of a message. */
export type Seen = {
  readonly startLine: string;
  /** Without their line ends. */
  readonly lines: readonly string[];
  readonly framing: Framing;
  /** As framed on the wire. */
  readonly body: string;
  readonly payload: string;
  readonly trailers: readonly string[];
  /** Heads of the interim answers before it. */
  readonly interims: readonly string[];
};

export function seenOf(message: Message, interims: readonly Message[] = []): Seen {
  const { startLine, head, framing, body, payload, trailers } = message;
  return {
    startLine,
    lines: linesOf(head.slice(startLine.length + 2, -2)),
    framing,
    body,
    payload,
    trailers: linesOf(trailers),
    interims: interims.map((one) => one.head),
  };
}

function linesOf(text: string): readonly string[] {
  return text === "" ? [] : text.slice(0, -2).split("\r\n");
}

/** A way in which what comes out may differ from what went in. Nothing else may: test/e2e/differential.test.ts. */
export type Difference = {
  readonly name: string;
  readonly side: Side;
  readonly proxies: readonly ProxyName[];
  /** In docs/engine-differences.md. */
  readonly what: string;
  readonly why: string;
  /** Makes equal what differs only so. Applied to what went in and to what came out. */
  readonly level: (seen: Seen) => Seen;
  /** An exchange that could not do without it. */
  readonly example: Partial<Exchange>;
};

/** Exchanges that a proxy does not perform at all. */
export type Refusal = {
  readonly name: string;
  readonly proxies: readonly ProxyName[];
  readonly what: string;
  readonly why: string;
  readonly isRefused: (exchange: Exchange) => boolean;
  readonly example: Partial<Exchange>;
};

const HOP_BY_HOP = /^(connection|keep-alive|proxy-connection|te|transfer-encoding|upgrade)$/;
const NEVER_NAMED: ReadonlySet<string> = new Set(["content-length", "host"]);

const nameOf = (line: string) => line.slice(0, line.indexOf(":")).toLowerCase();
const fieldValueOf = (line: string) => line.slice(line.indexOf(":") + 1).replace(/^[ \t]+|[ \t]+$/g, "");
const trimmed = (line: string) => `${line.slice(0, line.indexOf(":"))}: ${fieldValueOf(line)}`;
const without = (seen: Seen, isLeftOut: (line: string) => boolean): Seen => ({
  ...seen,
  lines: seen.lines.filter((line) => !isLeftOut(line)),
});

function withoutConnectionFields(seen: Seen): Seen {
  const named = new Set(
    seen.lines
      .filter((line) => nameOf(line) === "connection")
      .flatMap((line) =>
        fieldValueOf(line)
          .toLowerCase()
          .split(/[ \t]*,[ \t]*/),
      ),
  );
  return without(seen, (line) => HOP_BY_HOP.test(nameOf(line)) || (named.has(nameOf(line)) && !NEVER_NAMED.has(nameOf(line))));
}

function withStartLine(seen: Seen, change: (startLine: string) => string): Seen {
  return { ...seen, startLine: change(seen.startLine) };
}

/** Method, target and version. */
function withTarget(seen: Seen, change: (target: string) => string): Seen {
  return withStartLine(seen, (line) => {
    const [method, target = "", version] = line.split(" ");
    return `${method} ${change(target)} ${version}`;
  });
}

function joined(lines: readonly string[]): readonly string[] {
  const byName = new Map<string, string[]>();
  for (const line of lines) byName.set(nameOf(line), [...(byName.get(nameOf(line)) ?? []), line]);
  return [...byName].map(([name, all]) => joinedLine(name, all)).sort();
}

function joinedLine(name: string, all: readonly string[]): string {
  const [first = ""] = all;
  if (all.length === 1) return name + first.slice(name.length);
  return trimmed(`${name}:${all.map(fieldValueOf).join(name === "cookie" ? "; " : ", ")}`);
}

/** Method, target and version of a request line, the target as `fetch` and `Bun.serve` see it. */
function asUrl(target: string): string {
  const { pathname, search } = new URL(`http://host${Buffer.from(target, "latin1").toString()}`);
  return pathname.replace(/^\/+/, "/") + search;
}

/** The payload in place of the framed body. */
function withoutChunks(seen: Seen): Seen {
  return seen.framing === "chunked" ? { ...seen, body: seen.payload } : seen;
}

function withoutBody(seen: Seen): Seen {
  return { ...without(seen, (line) => nameOf(line) === "content-length"), framing: "none", body: "", payload: "", trailers: [] };
}

const ALL: readonly ProxyName[] = ["wire", "serve", "node:http"];
const OTHERS: readonly ProxyName[] = ["serve", "node:http"];
const SERVE: readonly ProxyName[] = ["serve"];
const NODE: readonly ProxyName[] = ["node:http"];

const GET = { startLine: "GET /v1/models HTTP/1.1", lines: ["Host: client.localhost"], body: "" };
const OK = { startLine: "HTTP/1.1 200 OK", lines: ["Content-Length: 2"], body: "{}" };
const POST_NOTHING = { startLine: "POST /v1/files HTTP/1.1", lines: ["Host: client.localhost"], body: "" };
const POST_CHUNKS = {
  startLine: "POST /v1/files HTTP/1.1",
  lines: ["Host: client.localhost", "Transfer-Encoding: chunked"],
  body: "2;a\r\n{}\r\n0\r\n\r\n",
};
const CHUNKED = { startLine: "HTTP/1.1 200 OK", lines: ["Transfer-Encoding: chunked"], body: "2;a\r\n{}\r\n0\r\n\r\n" };

export const DIFFERENCES: readonly Difference[] = [
  {
    name: "host",
    side: "request",
    proxies: ALL,
    what: "`Host` names the target",
    why: "the client's `Host` is this proxy's own",
    level: (seen) => ({ ...seen, lines: seen.lines.map((line) => (nameOf(line) === "host" ? `${line.slice(0, 4)}: *` : line)) }),
    example: { request: { ...GET, lines: ["Host: client.localhost"] } },
  },
  {
    name: "connection fields of a request",
    side: "request",
    proxies: ALL,
    what: "`Connection`, what it names, `Keep-Alive`, `TE`, `Upgrade` and `Proxy-Connection` are not passed on; `Transfer-Encoding` comes last",
    why: "they are about one connection (RFC 9110 section 7.6.1); `Content-Length` and `Host` stay whatever `Connection` names",
    level: withoutConnectionFields,
    example: { request: { ...GET, lines: ["Host: client.localhost", "Connection: X-Hop", "X-Hop: 1", "TE: trailers"] } },
  },
  {
    name: "absolute-form",
    side: "request",
    proxies: ALL,
    what: "a target in absolute-form becomes origin-form",
    why: "where it points to does not count here (RFC 9112 section 3.2.1)",
    level: (seen) => withTarget(seen, (target) => target.replace(/^https?:\/\/[^/?]*/i, "")),
    example: { request: { ...GET, startLine: "GET http://other.localhost/v1/models HTTP/1.1" } },
  },
  {
    name: "connection fields of an answer",
    side: "answer",
    proxies: ALL,
    what: "`Connection`, what it names, `Keep-Alive` and `Upgrade` are not passed on; `Transfer-Encoding` or `Connection: close` comes last",
    why: "they are about one connection; the client is told what becomes of its own",
    level: withoutConnectionFields,
    example: { answer: { ...OK, lines: ["Connection: X-Hop", "X-Hop: 1", "Content-Length: 2"] } },
  },
  {
    name: "HTTP/1.0",
    side: "answer",
    proxies: ALL,
    what: "an answer in HTTP/1.0 becomes one in HTTP/1.1",
    why: "the version is that of whoever sends the message (RFC 9110 section 2.5)",
    level: (seen) => withStartLine(seen, (line) => line.replace("HTTP/1.0", "HTTP/1.1")),
    example: { answer: { ...OK, startLine: "HTTP/1.0 200 OK" } },
  },
  {
    name: "no space before no reason",
    side: "answer",
    proxies: ["wire", "node:http"],
    what: "the space in front of a reason that is absent is put where it was left out",
    why: "RFC 9112 section 4 wants it, and not all clients can do without",
    level: (seen) => {
      const spaced = (line: string) => line.replace(/^(HTTP\/1\.[01] \d{3})$/, "$1 ");
      return withStartLine({ ...seen, interims: seen.interims.map((head) => head.replace(/^(HTTP\/1\.1 \d{3})\r\n/, "$1 \r\n")) }, spaced);
    },
    example: { answer: { ...OK, startLine: "HTTP/1.1 200" } },
  },
  {
    name: "white space",
    side: "request",
    proxies: OTHERS,
    what: "white space round a value becomes one space before it",
    why: "it has no meaning, and these readers do not keep it",
    level: (seen) => ({ ...seen, lines: seen.lines.map(trimmed), trailers: seen.trailers.map(trimmed) }),
    example: { request: { ...GET, lines: ["Host: client.localhost", "X-A:b\t"] } },
  },
  {
    name: "white space of an answer",
    side: "answer",
    proxies: OTHERS,
    what: "white space round a value becomes one space before it",
    why: "as above",
    level: (seen) => ({ ...seen, lines: seen.lines.map(trimmed), trailers: seen.trailers.map(trimmed) }),
    example: { answer: { ...OK, lines: ["X-A:b\t", "Content-Length: 2"] } },
  },
  {
    name: "chunks of a request",
    side: "request",
    proxies: OTHERS,
    what: "chunks have other borders, and no extensions",
    why: "a chunk is what these readers got in one piece",
    level: withoutChunks,
    example: { request: POST_CHUNKS },
  },
  {
    name: "chunks of an answer",
    side: "answer",
    proxies: NODE,
    what: "chunks have other borders, and no extensions",
    why: "as above",
    level: withoutChunks,
    example: { answer: CHUNKED },
  },
  {
    name: "no body and an empty one",
    side: "request",
    proxies: OTHERS,
    what: "a request without a body is sent with an empty one, or the other way round",
    why: "these readers do not tell one from the other",
    level: (seen) => (seen.payload === "" && seen.trailers.length === 0 ? withoutBody(seen) : seen),
    example: { request: POST_NOTHING },
  },
  {
    name: "interim answers",
    side: "answer",
    proxies: OTHERS,
    what: "interim answers other than `100 Continue` are not passed on",
    why: "`fetch` does not tell of them, and node:http sends none but 102 and 103",
    level: (seen) => ({ ...seen, interims: [] }),
    example: { interims: [{ startLine: "HTTP/1.1 103 Early Hints", lines: [], body: "" }] },
  },
  {
    name: "until the connection ends",
    side: "answer",
    proxies: NODE,
    what: "a body that ends with the connection is sent in chunks",
    why: "the end of a chunked body can be told from a cut, and the client's connection can stay open",
    level: (seen) => (seen.framing === "close" || seen.framing === "chunked" ? { ...seen, framing: "close" } : seen),
    example: { answer: { ...OK, lines: [] }, untilClose: true },
  },
  {
    name: "target as a URL",
    side: "request",
    proxies: SERVE,
    what: "the target is what the WHATWG makes of a URL: dot segments removed, other characters percent-encoded, bytes that are no UTF-8 lost",
    why: "`Bun.serve` and `fetch` know URLs only",
    level: (seen) => withTarget(seen, asUrl),
    example: { request: { ...GET, startLine: "GET /v1/a/../{b}\\c?q=' HTTP/1.1" } },
  },
  {
    name: "names and order of a request",
    side: "request",
    proxies: SERVE,
    what: "names are in lower case or in Bun's spelling, fields in Bun's order, equal names joined",
    why: "`fetch` takes and gives such lists only",
    level: (seen) => ({ ...seen, lines: joined(seen.lines) }),
    example: { request: { ...GET, lines: ["Host: client.localhost", "X-B: 1", "X-A: 2", "x-b: 3"] } },
  },
  {
    name: "names and order of an answer",
    side: "answer",
    proxies: SERVE,
    what: "names are in lower case or in Bun's spelling, fields in Bun's order, equal names joined",
    why: "as above",
    level: (seen) => ({ ...seen, lines: joined(seen.lines) }),
    example: { answer: { ...OK, lines: ["X-B: 1", "X-A: 2", "x-b: 3", "Content-Length: 2"] } },
  },
  {
    name: "fields that are added to a request",
    side: "request",
    proxies: SERVE,
    what: "`user-agent: Bun/…` and `accept: */*` are added where there is none",
    why: "`fetch` does, and cannot be told not to",
    level: (seen) => without(seen, (line) => /^(user-agent: Bun\/|accept: \*\/\*$)/i.test(line)),
    example: {},
  },
  {
    name: "fields that are added to an answer",
    side: "answer",
    proxies: SERVE,
    what: "`date`, and `content-type: application/octet-stream` where there is a body, are added",
    why: "`Bun.serve` does",
    level: (seen) => without(seen, (line) => /^(date: |content-type: application\/octet-stream$)/i.test(line)),
    example: {},
  },
  {
    name: "body of a GET",
    side: "request",
    proxies: SERVE,
    what: "the body of a GET or a HEAD is not passed on",
    why: "`fetch` sends none",
    level: (seen) => (/^(GET|HEAD) /.test(seen.startLine) ? withoutBody(seen) : seen),
    example: { request: { ...GET, lines: ["Host: client.localhost", "Content-Length: 2"], body: "{}" } },
  },
  {
    name: "reason",
    side: "answer",
    proxies: SERVE,
    what: "the reason is the usual one of the status",
    why: "`Bun.serve` writes its own",
    level: (seen) => withStartLine(seen, (line) => line.slice(0, 12)),
    example: { answer: { ...OK, startLine: "HTTP/1.1 200 Fine" } },
  },
  {
    name: "framing of an answer",
    side: "answer",
    proxies: SERVE,
    what: "a body that came in one piece is sent with a length, another in chunks of other borders, however it was framed",
    why: "`fetch` gives the payload alone, and `Bun.serve` frames it anew",
    level: (seen) =>
      seen.framing === "none"
        ? seen
        : { ...without(seen, (line) => nameOf(line) === "content-length"), framing: "close", body: seen.payload },
    example: { answer: { ...CHUNKED, body: "0\r\n\r\n" } },
  },
  {
    name: "length of an answer to HEAD",
    side: "answer",
    proxies: SERVE,
    what: "an answer to HEAD that has no length gets `content-length: 0`",
    why: "`Bun.serve` sends the length of the body that it has",
    level: (seen) => (seen.framing === "none" ? without(seen, (line) => /^content-length: 0$/i.test(line)) : seen),
    example: { request: { ...GET, startLine: "HEAD /v1/models HTTP/1.1" }, answer: { ...OK, lines: [], body: "" } },
  },
  {
    name: "trailers of an answer",
    side: "answer",
    proxies: SERVE,
    what: "trailers are not passed on",
    why: "`fetch` does not tell of them",
    level: (seen) => ({ ...seen, trailers: [] }),
    example: { answer: { ...CHUNKED, body: "2\r\n{}\r\n0\r\nX-A: b\r\n\r\n" } },
  },
];

/** Exchanges that one side of a comparison is left out of. */
export const REFUSALS: readonly Refusal[] = [
  {
    name: "trailers of a request",
    proxies: SERVE,
    what: "a request with trailers",
    why: "`Bun.serve` closes the connection with a bare 400",
    isRefused: ({ request }) => /\r\n0+[^\r\n]*\r\n[^\r\n]+:[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n$/.test(`\r\n${request.body}`),
    example: { request: { ...POST_CHUNKS, body: "2\r\n{}\r\n0\r\nX-A: b\r\n\r\n" } },
  },
  {
    name: "statuses",
    proxies: SERVE,
    what: "an answer with a status above 599",
    why: "`fetch` has none; the client gets a 502, `upstream_protocol`",
    isRefused: ({ answer }) => /^HTTP\/1\.[01] [6-9]/.test(answer.startLine),
    example: { answer: { ...OK, startLine: "HTTP/1.1 600 Odd" } },
  },
  {
    name: "bytes above 7f in a target",
    proxies: NODE,
    what: "a target with bytes above 7f",
    why: "it is refused with 400",
    isRefused: ({ request }) => /[\x80-\xff]/.test(request.startLine),
    example: { request: { ...GET, startLine: "GET /v1/caf\xc3\xa9 HTTP/1.1" } },
  },
];
