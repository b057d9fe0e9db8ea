import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { rawConnection, request } from "./support/raw-client.ts";
import { startRawUpstream } from "./support/raw-upstream.ts";

const PATH = "/v1/chat/completions";
/** More than all buffers on the way hold. */
const LARGE = 200_000_000;
const BODY = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "hi" }] });
const upload = (length: string, bytes: string) => `POST ${PATH} HTTP/1.1\r\nhost: x\r\nuser-agent: raw\r\n${length}\r\n\r\n${bytes}`;

/** What a client that leaves before its answer has sent by then. */
const UNFINISHED: readonly (readonly [string, string])[] = [
  ["a small upload", upload("content-length: 1000", '{"model":"gpt-4o"')],
  ["a large upload", upload("content-length: 1000000", "x".repeat(100_000))],
  ["a chunked upload", upload("transfer-encoding: chunked", "5\r\nabcde\r\n")],
];

describe.each(ENGINES)("clients that leave, with the %s engine", (engine) => {
  let upstream: Awaited<ReturnType<typeof startRawUpstream>>;
  let simulated: TestDaemon;
  let live: TestDaemon;

  beforeAll(async () => {
    upstream = await startRawUpstream(({ target, socket }) => {
      if (target === "/v1/files/large") socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${LARGE}\r\n\r\n`);
      if (target === "/v1/files/large") socket.write(Buffer.alloc(LARGE));
    });
    simulated = await startTestDaemon({ engine, args: ["--simulate", "--ttft", "20s"] });
    live = await startTestDaemon({ engine, args: ["--upstream", `openai=${upstream.url}`] });
  });
  afterAll(async () => {
    await Promise.all([simulated.stop(), live.stop()]);
    upstream.stop();
  });

  const running = async (daemon: TestDaemon) => {
    const answer = await fetch("http://localhost/v1/status", { unix: daemon.socket });
    return ((await answer.json()) as { running: number }).running;
  };

  /** Sends the bytes, leaves once the request is running, and gives the event of its end. */
  async function leave(daemon: TestDaemon, bytes: string): Promise<Record<string, unknown>> {
    const before = (await daemon.events()).length;
    const { socket } = rawConnection(daemon.port, bytes);
    await eventually(async () => ((await running(daemon)) === 1 ? true : undefined), "the request");
    socket.destroy();
    const ended = await eventually(async () => (await daemon.events()).slice(before).find(({ type }) => type === "exchange"), "its end");
    expect(await running(daemon)).toBe(0);
    return ended;
  }

  const GONE = { status: null, done: "client_gone", error: null };

  describe.each(UNFINISHED)("in the middle of %s", (_, bytes) => {
    test("to a target", async () => expect(await leave(live, bytes)).toMatchObject(GONE));

    test("to a target, with a rule that reads bodies", async () => {
      await live.command("r * model=none");
      expect(await leave(live, bytes)).toMatchObject(GONE);
      await live.command("n");
    });

    test("to the built-in provider", async () => expect(await leave(simulated, bytes)).toMatchObject(GONE));
  });

  test("while the target says nothing", async () => {
    expect(await leave(live, request("POST", PATH, {}, BODY))).toMatchObject(GONE);
  });

  test("while the built-in provider thinks", async () => {
    expect(await leave(simulated, request("POST", PATH, {}, BODY))).toMatchObject(GONE);
  });

  test("in the middle of an answer that it has stopped reading", async () => {
    const before = (await live.events()).length;
    const { socket } = rawConnection(live.port, request("GET", "/v1/files/large"));
    socket.once("data", () => socket.pause());
    await once(socket, "data");
    socket.destroy();
    const ended = await eventually(async () => (await live.events()).slice(before).find(({ type }) => type === "exchange"), "its end");
    expect(ended).toMatchObject({ status: 200, done: "client_gone", error: null });
    expect(await running(live)).toBe(0);
  });

  test.each(["latency", "c"])("during a latency, with %s", async (terminal) => {
    await live.command(terminal);
    await live.command("add latency for=20s");
    const faults = terminal === "c" ? ["context_length", "latency"] : ["latency", "latency"];
    expect(await leave(live, request("POST", PATH, {}, BODY))).toMatchObject({ ...GONE, faults });
    await live.command("clear");
  });
});
