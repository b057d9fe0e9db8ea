import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";

const TOKENS = 8;
const CHAT = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "hello" }] });
const STREAM = JSON.stringify({ ...JSON.parse(CHAT), stream: true });
const REPOSITORY = join(import.meta.dir, "../..");

/** Runs a program that a user might point at the proxy; those that are not there are installed by .ci/run. */
async function run(
  command: readonly string[],
  input = "",
): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
  const child = Bun.spawn([...command], { cwd: REPOSITORY, stdin: new Blob([input]), stdout: "pipe", stderr: "pipe" });
  const [out, error] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, out, error };
}

describe.each(ENGINES)("other clients, with the %s engine", (engine) => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startTestDaemon({ engine, args: ["--simulate", "--seed", "1", "--tokens", String(TOKENS), "--log-level", "silent"] });
  });
  afterAll(() => daemon.stop());

  const set = async (command: string) => expect(await daemon.command(command)).toMatchObject({ status: 200 });
  const curl = (body: string, ...more: readonly string[]) =>
    run(["curl", "-sN", "--max-time", "5", ...more, "--data-binary", "@-", `${daemon.origin}/v1/chat/completions`], body);

  describe("curl", () => {
    test("a stream", async () => {
      const { code, out } = await curl(STREAM);
      expect([code, out.endsWith("data: [DONE]\n\n")]).toEqual([0, true]);
    });

    test("an RST in the middle of a stream is exit code 56", async () => {
      await set("cut after=3");
      expect((await curl(STREAM)).code).toBe(56);
    });

    test("a body that is larger than curl sends without asking", async () => {
      const body = JSON.stringify({ model: "gpt-4o", messages: [{ role: "user", content: "x".repeat(2_000_000) }] });
      const { code, out } = await curl(body, "-H", "expect: 100-continue");
      expect([code, JSON.parse(out).object]).toEqual([0, "chat.completion"]);
    });

    test("HTTP/1.0", async () => {
      const { code, out } = await curl(STREAM, "--http1.0");
      expect([code, out.endsWith("data: [DONE]\n\n")]).toEqual([0, true]);
    });

    if (engine === "wire") {
      test.each([
        ["cut after=3 by=fin", 18],
        ["truncate_body", 18],
        ["truncate_body by=reset", 56],
        ["close", 52],
        ["late_reset", 0],
        ["garbage kind=chunk_size", 56],
        ["half_close at=start", 52],
      ])("%s is exit code %i", async (command, code) => {
        await set(command);
        expect((await curl(STREAM)).code).toBe(code);
      });

      test.each(["garbage", "garbage kind=status_line"])("%s is no HTTP", async (command) => {
        await set(command);
        // 1: a protocol that is not supported, here HTTP/0.9; 8: a weird server reply.
        expect([1, 8]).toContain((await curl(CHAT)).code);
      });

      test.each(["hang_after_headers", "wrong_length"])("%s is waited for until --max-time (28)", async (command) => {
        await set(command);
        expect((await curl(CHAT, "--max-time", "0.3")).code).toBe(28);
      });
    }
  });

  describe("undici in Node.js", () => {
    const script = `
      import { Agent, request, setGlobalDispatcher } from "undici";
      setGlobalDispatcher(new Agent({ pipelining: 1, connections: 4, headersTimeout: 300, bodyTimeout: 300 }));
      const [, origin, body] = process.argv;
      try {
        const answer = await request(origin + "/v1/chat/completions", { method: "POST", headers: { "content-type": "application/json" }, body });
        const text = await answer.body.text();
        console.log(JSON.stringify([answer.statusCode, text.length > 0]));
      } catch (error) {
        console.log(JSON.stringify([error.code ?? error.name]));
      }`;
    const undici = async (body: string) => JSON.parse((await run(["node", "--input-type=module", "-e", script, daemon.origin, body])).out);

    test.each([
      ["n", CHAT, [200, true]],
      ["n", STREAM, [200, true]],
      ["r", CHAT, [429, true]],
      ["cut after=3", STREAM, ["ECONNRESET"]],
    ])("%s: %s → %j", async (command, body, seen) => {
      await set(command);
      expect(await undici(body)).toEqual(seen);
    });

    if (engine === "wire") {
      test.each([
        ["close", CHAT, ["UND_ERR_SOCKET"]],
        ["garbage", CHAT, ["HTTPParserError"]],
        ["garbage kind=chunk_size", CHAT, ["HTTPParserError"]],
        ["hang_after_headers", CHAT, ["UND_ERR_BODY_TIMEOUT"]],
        ["truncate_body", CHAT, [expect.stringMatching(/^UND_ERR_/)]],
      ])("%s: %s → %j", async (command, body, seen) => {
        await set(command);
        expect(await undici(body)).toEqual(seen);
      });
    }
  });

  describe("http.client of Python", () => {
    const script = `
import http.client, sys
host, body = sys.argv[1], sys.argv[2]
c = http.client.HTTPConnection(host, timeout=0.5)
try:
    for _ in range(2):
        c.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        r = c.getresponse()
        print(r.status, len(r.read()) > 0, r.reason)
except Exception as e:
    print(type(e).__name__)
`;
    const python = async (body: string) => (await run(["python3", "-c", script, `127.0.0.1:${daemon.port}`, body])).out.trim().split("\n");

    test("two requests over one connection", async () => {
      expect(await python(STREAM)).toEqual(["200 True OK", "200 True OK"]);
    });

    if (engine === "wire") {
      test.each([
        ["close", ["RemoteDisconnected"]],
        ["truncate_body", ["IncompleteRead"]],
        ["garbage", ["BadStatusLine"]],
        ["hang_after_headers", ["TimeoutError"]],
        ["slow_head gap=0ms", ["200 True OK", "200 True OK"]],
      ])("%s → %j", async (command, seen) => {
        await set(command);
        expect(await python(CHAT)).toEqual(seen);
      });
    }
  });

  test("wrk: thousands of requests over kept connections, none lost", async () => {
    const lua = join(import.meta.dir, "support/post.lua");
    const { code, out, error } = await run(["wrk", "-t1", "-c16", "-d1s", "-s", lua, `${daemon.origin}/v1/chat/completions`]);
    expect([code, error]).toEqual([0, ""]);
    expect(Number(/(\d+) requests in/.exec(out)?.[1])).toBeGreaterThan(500);
    expect(out).not.toMatch(/Socket errors|Non-2xx/);
  });
});
