import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { isInputError } from "../../src/core/errors.ts";
import { FAULTS } from "../../src/faults/index.ts";
import { parseCommand } from "../../src/rules/language.ts";
import { needsRawSockets } from "../../src/rules/raw-sockets.ts";
import { ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { circuitOf, ctl, eventsOf, exchangeEvent, type GatewayTables, gatewayToml, QUICK, startGateway } from "./support/gateway-daemon.ts";
import { CHAT, chatBody, due, dueSoon, inFront, posted } from "./support/gateway-pair.ts";
import { told } from "./support/gateway-sdks.ts";
import { DOWN, GOOD, SILENT } from "./support/gateway-upstream.ts";
import { type Outcome, outcomeOf } from "./support/outcome.ts";
import { QUICK_KEYS } from "./support/quick-faults.ts";
import { rawConnection, request } from "./support/raw-client.ts";
import { SDK_CLIENTS } from "./support/sdk-clients.ts";

const CIRCUIT = "openai/gpt-4o";
/** What a client waits where nothing will come, and where something will. */
const PATIENCE_MS = 250;
const MORE_PATIENCE_MS = 10_000;

type Seen = readonly [onceWhole: string, onceStream: string, alwaysWhole: string, alwaysStream: string];

const all = (seen: string): Seen => [seen, seen, seen, seen];
/** A failure that a second attempt heals; a target that always has it is given up after three. */
const HEALED: Seen = ["answer (2)", "answer (2)", "given up (3 degraded)", "given up (3 degraded)"];
const ANSWER = all("answer (1)");
const inStream = (seen: string): Seen => ["answer (1)", seen, "answer (1)", seen];

/**
 * By fault on the target's side: what a client of Chat Completions sees where only the first attempt meets it, and where all do; behind it
 * how often the target was asked, and the class of the last failure. A stream that has begun is not asked for again.
 */
const SEEN: Readonly<Record<string, Seen>> = {
  context_length: all("400 (1 context_window)"),
  rate_limit: ["answer (2)", "answer (2)", "429 (3 local_rate_limit)", "429 (3 local_rate_limit)"],
  server_error: HEALED,
  overloaded: HEALED,
  auth: all("401 (1 auth)"),
  permission: all("403 (1 auth)"),
  quota: all("429 (1 quota)"),
  model_not_found: all("404 (1 client)"),
  content_filter: all("400 (1 content_filter)"),
  request_too_large: all("413 (1 client)"),
  timeout: HEALED,
  bad_gateway: HEALED,
  force_degraded: all("given up (1 degraded)"),
  force_transient_recover: all("answer (2)"),
  latency: ANSWER,
  hang: all("silence (1)"),
  reset: HEALED,
  slow: ANSWER,
  bad_json: ["answer (2)", "answer (1 degraded)", "given up (3 degraded)", "answer (1 degraded)"],
  wrong_content_type: ANSWER,
  close: HEALED,
  hang_after_headers: all("silence (1)"),
  truncate_body: ["answer (2)", "cut (1 degraded)", "given up (3 degraded)", "cut (1 degraded)"],
  // A body that is longer than it says is one that does not end.
  wrong_length: all("silence (1)"),
  duplicate_head: ["answer (1)", "cut (1 degraded)", "answer (1)", "cut (1 degraded)"],
  slow_head: ANSWER,
  half_close: ANSWER,
  late_reset: ANSWER,
  garbage: HEALED,
  cut: inStream("cut (1 degraded)"),
  stall: inStream("silence (1)"),
  error_event: inStream("answer (1 degraded)"),
  no_done: ANSWER,
  malformed_frame: ANSWER,
  duplicate_frame: ANSWER,
  split_frames: ANSWER,
  keepalive_flood: ANSWER,
  slow_tokens: ANSWER,
  finish_length: ANSWER,
  refusal: ANSWER,
  empty: ANSWER,
  bad_tool_json: ANSWER,
  unknown_tool: ANSWER,
  usage_missing: ANSWER,
  "truncate_body bytes=0": ["answer (2)", "cut (1 degraded)", "given up (3 degraded)", "cut (1 degraded)"],
  "truncate_body by=reset": ["answer (2)", "cut (1 degraded)", "given up (3 degraded)", "cut (1 degraded)"],
  "wrong_length says=less": ["answer (2)", "answer (1 degraded)", "given up (3 degraded)", "answer (1 degraded)"],
  "half_close at=start": HEALED,
  "half_close at=head": ["answer (2)", "cut (1 degraded)", "given up (3 degraded)", "cut (1 degraded)"],
  "garbage kind=status_line": HEALED,
  "garbage kind=chunk_size": ["answer (2)", "cut (1 degraded)", "given up (3 degraded)", "cut (1 degraded)"],
  "cut by=fin": inStream("cut (1 degraded)"),
  "cut by=end": inStream("answer (1 degraded)"),
  "stall for=10ms": inStream("answer (1)"),
  "error_event after=0": inStream("answer (1 degraded)"),
  "server_error status=418": all("418 (1 client)"),
  "rate_limit variant=slow_down": ["answer (2)", "answer (2)", "429 (3 local_rate_limit)", "429 (3 local_rate_limit)"],
};

/** So that none takes long. */
const KEYS: Readonly<Record<string, string>> = { ...QUICK_KEYS, rate_limit: "retry_after=3ms" };

const nameOf = (command: string) => command.split(" ")[0] ?? "";

function lineOf(command: string, amount: string): string {
  const [name = "", ...keys] = command.split(" ");
  const own = keys.some((key) => /^(?:for|after)=/.test(key)) ? "" : (KEYS[name] ?? "");
  return [name, amount, ...keys, own, "side=upstream"].filter((word) => word !== "").join(" ");
}

function needsWire(line: string): boolean {
  const command = parseCommand(line);
  return !isInputError(command) && needsRawSockets(command) !== undefined;
}

function wordOf({ status, end, text }: Outcome): string {
  if (end !== "proper") return end;
  if (status === 200) return "answer";
  return text.includes('"provider_degraded"') ? "given up" : String(status);
}

describe.each(ENGINES)("every fault on the target's side, with the %s engine", (engine) => {
  let daemon: TestDaemon;
  let exchanges = 0;
  beforeAll(async () => {
    const breaker = { failure_threshold: 1_000 };
    daemon = await startGateway(engine, { retry: QUICK, breaker }, "--simulate", "--tokens", "12");
  });
  afterAll(() => daemon.stop());

  test("the table has them all", () => {
    expect(new Set(Object.keys(SEEN).map(nameOf))).toEqual(new Set(FAULTS.map(({ name }) => name)));
  });

  // Where a second attempt changes nothing, one way to ask is enough.
  const cells = Object.entries(SEEN).flatMap(([command, [onceWhole, onceStream, alwaysWhole, alwaysStream]]) => [
    ...(onceWhole === alwaysWhole && onceStream === alwaysStream ? [] : [[lineOf(command, "1"), onceWhole, onceStream] as const]),
    [lineOf(command, "*"), alwaysWhole, alwaysStream] as const,
  ]);

  test.each(cells.filter(([line]) => engine === "wire" || !needsWire(line)))("%s: %s whole, %s streamed", async (line, whole, streamed) => {
    const seen: string[] = [];
    for (const [stream, expected] of [
      [false, whole],
      [true, streamed],
    ] as const) {
      await daemon.command("clear");
      const { status, body } = await daemon.command(line);
      expect({ line, status, body }).toMatchObject({ line, status: 200 });
      const patience = expected.startsWith("silence") ? PATIENCE_MS : MORE_PATIENCE_MS;
      const outcome = await outcomeOf(daemon, CHAT, JSON.parse(chatBody({ stream })), patience);
      const { gateway } = await exchangeEvent(daemon, ++exchanges);
      seen.push(`${wordOf(outcome)} (${gateway?.attempts}${gateway?.failure == null ? "" : ` ${gateway.failure}`})`);
    }
    expect(seen).toEqual([whole, streamed]);
  });
});

describe("force_degraded", () => {
  const MARKED = (signal: string) => `${signal} Provider openai is currently degraded or unavailable. Please try again later.`;
  const messageOf = (text: string) => (JSON.parse(text) as { error: { message: string } }).error.message;

  test("without the gateway it is what a client of one sees, on either side", async () => {
    await using running = await inFront({}, [GOOD]);
    const { daemon, upstream } = running;
    for (const side of ["client", "upstream"]) {
      await daemon.command(`force_degraded 1 side=${side} signal=[DOWN] retry_after=7`);
      const { status, headers, text } = await posted(daemon);
      expect([status, headers.get("retry-after"), headers.get("x-llm-proxy-error-class")]).toEqual([503, "7", "provider_degraded"]);
      expect(messageOf(text)).toBe(MARKED("[DOWN]"));
    }
    expect(upstream.asked.length).toBe(0);
    expect((await posted(daemon)).status).toBe(200);
  });

  test("with retries alone it is the target's answer: final, and passed on", async () => {
    await using running = await inFront({ retry: QUICK }, [GOOD]);
    await running.daemon.command("force_degraded * side=upstream signal=[DOWN]");
    expect(messageOf((await posted(running.daemon)).text)).toBe(MARKED("[DOWN]"));
    expect((await exchangeEvent(running.daemon)).gateway).toMatchObject({ attempts: 1, failure: "degraded" });
  });

  test("with the breaker it counts, and the answer is the gateway's own, with the other's time", async () => {
    await using running = await inFront({ breaker: { failure_threshold: 2, degraded_signal: "[OURS]" } }, [GOOD]);
    const { daemon } = running;
    await daemon.command("force_degraded * side=upstream signal=[THEIRS] retry_after=9");
    for (let each = 0; each < 2; each++) {
      const { status, headers, text } = await posted(daemon);
      expect([status, headers.get("retry-after"), messageOf(text)]).toEqual([503, "9", MARKED("[OURS]")]);
    }
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("open");
  });

  test("on the client's side it changes no circuit", async () => {
    await using running = await inFront({ breaker: { failure_threshold: 1 } }, [GOOD]);
    await running.daemon.command("force_degraded 2");
    expect((await posted(running.daemon)).status).toBe(503);
    expect(await circuitOf(running.daemon, CIRCUIT)).toMatchObject({ state: "closed", failures: 0 });
  });
});

describe("force_transient_recover", () => {
  test("each request fails once and is healed, as long as the rule is there; nothing counts", async () => {
    await using running = await inFront({ retry: QUICK, breaker: { failure_threshold: 1 } }, [GOOD]);
    const { daemon, upstream } = running;
    await daemon.command("force_transient_recover * side=upstream");
    for (let each = 1; each <= 3; each++) {
      expect((await posted(daemon)).status).toBe(200);
      expect((await exchangeEvent(daemon, each)).gateway).toMatchObject({ attempts: 2, failure: null });
    }
    expect(upstream.asked.length).toBe(3);
    expect(await circuitOf(daemon, CIRCUIT)).toMatchObject({ state: "closed", failures: 0 });
  });

  test("where nothing is tried again it is a failure", async () => {
    await using running = await inFront({}, [GOOD]);
    await running.daemon.command("force_transient_recover side=upstream");
    expect((await posted(running.daemon)).status).toBe(500);
    expect((await posted(running.daemon)).status).toBe(200);
  });
});

describe("rules and attempts", () => {
  let running: Awaited<ReturnType<typeof inFront>>;
  let exchanges = 0;
  beforeAll(async () => {
    running = await inFront({ retry: QUICK }, [GOOD]);
  });
  afterAll(() => running[Symbol.asyncDispose]());
  beforeEach(async () => {
    await running.daemon.command("clear");
  });

  async function attempts(options: Parameters<typeof posted>[1] = {}): Promise<readonly [attempts: number, faults: string]> {
    await posted(running.daemon, options);
    const { gateway, faults } = await exchangeEvent(running.daemon, ++exchanges);
    return [gateway?.attempts ?? 0, faults.join("+")];
  }

  test("a count goes down with each attempt that meets it", async () => {
    await running.daemon.command("u 3 side=upstream");
    expect(await attempts()).toEqual([3, "server_error+server_error+server_error"]);
    expect(await attempts()).toEqual([1, ""]);
  });

  test("nth and after_requests count attempts", async () => {
    await running.daemon.command("u nth=2 side=upstream");
    expect([await attempts(), await attempts(), await attempts()]).toEqual([
      [1, ""],
      [2, "server_error"],
      [1, ""],
    ]);
    await running.daemon.command("r * retry_after=1ms after_requests=2 side=upstream");
    expect([await attempts(), await attempts()]).toEqual([
      [1, ""],
      [1, ""],
    ]);
    expect((await attempts())[0]).toBe(3);
  });

  test("a share is drawn for each attempt, and each draw is told", async () => {
    await running.daemon.command("u 50% side=upstream");
    const before = (await eventsOf(running.daemon, "decision")).length;
    let asked = 0;
    for (let each = 0; each < 12; each++) asked += (await attempts())[0];
    const decisions = (await eventsOf(running.daemon, "decision")).slice(before);
    expect(decisions.length).toBe(asked);
    expect(asked).toBeGreaterThan(12);
  });

  test("rules that aim at something else are not asked", async () => {
    await running.daemon.command("u * side=upstream model=claude-*");
    await running.daemon.command("add u * side=upstream stream=on");
    expect(await attempts()).toEqual([1, ""]);
    expect((await attempts({ body: chatBody({ stream: true }) }))[0]).toBe(3);
  });

  test("latency of the target comes with each attempt", async () => {
    await running.daemon.command("add latency * for=5ms side=upstream");
    await running.daemon.command("u 1 side=upstream");
    expect(await attempts()).toEqual([2, "server_error+latency+latency"]);
  });

  test("the second attempt can fail otherwise than the first", async () => {
    await running.daemon.command("u 1 side=upstream");
    await running.daemon.command("add r 1 retry_after=1ms side=upstream");
    await running.daemon.command("add a 1 side=upstream");
    expect(await attempts()).toEqual([3, "server_error+rate_limit+auth"]);
  });
});

describe("a circuit and the faults behind it", () => {
  test("o * opens it; then the rule meets nobody, but each probe; without it the circuit closes", async () => {
    const own = { breaker: { failure_threshold: 2 }, retry: { max_transient_retries: 0 } };
    await using running = await inFront(own, [GOOD]);
    const { daemon, upstream } = running;
    const decisions = async () => (await eventsOf(daemon, "decision")).length;
    await daemon.command("o * side=upstream");
    await posted(daemon);
    await posted(daemon);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("open");
    expect(await decisions()).toBe(2);
    expect((await posted(daemon)).status).toBe(503);
    expect(await decisions()).toBe(2);
    await dueSoon(running, own, CIRCUIT);
    expect((await posted(daemon)).status).toBe(503);
    expect(await decisions()).toBe(3);
    await due(daemon, CIRCUIT);
    await daemon.command("n");
    expect(upstream.asked.length).toBe(0);
    expect((await posted(daemon)).status).toBe(200);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("closed");
  });

  const TIMED: GatewayTables = { retry: QUICK, breaker: { failure_threshold: 2 }, providers: { openai: { timeout: 0.1 } } };

  test("hang side=upstream ends with the target's time, is not asked for again, and counts", async () => {
    await using running = await inFront(TIMED, [GOOD]);
    const { daemon, upstream } = running;
    await daemon.command("hang * side=upstream");
    expect((await posted(daemon)).status).toBe(503);
    expect(await exchangeEvent(daemon)).toMatchObject({ error: "provider_degraded", gateway: { attempts: 1, failure: "degraded" } });
    expect((await posted(daemon)).status).toBe(503);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("open");
    expect(upstream.asked.length).toBe(0);
  });

  test("a real silence is the same", async () => {
    await using running = await inFront(TIMED, [SILENT]);
    const { daemon, upstream } = running;
    for (let each = 0; each < 2; each++) expect((await posted(daemon)).status).toBe(503);
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("open");
    expect(upstream.asked.length).toBe(2);
    expect(await eventsOf(daemon, "retry")).toEqual([]);
  });

  test("without a time it hangs until the client leaves; a probe that does frees its place", async () => {
    const breaker = { failure_threshold: 1, cooldown_seconds: 0.05 };
    await using running = await inFront({ breaker, retry: { max_transient_retries: 0 } }, [DOWN, GOOD]);
    const { daemon } = running;
    await posted(daemon);
    await due(daemon, CIRCUIT);
    await daemon.command("hang side=upstream");
    const client = rawConnection(daemon.port, request("POST", CHAT, {}, chatBody({})));
    await daemon.event(({ type, fault }) => type === "decision" && fault === "hang");
    expect((await posted(daemon)).status).toBe(503);
    client.socket.resetAndDestroy();
    await daemon.event(({ type, done }) => type === "exchange" && done === "hang");
    expect((await circuitOf(daemon, CIRCUIT)).state).toBe("half_open");
    expect((await posted(daemon)).status).toBe(200);
  });
});

describe.each(ENGINES)("a target that speaks another dialect, with the %s engine", (engine) => {
  let daemon: TestDaemon;
  let exchanges = 0;
  beforeAll(async () => {
    const backend = '[backend]\nendpoint = "simulated"\ndialect = "responses"\n';
    daemon = await startTestDaemon({
      engine,
      toml: backend + gatewayToml({ retry: QUICK, breaker: { failure_threshold: 3 } }),
      args: ["--seed", "1"],
    });
  });
  afterAll(() => daemon.stop());
  beforeEach(async () => {
    await daemon.command("clear");
  });

  async function asked(name: "chat" | "messages", streamed: boolean) {
    const client = SDK_CLIENTS[name]({ origin: daemon.origin });
    const text = streamed
      ? await client.streamed().then(({ answer, error }) => (error === undefined ? `answer ${answer.finish}` : told(error)))
      : await client.whole().then(({ finish }) => `answer ${finish}`, told);
    const { gateway } = await exchangeEvent(daemon, ++exchanges);
    return `${text} (${gateway?.attempts}${gateway?.failure == null ? "" : ` ${gateway.failure}`})`;
  }

  describe.each(["chat", "messages"] as const)("%s", (name) => {
    const done = name === "chat" ? "answer stop" : "answer end_turn";

    test.each([false, true])("its failures are healed and its circuits open, streamed: %p", async (streamed) => {
      await daemon.command("u 2 side=upstream");
      expect(await asked(name, streamed)).toBe(`${done} (3)`);
      await daemon.command("r retry_after=1ms side=upstream");
      expect(await asked(name, streamed)).toBe(`${done} (2)`);
      await daemon.command("a side=upstream");
      expect(await asked(name, streamed)).toBe(
        `AuthenticationError 401 ${name === "chat" ? "invalid_api_key" : "authentication_error"} (1 auth)`,
      );
      await daemon.command("o * side=upstream");
      for (let each = 0; each < 4; each++)
        expect(await asked(name, streamed)).toMatch(/^\w+Error 503 provider_degraded \((?:3|0) degraded\)$/);
      await ctl(daemon, "breaker", "reset");
    });

    test("errors inside its streams are translated, not asked for again, and count", async () => {
      await daemon.command("error_event * after=6tokens side=upstream");
      for (let each = 0; each < 3; each++) expect(await asked(name, true)).toMatch(/^APIError \w+ \(1 degraded\)$/);
      expect(await asked(name, true)).toMatch(/provider_degraded \(0 degraded\)$/);
      await ctl(daemon, "breaker", "reset");
    });
  });
});
