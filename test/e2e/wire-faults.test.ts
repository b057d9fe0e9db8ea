import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { DIALECT_REQUESTS } from "./support/dialect-requests.ts";
import { complete, converse, type RawEnd, raw, request } from "./support/raw-client.ts";
import { type Seen, startRawUpstream } from "./support/raw-upstream.ts";

/** How long silence is listened to before it counts as silence. */
const SILENCE_MS = 40;
const PATH = "/v1/chat/completions";
const FORMS = ["whole", "stream"] as const;
const SOURCES = ["simulated", "live"] as const;
type Form = (typeof FORMS)[number];
type Source = (typeof SOURCES)[number];

const chat = (form: Form, method = "POST", headers: Readonly<Record<string, string>> = {}) =>
  request(
    method,
    PATH,
    { "x-form": form, ...headers },
    JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "hello" }], stream: form === "stream" }),
  );

const LIVE_BODY = JSON.stringify({ object: "chat.completion", choices: [{ message: { content: "so much text ".repeat(20) } }] });
const EVENTS = ["one", "two", "three", "four"].map((content) => `data: {"choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`);
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const LAST_CHUNK = "0\r\n\r\n";
const LIVE: Readonly<Record<Form, string>> = {
  whole: `HTTP/1.1 200 Fine\r\nX-First: 1\r\ncontent-type: application/json\r\nContent-LENGTH: ${LIVE_BODY.length}\r\nx-last: 2\r\n\r\n${LIVE_BODY}`,
  stream: `HTTP/1.1 200 Fine\r\nX-First: 1\r\ncontent-type: text/event-stream\r\nx-last: 2\r\nTransfer-Encoding: chunked\r\n\r\n${[...EVENTS, "data: [DONE]\n\n"].map(chunk).join("")}${LAST_CHUNK}`,
};

type Response = { readonly head: string; readonly body: string };

function split(text: string): Response {
  const border = text.indexOf("\r\n\r\n");
  return border < 0 ? { head: text, body: "" } : { head: text.slice(0, border + 4), body: text.slice(border + 4) };
}

/** Without what differs from answer to answer, length kept where a body is concerned. */
function same({ head, body }: Response): Response {
  return {
    head: head.replaceAll(/(?<=x-request-id: req_|openai-processing-ms: |\r\ndate: )[\w ,:]+/gi, ""),
    body: body.replaceAll(/(?<=chatcmpl-sim)\w{1,21}/g, hidden).replaceAll(/(?<="created":)\d{1,10}/g, hidden),
  };
}

const hidden = (text: string) => "·".repeat(text.length);

/** The chunks of a body with chunk framing, without the last, empty one. */
function chunksOf(body: string): readonly string[] {
  const size = /^([0-9a-f]+)\r\n/.exec(body);
  const length = Number.parseInt(size?.[1] ?? "0", 16);
  const start = size?.[0].length ?? 0;
  return length === 0 ? [] : [body.slice(start, start + length), ...chunksOf(body.slice(start + length + 2))];
}

let daemons: Record<Source, TestDaemon>;
let upstream: Awaited<ReturnType<typeof startRawUpstream>>;
/** What the live target does in the present test. */
let answer: ((seen: Seen) => unknown) | undefined;
/** Exchanges of each daemon before the present test. */
const before = new Map<TestDaemon, number>();

beforeAll(async () => {
  upstream = await startRawUpstream((seen) => (answer ?? replay)(seen));
  const upstreams = ["openai", "anthropic", "google"].flatMap((name) => ["--upstream", `${name}=${upstream.url}`]);
  const [simulated, live] = await Promise.all([
    startTestDaemon({ engine: "wire", args: ["--simulate", "--seed", "1", "--tokens", "6"] }),
    startTestDaemon({ engine: "wire", args: [...upstreams, "--seed", "1"] }),
  ]);
  daemons = { simulated, live };
});
afterAll(async () => {
  for (const daemon of Object.values(daemons)) await daemon.stop();
  upstream.stop();
});
beforeEach(async () => {
  answer = undefined;
  for (const daemon of Object.values(daemons)) {
    const { body } = await daemon.command("clear");
    before.set(daemon, (body as { readonly requests: number }).requests);
  }
});

function replay({ socket, headers }: Seen): void {
  socket.write(LIVE[headers.some(([name, value]) => name === "x-form" && value === "stream") ? "stream" : "whole"]);
}

async function set(daemon: TestDaemon, ...commands: readonly string[]): Promise<void> {
  for (const command of commands) expect(await daemon.command(command)).toMatchObject({ status: 200 });
}

/** How the first exchange of the present test that met the fault ended. */
function doneOf(daemon: TestDaemon, fault: string): Promise<Record<string, unknown>> {
  const first = (before.get(daemon) ?? 0) + 1;
  return daemon.event(
    ({ type, exchange, faults }) => type === "exchange" && Number(exchange) >= first && (faults as readonly string[]).includes(fault),
  );
}

/** One request: what comes until the peer ends, or where that is not expected until enough has come and then nothing more. */
async function ask(port: number, bytes: string, isEnough?: (text: string) => boolean): Promise<Response & { readonly end: RawEnd }> {
  const { socket, text, until, end } = converse(port, bytes);
  await until(isEnough ?? (() => false));
  const how = await end(SILENCE_MS);
  socket.destroy();
  return { ...split(text()), end: how };
}

/** A head has come, and so many bytes behind it. */
function hasCome(bodyBytes: number): (text: string) => boolean {
  return (text) => {
    const { head, body } = split(text);
    return head.endsWith("\r\n\r\n") && body.length >= bodyBytes;
  };
}

type Expected = {
  readonly head: string;
  readonly body: string;
  readonly end: RawEnd;
  /** Of the body; what `body` has behind that does not come. */
  readonly bodyBytes?: number;
  readonly done: string;
  readonly error?: string;
  /** Null where no response was sent; left out where it does not matter here. */
  readonly status?: number | null;
};

/** An answer without a fault, and what a fault makes of it. */
type Usual = Response & { readonly form: Form };
type Case = readonly [command: string, client: (usual: Usual) => Expected, upstream: (usual: Usual) => Expected];

const OPEN = { end: "open", done: "delivered", status: 200 } as const;
const SILENT = { end: "open", done: "client_gone", status: 200 } as const;
const CUT = { end: "fin", done: "cut", status: 200 } as const;
const NOTHING = { head: "", body: "" } as const;

const untouched = ({ head, body }: Usual): Expected => ({ head, body, ...OPEN });
/** The proxy's own answer for a target that did this. */
const refused = (error: string) => (): Expected => ({ head: "HTTP/1.1 502", body: "", ...OPEN, status: 502, error });

const first = ({ body }: Usual) => chunksOf(body)[0] ?? "";
const payload = (usual: Usual) => (usual.form === "whole" ? usual.body : chunksOf(usual.body).join(""));

/** With another length than the body's, or with one in place of chunk framing. */
function headSaying({ head, form }: Usual, change: number, ofStream: number): string {
  if (form === "whole") return head.replace(/(?<=\r\ncontent-length: )\d+/i, (said) => String(Number(said) + change));
  return head.replace(/\r\ntransfer-encoding: chunked/i, "").replace(/\r\n\r\n$/, `\r\nContent-Length: ${ofStream}\r\n\r\n`);
}

/** So many bytes of the body, as they come on the wire when it breaks off behind them. */
function beginning(usual: Usual, bytes: number): string {
  if (usual.form === "whole") return usual.body.slice(0, bytes);
  let out = "";
  let left = bytes;
  for (const text of chunksOf(usual.body)) {
    if (text.length > left) return `${out}${text.length.toString(16)}\r\n${text.slice(0, left)}`;
    out += chunk(text);
    left -= text.length;
  }
  return out;
}

const half = (usual: Usual) => beginning(usual, Math.floor((usual.form === "whole" ? usual.body : first(usual)).length / 2));

const CASES: readonly Case[] = [
  ["close", () => ({ ...NOTHING, ...CUT, done: "close", status: null }), refused("upstream_closed_early")],
  ["hang_after_headers", ({ head }) => ({ head, body: "", ...SILENT }), ({ head }) => ({ head, body: "", ...SILENT })],
  [
    "truncate_body",
    (usual) => ({ head: usual.head, body: half(usual), ...CUT }),
    (usual) => ({ head: usual.head, body: half(usual), ...CUT }),
  ],
  [
    "truncate_body bytes=70 by=reset",
    (usual) => ({ head: usual.head, body: beginning(usual, 70), ...CUT, end: "rst" }),
    (usual) => ({ head: usual.head, body: beginning(usual, 70), ...CUT, end: "rst" }),
  ],
  [
    "truncate_body bytes=0",
    (usual) => ({ head: usual.head, body: beginning(usual, 0), ...CUT }),
    (usual) => ({ head: usual.head, body: beginning(usual, 0), ...CUT }),
  ],
  [
    "wrong_length",
    (usual) => ({ head: headSaying(usual, 10, 1_000_000), body: payload(usual), ...SILENT }),
    (usual) => ({ head: headSaying(usual, 10, 1_000_000), body: payload(usual), ...SILENT }),
  ],
  [
    "wrong_length says=more by=1",
    (usual) => ({ head: headSaying(usual, 1, 1_000_000), body: payload(usual), ...SILENT }),
    (usual) => ({ head: headSaying(usual, 1, 1_000_000), body: payload(usual), ...SILENT }),
  ],
  [
    "wrong_length says=less by=7",
    (usual) => ({ head: headSaying(usual, -7, 10), body: payload(usual), ...OPEN }),
    // What is left over is not read: the client gets a shorter answer that is right in itself.
    (usual) => ({
      head: headSaying(usual, -7, 10),
      body: usual.form === "whole" ? usual.body.slice(0, -7) : payload(usual).slice(0, 10),
      ...OPEN,
    }),
  ],
  [
    "duplicate_head",
    ({ head, body }) => ({ head, body: head + body, ...OPEN }),
    // The second head is read as the body, or as a chunk size that is none.
    ({ form, head, body }) =>
      form === "whole" ? { head, body: head + body, bodyBytes: body.length, ...OPEN } : { head, body: "", ...CUT },
  ],
  ["slow_head gap=0", untouched, untouched],
  ["half_close at=start", () => ({ ...NOTHING, ...CUT }), refused("upstream_closed_early")],
  ["half_close at=head", ({ head }) => ({ head, body: "", ...CUT }), ({ head }) => ({ head, body: "", ...CUT })],
  ["half_close", ({ head, body }) => ({ head, body, ...CUT }), untouched],
  ["late_reset", ({ head, body }) => ({ head, body, ...CUT, end: "rst" }), untouched],
];

describe.each(SOURCES.flatMap((source) => FORMS.map((form) => [source, form] as const)))("a %s answer, %s", (source, form) => {
  let usual: Usual;
  beforeAll(async () => {
    await daemons[source].command("clear");
    usual = { ...same(split((await raw(daemons[source].port, chat(form), { until: complete })).text)), form };
  });

  test("without a fault is as it is", async () => {
    const got = await ask(daemons[source].port, chat(form), complete);
    expect([same(got), got.end]).toEqual([{ head: usual.head, body: usual.body }, "open"]);
    expect(usual.head).toMatch(form === "stream" ? /\r\ntransfer-encoding: chunked\r\n/i : /\r\ncontent-length: \d+\r\n/i);
  });

  async function expectOutcome(command: string, expected: Expected): Promise<void> {
    await set(daemons[source], command);
    const bodyBytes = expected.bodyBytes ?? expected.body.length;
    const got = await ask(daemons[source].port, chat(form), expected.end === "open" ? hasCome(bodyBytes) : undefined);
    const { head, body } = same(got);
    if (expected.error === undefined) {
      // A body that is the beginning of something, a second head in it included.
      const text = same({ head: body, body: "" }).head;
      const whole = expected.bodyBytes === undefined ? expected.body : expected.body.slice(0, text.length);
      expect([head, text, got.end]).toEqual([expected.head, whole, expected.end]);
      if (expected.bodyBytes !== undefined) expect(got.body.length).toBe(bodyBytes);
    } else {
      expect([head.slice(0, 12), got.end]).toEqual([expected.head, expected.end]);
      expect(head).toContain(`\r\nx-faultproxy-error: ${expected.error}\r\n`);
    }
    const fault = command.split(" ")[0] ?? "";
    const { done, status, error, faults, skipped } = await doneOf(daemons[source], fault);
    expect([done, error, faults]).toEqual([expected.done, expected.error ?? null, [fault]]);
    // Behind a whole answer a target may do what it likes.
    if (!/side=upstream/.test(command) || expected.done !== "delivered") expect(skipped).toEqual([]);
    if (expected.status !== undefined) expect(status).toBe(expected.status);
  }

  test.each(CASES)("%s", (command, client) => expectOutcome(command, client(usual)));

  test.each(CASES)("%s side=upstream", (command, _client, upstream) => expectOutcome(`${command} side=upstream`, upstream(usual)));
});

const BOTH_SIDES = ["client", "upstream"] as const;
const BY_DIALECT = DIALECT_REQUESTS.flatMap((dialect) =>
  FORMS.flatMap((form) => BOTH_SIDES.map((side) => [dialect.name, form, side, dialect.bytes(form === "stream")] as const)),
);

describe.each(BY_DIALECT)("%s, %s, side=%s", (_name, form, side, bytes) => {
  const run = async (command: string, bodyBytes?: number) => {
    await set(daemons.simulated, `${command} side=${side}`);
    return ask(daemons.simulated.port, bytes, bodyBytes === undefined ? undefined : hasCome(bodyBytes));
  };
  const usualBody = async () => {
    await set(daemons.simulated, "clear");
    return split((await raw(daemons.simulated.port, bytes, { until: complete })).text).body;
  };
  const isRefused = side === "upstream";

  test("truncate_body: so many bytes, then FIN", async () => {
    const { head, body, end } = await run("truncate_body bytes=50");
    expect([head.slice(0, 12), end]).toEqual(["HTTP/1.1 200", "fin"]);
    expect(form === "whole" ? body.length : body.replace(/^[0-9a-f]+\r\n/, "").length).toBe(50);
  });

  test("wrong_length: a length above the body's, and silence", async () => {
    const usual = await usualBody();
    const bodyBytes = form === "whole" ? usual.length : chunksOf(usual).join("").length;
    const { head, body, end } = await run("wrong_length by=5", bodyBytes);
    const said = /\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1];
    // Times in milliseconds and the like make one answer a byte longer than another.
    expect([said, end]).toEqual([String(form === "whole" ? body.length + 5 : 1_000_000), "open"]);
    expect(Math.abs(body.length - bodyBytes)).toBeLessThan(10);
  });

  test("wrong_length says=less: bytes behind the end for the client, none of them from a target", async () => {
    const { head, body, end } = await run("wrong_length says=less by=5", 10);
    const said = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1]);
    expect(end).toBe("open");
    if (side === "upstream") expect(body.length).toBe(said);
    else if (form === "whole") expect(body.length).toBe(said + 5);
    else expect([said, body.length > 100]).toEqual([10, true]);
  });

  test("garbage: no HTTP at all", async () => {
    const { head, body, end } = await run("garbage", isRefused ? 0 : undefined);
    if (isRefused) {
      expect([head.slice(0, 12), end]).toEqual(["HTTP/1.1 502", "open"]);
      expect(head).toContain("\r\nx-faultproxy-error: upstream_protocol\r\n");
      expect(await doneOf(daemons.simulated, "garbage")).toMatchObject({ status: 502, done: "delivered", error: "upstream_protocol" });
    } else {
      expect([(head + body).length, end]).toEqual([256, "fin"]);
      expect(await doneOf(daemons.simulated, "garbage")).toMatchObject({ status: null, done: "cut", error: null });
    }
  });

  test("garbage kind=status_line: letters in the status", async () => {
    const { head, body, end } = await run("garbage kind=status_line", isRefused ? 0 : undefined);
    if (isRefused) {
      expect([head.slice(0, 12), end]).toEqual(["HTTP/1.1 502", "open"]);
      expect(head).toContain("\r\nx-faultproxy-error: upstream_protocol\r\n");
    } else {
      expect([head.split("\r\n")[0], end]).toEqual(["HTTP/1.1 2OO OK", "fin"]);
      expect(head).toContain(`\r\ncontent-length: ${body.length}\r\n`);
    }
  });

  test("garbage kind=chunk_size: a good head, and then a size that is none", async () => {
    const { head, body, end } = await run("garbage kind=chunk_size");
    expect([head.split("\r\n")[0], end]).toEqual(["HTTP/1.1 200 OK", "fin"]);
    expect(head.match(/\r\ntransfer-encoding: chunked\r\n/gi)).toHaveLength(1);
    if (side === "upstream") expect(body).toBe("");
    else expect(body).toMatch(/^zz\r\n[\s\S]+\r\n0\r\n\r\n$/);
  });

  test("garbage kind=binary: right HTTP and no text", async () => {
    const { head, body, end } = await run("garbage kind=binary", 256);
    expect([head.split("\r\n")[0], body.length, end]).toEqual(["HTTP/1.1 200 OK", 256, "open"]);
    expect(head).toMatch(
      form === "stream" && !_name.includes("array") ? /content-type: text\/event-stream/ : /content-type: application\/json/,
    );
    expect(await doneOf(daemons.simulated, "garbage")).toMatchObject({ status: 200, done: "delivered", error: null, skipped: [] });
  });
});

describe("slow_head", () => {
  test("no byte of the head comes before its time, and the answer is the usual one", async () => {
    const gapMs = 3;
    await set(daemons.live, `slow_head gap=${gapMs}ms`);
    const conversation = converse(daemons.live.port, chat("whole"));
    await conversation.until(complete);
    conversation.socket.destroy();
    expect(conversation.text()).toBe(LIVE.whole);
    const headBytes = split(LIVE.whole).head.length;
    const early = conversation.arrivals.filter(({ bytes, ms }) => ms < (Math.min(bytes, headBytes) - 1) * gapMs - 1);
    expect(early).toEqual([]);
    expect(conversation.arrivals.length).toBeGreaterThan(2);
    expect(await doneOf(daemons.live, "slow_head")).toMatchObject({ status: 200, done: "delivered", skipped: [] });
  });

  test("one byte, and the next only after its pause", async () => {
    await set(daemons.live, "slow_head gap=1h");
    const { text, end } = await rest(converse(daemons.live.port, chat("whole")), (text) => text !== "");
    expect([text, end]).toEqual(["H", "open"]);
  });

  test("side=upstream: the head comes late and whole", async () => {
    const gapMs = 2;
    await set(daemons.live, `slow_head gap=${gapMs}ms side=upstream`);
    const conversation = converse(daemons.live.port, chat("stream"));
    await conversation.until(complete);
    conversation.socket.destroy();
    expect(conversation.arrivals[0]?.ms).toBeGreaterThanOrEqual(split(LIVE.stream).head.length * gapMs - 1);
    expect(conversation.arrivals[0]?.bytes).toBeGreaterThanOrEqual(split(LIVE.stream).head.length);
  });

  test("side=upstream, over a body that ends with the connection: it ends", async () => {
    answer = ({ socket }) => void socket.end(`HTTP/1.1 200 Fine\r\ncontent-type: text/plain\r\n\r\n${LIVE_BODY}`);
    await set(daemons.live, "slow_head gap=0 side=upstream");
    const { body, end } = await ask(daemons.live.port, chat("whole"));
    expect([body, end]).toEqual([LIVE_BODY, "fin"]);
    expect(await doneOf(daemons.live, "slow_head")).toMatchObject({ done: "delivered", skipped: [] });
  });
});

async function rest(conversation: ReturnType<typeof converse>, isEnough: (text: string) => boolean) {
  await conversation.until(isEnough);
  const end = await conversation.end(SILENCE_MS);
  conversation.socket.destroy();
  return { text: conversation.text(), end };
}

describe("half_close", () => {
  /** More than the buffers of two sockets hold. */
  const FLOOD_BYTES = 24 * 1024 * 1024;

  test.each([
    ["at=start", ""],
    ["at=head", split(LIVE.whole).head],
    ["at=end", LIVE.whole],
  ])("%s: after the FIN, what the client sends is taken, and its own FIN ends the connection", async (at, text) => {
    await set(daemons.live, `half_close ${at}`);
    const conversation = converse(daemons.live.port, chat("whole"));
    expect([await conversation.end(), conversation.text()]).toEqual(["fin", text]);
    // Another request, and much more: nobody answers, nobody resets.
    conversation.send(chat("whole"));
    await new Promise((resolve) => conversation.socket.write(Buffer.alloc(FLOOD_BYTES), resolve));
    expect(await doneOf(daemons.live, "half_close")).toMatchObject({ done: "cut", skipped: [] });
    const closed = once(conversation.socket, "close");
    conversation.socket.end();
    await closed;
    expect([conversation.text(), conversation.errors]).toEqual([text, []]);
    expect(await requests(daemons.live)).toBe((before.get(daemons.live) ?? 0) + 1);
  });

  test("the connection does not end by itself", async () => {
    await set(daemons.live, "half_close");
    const conversation = converse(daemons.live.port, chat("whole"));
    expect(await conversation.end()).toBe("fin");
    // Longer than a closed connection is still read.
    await Bun.sleep(1_500);
    await new Promise((resolve) => conversation.socket.write(Buffer.alloc(FLOOD_BYTES), resolve));
    expect(conversation.errors).toEqual([]);
    conversation.socket.destroy();
  });
});

async function requests(daemon: TestDaemon): Promise<number> {
  const answered = await fetch("http://localhost/v1/status", { unix: daemon.socket });
  return ((await answered.json()) as { readonly requests: number }).requests;
}

describe("clients that leave, and calls that nobody waits for", () => {
  /** A stream that begins and goes on for ever. */
  const endless = ({ socket }: Seen) => {
    socket.write(LIVE.stream.slice(0, -LAST_CHUNK.length));
    const more = setInterval(() => socket.write(chunk(EVENTS[0] ?? "")), 5);
    socket.on("close", () => clearInterval(more));
    socket.on("error", () => clearInterval(more));
  };

  async function called(): Promise<Seen> {
    const index = upstream.seen.length;
    return eventually(() => upstream.seen[index], "the request");
  }

  test.each([
    "hang_after_headers",
    "hang_after_headers side=upstream",
    "slow_head gap=1h",
    "slow_head gap=1h side=upstream",
    "wrong_length",
    "wrong_length side=upstream",
    "duplicate_head",
  ])("%s: a client that leaves ends the call to the target", async (command) => {
    answer = endless;
    await set(daemons.live, command);
    const call = called();
    const { socket, until } = converse(daemons.live.port, chat("stream"));
    const seen = await call;
    if (!command.includes("slow_head")) await until((text) => text.includes("\r\n\r\n"));
    socket.destroy();
    expect(["fin", "rst"]).toContain(await seen.closed);
    expect(await doneOf(daemons.live, command.split(" ")[0] ?? "")).toMatchObject({ done: "client_gone", error: null });
  });

  test.each([
    "truncate_body",
    "truncate_body side=upstream",
    "truncate_body by=reset",
    "half_close at=start",
    "half_close at=start side=upstream",
    "half_close at=head",
    "half_close at=head side=upstream",
    "duplicate_head side=upstream",
    "cut by=fin",
    "cut by=fin side=upstream",
  ])("%s: the call to the target ends with the answer", async (command) => {
    answer = endless;
    await set(daemons.live, command);
    const call = called();
    const { socket } = converse(daemons.live.port, chat("stream"));
    const seen = await call;
    expect(["fin", "rst"]).toContain(await seen.closed);
    socket.destroy();
  });

  test.each(["close", "garbage", "garbage kind=status_line", "garbage kind=binary", "close side=upstream"])(
    "%s: nothing reaches the target",
    async (command) => {
      const calls = upstream.seen.length;
      await set(daemons.live, command);
      await ask(daemons.live.port, chat("whole"), complete);
      expect(upstream.seen.length).toBe(calls);
    },
  );
});

describe("responses without a body", () => {
  const OVER_BODIES = ["hang_after_headers", "truncate_body", "wrong_length", "wrong_length says=less"];
  const HEAD_ONLY = "HTTP/1.1 200 Fine\r\ncontent-type: text/plain\r\ncontent-length: 1234\r\n\r\n";
  const EMPTY = "HTTP/1.1 204 No Content\r\nx-last: 1\r\n\r\n";
  const KINDS = [
    ["HEAD", HEAD_ONLY],
    ["DELETE", EMPTY],
  ] as const;

  test.each(
    KINDS.flatMap(([method, reply]) => OVER_BODIES.flatMap((command) => BOTH_SIDES.map((side) => [method, command, side, reply] as const))),
  )("%s, %s side=%s: untouched, the connection stays usable, and the event says so", async (method, command, side, reply) => {
    answer = ({ socket }) => void socket.write(reply);
    await set(daemons.live, `${command} side=${side} path=*`);
    const conversation = converse(daemons.live.port, request(method, "/v1/things/1"));
    await conversation.until((text) => text === reply);
    conversation.send(request(method, "/v1/things/1"));
    await conversation.until((text) => text === reply + reply);
    conversation.socket.destroy();
    expect(conversation.text()).toBe(reply + reply);
    const fault = command.split(" ")[0] ?? "";
    expect(await doneOf(daemons.live, fault)).toMatchObject({
      done: "delivered",
      skipped: [{ fault, reason: "its place never came" }],
    });
  });

  test.each(KINDS)("%s: what acts on heads and connections acts", async (method, reply) => {
    answer = ({ socket }) => void socket.write(reply);
    const outcome = async (command: string) => {
      await set(daemons.live, `${command} path=*`);
      const isEnough = (text: string) => text.length >= 2 * reply.length;
      const { head, body, end } = await ask(daemons.live.port, request(method, "/v1/things/1"), isEnough);
      return [head + body, end];
    };
    expect(await outcome("late_reset")).toEqual([reply, "rst"]);
    expect(await outcome("half_close")).toEqual([reply, "fin"]);
    expect(await outcome("half_close at=start")).toEqual(["", "fin"]);
    expect(await outcome("duplicate_head")).toEqual([reply + reply, "open"]);
    expect(await outcome("close")).toEqual(["", "fin"]);
  });
});

describe("HTTP/1.0", () => {
  const old = (form: Form) => chat(form).replace(" HTTP/1.1\r\n", " HTTP/1.0\r\n");
  const events = chunksOf(split(LIVE.stream).body).join("");

  test.each<[string, string, RawEnd]>([
    ["hang_after_headers", "", "open"],
    // Without a length the end of the connection is the end of the body: nobody can tell that this one is short.
    ["truncate_body bytes=99", events.slice(0, 99), "fin"],
    ["truncate_body bytes=99 by=reset", events.slice(0, 99), "rst"],
    ["late_reset", events, "rst"],
    ["half_close at=head", "", "fin"],
    ["wrong_length", events, "open"],
    ["wrong_length says=less", events, "fin"],
    ["slow_head gap=0", events, "fin"],
  ])("%s, a stream", async (command, body, end) => {
    await set(daemons.live, command);
    const got = await ask(daemons.live.port, old("stream"), end === "open" ? hasCome(body.length) : undefined);
    expect([got.body, got.end]).toEqual([body, end]);
    expect(got.head).not.toMatch(/transfer-encoding/i);
    if (command.startsWith("wrong_length")) expect(got.head).toMatch(/\r\nContent-Length: (10|1000000)\r\n/);
  });

  test("truncate_body, whole: the length tells", async () => {
    await set(daemons.live, "truncate_body");
    const got = await ask(daemons.live.port, old("whole"));
    expect([got.body, got.end]).toEqual([LIVE_BODY.slice(0, LIVE_BODY.length / 2), "fin"]);
    expect(got.head).toContain(`\r\nContent-LENGTH: ${LIVE_BODY.length}\r\n`);
  });
});

describe("the connection afterwards", () => {
  test.each([
    ["duplicate_head", split(LIVE.whole).head + LIVE.whole],
    ["slow_head gap=0", LIVE.whole],
    ["wrong_length says=less", LIVE.whole.replace(`LENGTH: ${LIVE_BODY.length}`, `LENGTH: ${LIVE_BODY.length - 10}`)],
    ["late_reset side=upstream", LIVE.whole],
    ["half_close side=upstream", LIVE.whole],
  ])("%s leaves it usable: the next answer comes right behind", async (command, text) => {
    await set(daemons.live, command);
    const conversation = converse(daemons.live.port, chat("whole"));
    await conversation.until((so) => so.length >= text.length);
    conversation.send(chat("whole"));
    await conversation.until((so) => so.length >= text.length + LIVE.whole.length);
    conversation.socket.destroy();
    expect(conversation.text()).toBe(text + LIVE.whole);
  });

  test("garbage kind=binary leaves it usable", async () => {
    await set(daemons.live, "garbage kind=binary");
    const conversation = converse(daemons.live.port, chat("whole"));
    await conversation.until(hasCome(256));
    const { length } = conversation.text();
    conversation.send(chat("whole"));
    await conversation.until((text) => text.endsWith(LIVE.whole));
    conversation.socket.destroy();
    expect(conversation.text().slice(length)).toBe(LIVE.whole);
  });

  test("wrong_length leaves it to nobody: a request that is sent behind is not answered", async () => {
    await set(daemons.live, "wrong_length");
    const conversation = converse(daemons.live.port, chat("whole"));
    await conversation.until(hasCome(LIVE_BODY.length));
    conversation.send(chat("whole"));
    const { text, end } = await rest(conversation, () => true);
    expect([split(text).body, end]).toEqual([LIVE_BODY, "open"]);
  });

  test("after a damaged target the next request gets a whole answer", async () => {
    await set(daemons.live, "wrong_length says=less side=upstream");
    const conversation = converse(daemons.live.port, chat("stream"));
    await conversation.until(hasCome(10));
    const { length } = conversation.text();
    conversation.send(chat("whole"));
    await conversation.until((text) => text.endsWith(LIVE.whole));
    conversation.socket.destroy();
    expect(conversation.text().slice(length)).toBe(LIVE.whole);
  });
});

describe("together with other faults", () => {
  const PACE_MS = 1;

  test.each([
    ["c", "add slow_head * gap=1ms"],
    ["slow_head * gap=1ms", "add c"],
  ])("%s, %s: the head of the error is slow", async (mode, added) => {
    await set(daemons.live, mode, added);
    const calls = upstream.seen.length;
    const conversation = converse(daemons.live.port, chat("whole"));
    await conversation.until(complete);
    conversation.socket.destroy();
    const { head } = split(conversation.text());
    expect(head).toStartWith("HTTP/1.1 400 ");
    const early = conversation.arrivals.filter(({ bytes, ms }) => ms < (Math.min(bytes, head.length) - 1) * PACE_MS - 1);
    expect([early, upstream.seen.length - calls]).toEqual([[], 0]);
    const { faults, skipped } = await doneOf(daemons.live, "slow_head");
    expect([[...(faults as string[])].sort(), skipped]).toEqual([["context_length", "slow_head"], []]);
  });

  test.each([
    ["truncate_body", "add slow_head * gap=1ms"],
    ["slow_head * gap=1ms", "add truncate_body"],
  ])("%s, %s: a slow head, and half of the body", async (mode, added) => {
    await set(daemons.live, mode, added);
    const conversation = converse(daemons.live.port, chat("whole"));
    expect(await conversation.end()).toBe("fin");
    const { head, body } = split(LIVE.whole);
    expect(conversation.text()).toBe(head + body.slice(0, body.length / 2));
    expect(conversation.arrivals.filter(({ bytes, ms }) => ms < (Math.min(bytes, head.length) - 1) * PACE_MS - 1)).toEqual([]);
    expect((await doneOf(daemons.live, "slow_head")).skipped).toEqual([]);
  });

  test("slow and late_reset: all bytes at their pace, then RST", async () => {
    await set(daemons.live, "late_reset", "add slow * rate=10kb");
    const conversation = converse(daemons.live.port, chat("whole"));
    expect([await conversation.end(), conversation.text()]).toEqual(["rst", LIVE.whole]);
    expect(conversation.arrivals.at(-1)?.ms).toBeGreaterThanOrEqual((LIVE_BODY.length * 1_000) / (10 * 1024) - 1);
  });

  test("slow_tokens and truncate_body: the body breaks off in its first chunk", async () => {
    await set(daemons.live, "truncate_body", "add slow_tokens * ttft=20ms");
    const { body, end } = await ask(daemons.live.port, chat("stream"));
    expect(end).toBe("fin");
    expect(body).toBe(beginning({ ...split(LIVE.stream), form: "stream" }, Math.floor((EVENTS[0] ?? "").length / 2)));
  });

  test("latency and close: the delay, then FIN", async () => {
    await set(daemons.live, "close", "add latency * for=40ms");
    const start = performance.now();
    const { head, end } = await ask(daemons.live.port, chat("whole"));
    expect(performance.now() - start).toBeGreaterThanOrEqual(39);
    expect([head, end]).toEqual(["", "fin"]);
  });

  test("a damaged target and a fault towards the client: both", async () => {
    await set(daemons.live, "slow_head gap=0", "add duplicate_head side=upstream");
    const { head, body, end } = await ask(daemons.live.port, chat("whole"), hasCome(LIVE_BODY.length));
    expect([head, body, end]).toEqual([split(LIVE.whole).head, LIVE.whole.slice(0, LIVE_BODY.length), "open"]);
  });
});

describe("which requests meet a wire fault", () => {
  /** How the connections of so many requests ended, one after the other. */
  const ends = async (count: number, bytes = chat("whole")): Promise<readonly RawEnd[]> => {
    const seen: RawEnd[] = [];
    for (let index = 0; index < count; index++) {
      const { socket, until, end } = converse(daemons.live.port, bytes);
      await until(complete);
      const number = (before.get(daemons.live) ?? 0) + seen.length + 1;
      const { done } = await daemons.live.event(({ type, exchange }) => type === "exchange" && exchange === number);
      // An RST comes a little behind the last byte.
      seen.push(await end(done === "delivered" ? 5 : undefined));
      socket.destroy();
    }
    return seen;
  };

  test.each<[string, readonly RawEnd[]]>([
    ["truncate_body", ["fin", "open", "open"]],
    ["truncate_body 2", ["fin", "fin", "open"]],
    ["late_reset *", ["rst", "rst", "rst"]],
    ["late_reset nth=2", ["open", "rst", "open"]],
    ["half_close * after_requests=1", ["open", "fin", "fin"]],
    ["close 2 model=gpt-*", ["fin", "fin", "open"]],
    ["truncate_body * stream=on", ["open", "open"]],
    ["truncate_body * provider=google", ["open", "open"]],
    ["truncate_body 0", ["open"]],
  ])("%s", async (command, expected) => {
    await set(daemons.live, command);
    expect(await ends(expected.length)).toEqual(expected);
  });

  test("a share is drawn for each request, as the event says", async () => {
    await set(daemons.live, "truncate_body 50%");
    const met = (await ends(12)).map((end) => end === "fin");
    const decisions = (await daemons.live.events()).filter(
      ({ type, exchange }) => type === "decision" && Number(exchange) > (before.get(daemons.live) ?? 0),
    );
    expect(decisions.map(({ injected }) => injected)).toEqual(met);
    expect(decisions.map(({ drawn }) => Number(drawn) < 0.5)).toEqual(met);
  });

  test("two terminal wire faults: the first wins, the other is not counted", async () => {
    await set(daemons.live, "truncate_body", "add late_reset id=other");
    expect(await ends(3)).toEqual(["fin", "rst", "open"]);
  });

  test("an endpoint that is not inference meets it when the rule names its path", async () => {
    await set(daemons.live, "late_reset *", "add late_reset * path=/v1/models after_requests=1");
    expect(await ends(2, request("GET", "/v1/models", { "x-form": "whole" }))).toEqual(["open", "rst"]);
  });

  test("an error of the target's own is an answer like any other", async () => {
    const reply = "HTTP/1.1 418 No\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n0123456789";
    answer = ({ socket }) => void socket.write(reply);
    await set(daemons.live, "truncate_body");
    const { head, body, end } = await ask(daemons.live.port, chat("stream"));
    expect([head + body, end]).toEqual([reply.slice(0, -5), "fin"]);
    expect(await doneOf(daemons.live, "truncate_body")).toMatchObject({ status: 418, done: "cut", skipped: [] });
  });

  test("bytes= beyond the body: untouched, and the event says so", async () => {
    for (const form of FORMS) {
      await set(daemons.live, "truncate_body bytes=100000");
      const { head, body, end } = await ask(daemons.live.port, chat(form), complete);
      expect([head + body, end]).toEqual([LIVE[form], "open"]);
    }
    expect(await doneOf(daemons.live, "truncate_body")).toMatchObject({
      done: "delivered",
      skipped: [{ fault: "truncate_body", reason: "its place never came" }],
    });
  });
});

test.each(["client", "upstream"])("truncate_body of a large body, side=%s: exactly half of it", async (side) => {
  const large = 5_000_000;
  answer = ({ socket }) => {
    socket.write(`HTTP/1.1 200 Fine\r\ncontent-type: application/json\r\ncontent-length: ${large}\r\n\r\n`);
    socket.write(Buffer.alloc(large, 0x61));
  };
  await set(daemons.live, `truncate_body side=${side}`);
  const { body, end } = await ask(daemons.live.port, chat("whole"));
  expect([body.length, end]).toEqual([large / 2, "fin"]);
});

test("half_close and wrong_length: a large answer in which the proxy waits for its client comes whole", async () => {
  const large = 20_000_000;
  answer = ({ socket }) => {
    socket.write(`HTTP/1.1 200 Fine\r\ncontent-type: application/json\r\ncontent-length: ${large}\r\n\r\n`);
    socket.write(Buffer.alloc(large, 0x61));
  };
  for (const [command, expected] of [
    ["half_close", "fin"],
    ["wrong_length says=less", "open"],
  ] as const) {
    await set(daemons.live, command);
    const conversation = converse(daemons.live.port, chat("whole"));
    conversation.socket.pause();
    await Bun.sleep(SILENCE_MS);
    conversation.socket.resume();
    let bytes = 0;
    const all = Promise.withResolvers<void>();
    conversation.socket.on("data", (chunk) => {
      bytes += chunk.length;
      if (bytes >= large) all.resolve();
    });
    await all.promise;
    expect([await conversation.end(SILENCE_MS), split(conversation.text()).body.length]).toEqual([expected, large]);
    conversation.socket.destroy();
  }
});
