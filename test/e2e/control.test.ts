import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { BINARY, ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, raw, request } from "./support/raw-client.ts";

const CHAT = request("POST", "/v1/chat/completions", {}, '{"model":"m","messages":[]}');

const NEEDING_RAW_SOCKETS = [
  "close",
  "hang_after_headers",
  "truncate_body",
  "wrong_length",
  "duplicate_head",
  "slow_head",
  "half_close",
  "late_reset",
  "garbage",
  "garbage kind=status_line",
  "cut by=fin",
  "add cut 30% by=fin id=other",
];

type Ended = { readonly code: number; readonly out: string; readonly err: string };

async function run(words: readonly string[]): Promise<Ended> {
  const child = Bun.spawn([...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { code, out, err };
}

describe.each(ENGINES)("the control socket of the binary, with the %s engine", (engine) => {
  let daemon: TestDaemon;

  beforeAll(async () => {
    daemon = await startTestDaemon({ engine, args: ["--simulate", "--seed", "5"] });
  });
  afterAll(() => daemon.stop());
  beforeEach(() => daemon.command("clear"));

  const ctl = (...words: readonly string[]) => run([BINARY, "ctl", "--socket", daemon.socket, ...words]);
  /** Status code and JSON. */
  async function ask(path: string, init: RequestInit = {}): Promise<readonly [number, unknown]> {
    const response = await fetch(`http://localhost${path}`, { ...init, unix: daemon.socket });
    return [response.status, await response.json()];
  }

  const post = (path: string, body: string) => ask(path, { method: "POST", body });

  async function state(): Promise<unknown> {
    const [, { mode, rules }] = (await ask("/v1/status")) as readonly [number, { mode: unknown; rules: unknown }];
    return { mode, rules };
  }

  test("status", async () => {
    expect(await ask("/v1/status")).toMatchObject([
      200,
      { pid: daemon.pid, port: daemon.port, origin: daemon.origin, socket: daemon.socket, seed: 5, engine, mode: "n", rules: [] },
    ]);
  });

  test("a command as text and as JSON", async () => {
    expect(await post("/v1/command", "c 30%")).toMatchObject([200, { mode: "context_length 30%" }]);
    expect(await post("/v1/command", '{"command":"r 2"}')).toMatchObject([200, { mode: "rate_limit 2" }]);
    expect(await post("/v1/command", "n")).toMatchObject([200, { mode: "n" }]);
  });

  test("rules are added, shown and removed", async () => {
    expect(await post("/v1/rules", "r 30% id=a provider=openai")).toMatchObject([200, { rules: [{ id: "a", fault: "rate_limit" }] }]);
    expect(await ask("/v1/rules")).toMatchObject([200, { rules: [{ id: "a" }] }]);
    expect(await ask("/v1/rules/none", { method: "DELETE" })).toMatchObject([404, { error: { message: expect.any(String) } }]);
    expect(await ask("/v1/rules/a", { method: "DELETE" })).toEqual([200, { rules: [] }]);
  });

  test.skipIf(Bun.which("curl") === null)("ctl events: those so far and those that come, a line each", async () => {
    await daemon.command("c");
    const follower = Bun.spawn([BINARY, "ctl", "--socket", daemon.socket, "events"], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
    let lines = "";
    const reading = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of follower.stdout) lines += decoder.decode(chunk, { stream: true });
    })();
    await raw(daemon.port, CHAT, { until: complete });
    const injected = await eventually(() => lines.split("\n").find((line) => line.includes('"injected":true')), "the decision");
    follower.kill();
    await reading;
    expect(JSON.parse(injected)).toMatchObject({ type: "decision", rule: "mode", fault: "context_length" });
    expect(await daemon.events()).toContainEqual(JSON.parse(injected));
  });

  test.skipIf(Bun.which("curl") === null)("curl --unix-socket can do it too", async () => {
    const curl = async (path: string, ...options: readonly string[]) =>
      JSON.parse((await run(["curl", "-sS", "--unix-socket", daemon.socket, ...options, `http://localhost${path}`])).out);
    expect(await curl("/v1/status")).toMatchObject({ port: daemon.port, mode: "n" });
    expect(await curl("/v1/command", "-d", "c 30%")).toMatchObject({ mode: "context_length 30%" });
    expect(await curl("/v1/rules", "-d", "r id=a")).toMatchObject({ rules: [{ id: "mode" }, { id: "a" }] });
    expect(await curl("/v1/rules/a", "-X", "DELETE")).toMatchObject({ rules: [{ id: "mode" }] });
  });

  test.each([
    ["c 120%", "percentage"],
    ["c -1", "not negative"],
    ["c 3 4", "one amount"],
    ["conext 1", "did you mean"],
    ["c colour=blue", "unknown key"],
    ["r variant=none", "expected one of"],
    ["add", "takes a fault"],
    ["add r 0", "above 0"],
    ["rm nobody", "no rule"],
    ...(engine === "serve" ? NEEDING_RAW_SOCKETS.map((command) => [command, "start with --engine wire"] as const) : []),
  ])("%s: refused on the socket and by ctl, with the same sentence, and nothing is changed", async (command, sentence) => {
    await daemon.command("u 50%");
    await daemon.command("add r 10% id=kept");
    const before = await state();
    const [status, body] = await post("/v1/command", command);
    const { message } = (body as { readonly error: { readonly message: string } }).error;
    expect([status, message]).toEqual([400, expect.stringContaining(sentence)]);
    const { code, out, err } = await ctl(...command.split(" "));
    expect(code).toBeGreaterThan(0);
    expect(out).toBe("");
    expect(err).toContain(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(await state()).toEqual(before);
  });

  test("what needs raw sockets is taken by the engine that has them, and what does not by both", async () => {
    const taken = ["garbage kind=binary", "cut by=reset", "cut by=end", ...(engine === "wire" ? NEEDING_RAW_SOCKETS : [])];
    for (const command of taken) expect([command, (await post("/v1/command", command))[0]]).toEqual([command, 200]);
  });

  test("two that command at once: each gets its answer, and every rule is kept once", async () => {
    const ended = await Promise.all(
      Array.from({ length: 12 }, (_, index) => ctl("add", `${index % 2 === 0 ? "c" : "r"}`, "10%", `id=rule-${index}`)),
    );
    expect(ended.map(({ code }) => code)).toEqual(ended.map(() => 0));
    const [, { rules }] = (await ask("/v1/rules")) as readonly [number, { readonly rules: readonly { readonly id: string }[] }];
    expect(rules.map(({ id }) => id).sort()).toEqual(Array.from({ length: 12 }, (_, index) => `rule-${index}`).sort());
  });

  test("two that set the mode at once: one of the two, whole", async () => {
    const [one, other] = await Promise.all([ctl("c", "7", "provider=openai"), ctl("r", "9", "model=gpt*")]);
    expect([one.code, other.code]).toEqual([0, 0]);
    const { mode } = (await state()) as { readonly mode: string };
    expect(["context_length 7 provider=openai", "rate_limit 9 model=gpt*"]).toContain(mode);
  });

  test("a count of one is met by one of two requests at once", async () => {
    await daemon.command("c 1");
    const both = await Promise.all([raw(daemon.port, CHAT, { until: complete }), raw(daemon.port, CHAT, { until: complete })]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
  });
});
