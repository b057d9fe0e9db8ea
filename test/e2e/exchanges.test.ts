import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { type Arrived, startRawTarget } from "./support/raw-target.ts";
import { openClient, type WireEnd } from "./support/wire-end.ts";

/** Of tests that wait for connections to stand still. */
const SLOW_MS_MAX = 20_000;

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

let target: Awaited<ReturnType<typeof startRawTarget>>;
let daemon: TestDaemon;
let answer: (arrived: Arrived) => unknown;
let clients: WireEnd[] = [];

beforeAll(async () => {
  target = await startRawTarget((arrived) => answer(arrived));
  daemon = await startTestDaemon({ engine: "wire", args: ["--upstream", `openai=${target.url}`] });
});
afterEach(async () => {
  for (const client of clients) client.socket.destroy();
  clients = [];
});
afterAll(async () => {
  await daemon.stop();
  target.stop();
});

/** Where a text says `{host}`, it means the target's own host and port: what a client would send there. */
const meant = (text: string) => text.replaceAll("{host}", target.authority);

function client(text = ""): WireEnd {
  const opened = openClient(daemon.port, meant(text));
  clients.push(opened);
  return opened;
}

/** Answers every request with these bytes when it is complete. */
function answering(text: string): void {
  answer = ({ complete, connection }) => void complete.then(() => connection.write(text));
}

/** The next request that reaches the target; it answers by itself what it answers. */
async function nextArrival(from: number): Promise<Arrived> {
  return eventually(() => target.arrivals[from], "a request at the target");
}

/** Exactly this, and not a byte more by the time it has come. */
async function expectExactly(end: WireEnd, text: string): Promise<void> {
  await end.has(text.length);
  expect(end.text()).toBe(text);
}

/** Sends a request and gives it as the target got it. */
async function seenOf(request: string): Promise<string> {
  answering(OK);
  const before = target.arrivals.length;
  await expectExactly(client(request), OK);
  const arrived = target.arrivals[before];
  return `${arrived?.head}${arrived?.body()}`;
}

/** A request is answered with `reply`, and the client gets `got`; after that its connection is good for another request. */
async function expectAnswer(request: string, reply: string, got: string): Promise<void> {
  answering(reply);
  const asked = client(request);
  await expectExactly(asked, got);
  answering(OK);
  asked.write(meant(GET));
  await expectExactly(asked, got + OK);
}

/** The same, where the end of the target's connection is the end of the answer. */
async function expectLastAnswer(request: string, reply: string, got: string): Promise<void> {
  answer = ({ complete, connection }) =>
    void complete.then(() => {
      connection.write(reply);
      connection.fin();
    });
  const asked = client(request);
  expect(await asked.ended).toBe("fin");
  expect(asked.text()).toBe(got);
}

const GET = "GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n";
const get = (fields: string) => `GET /v1/models HTTP/1.1\r\nHost: {host}\r\n${fields}\r\n`;
const post = (fields: string, body = "") => `POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n${fields}\r\n${body}`;
const line = (requestLine: string) => `${requestLine}\r\nHost: {host}\r\n\r\n`;
const ok = (fields: string, body = "") => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;

describe("requests reach the target byte for byte", () => {
  test.each([
    ["names as spelled, in order", get("x-A: 1\r\nX-b: 2\r\nACCEPT: */*\r\nUser-agent: me\r\nx-a: 3\r\n")],
    ["duplicates in their places", get("Accept: a\r\nX-B: 1\r\nAccept: b\r\nX-B: 1\r\naccept: c\r\n")],
    ["cookies that are not joined", get("Cookie: a=1\r\nCookie: b=2\r\n")],
    ["every character that a name may have", get("!#$%&'*+-.^_`|~09AZaz: 1\r\n")],
    ["Host in the middle", "GET /v1/models HTTP/1.1\r\nX-A: 1\r\nhOsT: {host}\r\nX-B: 2\r\n\r\n"],
    ["empty values", get("X-A: \r\nX-B: \r\n")],
    ["white space in values and round them", get("X-A: a  b\tc\r\nX-B:d\r\nX-C:\t e \t\r\nX-D:\r\n")],
    ["colons, commas and quotation marks in values", get('X-A: :a:, "b\\"c",,;=\r\n')],
    ["bytes above 7f in values", get("X-A: \x80\xa0\xe4\xff\r\nX-B: caf\xc3\xa9 \xf0\x9f\x99\x82\r\n")],
    ["a long value", get(`X-A: ${"b".repeat(30_000)}\r\n`)],
    ["two hundred fields", get(Array.from({ length: 200 }, (_, index) => `X-${index}: ${index}\r\n`).join(""))],
    ["names that resemble framing", get("Content_Length: 9\r\nTransfer-Encodin: chunked\r\nX-Content-Length: 5\r\n")],
    ["codings and caching", get('Accept-Encoding: gzip, br\r\nIf-None-Match: "a"\r\nRange: bytes=0-\r\nVia: 1.1 me\r\n')],
    ["a method that nobody knows", line("M-SEARCH!x /v1/models HTTP/1.1")],
    ["a method in small letters", line("get /v1/models HTTP/1.1")],
    ["dot segments", line("GET /v1/./a/../b/..//../c HTTP/1.1")],
    ["several slashes", line("GET //v1///models/ HTTP/1.1")],
    ["percent signs of every kind", line("GET /v1/a%2Fb%2fc%20d%zz%%2/%C3%A9%00%0d%0a?x=%3D&y=%2B HTTP/1.1")],
    ["braces, bars, carets and backslashes", line("GET /v1/{a}|b^c\\d\\..\\e`f?{g}|h^i\\j`k HTTP/1.1")],
    ["quotation marks and angle brackets", line("GET /v1/\"a\"'b'<c>?\"d\"'e'<f> HTTP/1.1")],
    ["bytes above 7f", line("GET /v1/caf\xc3\xa9/\x80\xff?q=\xe4\xa0 HTTP/1.1")],
    ["queries of all kinds", line("GET /v1/models?a&b=&=c&&d=1?2/3:4;5,6@7![8]*9+0$~ HTTP/1.1")],
    ["an empty query", line("GET /v1/models? HTTP/1.1")],
    ["the root", line("GET / HTTP/1.1")],
    ["a long target", line(`GET /v1/${"a".repeat(20_000)} HTTP/1.1`)],
    ["a POST without a body and without a length", post("")],
    ["a length of 0", post("Content-Length: 0\r\n")],
    ["a body with a length", post("Content-Length: 5\r\nX-Behind: 1\r\n", "hello")],
    ["a body of all bytes", post("Content-Length: 256\r\n", String.fromCharCode(...Array(256).keys()))],
    ["a body that looks like a request", post("Content-Length: 18\r\n", "GET / HTTP/1.1\r\n\r\n")],
    ["zeros before a length", post("Content-Length: 0000000005\r\n", "hello")],
    ["a GET with a body", "GET /v1/models HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello"],
    ["a GET with chunks", "GET /v1/models HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
    ["a DELETE with a body", "DELETE /v1/files/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{}"],
    ["no chunk but the last", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")],
    ["chunks in their borders", post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n2\r\nbc\r\n3\r\n\r\n!\r\n0\r\n\r\n")],
    ["sizes with zeros and capitals", post("Transfer-Encoding: chunked\r\n", `000B\r\nhello world\r\nb\r\nhello again\r\n000\r\n\r\n`)],
    ["chunk extensions", post("Transfer-Encoding: chunked\r\n", '5;a;b=c;d="e; \\"f\\"\t\xe4"\r\nhello\r\n0;last=1\r\n\r\n')],
    ["trailers", post("Trailer: X-Sum, X-A\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nX-Sum:1\r\nx-a: \xe4\r\nX-A:\r\n\r\n")],
  ])("%s", async (_what, request) => {
    expect(await seenOf(request)).toBe(meant(request));
  });

  test.each([1, 2, 3, 7, 16, 40])("also in pieces of %d bytes", async (bytes) => {
    const text = meant(
      post("X-A: \xe4\r\nTransfer-Encoding: chunked\r\n", "5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-B: c\r\n\r\n"),
    );
    answering(OK);
    const before = target.arrivals.length;
    const asked = client();
    for (let at = 0; at < text.length; at += bytes) {
      asked.write(text.slice(at, at + bytes));
      await new Promise(setImmediate);
    }
    await expectExactly(asked, OK);
    expect(`${target.arrivals[before]?.head}${target.arrivals[before]?.body()}`).toBe(text);
  });
});

describe("what changes in a request is what belongs to the connection", () => {
  test.each([
    ["the client's Host becomes the target's", get("").replace("{host}", "localhost:8888"), get("")],
    ["a Host without a value", "GET /v1/models HTTP/1.1\r\nHost:\r\n\r\n", GET],
    ["empty lines before it", `\r\n\r\n${GET}`, GET],
    [
      "absolute-form",
      "GET http://nowhere.localhost:1/v1/models?x=//y HTTP/1.1\r\nHost: nowhere.localhost:1\r\n\r\n",
      "GET /v1/models?x=//y HTTP/1.1\r\nHost: {host}\r\n\r\n",
    ],
    [
      "absolute-form of https, without a path",
      "GET HTTPS://nowhere.LOCALHOST?x HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET /?x HTTP/1.1\r\nHost: {host}\r\n\r\n",
    ],
    ["asterisk-form stays", line("OPTIONS * HTTP/1.1"), line("OPTIONS * HTTP/1.1")],
    [
      "fields of one connection",
      get(
        "X-A: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nProxy-Authorization: Basic eA==\r\nX-B: 2\r\n",
      ),
      get("X-A: 1\r\nX-B: 2\r\n"),
    ],
    [
      "Connection, and what it names",
      get("X-A: 1\r\nConnection: x-a, ,X-Hop\r\nx-hop: 1\r\nX-HOP: 2\r\nX-B: 2\r\nconnection: x-b\r\nX-C: 3\r\n"),
      get("X-C: 3\r\n"),
    ],
    [
      "Connection may not name what frames and routes",
      post("Connection: content-length, host, transfer-encoding\r\nContent-Length: 2\r\n", "{}"),
      post("Content-Length: 2\r\n", "{}"),
    ],
    [
      "nor chunked",
      post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
      post("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n"),
    ],
    [
      "Transfer-Encoding comes last, as it is usually spelled",
      post("transfer-encoding: Chunked\r\nX-A: b\r\n", "0\r\n\r\n"),
      post("X-A: b\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ],
    [
      "other protocols than WebSocket are not asked for",
      get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nX-A: b\r\n"),
      get("X-A: b\r\n"),
    ],
    ["nor several at once", get("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"), GET],
    ["and none that Connection does not name", get("Connection: keep-alive\r\nUpgrade: websocket\r\n"), GET],
  ])("%s", async (_what, request, seen) => {
    expect(await seenOf(request)).toBe(meant(seen));
  });
});

describe("answers reach the client byte for byte", () => {
  const chunked = (body: string) => ok("Transfer-Encoding: chunked\r\n", body);
  test.each([
    ["an odd reason", 'HTTP/1.1 200 Whatever: {"a"}\tb  c\r\nContent-Length: 0\r\n\r\n'],
    ["an empty reason", "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n"],
    ["bytes above 7f in the reason", "HTTP/1.1 500 \xdcbel\x80\xff\r\nContent-Length: 0\r\n\r\n"],
    ["a reason that belongs to another status", "HTTP/1.1 503 OK\r\nContent-Length: 0\r\n\r\n"],
    ["status 299", "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\n{}"],
    ["status 529", "HTTP/1.1 529 Site is overloaded\r\nContent-Length: 2\r\n\r\n{}"],
    ["status 600", "HTTP/1.1 600 x\r\nContent-Length: 2\r\n\r\n{}"],
    ["status 999", "HTTP/1.1 999 Request denied\r\nContent-Length: 2\r\n\r\n{}"],
    ["a redirect", "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"],
    ["205 with a length", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"],
    [
      "names as spelled, in order, with duplicates",
      ok("x-A: 1\r\nSET-COOKIE: a\r\nX-a: 2\r\nset-cookie: b\r\nContent-Length: 0\r\nServer: me\r\nDate: never\r\n"),
    ],
    ["bytes above 7f and white space in values", ok("X-A: \x80\xa0 \t\xff\r\nX-B: \r\nX-C:c\r\nX-D:\t d \r\nContent-Length: 0\r\n")],
    ["two hundred fields", ok(`${Array.from({ length: 200 }, (_, index) => `X-${index}: ${index}\r\n`).join("")}Content-Length: 0\r\n`)],
    ["a body with a length", ok("Content-Length: 5\r\nX-A: b\r\n", "hello")],
    ["a body of all bytes", ok("Content-Length: 256\r\n", String.fromCharCode(...Array(256).keys()))],
    ["a body that looks like an answer", ok(`Content-Length: ${OK.length}\r\n`, OK)],
    ["zeros before a length", ok("Content-Length: 0000000005\r\n", "hello")],
    ["chunks in their borders", chunked("1\r\na\r\n2\r\nbc\r\n3\r\n\r\n!\r\n0\r\n\r\n")],
    ["no chunk but the last", chunked("0\r\n\r\n")],
    ["sizes with zeros and capitals, and extensions", chunked('000B;a\r\nhello world\r\n0b;b="c"\r\nhello again\r\n00;d=e\r\n\r\n')],
    ["trailers", ok("Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nX-Sum:1\r\nx-sum: \xe4 \r\n\r\n")],
    ["204", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n"],
    ["204 with a length", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"],
    ["304 with a length", 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\nContent-Length: 1234\r\n\r\n'],
    [
      "103 before it",
      "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nlink: </b>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
    [
      "several interim answers before it",
      `HTTP/1.1 100 \r\n\r\nHTTP/1.1 102 Processing\r\nX-A: 1\r\n\r\nHTTP/1.1 103 Early \xe4\r\n\r\nHTTP/1.1 199 x\r\n\r\n${OK}`,
    ],
    ["an interim answer before a 204", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"],
  ])("%s", async (_what, reply) => {
    await expectAnswer(GET, reply, reply);
  });

  test.each([["HTTP/1.1 200 OK\r\nX-A: b\r\nConnection: close\r\n\r\nhello"], ["HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]])(
    "what ends with the connection ends with it: %j",
    async (reply) => {
      await expectLastAnswer(GET, reply, reply);
    },
  );

  test.each([
    ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nX-A: b\r\n\r\n"],
    ["neither length nor chunks", "HTTP/1.1 200 OK\r\nX-A: b\r\n\r\n"],
    ["204", "HTTP/1.1 204 No Content\r\n\r\n"],
    ["an error", "HTTP/1.1 404 Not Found\r\nContent-Length: 99\r\n\r\n"],
  ])("HEAD: the head of an answer with %s, and the connection goes on", async (_what, reply) => {
    await expectAnswer(GET.replace("GET", "HEAD"), reply, reply);
  });

  test.each([1, 2, 3, 7, 16, 40])("also in pieces of %d bytes", async (bytes) => {
    const reply = `HTTP/1.1 103 Early Hints\r\nX-A: \xe4\r\n\r\nHTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-B: c\r\n\r\n`;
    answer = async ({ connection }) => {
      for (let at = 0; at < reply.length; at += bytes) {
        connection.write(reply.slice(at, at + bytes));
        await new Promise(setImmediate);
      }
    };
    await expectExactly(client(GET), reply);
  });

  test("a body that a target sends in spite of HEAD is nobody's", async () => {
    await expectAnswer(GET.replace("GET", "HEAD"), ok("Content-Length: 5\r\n", "hello"), ok("Content-Length: 5\r\n"));
  });
});

describe("what changes in an answer is what belongs to the connection", () => {
  test.each([
    ["a reason that is absent gets its space", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n"],
    ["HTTP/1.0 becomes HTTP/1.1", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", OK],
    [
      "fields of one connection",
      ok(
        "Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-A: b\r\nContent-Length: 0\r\n",
      ),
      ok("X-A: b\r\nContent-Length: 0\r\n"),
    ],
    ["Connection may not name the length", ok("Connection: close, content-length\r\nContent-Length: 2\r\n", "{}"), OK],
    [
      "Transfer-Encoding comes last, as it is usually spelled",
      ok("TRANSFER-ENCODING: Chunked\r\nX-A: b\r\n", "0\r\n\r\n"),
      ok("X-A: b\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ],
    [
      "a target that closes after a length does not close the client's connection",
      ok("Connection: close\r\nContent-Length: 2\r\n", "{}"),
      OK,
    ],
  ])("%s", async (_what, reply, got) => {
    await expectAnswer(GET, reply, got);
  });
});

describe("Expect: 100-continue", () => {
  const expecting = post("Expect: 100-continue\r\nContent-Length: 5\r\n");

  test("the target gets it, and the client waits for the target's word", async () => {
    answer = async ({ connection, complete }) => {
      await Bun.sleep(100);
      connection.write("HTTP/1.1 100 Go on\r\nX-A: b\r\n\r\n");
      await complete;
      connection.write(OK);
    };
    const before = target.arrivals.length;
    const asked = client(expecting);
    const arrived = await nextArrival(before);
    expect(arrived.head).toBe(meant(expecting));
    await Bun.sleep(30);
    expect(asked.text()).toBe("");
    await asked.has("HTTP/1.1 100 Go on\r\nX-A: b\r\n\r\n");
    asked.write("hello");
    await asked.has(OK);
    expect(arrived.body()).toBe("hello");
    answering(OK);
    asked.write(meant(GET));
    await expectExactly(asked, `HTTP/1.1 100 Go on\r\nX-A: b\r\n\r\n${OK}${OK}`);
  });

  test.each([
    ["417", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n"],
    ["413", "HTTP/1.1 413 Content Too Large\r\nX-A: b\r\nContent-Length: 0\r\n"],
    ["200", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"],
  ])("a final %s without a 100 reaches the client, and its connection ends: nobody knows whether the body comes", async (_status, head) => {
    answer = ({ connection }) => connection.write(`${head}\r\n`);
    const before = target.arrivals.length;
    const asked = client(expecting);
    expect(await asked.ended).toBe("fin");
    expect(asked.text()).toBe(`${head}Connection: close\r\n\r\n`);
    const arrived = await nextArrival(before);
    await arrived.connection.ended;
    expect(arrived.body()).toBe("");
  });

  test.each([
    ["with the head", 0],
    ["at once, in a write of its own", 1],
    ["when the target has not said anything for some time", 150],
  ])("a client that sends the body %s need not be told to", async (_when, waitMs) => {
    answering(OK);
    const before = target.arrivals.length;
    const asked = client(waitMs === 0 ? `${expecting}hello` : expecting);
    if (waitMs > 0) {
      await Bun.sleep(waitMs);
      asked.write("hello");
    }
    await expectExactly(asked, OK);
    expect(target.arrivals[before]?.body()).toBe("hello");
  });

  test("chunks too", async () => {
    answer = ({ connection, complete }) => {
      connection.write("HTTP/1.1 100 Continue\r\n\r\n");
      void complete.then(() => connection.write(OK));
    };
    const before = target.arrivals.length;
    const head = post("Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n");
    const asked = client(head);
    await asked.has("HTTP/1.1 100 Continue\r\n\r\n");
    asked.write("5;a\r\nhello\r\n0\r\nX-A: b\r\n\r\n");
    await expectExactly(asked, `HTTP/1.1 100 Continue\r\n\r\n${OK}`);
    expect(target.arrivals[before]?.head).toBe(meant(head));
    expect(target.arrivals[before]?.body()).toBe("5;a\r\nhello\r\n0\r\nX-A: b\r\n\r\n");
  });

  test("where a rule reads the body, the proxy says 100 itself and does not ask the target", async () => {
    await daemon.command("r * model=no-such-model");
    answering(OK);
    const before = target.arrivals.length;
    const asked = client(expecting);
    await asked.has("HTTP/1.1 100 Continue\r\n\r\n");
    expect(target.arrivals.length).toBe(before);
    asked.write("hello");
    await expectExactly(asked, `HTTP/1.1 100 Continue\r\n\r\n${OK}`);
    await daemon.command("n");
    expect(target.arrivals[before]?.head).toBe(meant(post("Content-Length: 5\r\n")));
    expect(target.arrivals[before]?.body()).toBe("hello");
  });

  test("of HTTP/1.0 is ignored, and no interim answer is passed on to it", async () => {
    answer = ({ connection, complete }) => {
      connection.write("HTTP/1.1 103 Early Hints\r\n\r\n");
      void complete.then(() => connection.write(OK));
    };
    const before = target.arrivals.length;
    const asked = client("POST /v1/x HTTP/1.0\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    const arrived = await nextArrival(before);
    expect(arrived.head).toBe(meant("POST /v1/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\n"));
    asked.write("hello");
    expect(await asked.ended).toBe("fin");
    expect(asked.text()).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
  });

  test("an expectation of another kind is the target's to judge", async () => {
    expect(await seenOf(post("Expect: tea\r\nContent-Length: 2\r\n", "{}"))).toBe(
      meant(post("Expect: tea\r\nContent-Length: 2\r\n", "{}")),
    );
  });
});

describe("connections", () => {
  test("1000 requests go over one connection, and over one to the target", async () => {
    answering(OK);
    await expectExactly(client(GET), OK);
    const connections = target.connections.length;
    const asked = client();
    const before = target.arrivals.length;
    for (let done = 1; done <= 1_000; done++) {
      asked.write(meant(done % 3 === 0 ? post("Content-Length: 2\r\n", "{}") : GET));
      await asked.has(done * OK.length);
    }
    expect(asked.text()).toBe(OK.repeat(1_000));
    expect(target.arrivals.length - before).toBe(1_000);
    expect(target.connections.length - connections).toBeLessThan(2);
  });

  /** Answers with the target, so that an answer in the wrong place is seen. */
  const echoing = () => {
    answer = ({ startLine, connection, complete }) =>
      void complete.then(({ payload }) => {
        const body = `${startLine.split(" ")[1]} ${payload}`;
        connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      });
  };
  const echoed = (body: string) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  /** Requests of every framing, and the answers to them. */
  const several = (count: number) => {
    const requests: string[] = [];
    const answers: string[] = [];
    for (let index = 0; index < count; index++) {
      const head = (method: string, fields = "") => meant(`${method} /v1/${index} HTTP/1.1\r\nHost: {host}\r\n${fields}\r\n`);
      const body = "b".repeat((index * 37) % 200);
      switch (index % 4) {
        case 0:
          requests.push(head("GET"));
          answers.push(echoed(`/v1/${index} `));
          break;
        case 1:
          requests.push(head("POST", `Content-Length: ${body.length}\r\n`) + body);
          answers.push(echoed(`/v1/${index} ${body}`));
          break;
        case 2:
          requests.push(`${head("POST", "Transfer-Encoding: chunked\r\n")}1\r\na\r\n2;x\r\nbc\r\n0\r\n\r\n`);
          answers.push(echoed(`/v1/${index} abc`));
          break;
        case 3:
          requests.push(`\r\n${head("DELETE", "Content-Length: 0\r\n")}`);
          answers.push(echoed(`/v1/${index} `));
      }
    }
    return { sent: requests.join(""), got: answers.join("") };
  };

  test.each([2, 3, 8, 50])("%d pipelined requests are answered in order", async (count) => {
    echoing();
    const { sent, got } = several(count);
    await expectExactly(client(sent), got);
  });

  test("pipelined requests in pieces of any size", async () => {
    echoing();
    const { sent, got } = several(12);
    for (let run = 0; run < 12; run++) {
      const asked = client();
      for (let at = 0; at < sent.length; ) {
        const bytes = 1 + ((run * 131 + at * 17) % (run < 4 ? 9 : 400));
        asked.write(sent.slice(at, at + bytes));
        at += bytes;
        await new Promise(setImmediate);
      }
      await expectExactly(asked, got);
    }
  });

  test("pipelined requests of more bytes than are kept wait in the client", async () => {
    echoing();
    const body = "c".repeat(50_000);
    const request = meant(post(`Content-Length: ${body.length}\r\n`, body));
    await expectExactly(client(request.repeat(20)), echoed(`/v1/chat/completions ${body}`).repeat(20));
  });

  test("a pipelined request is not sent to the target before the one before it is answered", async () => {
    const released = Promise.withResolvers<void>();
    answer = ({ connection }) => void released.promise.then(() => connection.write(OK));
    const before = target.arrivals.length;
    const asked = client(GET + GET);
    await nextArrival(before);
    await Bun.sleep(50);
    expect(target.arrivals.length - before).toBe(1);
    released.resolve();
    await expectExactly(asked, OK + OK);
  });

  test.each([
    ["HTTP/1.1 stays open", "HTTP/1.1", "", "", false],
    ["HTTP/1.1 with close", "HTTP/1.1", "Connection: close\r\n", "Connection: close\r\n", true],
    ["HTTP/1.1 with close among others", "HTTP/1.1", "Connection: x-a, CLOSE\r\n", "Connection: close\r\n", true],
    ["HTTP/1.1 with close and keep-alive", "HTTP/1.1", "Connection: keep-alive, close\r\n", "Connection: close\r\n", true],
    ["HTTP/1.0", "HTTP/1.0", "", "Connection: close\r\n", true],
    ["HTTP/1.0 with keep-alive", "HTTP/1.0", "Connection: Keep-Alive\r\n", "Connection: keep-alive\r\n", false],
    ["HTTP/1.0 with keep-alive and close", "HTTP/1.0", "Connection: keep-alive\r\nConnection: close\r\n", "Connection: close\r\n", true],
  ])("%s", async (_what, version, fields, line, closes) => {
    answering(OK);
    const asked = client(`GET /v1/models ${version}\r\nHost: {host}\r\n${fields}\r\n`);
    const got = `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${line}\r\n{}`;
    await expectExactly(asked, got);
    if (closes) expect(await asked.ended).toBe("fin");
    else {
      asked.write(meant(GET));
      await expectExactly(asked, got + OK);
    }
  });

  test("a request behind one that says close is not performed", async () => {
    answering(OK);
    const before = target.arrivals.length;
    const asked = client(get("Connection: close\r\n") + post("Content-Length: 2\r\n", "{}"));
    expect(await asked.ended).toBe("fin");
    expect(asked.text()).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    expect(target.arrivals.length - before).toBe(1);
  });

  test("HTTP/1.0 gets chunks without their framing, and the end of the connection as their end", async () => {
    answering(ok("Transfer-Encoding: chunked\r\nX-A: b\r\n", "5;a\r\nhello\r\n1\r\n!\r\n0\r\nX-B: c\r\n\r\n"));
    const asked = client("GET /v1/models HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(await asked.ended).toBe("fin");
    expect(asked.text()).toBe("HTTP/1.1 200 OK\r\nX-A: b\r\nConnection: close\r\n\r\nhello!");
  });

  test("what ends with the target's connection is told to end with the client's", async () => {
    for (const reply of ["HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello", "HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nhello"])
      await expectLastAnswer(GET, reply, "HTTP/1.1 200 OK\r\nX-A: b\r\nConnection: close\r\n\r\nhello");
  });

  test.each([
    ["says close", ok("Connection: close\r\nContent-Length: 2\r\n", "{}")],
    ["speaks HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"],
    ["sends more than it said", ok("Content-Length: 2\r\n", "{}!")],
    ["sends an answer that nobody asked for behind its own", OK + OK],
    ["sends a body behind a 204", "HTTP/1.1 204 No Content\r\n\r\n{}"],
    ["sends a body behind a 304", "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n{}"],
  ])("the connection of a target that %s is not used again", async (_what, reply) => {
    answering(reply);
    const before = target.arrivals.length;
    const asked = client(GET);
    await asked.has((text) => text.includes("\r\n\r\n"));
    const used = await nextArrival(before);
    await used.connection.ended;
    const length = asked.bytesReceived();
    answering(OK);
    asked.write(meant(GET));
    await asked.has(length + OK.length);
    expect(asked.text().slice(length)).toBe(OK);
    expect(asked.text()).not.toContain("!");
    expect((await nextArrival(before + 1)).connection).not.toBe(used.connection);
  });

  test("bytes that a kept target sends unasked are nobody's answer", async () => {
    answering(OK);
    const before = target.arrivals.length;
    const asked = client(GET);
    await asked.has(OK);
    const used = await nextArrival(before);
    used.connection.write("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled");
    await used.connection.ended;
    asked.write(meant(GET));
    await expectExactly(asked, OK + OK);
  });
});

describe("bodies of every size, both ways", () => {
  const sizes = [0, 1, 2, 65_535, 65_536, 65_537, 5 * 1024 * 1024];
  const bodyOf = (size: number) => "0123456789abcde\n".repeat(Math.ceil(size / 16)).slice(0, size);
  const chunks = (body: string, size: number) =>
    `${(body.match(new RegExp(`[^]{1,${size}}`, "g")) ?? []).map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`;

  test.each(sizes)("%d bytes with a length", async (size) => {
    const body = bodyOf(size);
    const reply = ok(`Content-Length: ${size}\r\n`, body);
    answering(reply);
    const before = target.arrivals.length;
    const asked = client(post(`Content-Length: ${size}\r\n`, body));
    await asked.has(reply.length);
    expect(asked.text() === reply).toBe(true);
    expect(target.arrivals[before]?.body() === body).toBe(true);
  });

  test.each(sizes)("%d bytes in chunks", async (size) => {
    const body = chunks(bodyOf(size), 40_000);
    const reply = ok("Transfer-Encoding: chunked\r\n", body);
    answering(reply);
    const before = target.arrivals.length;
    const asked = client(post("Transfer-Encoding: chunked\r\n", body));
    await asked.has(reply.length);
    expect(asked.text() === reply).toBe(true);
    expect(target.arrivals[before]?.body() === body).toBe(true);
  });

  test.each(sizes)("%d bytes until the connection ends", async (size) => {
    const reply = ok("Connection: close\r\n", bodyOf(size));
    answer = ({ connection }) => {
      connection.write(reply);
      connection.fin();
    };
    const asked = client(GET);
    expect(await asked.ended).toBe("fin");
    expect(asked.text() === reply).toBe(true);
  });

  test.each([
    ["a length", (body: string) => post(`Content-Length: ${body.length}\r\n`, body), (body: string) => body],
    ["chunks", (body: string) => post("Transfer-Encoding: chunked\r\n", chunks(body, 1_000)), (body: string) => chunks(body, 1_000)],
  ])("a body with %s that a rule has read goes on as it came", async (_framing, requestOf, seenBody) => {
    await daemon.command("r * model=no-such-model");
    for (const size of [0, 1, 65_537, 3_000_000]) {
      answering(OK);
      const before = target.arrivals.length;
      await expectExactly(client(requestOf(bodyOf(size))), OK);
      const arrived = target.arrivals[before];
      expect(`${arrived?.head}${arrived?.body()}` === meant(requestOf(bodyOf(size)))).toBe(true);
      expect(arrived?.body() === seenBody(bodyOf(size))).toBe(true);
    }
    await daemon.command("n");
  });
});

describe("everything goes on at once", () => {
  test.each([
    ["chunks", "Transfer-Encoding: chunked\r\n", ["5\r\nhello\r\n", "1;a\r\n!\r\n", "0\r\n\r\n"], ""],
    ["a length", "Content-Length: 6\r\n", ["hello", "!"], ""],
    ["the connection's end", "X-A: b\r\n", ["hello", "!"], "Connection: close\r\n"],
  ])("the head before the first byte of a body with %s, then every piece of it", async (_framing, fields, pieces, added) => {
    answer = () => {};
    const before = target.arrivals.length;
    const asked = client(GET);
    const { connection } = await nextArrival(before);
    let sent = ok(fields);
    let got = ok(fields + added);
    connection.write(sent);
    await expectExactly(asked, got);
    for (const piece of pieces) {
      sent += piece;
      got += piece;
      connection.write(piece);
      await expectExactly(asked, got);
    }
    connection.fin();
  });

  test.each([
    ["chunks", "Transfer-Encoding: chunked\r\n", ["5\r\nhello\r\n", "1;a\r\n!\r\n", "0\r\n\r\n"]],
    ["a length", "Content-Length: 6\r\n", ["hel", "lo!"]],
  ])("the head of a request before the first byte of a body with %s, then every piece of it", async (_framing, fields, pieces) => {
    answering(OK);
    const before = target.arrivals.length;
    const asked = client(post(fields));
    const arrived = await nextArrival(before);
    let sent = "";
    for (const piece of pieces) {
      expect(arrived.body()).toBe(sent);
      sent += piece;
      asked.write(piece);
      await eventually(() => (arrived.body().length >= sent.length ? true : undefined), "the piece");
    }
    await expectExactly(asked, OK);
  });

  test("an answer that begins while the request is still coming, with both going on side by side", async () => {
    answer = ({ connection }) => connection.write(ok("Transfer-Encoding: chunked\r\n"));
    const before = target.arrivals.length;
    const asked = client(post("Transfer-Encoding: chunked\r\n"));
    const arrived = await nextArrival(before);
    let got = ok("Transfer-Encoding: chunked\r\nConnection: close\r\n");
    await expectExactly(asked, got);
    for (let turn = 0; turn < 5; turn++) {
      asked.write("2\r\nhi\r\n");
      await eventually(() => (arrived.body() === "2\r\nhi\r\n".repeat(turn + 1) ? true : undefined), "the chunk");
      arrived.connection.write("3\r\nho!\r\n");
      got += "3\r\nho!\r\n";
      await expectExactly(asked, got);
    }
    asked.write("0\r\n\r\n");
    await arrived.complete;
    arrived.connection.write("0\r\n\r\n");
    expect(await asked.ended).toBe("fin");
    expect(asked.text()).toBe(`${got}0\r\n\r\n`);
  });

  test.each([
    ["stays open", (_arrived: Arrived) => {}],
    ["is closed", ({ connection }: Arrived) => connection.fin()],
    [
      "is closed at once both ways, with the upload still coming",
      ({ connection }: Arrived) => connection.socket.end(() => connection.socket.destroy()),
    ],
  ])("a final answer in the middle of a large upload reaches the client, when the target's connection %s", async (_how, then) => {
    const reply = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n";
    answer = async (arrived) => {
      await eventually(() => (arrived.body().length > 100_000 ? true : undefined), "some of the upload");
      arrived.connection.write(`${reply}\r\n{}`);
      then(arrived);
    };
    const asked = client(post("Content-Length: 50000000\r\n"));
    const block = Buffer.alloc(1_000_000, 0x61);
    // A client that reads nothing before it has sent everything.
    asked.socket.pause();
    let sent = 0;
    const pour = () => {
      while (sent++ < 50 && !asked.hasEnded()) if (!asked.socket.write(block)) return void asked.socket.once("drain", pour);
    };
    pour();
    await eventually(() => (sent >= 20 ? true : undefined), "that the upload goes on");
    asked.socket.resume();
    await asked.has(`${reply}Connection: close\r\n\r\n{}`);
  });

  test("a large answer in the middle of a large upload, to a client that sends everything before it reads", async () => {
    const body = "0123456789abcdef".repeat(500_000);
    answer = async (arrived) => {
      await eventually(() => (arrived.body().length > 100_000 ? true : undefined), "some of the upload");
      arrived.connection.socket.pause();
      arrived.connection.write(ok(`Content-Length: ${body.length}\r\n`, body));
    };
    const asked = client(post("Content-Length: 50000000\r\n"));
    asked.socket.pause();
    const block = Buffer.alloc(1_000_000, 0x61);
    let sent = 0;
    const pour = () => {
      while (sent < 50) {
        sent++;
        if (!asked.socket.write(block)) return void asked.socket.once("drain", pour);
      }
    };
    pour();
    await asked.has(0);
    await Bun.sleep(300);
    asked.socket.resume();
    const got = ok(`Content-Length: ${body.length}\r\nConnection: close\r\n`, body);
    await asked.has(got.length);
    expect(asked.text() === got).toBe(true);
  });

  test.each([
    ["a length", "Content-Length: 50\r\n", "hello"],
    ["chunks", "Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"],
    ["a chunk that has begun", "Transfer-Encoding: chunked\r\n", "5\r\nhel"],
  ])("an upload with %s that stops in the middle stops at the target, and is never completed", async (_framing, fields, begun) => {
    answer = () => {};
    const before = target.arrivals.length;
    const asked = client(post(fields, begun));
    const arrived = await nextArrival(before);
    await eventually(() => (arrived.body() === begun ? true : undefined), "the beginning");
    await Bun.sleep(100);
    expect(arrived.body()).toBe(begun);
    expect(arrived.connection.hasEnded()).toBe(false);
    asked.rst();
    await arrived.connection.ended;
    expect(arrived.body()).toBe(begun);
  });
});

describe("a target that does not end", () => {
  test("interim answers are passed on up to a limit", async () => {
    const interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    await expectAnswer(GET, interim.repeat(32) + OK, interim.repeat(32) + OK);
    const before = target.arrivals.length;
    answering(interim.repeat(33) + OK);
    const asked = client(GET);
    await asked.has("x-faultproxy-error: upstream_protocol\r\n");
    expect(asked.text()).toStartWith(`${interim.repeat(32)}HTTP/1.1 502 Bad Gateway\r\n`);
    await (await nextArrival(before)).connection.ended;
  });

  test("a protocol that nobody asked for is an error of the target", async () => {
    const before = target.arrivals.length;
    answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nhello");
    const asked = client(get("Connection: Upgrade\r\nUpgrade: h2c\r\n"));
    await asked.has("x-faultproxy-error: upstream_protocol\r\n");
    expect(asked.text()).toStartWith("HTTP/1.1 502 ");
    await (await nextArrival(before)).connection.ended;
  });

  test.each(["GET", "POST"])("a %s is not sent again once the target has said 103", async (method) => {
    answering(OK);
    const asked = client(GET);
    await asked.has(OK);
    const before = target.arrivals.length;
    answer = ({ connection }) => {
      connection.write("HTTP/1.1 103 Early Hints\r\n\r\n");
      connection.fin();
    };
    asked.write(meant(GET.replace("GET", method)));
    await asked.has("x-faultproxy-error: upstream_closed_early\r\n");
    expect(target.arrivals.length - before).toBe(1);
  });
});

describe("WebSocket", () => {
  const upgrade = get(
    "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\nSec-WebSocket-Version: 13\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
  );
  const switched = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n";

  /** Both ends of a tunnel, with nothing but heads behind them. */
  async function tunnel(): Promise<{ readonly asked: WireEnd; readonly connection: WireEnd }> {
    answering(switched);
    const before = target.arrivals.length;
    const asked = client(upgrade);
    await expectExactly(asked, switched);
    const { connection, head } = await nextArrival(before);
    expect(head).toBe(meant(upgrade));
    return { asked, connection };
  }

  test("heads go through as they are, and bytes of all kinds both ways behind them", async () => {
    const { asked, connection } = await tunnel();
    const all = String.fromCharCode(...Array(256).keys());
    const seen = connection.bytesReceived();
    for (const text of ["a", all, "GET / HTTP/1.1\r\n\r\n", "0\r\n\r\n", "b".repeat(300_000)]) {
      const [toTarget, toClient] = [connection.bytesReceived(), asked.bytesReceived()];
      asked.write(text);
      connection.write(text);
      await connection.has(toTarget + text.length);
      await asked.has(toClient + text.length);
      expect(connection.text().slice(toTarget) === text).toBe(true);
      expect(asked.text().slice(toClient) === text).toBe(true);
    }
    expect(connection.bytesReceived()).toBeGreaterThan(seen);
  });

  test("bytes in the same write as the 101", async () => {
    answering(`${switched}\x81\x05hello`);
    await expectExactly(client(upgrade), `${switched}\x81\x05hello`);
  });

  test.each([
    ["a few bytes", 5],
    ["more bytes than are kept for pipelining", 300_000],
  ])("%s in the same write as the request", async (_what, bytes) => {
    const released = Promise.withResolvers<void>();
    answer = ({ connection }) => void released.promise.then(() => connection.write(switched));
    const before = target.arrivals.length;
    const asked = client(upgrade + "f".repeat(bytes));
    const { connection, head } = await nextArrival(before);
    await Bun.sleep(50);
    // Only a 101 makes them bytes of the other protocol.
    expect(connection.bytesReceived()).toBe(connection.text().indexOf(head) + head.length);
    const length = connection.bytesReceived();
    released.resolve();
    await asked.has(switched);
    await connection.has(length + bytes);
    asked.write("!");
    await connection.has(length + bytes + 1);
    expect(connection.text().slice(length) === `${"f".repeat(bytes)}!`).toBe(true);
  });

  test("the connection of a tunnel serves nothing else", async () => {
    const { asked, connection } = await tunnel();
    asked.write(meant(GET));
    await connection.has((text) => text.endsWith(meant(GET)));
    connection.write(OK);
    await expectExactly(asked, switched + OK);
    asked.fin();
    connection.fin();
    await connection.ended;
  });

  test("a client's half close reaches the target, which can still speak", async () => {
    const { asked, connection } = await tunnel();
    asked.write("last words");
    asked.fin();
    expect(await connection.ended).toBe("fin");
    expect(connection.text()).toEndWith("last words");
    connection.write("answer");
    await expectExactly(asked, `${switched}answer`);
    connection.fin();
    expect(await asked.ended).toBe("fin");
  });

  test("a target's half close reaches the client, which can still speak", async () => {
    const { asked, connection } = await tunnel();
    connection.write("last words");
    connection.fin();
    expect(await asked.ended).toBe("fin");
    expect(asked.text()).toBe(`${switched}last words`);
    asked.write("answer");
    await connection.has((text) => text.endsWith("answer"));
    asked.fin();
    expect(await connection.ended).toBe("fin");
  });

  test("a reset of either side reaches the other", async () => {
    const first = await tunnel();
    first.asked.rst();
    expect(await first.connection.ended).toBe("rst");
    const second = await tunnel();
    second.connection.rst();
    expect(await second.asked.ended).toBe("rst");
  });

  test("an answer other than 101 is an answer", async () => {
    await expectAnswer(
      upgrade,
      "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\n{}",
    );
  });

  test.each([
    ["to the target", (from: { asked: WireEnd; connection: WireEnd }) => [from.asked, from.connection] as const],
    ["to the client", (from: { asked: WireEnd; connection: WireEnd }) => [from.connection, from.asked] as const],
  ])("whoever does not read stops the other side (%s)", async (_to, endsOf) => {
    const [speaker, listener] = endsOf(await tunnel());
    listener.socket.pause();
    expect(await standstillOf(speaker)).toBeLessThan(40);
    speaker.socket.destroy();
    listener.socket.resume();
    await listener.ended;
  });
});

/** Writes megabytes until nothing moves any more; gives how many have gone. */
async function standstillOf(speaker: WireEnd): Promise<number> {
  const block = Buffer.alloc(1024 * 1024, 0x61);
  let written = 0;
  const pour = () => {
    while (written < 200) {
      written++;
      if (!speaker.socket.write(block)) return void speaker.socket.once("drain", pour);
    }
  };
  pour();
  let last = -1;
  await eventually(async () => {
    const moved = written !== last;
    last = written;
    await Bun.sleep(200);
    return moved || written === 0 ? undefined : true;
  }, "a standstill");
  return written;
}

describe("whoever does not read stops the other side", () => {
  test.each([
    ["a length", "Content-Length: 300000000\r\n", ""],
    ["a chunk", "Transfer-Encoding: chunked\r\n", "11e1a300\r\n"],
    ["the connection's end", "X-A: b\r\n", ""],
  ])(
    "a client stops a target whose answer has %s",
    async (_framing, fields, begun) => {
      answer = () => {};
      const before = target.arrivals.length;
      const asked = client(GET);
      asked.socket.pause();
      const { connection } = await nextArrival(before);
      connection.write(ok(fields, begun));
      expect(await standstillOf(connection)).toBeLessThan(40);
      // And what was stopped goes on.
      asked.socket.resume();
      await asked.has(60_000_000);
    },
    SLOW_MS_MAX,
  );

  test.each([
    ["a length", "Content-Length: 300000000\r\n", ""],
    ["a chunk", "Transfer-Encoding: chunked\r\n", "11e1a300\r\n"],
  ])(
    "a target stops a client whose request has %s",
    async (_framing, fields, begun) => {
      answer = ({ connection }) => connection.socket.pause();
      const before = target.arrivals.length;
      const asked = client(post(fields, begun));
      const { connection } = await nextArrival(before);
      expect(await standstillOf(asked)).toBeLessThan(40);
      connection.socket.resume();
      await connection.has(60_000_000);
    },
    SLOW_MS_MAX,
  );

  test(
    "clients that read slowly get every byte, and the end behind it",
    async () => {
      const body = "0123456789abcdef".repeat(600_000);
      const cases = [
        { fields: "Connection: close\r\n", end: "fin" },
        { fields: `Content-Length: ${body.length}\r\nConnection: close\r\n`, end: "fin" },
        // Cut off.
        { fields: "Content-Length: 900000000\r\nConnection: close\r\n", end: "fin" },
        { fields: "Content-Length: 900000000\r\nConnection: close\r\n", end: "rst" },
      ];
      answer = ({ startLine, connection }) => {
        const one = cases[Number(startLine.split("/")[2]?.charAt(0))];
        connection.socket.write(Buffer.from(ok(one?.fields ?? "", body), "latin1"), () =>
          one?.end === "fin" ? connection.fin() : connection.rst(),
        );
      };
      await Promise.all(
        cases.map(async ({ fields, end }, index) => {
          const asked = client(line(`GET /slow/${index} HTTP/1.1`).replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
          asked.socket.pause();
          // Longer than a connection lingers.
          await Bun.sleep(1_600);
          asked.socket.resume();
          expect(await asked.ended).toBe(end as "fin" | "rst");
          // An RST takes with it what its receiver has not read.
          if (end === "fin") expect(asked.text() === ok(fields, body)).toBe(true);
        }),
      );
    },
    SLOW_MS_MAX,
  );
});

describe("a client that leaves ends the call to the target", () => {
  /** What the client has sent, and what has been answered when it leaves. */
  const phases: readonly (readonly [phase: string, request: string, reply: string])[] = [
    ["before an answer", GET, ""],
    ["in the middle of an upload", post("Content-Length: 50\r\n", "hello"), ""],
    ["in the middle of a chunked upload", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"), ""],
    ["while it waits for 100 Continue", post("Expect: 100-continue\r\nContent-Length: 5\r\n"), ""],
    ["behind a 100 Continue", post("Expect: 100-continue\r\nContent-Length: 5\r\n"), "HTTP/1.1 100 Continue\r\n\r\n"],
    ["behind a 103", GET, "HTTP/1.1 103 Early Hints\r\n\r\n"],
    ["in the middle of the answer's head", GET, "HTTP/1.1 200 OK\r\nX-A:"],
    ["behind the head", GET, ok("Content-Length: 50\r\n")],
    ["in the middle of a body with a length", GET, ok("Content-Length: 50\r\n", "hello")],
    ["in the middle of chunks", GET, ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n")],
    ["in the middle of a body without an end", GET, ok("X-A: b\r\n", "hello")],
    ["in the middle of both", post("Content-Length: 50\r\n", "hello"), ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n")],
    ["with another request waiting", GET + GET, ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n")],
  ];
  test.each(
    phases.flatMap(([phase, request, reply]) => [["FIN", phase, request, reply] as const, ["RST", phase, request, reply] as const]),
  )("by %s %s", async (how, _phase, request, reply) => {
    answer = ({ connection }) => connection.write(reply);
    const before = target.arrivals.length;
    const asked = client(request);
    const { connection } = await nextArrival(before);
    if (reply.includes("\r\n\r\n")) await asked.has((text) => text.length >= reply.length);
    else await Bun.sleep(20);
    if (how === "FIN") asked.fin();
    else asked.rst();
    await within(2_000, connection.ended);
    expect(target.arrivals.length - before).toBe(1);
  });

  test.each(["FIN", "RST"])("by %s, when the answer stands still because it does not read", async (how) => {
    answer = () => {};
    const before = target.arrivals.length;
    const asked = client(GET);
    asked.socket.pause();
    const { connection } = await nextArrival(before);
    connection.write(ok("Content-Length: 300000000\r\n"));
    await standstillOf(connection);
    if (how === "FIN") asked.fin();
    else asked.rst();
    await within(2_000, connection.ended);
  });

  test("by RST, when its upload stands still because the target does not read", async () => {
    answer = ({ connection }) => connection.socket.pause();
    const before = target.arrivals.length;
    const asked = client(post("Content-Length: 300000000\r\n"));
    const { connection, body } = await nextArrival(before);
    await standstillOf(asked);
    asked.rst();
    await Bun.sleep(200);
    connection.socket.resume();
    await within(2_000, connection.ended);
    expect(body().length).toBeLessThan(300_000_000);
  });
});

async function within<T>(ms: number, wanted: Promise<T>): Promise<T> {
  return Promise.race([wanted, Bun.sleep(ms).then(() => Promise.reject(new Error(`not within ${ms} ms`)))]);
}
