import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PROVIDER_NAMES, type ProviderName } from "../../src/core/provider.ts";
import { ENGINES, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { complete, type RawAnswer, raw, request } from "./support/raw-client.ts";
import { startRawUpstream } from "./support/raw-upstream.ts";

type Upstream = Awaited<ReturnType<typeof startRawUpstream>>;
type Headers = Readonly<Record<string, string>>;

const CHAT_BODY = '{"model":"m","messages":[{"role":"user","content":"hello"}]}';
const bearer = (key: string): Headers => ({ authorization: `Bearer ${key}` });

/** What arrives where: provider and target, as the provider's own upstream saw it. */
type Arrival = readonly [what: string, method: string, target: string, headers: Headers, provider: ProviderName, upstreamTarget: string];

describe.each(ENGINES)("six providers on one port, with the %s engine", (engine) => {
  const upstreams = new Map<ProviderName, Upstream>();
  const folder = mkdtempSync(join(tmpdir(), "faultproxy-identify-"));
  let daemon: TestDaemon;
  let tetratePort = 0;

  beforeAll(async () => {
    for (const name of PROVIDER_NAMES) {
      const body = `{"from":"${name}"}`;
      upstreams.set(
        name,
        await startRawUpstream(({ socket, method }) => {
          socket.write(
            `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${method === "HEAD" ? "" : body}`,
          );
        }),
      );
    }
    const config = join(folder, "faultproxy.toml");
    writeFileSync(config, "[providers.tetrate]\nport = 0\n");
    const urls = [...upstreams].flatMap(([name, { url }]) => ["--upstream", `${name}=${url}${name === "tetrate" ? "/base/" : ""}`]);
    daemon = await startTestDaemon({ engine, args: ["--config", config, ...urls] });
    const status = (await (await fetch("http://localhost/v1/status", { unix: daemon.socket })).json()) as {
      readonly providers: Readonly<Record<ProviderName, { readonly port: number | null }>>;
    };
    tetratePort = status.providers.tetrate.port ?? 0;
  });
  afterAll(async () => {
    await daemon.stop();
    for (const upstream of upstreams.values()) upstream.stop();
    rmSync(folder, { recursive: true });
  });
  afterEach(() => daemon.command("clear"));

  /** Sends one request and tells which upstreams saw what of it. */
  async function send(
    bytes: string,
    port = daemon.port,
  ): Promise<{ readonly got: RawAnswer; readonly arrived: readonly (readonly [ProviderName, string])[] }> {
    const before = new Map([...upstreams].map(([name, { seen }]) => [name, seen.length]));
    const got = await raw(port, bytes, { until: bytes.startsWith("HEAD") ? (text) => text.includes("\r\n\r\n") : complete });
    const arrived = [...upstreams].flatMap(([name, { seen }]) => seen.slice(before.get(name)).map(({ target }) => [name, target] as const));
    return { got, arrived };
  }

  const requestOf = (method: string, target: string, headers: Headers) =>
    request(method, target, headers, method === "POST" ? CHAT_BODY : "");

  /** Where a client of a base URL that it joins by RFC 3986 sends its request. */
  function joined(base: string, reference: string): string {
    const { pathname, search } = new URL(reference, base);
    return pathname + search;
  }

  const GEMINI = "/v1beta/models/gemini-2.5-pro:generateContent";
  const ARRIVALS: readonly Arrival[] = [
    ["prefix", "POST", "/openai/v1/chat/completions", {}, "openai", "/v1/chat/completions"],
    ["prefix", "POST", "/anthropic/v1/messages?beta=true", {}, "anthropic", "/v1/messages?beta=true"],
    ["prefix", "POST", `/google${GEMINI}`, {}, "google", GEMINI],
    ["prefix", "POST", `/gemini${GEMINI}?alt=sse`, {}, "google", `${GEMINI}?alt=sse`],
    ["prefix", "POST", "/openrouter/api/v1/chat/completions", {}, "openrouter", "/api/v1/chat/completions"],
    ["prefix", "POST", "/tetrate/v1/chat/completions", {}, "tetrate", "/base/v1/chat/completions"],
    ["prefix", "POST", "/databricks/serving-endpoints/m/invocations", {}, "databricks", "/serving-endpoints/m/invocations"],
    ["prefix in capitals", "POST", "/Anthropic/v1/messages", {}, "anthropic", "/v1/messages"],
    ["prefix alone", "GET", "/openrouter", {}, "openrouter", "/"],
    ["prefix alone with a query", "GET", "/openrouter?a=/b", {}, "openrouter", "/?a=/b"],
    ["only once", "GET", "/openai/anthropic/v1/messages", {}, "openai", "/anthropic/v1/messages"],
    ["no prefix, only like one", "GET", "/tetrated/v1/models", {}, "openai", "/tetrated/v1/models"],
    ["prefix before header", "POST", "/openai/v1/messages", { "x-api-key": "sk-ant-x" }, "openai", "/v1/messages"],
    ["header", "POST", "/v1/chat/completions", { "x-api-key": "k" }, "anthropic", "/v1/chat/completions"],
    ["header", "GET", "/v1/models", { "anthropic-version": "2023-06-01", ...bearer("k") }, "anthropic", "/v1/models"],
    ["header", "GET", "/v1/models", { "X-Goog-Api-Key": "k" }, "google", "/v1/models"],
    ["query key", "GET", "/v1/models?pageSize=5&key=k", {}, "google", "/v1/models?pageSize=5&key=k"],
    ["no query key, only like one", "GET", "/v1/models?monkey=k", {}, "openai", "/v1/models?monkey=k"],
    ["header before path", "POST", "/v1/messages", { "x-goog-api-key": "k" }, "google", "/v1/messages"],
    ["path", "POST", "/v1/messages", bearer("k"), "anthropic", "/v1/messages"],
    ["path", "POST", GEMINI, bearer("k"), "google", GEMINI],
    ["path, encoded", "POST", GEMINI.replace(":", "%3A"), bearer("k"), "google", GEMINI.replace(":", "%3A")],
    ["path", "POST", "/v1beta/openai/chat/completions", bearer("k"), "google", "/v1beta/openai/chat/completions"],
    ["path", "POST", "/api/v1/chat/completions", bearer("k"), "openrouter", "/api/v1/chat/completions"],
    ["path", "POST", "/serving-endpoints/m/invocations", bearer("k"), "databricks", "/serving-endpoints/m/invocations"],
    ["path", "GET", "/oidc/.well-known/oauth-authorization-server", {}, "databricks", "/oidc/.well-known/oauth-authorization-server"],
    ["path", "POST", "/oidc/v1/token", {}, "databricks", "/oidc/v1/token"],
    ["path", "GET", "/.well-known/databricks-config", {}, "databricks", "/.well-known/databricks-config"],
    ["path before key", "POST", "/serving-endpoints/m/invocations", bearer("sk-or-x"), "databricks", "/serving-endpoints/m/invocations"],
    ["key", "POST", "/v1/chat/completions", bearer("sk-or-v1-x"), "openrouter", "/v1/chat/completions"],
    ["key", "POST", "/v1/chat/completions", bearer("sk-ant-x"), "anthropic", "/v1/chat/completions"],
    ["key", "POST", "/v1/chat/completions", bearer("AIzaX"), "google", "/v1/chat/completions"],
    ["key", "POST", "/v1/chat/completions", bearer("dapi0"), "databricks", "/v1/chat/completions"],
    ["key, bearer in capitals", "POST", "/v1/chat/completions", { Authorization: "BEARER sk-or-x" }, "openrouter", "/v1/chat/completions"],
    ["default", "POST", "/v1/chat/completions", bearer("sk-proj-x"), "openai", "/v1/chat/completions"],
    ["default", "POST", "/v1/responses", bearer("anything"), "openai", "/v1/responses"],
    ["default", "GET", "/", {}, "openai", "/"],
    ["default", "HEAD", "/", {}, "openai", "/"],
    ["header", "HEAD", "/", { "x-api-key": "k" }, "anthropic", "/"],
    [
      "Goose with TETRATE_HOST",
      "POST",
      joined("http://127.0.0.1:1/tetrate/", "v1/chat/completions"),
      bearer("k"),
      "tetrate",
      "/base/v1/chat/completions",
    ],
    ["Goose with TETRATE_HOST", "GET", joined("http://127.0.0.1:1/tetrate/", "v1/models"), bearer("k"), "tetrate", "/base/v1/models"],
    [
      "Goose with OPENROUTER_HOST",
      "POST",
      joined("http://127.0.0.1:1", "api/v1/chat/completions"),
      bearer("k"),
      "openrouter",
      "/api/v1/chat/completions",
    ],
    ["Goose with OPENROUTER_HOST", "GET", joined("http://127.0.0.1:1/", "api/v1/models"), bearer("k"), "openrouter", "/api/v1/models"],
  ];

  test.each(ARRIVALS)("%s: %s %s %j is %s's, and arrives as %s", async (_what, method, target, headers, provider, upstreamTarget) => {
    const { got, arrived } = await send(requestOf(method, target, headers));
    expect(arrived).toEqual([[provider, upstreamTarget]]);
    expect(got.status).toBe(200);
    if (method !== "HEAD") expect(JSON.parse(got.body)).toEqual({ from: provider });
  });

  describe("a provider's own port", () => {
    test.each([
      ["without any other sign", "/v1/chat/completions", bearer("k")],
      ["before headers", "/v1/chat/completions", { "x-api-key": "k" }],
      ["before the shape of the key", "/v1/chat/completions", bearer("sk-or-x")],
      ["before the path", "/api/v1/chat/completions", bearer("k")],
    ] as const)("%s", async (_what, target, headers) => {
      const { arrived } = await send(requestOf("POST", target, headers), tetratePort);
      expect(arrived).toEqual([["tetrate", `/base${target}`]]);
    });

    test("not before a prefix", async () => {
      const { arrived } = await send(requestOf("POST", "/openrouter/api/v1/chat/completions", {}), tetratePort);
      expect(arrived).toEqual([["openrouter", "/api/v1/chat/completions"]]);
    });

    test("meets the same faults, in the provider's own form", async () => {
      await daemon.command("c");
      const { got, arrived } = await send(requestOf("POST", "/v1/chat/completions", bearer("k")), tetratePort);
      expect([got.status, arrived]).toEqual([400, []]);
      expect(await daemon.event(({ type, injected }) => type === "decision" && injected === true)).toMatchObject({ provider: "tetrate" });
    });
  });

  test("one rule for all: each provider's requests get that provider's own context error", async () => {
    await daemon.command("c *");
    const errors: Record<ProviderName, readonly [target: string, error: object]> = {
      openai: ["/v1/chat/completions", { error: { code: "context_length_exceeded", param: "messages" } }],
      anthropic: [
        "/v1/messages",
        { type: "error", error: { type: "invalid_request_error", message: expect.stringContaining("prompt is too long") } },
      ],
      google: [GEMINI, { error: { code: 400, status: "INVALID_ARGUMENT" } }],
      openrouter: ["/api/v1/chat/completions", { error: { code: 400 } }],
      tetrate: ["/tetrate/v1/chat/completions", { error: { code: "context_length_exceeded" } }],
      databricks: ["/serving-endpoints/m/invocations", { error_code: expect.any(String), message: expect.any(String) }],
    };
    const seen = await Promise.all(
      Object.values(errors).map(([target]) => raw(daemon.port, requestOf("POST", target, {}), { until: complete })),
    );
    for (const [index, [, error]] of Object.values(errors).entries()) {
      expect(seen[index]?.status).toBe(400);
      expect(JSON.parse(seen[index]?.body ?? "")).toMatchObject(error);
    }
  });

  test("a rule for one provider leaves the others alone", async () => {
    await daemon.command("r * provider=openrouter");
    const statuses: number[] = [];
    for (const target of ["/v1/chat/completions", "/api/v1/chat/completions", "/tetrate/v1/chat/completions", "/v1/messages"]) {
      statuses.push((await send(requestOf("POST", target, {}))).got.status);
    }
    expect(statuses).toEqual([200, 429, 200, 200]);
  });

  /** Endpoints that no fault is for. */
  const NEVER_FAULTED: readonly (readonly [method: string, target: string, provider: ProviderName])[] = [
    ["GET", "/v1/models", "openai"],
    ["GET", "/openai/v1/models/gpt-4o", "openai"],
    ["POST", "/openai/v1/files", "openai"],
    ["POST", "/v1/responses/input_tokens", "openai"],
    ["HEAD", "/", "openai"],
    ["GET", "/anthropic/v1/models?limit=1", "anthropic"],
    ["POST", "/v1/messages/count_tokens?beta=true", "anthropic"],
    ["POST", "/v1/messages/batches", "anthropic"],
    ["POST", "/api/event_logging/batch", "anthropic"],
    ["GET", "/v1beta/models?key=k", "google"],
    ["POST", "/v1beta/models/gemini-2.5-pro:countTokens", "google"],
    ["POST", "/upload/v1beta/files", "google"],
    ["GET", "/api/v1/models", "openrouter"],
    ["GET", "/api/v1/key", "openrouter"],
    ["POST", "/api/v1/auth/keys", "openrouter"],
    ["GET", "/tetrate/v1/models", "tetrate"],
    ["GET", "/.well-known/databricks-config", "databricks"],
    ["GET", "/oidc/.well-known/oauth-authorization-server", "databricks"],
    ["POST", "/oidc/v1/token", "databricks"],
    ["POST", "/databricks/oidc/v1/token", "databricks"],
    ["GET", "/api/2.0/serving-endpoints", "databricks"],
  ];

  test.each(NEVER_FAULTED)("c *: %s %s is forwarded to %s", async (method, target, provider) => {
    await daemon.command("c *");
    const { got, arrived } = await send(requestOf(method, target, {}));
    expect(got.status).toBe(200);
    expect(arrived.map(([name]) => name)).toEqual([provider]);
  });

  test.each([
    ["r 1 path=/v1/models", "GET", "/v1/models"],
    ["r 1 path=/v1/messages/count_tokens", "POST", "/v1/messages/count_tokens"],
    ["r 1 path=/oidc/*", "POST", "/oidc/v1/token"],
    ["r 1 path=*/models*", "GET", "/tetrate/v1/models"],
    ["reset 1 path=/", "GET", "/"],
  ])("%s: a rule that names the path reaches %s %s", async (command, method, target) => {
    await daemon.command(command);
    const { got, arrived } = await send(requestOf(method, target, {}));
    expect(arrived).toEqual([]);
    expect(command.startsWith("reset") ? got.end : got.status).toBe(command.startsWith("reset") ? "rst" : 429);
  });

  test("endpoints that no fault is for do not use up a count", async () => {
    await daemon.command("c 1");
    for (const [method, target] of NEVER_FAULTED.slice(0, 6)) await send(requestOf(method, target, {}));
    expect((await send(requestOf("POST", "/v1/chat/completions", {}))).got.status).toBe(400);
    expect((await send(requestOf("POST", "/v1/chat/completions", {}))).got.status).toBe(200);
  });
});

test.each(ENGINES)("--default-provider takes what no other sign gives away, with the %s engine", async (engine) => {
  const upstream = await startRawUpstream(({ socket }) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"));
  const daemon = await startTestDaemon({ engine, args: ["--default-provider", "tetrate", "--upstream", `tetrate=${upstream.url}`] });
  const got = await raw(daemon.port, request("POST", "/v1/chat/completions", bearer("k"), CHAT_BODY), { until: complete });
  await daemon.stop();
  upstream.stop();
  expect([got.status, upstream.seen.map(({ target }) => target)]).toEqual([200, ["/v1/chat/completions"]]);
});
