import { afterAll, describe, expect, test } from "bun:test";
import { isInputError } from "../../../src/core/errors.ts";
import type { Delivery, OpenResponse, Received } from "../../../src/core/exchange.ts";
import type { Listener, ServerCertificate } from "../../../src/engines/engine.ts";
import { createPlaces } from "../../../src/engines/places.ts";
import { CONNECTION_LIMITS, type ConnectionLimits, SWEEP_MS } from "../../../src/engines/wire/limits.ts";
import { listen } from "../../../src/engines/wire/listen.ts";
import { makeCertificates } from "../../e2e/support/certificates.ts";
import { openClient, type WireEnd } from "../../e2e/support/wire-end.ts";

const BODY = Buffer.from("{}");
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";

const stop: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const one of stop) await one();
});

type Handle = (received: Received) => Promise<Delivery>;

function delivery(body: OpenResponse["body"]): Delivery {
  return { kind: "response", response: { status: 200, reason: "OK", headers: [], body }, damage: undefined, done: () => {} };
}

/** Reads the body, as the pipeline does, and answers. */
const answering: Handle = async ({ body }) => {
  await body.whole(1_000_000);
  return delivery(BODY);
};

type Bounds = Partial<ConnectionLimits> & { readonly connections?: number; readonly headBytesMax?: number };

function start(
  { connections = 100, headBytesMax = 64 * 1024, ...limits }: Bounds,
  handle: Handle = answering,
  certificate?: ServerCertificate,
) {
  let id = 0;
  const listener = listen(
    {
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      certificate,
      reusePort: false,
      setting: "--port",
      provider: undefined,
      via: certificate === undefined ? "tcp" : "tls",
      headBytesMax,
      bodyBytesMax: () => 1_000_000,
      places: createPlaces(connections),
      nextId: () => ++id,
      handle,
    },
    { ...CONNECTION_LIMITS, ...limits },
  );
  if (isInputError(listener)) throw new Error(listener.message);
  stop.push(() => listener.stop(true));
  return { listener, client: (text = "") => clientOf(listener, text) };
}

function clientOf({ port }: Listener, text: string): WireEnd {
  const client = openClient(port ?? 0, text);
  stop.push(async () => void client.socket.destroy());
  return client;
}

/** Writes this again and again until the connection ends. */
function trickle(client: WireEnd, text: string): void {
  const timer = setInterval(() => (client.hasEnded() ? clearInterval(timer) : client.write(text)), 30);
  stop.push(async () => clearInterval(timer));
}

function expectRefusal({ text }: WireEnd, status: string, code: string, before = ""): void {
  expect(text()).toStartWith(`${before}HTTP/1.1 ${status}\r\n`);
  expect(text()).toContain(`\r\nx-faultproxy-error: ${code}\r\n`);
  expect(text()).toContain("\r\nconnection: close\r\n");
}

describe.concurrent("who is too slow is told so, and the connection ends", () => {
  test.each([
    ["that stops in its request line", "GET / HT"],
    ["that stops in its fields", "GET / HTTP/1.1\r\nHost: a\r\n"],
    ["that stops before its end", "GET / HTTP/1.1\r\nHost: a\r\n\r"],
  ])("a head %s", async (_where, text) => {
    const slow = start({ headMs: 300 }).client(text);
    expect(await slow.ended).toBe("fin");
    expectRefusal(slow, "408 Request Timeout", "request_timeout");
  });

  test("a head that comes byte by byte has the time of one head", async () => {
    const began = performance.now();
    const slow = start({ headMs: 300 }).client("GET / HTTP/1.1\r\nHost: a\r\nX-A: ");
    trickle(slow, "b");
    expect(await slow.ended).toBe("fin");
    expectRefusal(slow, "408 Request Timeout", "request_timeout");
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test("a second head on the same connection", async () => {
    const slow = start({ headMs: 300, idleMs: 60_000 }).client(GET);
    await slow.has(OK);
    await Bun.sleep(600);
    expect(slow.hasEnded()).toBe(false);
    slow.write("GET / ");
    expect(await slow.ended).toBe("fin");
    expectRefusal(slow, "408 Request Timeout", "request_timeout", OK);
  });

  test.each([
    ["a length", `${POST}hel`],
    ["chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
    ["Expect, behind a 100 Continue", POST.replace("Content", "Expect: 100-continue\r\nContent")],
  ])("a body with %s that stops", async (_framing, text) => {
    const slow = start({ bodyIdleMs: 300 }).client(text);
    expect(await slow.ended).toBe("fin");
    const interim = text.includes("Expect") ? "HTTP/1.1 100 Continue\r\n\r\n" : "";
    expectRefusal(slow, "408 Request Timeout", "request_timeout", interim);
  });

  test("whoever waits for the request is told that it will not come", async () => {
    const gone = Promise.withResolvers<string>();
    const slow = start({ bodyIdleMs: 300 }, async ({ body, clientGone }) => {
      clientGone.addEventListener("abort", () => gone.resolve("aborted"));
      await body.whole(1_000);
      return delivery(BODY);
    }).client(`${POST}hel`);
    expect(await gone.promise).toBe("aborted");
    await slow.ended;
  });

  test("a body that comes, however slowly, is waited for", async () => {
    const slow = start({ bodyIdleMs: 400 }).client(POST);
    for (const byte of "hello") {
      await Bun.sleep(150);
      slow.write(byte);
    }
    await slow.has(OK);
    expect(slow.text()).toBe(OK);
  });

  test("a body that nobody reads is not late", async () => {
    const released = Promise.withResolvers<void>();
    const body = "b".repeat(3_000_000);
    const asked = start({ bodyIdleMs: 300 }, async ({ body }) => {
      await released.promise;
      await body.whole(5_000_000);
      return delivery(BODY);
    }).client(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await Bun.sleep(900);
    expect(asked.text()).toBe("");
    released.resolve();
    await asked.has(OK);
  });

  test("an answer that has begun is not broken off for a body that nobody needs any more", async () => {
    let pieces = 0;
    const asked = start({ bodyIdleMs: 300 }, async () =>
      delivery({
        async read() {
          await Bun.sleep(150);
          return ++pieces < 8 ? Buffer.from("hi") : undefined;
        },
        cancel() {},
      }),
    ).client(`${POST}hel`);
    expect(await asked.ended).toBe("fin");
    expect(asked.text()).toEndWith("2\r\nhi\r\n0\r\n\r\n");
  });
});

describe.concurrent("who says nothing is told nothing", () => {
  test.each([
    ["nothing at all", "", ""],
    ["empty lines", "\r\n\r\n", ""],
    ["nothing behind an answer", GET, OK],
  ])("%s", async (_what, text, got) => {
    const silent = start({ headMs: 300, idleMs: 300 }).client(text);
    expect(await silent.ended).toBe("fin");
    expect(silent.text()).toBe(got);
  });

  test("an idle connection is kept for its time", async () => {
    const asked = start({ idleMs: 60_000, headMs: 300 }).client(GET);
    await asked.has(OK);
    await Bun.sleep(700);
    asked.write(GET);
    await asked.has(OK + OK);
  });

  test("a connection that waits for its answer is not idle", async () => {
    const asked = start({ headMs: 200, idleMs: 200, bodyIdleMs: 200 }, async () => {
      await Bun.sleep(900);
      return delivery(BODY);
    }).client(GET);
    await asked.has(OK);
  });
});

describe.concurrent("the number of connections", () => {
  test("above the limit the answer is 503, and whoever leaves makes room", async () => {
    const { client } = start({ connections: 2 });
    const first = client(GET);
    const second = client(GET);
    await Promise.all([first.has(OK), second.has(OK)]);
    const third = client();
    expect(await third.ended).toBe("fin");
    expectRefusal(third, "503 Service Unavailable", "too_many_connections");
    const fourth = client(GET);
    await fourth.ended;
    expectRefusal(fourth, "503 Service Unavailable", "too_many_connections");
    first.fin();
    await first.ended;
    const fifth = client(GET);
    await fifth.has(OK);
    second.write(GET);
    await second.has(OK + OK);
  });

  test("connections that were too slow make room as well", async () => {
    const { client } = start({ connections: 5, headMs: 300 });
    const slow = Array.from({ length: 5 }, () => client("GET / HT"));
    await Promise.all(slow.map(({ ended }) => ended));
    for (const one of slow) one.fin();
    await Bun.sleep(50);
    await client(GET).has(OK);
  });

  test("who does not close a refused connection does not keep its place", async () => {
    const { client } = start({ connections: 5, headMs: 300 });
    const slow = Array.from({ length: 5 }, () => client("GET / HT"));
    await Promise.all(slow.map(({ ended }) => ended));
    // Each is still read for a second, and no longer.
    await Bun.sleep(1_000 + 4 * SWEEP_MS);
    await client(GET).has(OK);
  });
});

describe.concurrent("the end of the listener", () => {
  test("idle connections are closed, running ones finish with their answer and say so", async () => {
    const released = Promise.withResolvers<void>();
    const { listener, client } = start({}, async ({ target }) => {
      if (target === "/slow") await released.promise;
      return delivery(BODY);
    });
    const idle = client(GET);
    const silent = client();
    await idle.has(OK);
    const running = client(GET.replace("/", "/slow"));
    await Bun.sleep(50);
    const stopped = listener.stop(false);
    expect(await idle.ended).toBe("fin");
    expect(await silent.ended).toBe("fin");
    expect(running.hasEnded()).toBe(false);
    released.resolve();
    expect(await running.ended).toBe("fin");
    expect(running.text()).toBe("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    running.fin();
    await stopped;
  });

  test("breaking off resets what runs", async () => {
    const { listener, client } = start({}, () => new Promise<Delivery>(() => {}));
    const running = client(GET);
    await Bun.sleep(50);
    await listener.stop(true);
    expect(await running.ended).toBe("rst");
  });
});

describe.skipIf(Bun.which("openssl") === null)("with TLS", () => {
  const made = Bun.which("openssl") === null ? undefined : makeCertificates();
  afterAll(() => made?.remove());
  const startTls = (limits: Bounds) => start(limits, answering, made?.pair("good"));
  /** The beginning of a ClientHello. */
  const HELLO = "\x16\x03\x01\x02\x00\x01";

  test.each([
    ["does not begin", ""],
    ["stops", HELLO],
  ])("a handshake that %s has the time of a head, and makes room", async (_, text) => {
    const { client } = startTls({ headMs: 300, connections: 1 });
    const slow = client(text);
    expect(await slow.ended).toBe("fin");
    expect(slow.text()).toBe("");
    const next = client(HELLO);
    await Bun.sleep(100);
    expect(next.hasEnded()).toBe(false);
  });

  test("a handshake that comes byte by byte has no longer", async () => {
    const slow = startTls({ headMs: 300 }).client(HELLO);
    const began = performance.now();
    trickle(slow, "\0");
    await slow.ended;
    expect(performance.now() - began).toBeLessThan(3_000);
  });

  test("above the limit a connection ends at once, without an answer", async () => {
    const { client } = startTls({ connections: 1 });
    client(HELLO);
    await Bun.sleep(50);
    const second = client(HELLO);
    await second.ended;
    expect(second.text()).toBe("");
  });

  test("the end of the listener does not wait for handshakes", async () => {
    const { listener, client } = startTls({});
    const silent = client();
    const begun = client(HELLO);
    await Bun.sleep(50);
    await listener.stop(false);
    expect([await silent.ended, await begun.ended]).toEqual(["fin", "fin"]);
  });
});
