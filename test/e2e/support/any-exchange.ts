import fc from "fast-check";

/** A message as it is put on the wire, Latin-1. */
export type SentMessage = { readonly startLine: string; readonly lines: readonly string[]; readonly body: string };

/** One request and its answer. */
export type Exchange = {
  readonly request: SentMessage;
  readonly interims: readonly SentMessage[];
  readonly answer: SentMessage;
  /** The connection's end is the answer's. */
  readonly untilClose: boolean;
  /** Where the bytes are cut, so that they come in several writes. */
  readonly requestCuts: readonly number[];
  readonly answerCuts: readonly number[];
};

export function textOf({ startLine, lines, body }: SentMessage): string {
  return `${startLine}\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n${body}`;
}

export function answerTextOf({ interims, answer }: Exchange): string {
  return [...interims, answer].map(textOf).join("");
}

export function methodOf({ startLine }: SentMessage): string {
  return startLine.slice(0, startLine.indexOf(" "));
}

/** Does the client say that this is the last request of its connection? */
export function isLast({ request }: Exchange): boolean {
  return request.lines.some((line) => /^connection:.*close/i.test(line));
}

/** The same text in pieces. */
export function piecesOf(text: string, cuts: readonly number[]): readonly string[] {
  const borders = [...new Set([0, ...cuts.map((cut) => cut % (text.length + 1)), text.length])].sort((a, b) => a - b);
  return borders.slice(1).map((border, index) => text.slice(borders[index], border));
}

const characters = (set: string, range: { readonly minLength?: number; readonly maxLength: number }) =>
  fc.string({ unit: fc.constantFrom(...set), ...range });

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TOKEN = `${LETTERS}0123456789!#$%&'*+-.^_\`|~`;
const VISIBLE = String.fromCharCode(...Array.from({ length: 94 }, (_, index) => index + 0x21));
const ABOVE = String.fromCharCode(...Array.from({ length: 128 }, (_, index) => index + 0x80));
const BYTES = String.fromCharCode(...Array(256).keys());

/** No name that frames, routes or belongs to the connection: those stand in lines of their own. */
const name = fc.oneof(
  fc.constantFrom("Accept", "user-agent", "Accept-Language", "Cookie", "Cache-Control", "Via", "X-Request-ID", "x-request-id", "ETag"),
  characters(TOKEN, { minLength: 1, maxLength: 12 }).map((rest) => `X-${rest}`),
);

const word = fc.oneof(
  { weight: 4, arbitrary: characters(VISIBLE, { minLength: 1, maxLength: 12 }) },
  { weight: 1, arbitrary: characters(VISIBLE + ABOVE, { minLength: 1, maxLength: 12 }) },
);
const value = fc.oneof(
  { weight: 6, arbitrary: word },
  { weight: 2, arbitrary: fc.array(word, { minLength: 2, maxLength: 4 }).map((words) => words.join(" ")) },
  { weight: 1, arbitrary: fc.array(word, { minLength: 2, maxLength: 3 }).map((words) => words.join("\t ")) },
  { weight: 1, arbitrary: fc.constant("") },
  { weight: 1, arbitrary: characters(VISIBLE, { minLength: 500, maxLength: 3_000 }) },
);
const space = fc.oneof({ weight: 8, arbitrary: fc.constant(" ") }, { weight: 1, arbitrary: fc.constantFrom("", "\t", "  \t") });
const line = fc
  .tuple(name, space, value, fc.oneof({ weight: 8, arbitrary: fc.constant("") }, { weight: 1, arbitrary: fc.constantFrom(" ", "\t ") }))
  .map(([fieldName, before, fieldValue, behind]) => `${fieldName}:${before}${fieldValue}${behind}`);
const lines = fc.oneof(
  { weight: 9, arbitrary: fc.array(line, { maxLength: 8 }) },
  { weight: 1, arbitrary: fc.array(line, { maxLength: 60 }) },
);

/** Fields of one connection, and one that they name. */
const connectionLines = fc.constantFrom<readonly string[]>(
  [],
  [],
  [],
  [],
  [],
  ["Connection: keep-alive", "Keep-Alive: timeout=60"],
  ["Connection: close"],
  ["Connection: X-Hop, keep-alive", "X-Hop: 1"],
  ["x-hop: 2", "connection: keep-alive", "Connection:x-hop,content-length"],
);

/** Each of `more` somewhere among `all`. */
function among(all: readonly string[], more: readonly string[], seed: number): readonly string[] {
  const found = [...all];
  more.forEach((one, index) => {
    found.splice((seed >> (index * 4)) % (found.length + 1), 0, one);
  });
  return found;
}

const segment = fc.oneof(
  { weight: 6, arbitrary: characters(`${LETTERS}0123456789-._~`, { minLength: 1, maxLength: 8 }).map((text) => `x${text}`) },
  { weight: 1, arbitrary: fc.constantFrom("a%2Fb", "%zz", "%", "a:b", "a;b=c", "(a)", "a,b", "a+b", "@a", "a=b", "a&b", "$!*'") },
  { weight: 1, arbitrary: fc.constantFrom("", ".", "..", "{a}", "a|b", "^", "a\\b", '"', "<a>", "`", "caf\xc3\xa9", "\xff") },
);
const query = fc.oneof(
  { weight: 3, arbitrary: fc.constant("") },
  { weight: 2, arbitrary: characters(`${LETTERS}0123456789-._~%+&=/?:@!$'()*,;`, { maxLength: 20 }).map((text) => `?q=${text}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom("?", "?q={a}", "?q=|", "?q='", '?q="', "?q=[1]", "?q=\\", "?q=\xe4", "?q=a b".replace(" ", "%20")),
  },
);
const target = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), query)
  .map(([segments, text]) => `/v1/${segments.join("/")}${text}`);

/** The bodies of both directions: framing field and framed bytes. */
type FramedBody = { readonly line: string | undefined; readonly body: string };

const content = fc.oneof(
  { weight: 6, arbitrary: characters(BYTES, { maxLength: 200 }) },
  { weight: 1, arbitrary: characters("\r\n0123456789abcdef:;", { maxLength: 60 }) },
  { weight: 1, arbitrary: fc.nat(120_000).map((size) => "0123456789abcde\n".repeat(size / 16 + 1).slice(0, size)) },
);
const lengthBody: fc.Arbitrary<FramedBody> = content.map((body) => ({ line: `Content-Length: ${body.length}`, body }));

const extension = fc.oneof(
  { weight: 5, arbitrary: fc.constant("") },
  { weight: 1, arbitrary: fc.constantFrom(";a", ";a=b", ';a="b;c\\"d"', ";a;b=c") },
);
const size = (bytes: number) => fc.constantFrom(bytes.toString(16), bytes.toString(16).toUpperCase(), `00${bytes.toString(16)}`);
const chunk = fc
  .tuple(
    content.filter(({ length }) => length > 0),
    extension,
  )
  .chain(([text, more]) => size(text.length).map((digits) => `${digits}${more}\r\n${text}\r\n`));
const trailers = fc.oneof(
  { weight: 4, arbitrary: fc.constant<readonly string[]>([]) },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.tuple(fc.constantFrom("X-Sum", "x-sum", "X-B"), value), { minLength: 1, maxLength: 3 })
      .map((all) => all.map(([n, v]) => `${n}: ${v}`)),
  },
);
const chunkedBody: fc.Arbitrary<FramedBody> = fc
  .tuple(fc.array(chunk, { maxLength: 5 }), fc.constantFrom("0", "0", "0", "000"), extension, trailers)
  .map(([chunks, last, more, section]) => ({
    line: "Transfer-Encoding: chunked",
    body: `${chunks.join("")}${last}${more}\r\n${section.map((one) => `${one}\r\n`).join("")}\r\n`,
  }));

const request: fc.Arbitrary<SentMessage> = fc
  .tuple(
    fc.constantFrom("GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"),
    target,
    lines,
    connectionLines,
    fc.oneof(
      { weight: 2, arbitrary: fc.constant({ line: undefined, body: "" }) },
      { weight: 3, arbitrary: lengthBody },
      { weight: 2, arbitrary: chunkedBody },
    ),
    fc.nat(),
    fc.constantFrom("", "", "", "", "http://other.localhost", "HTTPS://other.localhost:1"),
  )
  // A last request whose body nobody reads may lose its answer to the end of the connection.
  .filter(
    ([method, , , connection, { body }]) =>
      !((method === "GET" || method === "HEAD") && body !== "" && connection.includes("Connection: close")),
  )
  .map(([method, path, fields, connection, { line: framing, body }, seed, absolute]) => ({
    startLine: `${method} ${absolute}${path} HTTP/1.1`,
    lines: among(fields, ["Host: client.localhost", ...connection, ...(framing === undefined ? [] : [framing])], seed),
    body,
  }));

const reason = fc.oneof(
  { weight: 4, arbitrary: fc.constant(" OK") },
  { weight: 1, arbitrary: fc.constantFrom(" ", "", ' Odd: "reason"\t!', " \xdcbel \xff") },
  { weight: 1, arbitrary: characters(`${VISIBLE} `, { minLength: 1, maxLength: 20 }).map((text) => ` ${text.trim()}`) },
);
const status = fc.oneof(
  { weight: 6, arbitrary: fc.constant(200) },
  { weight: 3, arbitrary: fc.constantFrom(201, 203, 206, 299, 302, 307, 400, 401, 404, 413, 418, 429, 500, 502, 503, 529, 599) },
  { weight: 1, arbitrary: fc.constantFrom(204, 304) },
  { weight: 1, arbitrary: fc.constantFrom(600, 999) },
);
const interim: fc.Arbitrary<SentMessage> = fc
  .tuple(fc.constantFrom(102, 103, 199), reason, fc.array(line, { maxLength: 2 }))
  .map(([code, text, fields]) => ({ startLine: `HTTP/1.1 ${code}${text}`, lines: fields, body: "" }));

function answerTo(method: string): fc.Arbitrary<Pick<Exchange, "answer" | "interims" | "untilClose">> {
  const framed = fc.oneof(
    { weight: 4, arbitrary: lengthBody.map((body) => ({ ...body, untilClose: false })) },
    { weight: 4, arbitrary: chunkedBody.map((body) => ({ ...body, untilClose: false })) },
    { weight: 1, arbitrary: content.map((body) => ({ line: undefined, body, untilClose: true })) },
  );
  return fc
    .tuple(
      status,
      reason,
      lines,
      connectionLines,
      framed,
      fc.nat(),
      fc.oneof({ weight: 6, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(interim, { minLength: 1, maxLength: 3 }) }),
      fc.constantFrom("1.1", "1.1", "1.1", "1.0"),
    )
    .map(([code, text, fields, connection, { line: framing, body, untilClose }, seed, interims, version]) => {
      const isEmpty = method === "HEAD" || code === 204 || code === 304;
      const isChunked = framing?.startsWith("Transfer") ?? false;
      // Chunks without a body are a matter of their own.
      const framingLines = framing === undefined || (isEmpty && (isChunked || code === 204)) ? [] : [framing];
      return {
        interims,
        answer: {
          startLine: `HTTP/${isChunked ? "1.1" : version} ${code}${text}`,
          lines: among(fields, [...(version === "1.1" || isChunked ? connection : []), ...framingLines], seed),
          body: isEmpty ? "" : body,
        },
        untilClose: untilClose && !isEmpty,
      };
    });
}

const cuts = fc.array(fc.nat(4_000), { maxLength: 4 });

export const anyExchange: fc.Arbitrary<Exchange> = request.chain((sent) =>
  fc
    .tuple(answerTo(methodOf(sent)), cuts, cuts)
    .map(([answered, requestCuts, answerCuts]) => ({ request: sent, ...answered, requestCuts, answerCuts })),
);
