import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARY, CLEAN_ENVIRONMENT, ENGINES, eventually, startTestDaemon, type TestDaemon } from "./support/daemon.ts";
import { temporaryFolder } from "./support/folder.ts";
import { ctl } from "./support/gateway-daemon.ts";
import { type Row, rowsOf } from "./support/ledger.ts";
import { parsePrometheus, total } from "./support/prometheus.ts";

const CHAT_PATH = "/v1/chat/completions";
const ANSWER = {
  id: "c",
  object: "chat.completion",
  created: 1,
  model: "gpt-4o-2024-08-06",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 },
};
const QUOTA = {
  error: { message: "You exceeded your current quota", type: "insufficient_quota", param: null, code: "insufficient_quota" },
};
const RATE = { error: { message: "Rate limit reached", type: "requests", param: null, code: "rate_limit_exceeded" } };
const AUTH = { error: { message: "Incorrect API key", type: "invalid_request_error", param: null, code: "invalid_api_key" } };
const DOWN = { error: { message: "overloaded", type: "server_error", param: null, code: null } };

/** A target whose answer can be changed; it keeps the keys that it was shown. */
function startTarget() {
  const keys: (string | null)[] = [];
  const target = { keys, status: 200, body: ANSWER as object | string };
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch(request) {
      keys.push(request.headers.get("authorization"));
      if (typeof target.body === "string") return new Response(target.body, { headers: { "content-type": "text/event-stream" } });
      return Response.json(target.body, { status: target.status });
    },
  });
  const answers = (status: number, body: object | string) => Object.assign(target, { status, body });
  return { keys, answers, url: `http://127.0.0.1:${server.port}`, host: `127.0.0.1:${server.port}`, stop: () => server.stop(true) };
}

type Target = ReturnType<typeof startTarget>;
type TargetHealth = {
  readonly name: string;
  readonly circuit_state: string;
  readonly cooldown: { readonly reason: string } | null;
  readonly credential: object | null;
  readonly passed_over: string | null;
};
type Health = {
  readonly status: string;
  readonly routes?: readonly { readonly match: object; readonly targets: readonly TargetHealth[] }[];
};

describe.each(ENGINES)("what operators see of routes with the %s engine", (engine) => {
  let state: ReturnType<typeof temporaryFolder>;
  let primary: Target;
  let backup: Target;
  let daemon: TestDaemon;
  const keyFile = () => join(state.path, "primary.key");
  const ledger = () => join(state.path, "ledger.sqlite");
  const nameOf = (target: Target) => `openai/gpt-4o@${target.host}`;

  beforeAll(async () => {
    state = temporaryFolder();
    primary = startTarget();
    backup = startTarget();
    writeKey("sk-first-secret");
    const target = ({ url }: Target, credential: string) =>
      `{ provider = "openai", model = "gpt-4o", url = "${url}", credential = { ${credential} } }`;
    daemon = await startTestDaemon({
      engine,
      logFormat: "pretty",
      environment: { BACKUP_KEY: "sk-backup-secret" },
      toml: `
        [retry]
        max_transient_retries = 1
        max_rate_limit_retries = 0
        transient_delay = 0.001
        [breaker]
        failure_threshold = 1000
        [cost]
        ledger = "${ledger()}"
        [[route]]
        match = { provider = "openai", path = "/v1/chat/*" }
        targets = [${target(primary, `file = "${keyFile()}"`)}, ${target(backup, 'env = "BACKUP_KEY"')}]
        [[route]]
        match = { provider = "anthropic", model = "short-*" }
        cooldown = "20ms"
        targets = [${target(primary, 'env = "BACKUP_KEY"')}, ${target(backup, 'env = "BACKUP_KEY"')}]
      `,
    });
  });
  afterAll(async () => {
    await daemon.stop();
    primary.stop();
    backup.stop();
    state[Symbol.dispose]();
  });
  beforeEach(async () => {
    primary.answers(200, ANSWER);
    backup.answers(200, ANSWER);
    await ctl(daemon, "cooldown", "reset");
    await ctl(daemon, "breaker", "reset");
    primary.keys.length = 0;
    backup.keys.length = 0;
  });

  /** As a program that writes a new one and puts it in the place of the old. */
  function writeKey(key: string): void {
    writeFileSync(`${keyFile()}.new`, key, { mode: 0o600 });
    renameSync(`${keyFile()}.new`, keyFile());
  }

  async function ask(path = CHAT_PATH, body: object = { model: "gpt-4o", messages: [] }) {
    const answer = await fetch(`${daemon.origin}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
    return { status: answer.status, attempts: answer.headers.get("x-faultproxy-attempts"), text: await answer.text() };
  }

  async function health(): Promise<{ readonly status: number; readonly report: Health; readonly text: string }> {
    const answer = await fetch(`${daemon.origin}/health`);
    const text = await answer.text();
    return { status: answer.status, report: JSON.parse(text), text };
  }

  test("/health tells each target, and is degraded only when a route has none left", async () => {
    const before = await health();
    expect([before.status, before.report.status]).toEqual([200, "ok"]);
    const ready = { circuit_state: "closed", cooldown: null, passed_over: null };
    expect(before.report.routes?.[0]).toEqual({
      match: { provider: "openai", path: "/v1/chat/*" },
      targets: [
        { name: nameOf(primary), credential: { source: "file", state: "ready" }, ...ready },
        { name: nameOf(backup), credential: { source: "env", state: "ready" }, ...ready },
      ],
    });

    primary.answers(429, QUOTA);
    expect((await ask()).status).toBe(200);
    const one = await health();
    expect(one.status).toBe(200);
    expect(one.report.routes?.[0]?.targets[0]).toMatchObject({ cooldown: { reason: "quota" }, passed_over: "cooldown" });

    backup.answers(429, QUOTA);
    expect((await ask()).status).toBe(429);
    const none = await health();
    expect([none.status, none.report.status]).toEqual([503, "degraded"]);
    expect(none.text).not.toMatch(/secret|primary\.key/);
  });

  test("an open circuit of one of its targets leaves /health as it was", async () => {
    await ctl(daemon, "breaker", "open", nameOf(primary));
    const { status, report } = await health();
    expect(status).toBe(200);
    expect(report.routes?.[0]?.targets[0]).toMatchObject({ circuit_state: "open", passed_over: "circuit_open" });
    expect(await ask()).toMatchObject({ status: 200, attempts: `${nameOf(primary)} circuit_open, ${nameOf(backup)} 200` });
  });

  test("ctl status shows them for people, and as JSON", async () => {
    primary.answers(429, QUOTA);
    await ask();
    const { code, out, problems } = await ctl(daemon, "status");
    expect({ code, problems }).toEqual({ code: 0, problems: "" });
    const told = out.slice(out.indexOf("Routes:\n")).split("\n");
    expect(told[1]).toBe("  provider openai, path /v1/chat/*");
    expect(told[2]).toMatch(
      new RegExp(`^    ${nameOf(primary)} +left alone until \\d\\d:\\d\\d:\\d\\d \\(quota\\) +file ${keyFile()}: ready$`),
    );
    expect(told[3]).toMatch(new RegExp(`^    ${nameOf(backup)} +ready +env BACKUP_KEY: ready$`));
    const { routes } = JSON.parse((await ctl(daemon, "status", "--json")).out);
    expect(routes[0].targets[0]).toMatchObject({
      name: nameOf(primary),
      circuit: { state: "closed", failures: 0, cooldownUntil: null },
      cooldown: { reason: "quota", until: expect.stringMatching(/^\d{4}-.*Z$/) },
      credential: { source: `file ${keyFile()}`, state: "ready", expires: null, detail: null },
      passedOver: "cooldown",
    });
    await ctl(daemon, "breaker", "open", nameOf(backup));
    expect((await ctl(daemon, "status")).out).toMatch(new RegExp(`${nameOf(backup)} +circuit open until `));
  });

  test("ctl cooldown lists who is left alone, and reset has it asked again", async () => {
    expect((await ctl(daemon, "cooldown")).out).toBe("no target is left alone\n");
    primary.answers(429, QUOTA);
    await ask();
    await ask();
    expect([primary.keys.length, backup.keys.length]).toEqual([1, 2]);
    const { out } = await ctl(daemon, "cooldown", "ls");
    expect(out.split("\n")[0]).toMatch(/^target +reason +until$/);
    expect(out.split("\n")[1]).toMatch(new RegExp(`^${nameOf(primary)} +quota +\\d\\d:\\d\\d:\\d\\d$`));
    expect(JSON.parse((await ctl(daemon, "cooldown", "ls", "--json")).out)).toEqual([
      { target: nameOf(primary), reason: "quota", until: expect.any(String), credentials: 1 },
    ]);

    primary.answers(200, ANSWER);
    expect(await ctl(daemon, "cooldown", "reset", nameOf(primary))).toEqual({
      code: 0,
      out: "1 target may be asked again\n",
      problems: "",
    });
    expect((await ask()).attempts).toBeNull();
    expect([primary.keys.length, backup.keys.length]).toEqual([2, 2]);
    expect((await ctl(daemon, "cooldown", "reset", nameOf(primary))).out).toBe(`${nameOf(primary)} was not left alone\n`);
    expect((await ctl(daemon, "cooldown", "reset")).out).toBe("no target was left alone\n");
  });

  const MISTAKES: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ["reset", "openai/gpt4o@127.0.0.1"],
      /no route has a target "openai\/gpt4o@127\.0\.0\.1"; did you mean openai\/gpt-4o@127\.0\.0\.1:\d+\?/,
    ],
    [["rest"], /"rest" is no command for cooldowns; there are cooldown ls and cooldown reset \[TARGET\]/],
    [["ls", "openai"], /"openai" is too much; cooldown ls lists all targets that are left alone/],
    [["reset", "a", "b"], /"b" is too much/],
  ];
  test.each(MISTAKES)("ctl cooldown %j is a mistake", async (words, expected) => {
    const { code, out, problems } = await ctl(daemon, "cooldown", ...words);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(problems).toMatch(expected);
  });

  test("a rate limit passes, and the success after it is told", async () => {
    primary.answers(429, RATE);
    const short = () => ask("/v1/messages", { model: "short-1", max_tokens: 5, messages: [{ role: "user", content: "Hi" }] });
    await short();
    primary.answers(200, ANSWER);
    const asked = primary.keys.length;
    await eventually(async () => {
      await short();
      return primary.keys.length > asked ? true : undefined;
    }, "the primary target's turn");
    const over = await daemon.event(
      ({ type, target, class: failure }) => type === "cooldown" && target === nameOf(primary) && failure === null,
    );
    expect(over).toMatchObject({ forMs: null });
    expect((await ctl(daemon, "cooldown")).out).toBe("no target is left alone\n");
  });

  test("a new credential in the file ends the cooldown of the old one", async () => {
    writeKey("sk-old-secret");
    primary.answers(401, AUTH);
    expect((await ask()).status).toBe(200);
    expect((await health()).report.routes?.[0]?.targets[0]).toMatchObject({ cooldown: { reason: "auth" }, passed_over: "cooldown" });
    await ask();
    expect(primary.keys).toEqual(["Bearer sk-old-secret"]);

    primary.answers(200, ANSWER);
    writeKey("sk-new-secret");
    expect((await health()).report.routes?.[0]?.targets[0]).toMatchObject({ cooldown: null, passed_over: null });
    await ask();
    expect(primary.keys).toEqual(["Bearer sk-old-secret", "Bearer sk-new-secret"]);
  });

  test("a credential that cannot be used is told, and again when it can be", async () => {
    rmSync(keyFile());
    const target = await eventually(async () => {
      const [first] = (await health()).report.routes?.[0]?.targets ?? [];
      return first?.passed_over === null ? undefined : first;
    }, "the end of the file");
    expect(target).toMatchObject({ credential: { source: "file", state: "missing" }, passed_over: "credential_missing" });
    const { out } = await ctl(daemon, "status");
    expect(out).toMatch(new RegExp(`${nameOf(primary)} +not asked +file ${keyFile()}: missing`));
    writeKey("sk-back-secret");
    expect((await ask()).attempts).toBeNull();
    const ofFile = (await daemon.events()).filter(({ type, source }) => type === "credential" && source === `file ${keyFile()}`);
    expect(ofFile.slice(-2).map(({ state: told }) => told)).toEqual(["missing", "ready"]);
    const again = `🔑 credential file ${keyFile()}: it can be used again`;
    await eventually(() => (daemon.log().includes(again) ? true : undefined), "the line of the credential");
  });

  test("failures and failovers stand in events, log, metrics and ledger", async () => {
    const metrics = async () => parsePrometheus(await (await fetch(`${daemon.origin}/metrics`)).text());
    const labels = { target: nameOf(primary), class: "degraded" };
    const countedBefore = total(await metrics(), "faultproxy_target_failures_total", labels);
    primary.answers(503, DOWN);
    expect((await ask()).attempts).toBe(`${nameOf(primary)} 503 degraded x2, ${nameOf(backup)} 200`);
    const failover = await daemon.event(({ type, class: failure }) => type === "failover" && failure === "degraded");
    expect(failover).toMatchObject({ from: nameOf(primary), to: nameOf(backup), status: 503, isRescue: false });

    const chain = `→ ${nameOf(primary)} failed (503 degraded ×2), ${nameOf(backup)} answered: 200 `;
    await eventually(() => (daemon.log().includes(chain) ? true : undefined), "the line of the exchange");
    expect(daemon.log()).toContain(`🔀 #${failover.exchange} ${nameOf(primary)} failed: 503 degraded; ${nameOf(backup)} is asked`);
    const families = await metrics();
    expect(total(families, "faultproxy_target_failures_total", labels) - countedBefore).toBe(1);
    expect(total(families, "faultproxy_target_available", { target: nameOf(backup) })).toBe(1);

    const isIts = ({ exchange }: Row) => exchange === failover.exchange;
    const row = (await eventually(() => rowsOf(ledger()).find(isIts), "the row of the exchange")) as Row & Record<string, unknown>;
    expect(row).toMatchObject({ provider: "openai", target: nameOf(backup), status: 200, attempts: 3, failure: null });
    expect(JSON.parse(String(row.failed))).toEqual([
      { target: nameOf(primary), class: "degraded", status: 503, reason: null, attempts: 2, ms: expect.any(Number) },
    ]);
    const cost = Bun.spawnSync([BINARY, "cost", "--failed", "--json", "--ledger", ledger()], { env: CLEAN_ENVIRONMENT });
    const { failed } = JSON.parse(cost.stdout.toString()) as { failed: readonly Record<string, unknown>[] };
    expect(failed.find(({ target, class: failure }) => target === nameOf(primary) && failure === "degraded")).toMatchObject({
      requests: 1,
      attempts: 2,
      answeredElsewhere: 1,
    });
  });

  test("a stream that broke off is told of the target that began it", async () => {
    const chunk = {
      id: "c",
      object: "chat.completion.chunk",
      created: 1,
      model: "gpt-4o",
      choices: [{ index: 0, delta: { content: "Hel" } }],
    };
    primary.answers(200, `data: ${JSON.stringify(chunk)}\n\n`);
    const before = (await daemon.events()).filter(({ type }) => type === "exchange").at(-1)?.exchange;
    await ask(CHAT_PATH, { model: "gpt-4o", stream: true, messages: [] }).catch(() => "cut");
    const isIts = ({ exchange, stream }: Row) => exchange > Number(before) && stream === 1;
    const row = (await eventually(() => rowsOf(ledger()).find(isIts), "the row of the stream")) as Row & Record<string, unknown>;
    expect(row).toMatchObject({ provider: "openai", target: null, status: 200, done: "cut", failure: "degraded" });
    expect(JSON.parse(String(row.failed))).toEqual([
      { target: nameOf(primary), class: "degraded", status: 200, reason: "upstream_closed_early", attempts: 1, ms: expect.any(Number) },
    ]);
    const line = `→ ${nameOf(primary)} failed (degraded upstream closed early): 200 `;
    await eventually(() => (daemon.log().includes(line) ? true : undefined), "the line of the stream");
  });

  test("no secret stands in anything that was told", async () => {
    const told = [
      (await health()).text,
      await (await fetch(`${daemon.origin}/metrics`)).text(),
      (await ctl(daemon, "status", "--json")).out,
      (await ctl(daemon, "events", "--no-follow")).out,
      daemon.log(),
      daemon.printed(),
      readFileSync(ledger(), "latin1"),
    ];
    expect(told.filter((text) => /sk-\w+-secret/.test(text))).toEqual([]);
  });
});

describe("at the start", () => {
  test("credentials that cannot be used and targets that are nowhere are told once each", async () => {
    const toml = `
      [[route]]
      targets = [{ provider = "openai", credential = { env = "NO_SUCH_KEY" } }, { provider = "databricks", model = "m" }]
    `;
    await using daemon = await startTestDaemon({ engine: "wire", toml });
    expect(daemon.warnings()).toEqual([
      "[[route]] number 1: its target at databricks is never asked, for its host is not known; set DATABRICKS_REAL_HOST, or its url",
      "the environment variable NO_SUCH_KEY is not set where faultproxy was started; set it and start it again; until then the target openai of a route is passed over",
    ]);
    const { status, report } = await fetch(`${daemon.origin}/health`).then(async (answer) => ({
      status: answer.status,
      report: (await answer.json()) as Health,
    }));
    expect([status, report.routes?.[0]?.targets.map(({ passed_over }) => passed_over)]).toEqual([
      503,
      ["credential_missing", "no_upstream"],
    ]);
  });

  test("without routes there is nothing of them", async () => {
    await using daemon = await startTestDaemon({ engine: "wire", args: ["--simulate", "--gateway"] });
    const { code, problems } = await ctl(daemon, "cooldown");
    expect([code, problems]).toEqual([2, "faultproxy: error: there are no routes: a [[route]] in the configuration file makes one\n"]);
    expect((await ctl(daemon, "status")).out).not.toContain("Routes");
    expect(JSON.parse((await ctl(daemon, "status", "--json")).out).routes).toEqual([]);
    expect(await (await fetch(`${daemon.origin}/health`)).json()).not.toHaveProperty("routes");
    expect(await (await fetch(`${daemon.origin}/metrics`)).text()).not.toContain("faultproxy_target");
  });
});
