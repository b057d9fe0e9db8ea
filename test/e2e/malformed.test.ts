import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CUT_REQUESTS, MALFORMED_REQUESTS, ODD_REQUESTS } from "../engines/wire/http1/corpus/requests.ts";
import { MALFORMED_RESPONSES, ODD_RESPONSES, RESPONSES_WITH_MORE } from "../engines/wire/http1/corpus/responses.ts";
import { eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { field, type Message, messageScan, responseFraming, statusOf } from "./support/http-message.ts";
import { type Arrived, startRawTarget } from "./support/raw-target.ts";
import { openClient, type WireEnd } from "./support/wire-end.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
const GOOD = "GET /v1/models HTTP/1.1\r\nHost: {host}\r\n\r\n";

let target: Awaited<ReturnType<typeof startRawTarget>>;
let daemon: TestDaemon;
let answer: (arrived: Arrived) => unknown;

beforeAll(async () => {
  target = await startRawTarget((arrived) => answer(arrived));
  daemon = await startTestDaemon({ engine: "wire", args: ["--upstream", `openai=${target.url}`] });
});
afterAll(async () => {
  await daemon.stop();
  target.stop();
});

const meant = (text: string) => text.replaceAll("{host}", target.authority);

function answering(text: string): void {
  answer = ({ complete, connection }) => void complete.then(() => connection.write(text));
}

/** Sends this and waits for the end of the connection, and, with `fin`, ends it first. */
async function sent(text: string, fin = false): Promise<WireEnd> {
  const client = openClient(daemon.port, meant(text));
  if (fin) client.fin();
  await client.ended;
  client.socket.destroy();
  return client;
}

/** All complete answers in a text, and what is left. */
function answersIn(text: string, method = "POST"): { readonly answers: readonly Message[]; readonly rest: string } {
  const scan = messageScan((head) => responseFraming(head, method));
  const answers = scan.push(text);
  return { answers, rest: (scan.head()?.head ?? "") + scan.rest() };
}

function expectRefusal(text: string, { status, code }: { readonly status: number; readonly code: string }): void {
  const { answers, rest } = answersIn(text);
  expect(answers.map(({ startLine }) => statusOf(startLine))).toEqual([status]);
  expect(rest).toBe("");
  const headers = answers[0]?.headers ?? [];
  expect(field(headers, "connection")).toEqual(["close"]);
  expect(field(headers, "x-faultproxy-error")).toEqual([code]);
}

/** A request whose client has been answered, or has left, may still be on its way to the target. */
const SETTLE_MS = 20;

/** Requests whose damage comes so late that their head may have gone on when it does. */
const LATE_BYTES = 60_000;

describe("a malformed request is refused, and the target sees nothing of it", () => {
  test.each(MALFORMED_REQUESTS.map((one) => [one.name, one] as const))("%s", async (_name, { bytes, expect: expected }) => {
    answering(OK);
    const before = target.arrivals.length;
    expectRefusal((await sent(bytes)).text(), expected);
    if (bytes.length > LATE_BYTES) await Bun.sleep(SETTLE_MS);
    for (const arrived of target.arrivals.slice(before)) {
      expect(bytes.length).toBeGreaterThan(LATE_BYTES);
      await arrived.connection.ended;
      expect(arrived.body()).not.toContain("\r\n0\r\n");
    }

    // Behind a good one in the same write: that one is answered, and a connection to the target is there to be misused.
    const behind = target.arrivals.length;
    const { text } = await sent(GOOD + bytes);
    expect(text()).toStartWith(OK);
    expectRefusal(text().slice(OK.length), expected);
    expect(target.arrivals.slice(behind).map(({ head, body }) => head + body())).toEqual([meant(GOOD)]);
  });

  test("two good ones before it, and a good one behind it, which nobody performs", async () => {
    answering(OK);
    for (const { bytes, expect: expected } of MALFORMED_REQUESTS.filter((one) => one.bytes.length < 5_000)) {
      const before = target.arrivals.length;
      const { text } = await sent(GOOD + GOOD + bytes + GOOD);
      expect(text()).toStartWith(OK + OK);
      expectRefusal(text().slice(2 * OK.length), expected);
      expect(target.arrivals.length - before).toBe(2);
    }
  });

  test("and the next good one is answered", async () => {
    answering(OK);
    const client = openClient(daemon.port, meant(GOOD));
    await client.has(OK);
    client.socket.destroy();
  });
});

describe("a request that is cut off is answered by nobody, and never completed at the target", () => {
  test.each(CUT_REQUESTS.map((one) => [one.name, one] as const))("%s", async (_name, { bytes, expect: { code } }) => {
    answering(OK);
    const before = target.arrivals.length;
    expect((await sent(bytes, true)).text()).toBe("");
    await Bun.sleep(SETTLE_MS);
    const arrivals = target.arrivals.slice(before);
    if (code === "incomplete_head") expect(arrivals).toEqual([]);
    for (const { connection, complete } of arrivals) {
      await connection.ended;
      expect(await Promise.race([complete.then(() => "complete"), Bun.sleep(1).then(() => "cut")])).toBe("cut");
    }
  });
});

/** What the target gets of a well-formed request: its own Host, origin-form, HTTP/1.1, and Transfer-Encoding at the end. */
function asForwarded(bytes: string): string {
  const whole = bytes.replace(/^(\r\n)+/, "");
  const border = whole.indexOf("\r\n\r\n") + 2;
  const [requestLine = "", ...lines] = whole.slice(0, border).split("\r\n").slice(0, -1);
  const line = requestLine.replace(/ https?:\/\/[^/? ]+(\/?)/i, " /").replace(/1\.0$/, "1.1");
  const hasHost = lines.some((one) => /^host:/i.test(one));
  const fields = lines.map((one) => one.replace(/^host:.*/i, "Host: {host}")).filter((one) => !/^transfer-encoding:/i.test(one));
  if (!hasHost) fields.unshift("Host: {host}");
  if (fields.length < lines.length) fields.push("Transfer-Encoding: chunked");
  return `${[line, ...fields].join("\r\n")}\r\n${whole.slice(border)}`;
}

describe("an odd request that is well formed reaches the target byte for byte", () => {
  test.each(ODD_REQUESTS.map(({ name, bytes }) => [name, bytes] as const))("%s", async (_name, bytes) => {
    answering(OK);
    const before = target.arrivals.length;
    const client = openClient(daemon.port, meant(bytes));
    await client.has("{}");
    client.socket.destroy();
    expect(answersIn(client.text()).answers.map(({ startLine }) => startLine)).toEqual(["HTTP/1.1 200 OK"]);
    expect(target.arrivals.slice(before).map(({ head, body }) => head + body())).toEqual([meant(asForwarded(bytes))]);
  });
});

const POST = "POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n\r\n{}";

/** Answers a POST with these bytes and the end of the connection; gives everything that the client gets, and the target's connection. */
async function answered(bytes: string) {
  answer = ({ complete, connection }) =>
    void complete.then(() => {
      connection.write(bytes);
      connection.fin();
    });
  const before = target.arrivals.length;
  const client = openClient(daemon.port, meant(POST));
  await Promise.race([client.ended, client.has((text) => answersIn(text).answers.some(({ startLine }) => statusOf(startLine) >= 200))]);
  const arrived = await eventually(() => target.arrivals[before], "the request");
  return { client, connection: arrived.connection };
}

/** Another request, on the client's connection where it is still open, is answered, and over another connection to the target. */
async function expectUnharmed({ client, connection }: Awaited<ReturnType<typeof answered>>): Promise<void> {
  await connection.ended;
  answering(OK);
  const before = target.arrivals.length;
  const asked = client.hasEnded() ? openClient(daemon.port) : client;
  const length = asked.text().length;
  asked.write(meant(GOOD));
  await asked.has(length + OK.length);
  expect(asked.text().slice(length)).toBe(OK);
  expect(target.arrivals[before]?.connection).not.toBe(connection);
  for (const end of [asked, client]) end.socket.destroy();
}

describe("a malformed answer is an error of the target's, or a cut where it had begun well", () => {
  test.each(MALFORMED_RESPONSES.map((one) => [one.name, one] as const))("%s", async (name, { bytes, expect: { code } }) => {
    const got = await answered(bytes);
    const { answers, rest } = answersIn(got.client.text());
    const finals = answers.filter(({ startLine }) => statusOf(startLine) >= 200);
    if (name.startsWith("chunk:") || code === "incomplete_body") {
      await got.client.ended;
      expect(finals).toEqual([]);
      expect(rest).toStartWith("HTTP/1.1 200 OK\r\n");
      expect(rest).not.toContain("smuggled");
    } else {
      expect(finals.map(({ startLine }) => startLine)).toEqual(["HTTP/1.1 502 Bad Gateway"]);
      const reason = code === "incomplete_head" ? "upstream_closed_early" : "upstream_protocol";
      expect(field(finals[0]?.headers ?? [], "x-faultproxy-error")).toEqual([reason]);
    }
    await expectUnharmed(got);
  });
});

describe("what comes behind an answer is nobody's", () => {
  test.each(RESPONSES_WITH_MORE.map((one) => [one.name, one] as const))("%s", async (_name, { bytes, rest }) => {
    const got = await answered(bytes);
    const { answers } = answersIn(bytes.slice(0, bytes.length - rest.length));
    const [{ startLine = "", payload = "" } = {}] = answers;
    expect(answersIn(got.client.text()).answers.map((one) => [one.startLine, one.payload])).toEqual([[startLine, payload]]);
    await expectUnharmed(got);
  });
});

/** What the client gets of a well-formed answer: HTTP/1.1, a space behind the status, and Transfer-Encoding or Connection at the end. */
function asPassedOn(bytes: string): string {
  const starts = [...bytes.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(({ index }) => index);
  const interim = bytes.slice(0, starts.at(-1));
  const final = bytes.slice(starts.at(-1));
  const border = final.indexOf("\r\n\r\n") + 2;
  const [statusLine = "", ...lines] = final.slice(0, border).split("\r\n").slice(0, -1);
  const fields = lines.filter((one) => !/^(transfer-encoding|connection):/i.test(one));
  const isUntilClose = !/\r\n(content-length|transfer-encoding):/i.test(final);
  if (isUntilClose) fields.push("Connection: close");
  else if (/\r\ntransfer-encoding:/i.test(final)) fields.push("Transfer-Encoding: chunked");
  const line = statusLine.replace("1.0", "1.1").replace(/^(HTTP\/1\.1 \d{3})$/, "$1 ");
  return `${interim}${[line, ...fields].join("\r\n")}\r\n${final.slice(border)}`;
}

describe("an odd answer that is well formed reaches the client byte for byte", () => {
  test.each(ODD_RESPONSES.map(({ name, bytes }) => [name, bytes] as const))("%s", async (_name, bytes) => {
    const { client } = await answered(bytes);
    await client.has(asPassedOn(bytes).length);
    client.socket.destroy();
    expect(client.text()).toBe(asPassedOn(bytes));
  });
});
