import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { type Families, parsePrometheus, total } from "./support/prometheus.ts";
import { complete, raw, rawConnection, request } from "./support/raw-client.ts";
import { type RecordedBackend, startBackend, whole } from "./support/recorded-backend.ts";
import { CHAT_PATH, post } from "./support/translating.ts";

const chat = (daemon: TestDaemon, changes = {}, fields = {}) =>
  post(daemon, CHAT_PATH, { model: "gpt-4o", messages: [], ...changes }, fields);
const metricsOf = async ({ origin }: TestDaemon): Promise<Families> => parsePrometheus(await (await fetch(`${origin}/metrics`)).text());

type Health = {
  readonly status: string;
  readonly providers: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly store: object;
  readonly ledger: object | null;
};

async function health({ origin }: TestDaemon): Promise<{ readonly status: number; readonly report: Health }> {
  const answer = await fetch(`${origin}/health`);
  return { status: answer.status, report: (await answer.json()) as Health };
}

describe.each(ENGINES)("pages of the gateway with the %s engine", (engine) => {
  describe("/health", () => {
    let backend: RecordedBackend;
    let daemon: TestDaemon;
    beforeAll(async () => {
      backend = await startBackend(whole(200, '{"of":"the target"}'));
      const url = backend.endpoint.replace(/\/v1$/, "");
      const toml = '[breaker]\nmode = "enforce"\nfailure_threshold = 2\n[retry]\nmax_transient_retries = 0\n';
      daemon = await startTestDaemon({ engine, toml, args: ["--upstream", `openai=${url}`, "--upstream", `tetrate=${url}`] });
    });
    afterAll(async () => {
      await daemon.stop();
      backend.stop();
    });

    test("says of each provider where it is and how its circuits are", async () => {
      const { status, report } = await health(daemon);
      expect(status).toBe(200);
      const unasked = { reachable: null, circuit_state: "closed", circuit_failures: 0, circuit_cooldown_until: null };
      expect(report.status).toBe("ok");
      expect(Object.keys(report.providers).sort()).toEqual(["anthropic", "databricks", "google", "openai", "openrouter", "tetrate"]);
      expect(report.providers.openai).toEqual({ host: new URL(backend.endpoint).host, configured: true, ...unasked });
      expect(report.providers.databricks).toEqual({ host: null, configured: false, ...unasked });
      expect(report.store).toEqual({ kind: "memory", up: true, instances: 1, detail: null });
      expect(report.ledger).toBeNull();
    });

    test("is a page for GET and HEAD at this path alone, whatever the query", async () => {
      const before = backend.requests.length;
      for (const target of ["/health", "/health?verbose=1", "/health?"]) {
        const answer = await raw(daemon.port, request("GET", target), { until: complete });
        expect([answer.status, JSON.parse(answer.body).status]).toEqual([200, "ok"]);
        const fields = Object.fromEntries(answer.headers.map(([name, value]) => [name.toLowerCase(), value]));
        expect(fields).toMatchObject({ "content-type": "application/json", "cache-control": "no-store", date: expect.any(String) });
      }
      const head = await raw(daemon.port, request("HEAD", "/health", { connection: "close" }));
      expect([head.status, head.body, head.end]).toEqual([200, "", "fin"]);
      expect(backend.requests.length).toBe(before);
      const others = [
        ["POST", "/health"],
        ["GET", "/openai/health"],
        ["GET", "/health/deep"],
        ["GET", "/healthz"],
        ["GET", "/tetrate/metrics"],
      ] as const;
      for (const [method, path] of others) {
        const answer = await raw(daemon.port, request(method, path), { until: complete });
        expect([path, answer.body]).toEqual([path, '{"of":"the target"}']);
      }
      expect(backend.requests.slice(before).map(({ method, target }) => `${method} ${target}`)).toEqual([
        "POST /health",
        "GET /health",
        "GET /health/deep",
        "GET /healthz",
        "GET /metrics",
      ]);
    });

    test("is a 503 while a circuit is open, and says until when", async () => {
      backend.reply(whole(500, '{"error":{"message":"no"}}'));
      for (let each = 0; each < 2; each++) await chat(daemon);
      await daemon.event((event) => event.type === "circuit" && event.to === "open");
      const { status, report } = await health(daemon);
      expect([status, report.status]).toEqual([503, "degraded"]);
      const { circuit_cooldown_until: until, models, ...circuit } = report.providers.openai ?? {};
      expect(circuit).toMatchObject({ circuit_state: "open", circuit_failures: 2 });
      expect(Date.parse(String(until))).toBeGreaterThan(Date.now() + 200_000);
      expect(models).toMatchObject({ "gpt-4o": { circuit_state: "open" } });
      expect(report.providers.anthropic).toMatchObject({ circuit_state: "closed" });
      const answer = await fetch(`${daemon.origin}/health`, { method: "HEAD" });
      expect(answer.status).toBe(503);
      expect(total(await metricsOf(daemon), "faultproxy_circuit_state", { provider: "openai", model: "gpt-4o" })).toBe(2);
      await fetch("http://x/v1/breakers/reset", { unix: daemon.socket, method: "POST", body: "{}" });
      expect((await health(daemon)).status).toBe(200);
    });
  });

  test("/metrics counts what passed", async () => {
    using state = temporaryFolder();
    const toml =
      '[limits]\nuser_header = "x-user"\n[[limits.override]]\nuser = "greedy"\nrequests_per_minute = 1\n[retry]\ntransient_delay = 0.001\n';
    await using daemon = await startTestDaemon({
      engine,
      toml,
      args: ["--simulate", "--gateway", "--tokens", "10"],
      environment: { XDG_STATE_HOME: state.path },
    });
    const empty = await metricsOf(daemon);
    expect([...empty.keys()].every((name) => /^(?:gen_ai_|faultproxy_)/.test(name))).toBe(true);
    expect(total(empty, "faultproxy_running_requests")).toBe(0);

    for (let each = 0; each < 3; each++) await chat(daemon);
    for (let each = 0; each < 2; each++) await chat(daemon, { stream: true });
    await post(daemon, "/v1/responses", { model: "gpt-4o", input: "hi" });
    await post(daemon, "/v1beta/models/gemini-2.5-pro:generateContent", { contents: [] });
    await chat(daemon, {}, { "x-user": "greedy" });
    await chat(daemon, {}, { "x-user": "greedy" });
    await daemon.command("r 1");
    await chat(daemon);
    await daemon.command("server_error 1 side=upstream");
    await chat(daemon);
    await fetch(`${daemon.origin}/v1/models`);
    await fetch(`${daemon.origin}/v1/nothing`);
    await fetch(`${daemon.origin}/health`);
    await daemon.command("hang 1");
    const { socket } = rawConnection(daemon.port, request("POST", CHAT_PATH, {}, '{"model":"gpt-4o","messages":[]}'));
    const busy = await eventually(async () => {
      const now = await metricsOf(daemon);
      return total(now, "faultproxy_running_requests") === 1 ? now : undefined;
    }, "the request that hangs");
    expect(total(busy, "faultproxy_requests_total", { kind: "inference" })).toBe(11);
    socket.destroy();
    const metrics = await eventually(async () => {
      const now = await metricsOf(daemon);
      return total(now, "faultproxy_running_requests") === 0 ? now : undefined;
    }, "its end");

    const count = (name: string, labels = {}) => total(metrics, name, labels);
    expect(count("faultproxy_requests_total", { kind: "inference", provider: "openai", status: "200" })).toBe(8);
    expect(count("faultproxy_requests_total", { kind: "inference", provider: "google", status: "200" })).toBe(1);
    expect(count("faultproxy_requests_total", { kind: "inference", status: "429" })).toBe(2);
    expect(count("faultproxy_requests_total", { status: "none" })).toBe(1);
    expect(count("faultproxy_requests_total", { kind: "metadata", status: "200" })).toBe(1);
    expect(count("faultproxy_requests_total", { kind: "metadata", status: "404" })).toBe(1);
    // The gateway's own pages are not counted.
    expect(count("faultproxy_requests_total")).toBe(14);
    expect(count("faultproxy_limit_refusals_total", { scope: "user", metric: "requests", window: "minute" })).toBe(1);
    expect(count("faultproxy_limit_refusals_total")).toBe(1);
    expect(count("faultproxy_retries_total", { provider: "openai", class: "degraded" })).toBe(1);
    const duration = "gen_ai_client_operation_duration_seconds_count";
    expect(count(duration)).toBe(12);
    expect(count(duration, { gen_ai_operation_name: "generate_content", gen_ai_provider_name: "gcp.gemini" })).toBe(1);
    expect(count(duration, { error_type: "rate_limited" })).toBe(1);
    expect(count("gen_ai_server_time_to_first_token_seconds_count")).toBe(2);
    expect(count("gen_ai_client_token_usage_count", { gen_ai_token_type: "output" })).toBe(9);
    expect(count("gen_ai_client_token_usage_sum", { gen_ai_token_type: "output" })).toBe(90);
    expect(count("faultproxy_cost_usd_total")).toBeGreaterThan(0);
    expect(count("faultproxy_state_store_up", { kind: "memory" })).toBe(1);
    expect(count("faultproxy_ledger_up")).toBe(1);
  });

  test("/metrics stays small under a thousand names of models, and can be read whatever they are", async () => {
    await using daemon = await startTestDaemon({
      engine,
      toml: '[limits]\n[cost]\nledger = ""\n',
      args: ["--simulate", "--log-level", "silent"],
    });
    const odd = ['a"b', "a\\b", "a\nb", "a\\nb", "{}", "ä", "🦊", "x".repeat(20_000), "\ud800", "other", "unknown"];
    const names = [...odd, ...Array.from({ length: 1_000 - odd.length }, (_, index) => `model-${index}`)];
    for (let from = 0; from < names.length; from += 50) {
      const answers = await Promise.all(names.slice(from, from + 50).map((model) => chat(daemon, { model, stream: from % 100 === 0 })));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    }
    const text = await (await fetch(`${daemon.origin}/metrics`)).text();
    const metrics = parsePrometheus(text);
    expect(total(metrics, "gen_ai_client_operation_duration_seconds_count")).toBe(1_000);
    expect(total(metrics, "faultproxy_unpriced_answers_total")).toBe(1_000);
    for (const { samples } of metrics.values()) {
      const values = new Map<string, Set<string>>();
      for (const { labels } of samples)
        for (const [name, value] of Object.entries(labels)) values.set(name, (values.get(name) ?? new Set()).add(value));
      for (const [label, seen] of values) expect([label, seen.size <= 101]).toEqual([label, true]);
    }
    expect(text.length).toBeLessThan(4_000_000);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(1_000);
  });

  describe("lines of the log", () => {
    const run = async (logFormat: "pretty" | undefined): Promise<readonly string[]> => {
      const daemon = await startTestDaemon({
        engine,
        ...(logFormat === undefined ? {} : { logFormat }),
        toml: '[cost]\nledger = ""\n[[limits.override]]\nuser = "greedy"\nrequests_per_minute = 1\n',
        args: ["--simulate", "--tokens", "10", "--ttft", "20ms"],
      });
      await fetch(`${daemon.origin}/health`);
      await fetch(`${daemon.origin}/v1/models`);
      await chat(daemon, { user: "greedy", messages: [{ role: "user", content: "hello" }] });
      await chat(daemon, { user: "greedy" });
      await chat(daemon, { stream: true, model: "our\u001b[2Jown" });
      await eventually(
        () =>
          daemon
            .log()
            .split("\n")
            .filter((line) => line.includes("/chat/")).length >= 3
            ? true
            : undefined,
        "three lines",
      );
      await daemon.stop();
      return daemon
        .log()
        .split("\n")
        .filter((line) => line.includes("/v1/") || line.includes("/health"));
    };

    test("for people tell model, stream, status, time, time to the first token, tokens and cost", async () => {
      const lines = (await run("pretty")).map((line) => line.replace(/^\d\d:\d\d:\d\d /, "").replace(/ \d+ ms/g, " N ms"));
      expect(lines).toEqual([
        "#2 GET /v1/models → openai 200 N ms",
        `#3 POST ${CHAT_PATH} → openai 200 N ms (gpt-4o; 2 + 10 tokens; $0.000105)`,
        `#4 POST ${CHAT_PATH} → openai 429 N ms (gpt-4o; rate_limited)`,
        `#5 POST ${CHAT_PATH} → openai 200 N ms (our\\x1b[2Jown; stream, first token N ms; 0 + 10 tokens)`,
      ]);
    });

    test("in JSON do so too", async () => {
      const lines = (await run(undefined)).map((line) => JSON.parse(line));
      expect(lines).toEqual([
        expect.objectContaining({ kind: "metadata", status: 200, durationMs: expect.any(Number) }),
        expect.objectContaining({
          model: "gpt-4o",
          status: 200,
          gateway: expect.objectContaining({
            stream: false,
            attempts: 1,
            firstTokenMs: null,
            usage: { inputTokens: 2, cacheReadTokens: 0, cacheWriteTokens: 0, outputTokens: 10, reasoningTokens: 0 },
            costUsd: 0.000105,
            user: "greedy",
            limit: null,
          }),
        }),
        expect.objectContaining({
          status: 429,
          error: "rate_limited",
          gateway: expect.objectContaining({ attempts: 0, usage: null, limit: { scope: "user", metric: "requests", window: "minute" } }),
        }),
        expect.objectContaining({
          model: "our\u001b[2Jown",
          gateway: expect.objectContaining({ stream: true, costUsd: null, firstTokenMs: expect.any(Number) }),
        }),
      ]);
      expect(lines[3].gateway.firstTokenMs).toBeGreaterThanOrEqual(15);
      expect(lines[3].gateway.firstTokenMs).toBeLessThanOrEqual(lines[3].durationMs + 1);
    });
  });
});
