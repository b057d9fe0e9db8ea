import { describe, expect, test } from "bun:test";
import type { Credential, CredentialReading } from "../../src/core/credential.ts";
import type { DialectName } from "../../src/core/dialect.ts";
import type { Identified } from "../../src/core/exchange.ts";
import type { Gateway } from "../../src/core/gateway.ts";
import type { Ports, Target } from "../../src/core/ports.ts";
import type { ProviderName } from "../../src/core/provider.ts";
import type { RouteTarget } from "../../src/core/route.ts";
import { adaptedHeaders } from "../../src/pipeline/helpers/adapted-request.ts";
import { type Leg, legOf, type PassedOver } from "../../src/pipeline/route.ts";
import { translatedPath } from "../../src/translate/endpoints.ts";
import { translationBetween } from "../../src/translate/index.ts";
import { exchange } from "../support.ts";

const AT: Target = { kind: "url", base: "https://there.example" };

function target(changes: Partial<RouteTarget> = {}): RouteTarget {
  return {
    name: "it",
    provider: "openai",
    model: undefined,
    dialect: undefined,
    to: AT,
    host: undefined,
    credential: undefined,
    firstTokenMs: 0,
    idleMs: 0,
    retries: undefined,
    contextTokens: undefined,
    acceptsPrefill: undefined,
    ...changes,
  };
}

type World = {
  readonly reading?: CredentialReading;
  readonly cooling?: ReturnType<Gateway["cooldowns"]["of"]>;
  readonly hasKeys?: boolean;
};

function legFor(request: Identified, to: RouteTarget, { reading, cooling, hasKeys = false }: World = {}): Leg | PassedOver {
  const gateway = {
    credentials: { read: () => reading },
    cooldowns: { of: () => cooling },
  } as unknown as Gateway;
  const ports = { access: { isKey: hasKeys ? () => true : undefined, origins: new Set<string>() }, targets: {} } as unknown as Ports;
  return legOf({ exchange: request, model: "asked", isStream: false, clientKey: "hash" }, to, gateway, ports);
}

function reached(leg: Leg | PassedOver): Leg {
  if (leg.kind === "passed_over") throw new Error(`passed over: ${leg.reason}`);
  return leg;
}

/** The path and the fields that go out, after the translation where there is one. */
function sent(leg: Leg): { readonly path: string; readonly headers: Readonly<Record<string, string>> } {
  const { dialect, upstreamTarget, headers } = leg.exchange;
  const there = leg.adaptation.dialect;
  const translation = dialect === undefined || there === undefined ? undefined : translationBetween(dialect, there);
  const own = translation === undefined ? headers : translation.headers(headers);
  return {
    path:
      translation === undefined || dialect === undefined || there === undefined
        ? upstreamTarget
        : translatedPath(leg.exchange.path, dialect, there),
    headers: Object.fromEntries(adaptedHeaders(own, leg.adaptation.extraHeaders).map(([name, value]) => [name.toLowerCase(), value])),
  };
}

const ready = (credential: Partial<Credential> & { readonly secret: string }): CredentialReading => ({
  kind: "ready",
  credential: { kind: "api_key", fingerprint: "f1", expiresWallMs: undefined, ...credential },
});

const CHAT: Partial<Identified> = {
  headers: [
    ["Authorization", "Bearer sk-client"],
    ["OpenAI-Organization", "org-1"],
    ["Cookie", "a=b"],
  ],
};
const MESSAGES: Partial<Identified> = {
  provider: "anthropic",
  dialect: "messages",
  path: "/v1/messages",
  upstreamTarget: "/v1/messages?beta=true",
  query: "beta=true",
  headers: [
    ["x-api-key", "sk-ant-client"],
    ["anthropic-version", "2023-06-01"],
    ["anthropic-beta", "tools-1"],
  ],
};
const GEMINI: Partial<Identified> = {
  provider: "google",
  dialect: "gemini",
  path: "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
  upstreamTarget: "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=AIza",
  query: "alt=sse&key=AIza",
  headers: [],
};
const EMBEDDINGS: Partial<Identified> = {
  dialect: undefined,
  path: "/v1/embeddings",
  upstreamTarget: "/v1/embeddings",
  headers: [["authorization", "Bearer sk-client"]],
};

describe("a request on its way to a target", () => {
  const WAYS: readonly [string, Partial<Identified>, ProviderName, string, DialectName | undefined][] = [
    ["chat at its own provider", CHAT, "openai", "/v1/chat/completions", "chat"],
    ["chat at OpenRouter", CHAT, "openrouter", "/api/v1/chat/completions", "chat"],
    ["chat at Databricks", CHAT, "databricks", "/serving-endpoints/chat/completions", "chat"],
    ["chat at Google", CHAT, "google", "/v1beta/openai/chat/completions", "chat"],
    ["chat at Anthropic", CHAT, "anthropic", "/v1/messages", "messages"],
    ["messages at their own provider", MESSAGES, "anthropic", "/v1/messages?beta=true", "messages"],
    ["messages at OpenAI", MESSAGES, "openai", "/v1/chat/completions", "chat"],
    ["messages at OpenRouter", MESSAGES, "openrouter", "/api/v1/messages?beta=true", "messages"],
    ["messages at Google", MESSAGES, "google", "/v1beta/openai/chat/completions", "chat"],
    ["what has no dialect", EMBEDDINGS, "openrouter", "/api/v1/embeddings", undefined],
  ];
  test.each(WAYS)("%s", (_name, changes, provider, path, dialect) => {
    const leg = reached(legFor(exchange(changes), target({ provider })));
    expect([sent(leg).path, leg.adaptation.dialect]).toEqual([path, dialect]);
  });

  test("a Gemini model stands in the path", () => {
    const leg = reached(legFor(exchange(GEMINI), target({ provider: "google", model: "gemini-2.5-flash" })));
    expect(leg.exchange.upstreamTarget).toBe("/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse&key=AIza");
    expect(leg.adaptation.model).toBeUndefined();
  });

  test("where nobody can translate it goes nowhere", () => {
    expect(legFor(exchange(GEMINI), target({ provider: "openai" }))).toMatchObject({
      kind: "passed_over",
      reason: "translation_unsupported",
    });
    expect(legFor(exchange(CHAT), target({ dialect: "gemini" }))).toMatchObject({ kind: "passed_over", reason: "translation_unsupported" });
  });

  test("the circuit is that of the model there, and of the place where that is another", () => {
    expect(reached(legFor(exchange(CHAT), target({ model: "b" }))).circuit).toEqual({ provider: "openai", model: "b" });
    expect(reached(legFor(exchange(CHAT), target({ host: "eu.example" }))).circuit).toEqual({
      provider: "openai",
      model: "asked@eu.example",
    });
  });
});

describe("who asks", () => {
  const local: Partial<Identified> = { isLocal: () => true };

  test("a client's own fields stay where they are meant for", () => {
    expect(sent(reached(legFor(exchange(CHAT), target()))).headers).toEqual({
      authorization: "Bearer sk-client",
      "openai-organization": "org-1",
      cookie: "a=b",
    });
  });

  test.each(["openrouter", "google", "anthropic", "databricks", "tetrate"] as const)(
    "what a client shows OpenAI is not shown to %s",
    (provider) => {
      expect(JSON.stringify(sent(reached(legFor(exchange(CHAT), target({ provider })))))).not.toMatch(/sk-client|org-1|a=b/);
    },
  );

  test.each(["openai", "openrouter", "google"] as const)("what a client shows Anthropic is not shown to %s", (provider) => {
    expect(JSON.stringify(sent(reached(legFor(exchange(MESSAGES), target({ provider })))))).not.toContain("sk-ant-client");
  });

  test("a key in the query neither", () => {
    const leg = reached(
      legFor(exchange({ ...GEMINI, ...local }), target({ provider: "google", credential: { kind: "env", name: "K" } }), {
        reading: ready({ secret: "AIza-ours" }),
      }),
    );
    expect(leg.exchange.upstreamTarget).toBe("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse");
    expect(sent(leg).headers).toEqual({ "x-goog-api-key": "AIza-ours" });
  });

  const SHOWN: readonly [string, Partial<Identified>, ProviderName, Credential["kind"], Readonly<Record<string, string>>][] = [
    ["OpenAI's key, without the client's organization", CHAT, "openai", "api_key", { authorization: "Bearer ours" }],
    [
      "Anthropic's key",
      MESSAGES,
      "anthropic",
      "api_key",
      { "x-api-key": "ours", "anthropic-version": "2023-06-01", "anthropic-beta": "tools-1" },
    ],
    [
      "a subscription's token",
      MESSAGES,
      "anthropic",
      "oauth",
      { authorization: "Bearer ours", "anthropic-version": "2023-06-01", "anthropic-beta": "tools-1,oauth-2025-04-20" },
    ],
    ["Anthropic's key for a client of OpenAI's", CHAT, "anthropic", "api_key", { "x-api-key": "ours", "anthropic-version": "2023-06-01" }],
    [
      "a subscription's token for a client of OpenAI's",
      CHAT,
      "anthropic",
      "oauth",
      { authorization: "Bearer ours", "anthropic-version": "2023-06-01", "anthropic-beta": "oauth-2025-04-20" },
    ],
    ["OpenAI's key for a client of Anthropic's", MESSAGES, "openai", "api_key", { authorization: "Bearer ours" }],
    ["Google's key for a client of OpenAI's", CHAT, "google", "api_key", { authorization: "Bearer ours" }],
  ];
  test.each(SHOWN)("%s stands where it belongs", (_name, changes, provider, kind, headers) => {
    const to = target({ provider, credential: { kind: "env", name: "K" } });
    expect(sent(reached(legFor(exchange({ ...changes, ...local }), to, { reading: ready({ kind, secret: "ours" }) }))).headers).toEqual({
      ...headers,
    });
  });

  test("a beta that is asked for already is asked for once", () => {
    const headers = [["Anthropic-Beta", "oauth-2025-04-20, x"]] as const;
    const to = target({ provider: "anthropic", credential: { kind: "claude" } });
    const leg = reached(legFor(exchange({ ...MESSAGES, ...local, headers }), to, { reading: ready({ kind: "oauth", secret: "ours" }) }));
    expect(sent(leg).headers["anthropic-beta"]).toBe("oauth-2025-04-20, x");
  });
});

describe("a credential of ours is lent", () => {
  const to = target({ credential: { kind: "env", name: "K" } });
  const reading = ready({ secret: "ours" });
  const page = (origin: string) =>
    [
      ["host", "127.0.0.1:8888"],
      ["origin", origin],
    ] as const;
  const LENT: readonly [string, Partial<Identified>, World, boolean][] = [
    ["to this machine", { isLocal: () => true }, {}, true],
    ["to another machine with a key of the proxy's", { isLocal: () => false }, { hasKeys: true }, true],
    ["to no other machine", { isLocal: () => false }, {}, false],
    ["to nobody who may be anywhere", {}, {}, false],
    ["to a page of this proxy's own", { isLocal: () => true, headers: page("http://127.0.0.1:8888") }, {}, true],
    ["to no page of another site", { isLocal: () => true, headers: page("https://evil.example") }, {}, false],
    [
      "to no page of another site, whatever key it shows",
      { isLocal: () => true, headers: page("https://evil.example") },
      { hasKeys: true },
      false,
    ],
  ];
  test.each(LENT)("%s", (_name, changes, world, isLent) => {
    const leg = legFor(exchange(changes), to, { reading, ...world });
    expect(leg.kind).toBe(isLent ? "leg" : "passed_over");
    if (leg.kind === "passed_over") expect(leg.reason).toBe("not_lent");
  });

  test.each(["missing", "unreadable", "expired"] as const)(
    "not when it is %s: then the target is passed over before anything is sent",
    (reason) => {
      const world: World = { reading: { kind: "unusable", reason, detail: "…" } };
      expect(legFor(exchange({ isLocal: () => true }), to, world)).toMatchObject({ kind: "passed_over", reason: `credential_${reason}` });
    },
  );
});

describe("a target that is left alone", () => {
  test("is passed over, and says for how long", () => {
    const cooling = { reason: "quota", leftMs: 5_000 } as const;
    expect(legFor(exchange(CHAT), target(), { cooling })).toMatchObject({
      kind: "passed_over",
      reason: "cooldown",
      waiting: { leftMs: 5_000, cooldown: "quota" },
      isClientsOwnKey: false,
    });
  });

  test("its cooldown is that of whose credential it is asked with", () => {
    expect(reached(legFor(exchange(CHAT), target())).cooldown).toEqual({ target: "it", credential: "hash" });
    expect(reached(legFor(exchange(CHAT), target({ provider: "tetrate" }))).cooldown).toEqual({ target: "it", credential: undefined });
    const own = target({ credential: { kind: "claude" } });
    expect(reached(legFor(exchange({ isLocal: () => true }), own, { reading: ready({ secret: "ours" }) })).cooldown).toEqual({
      target: "it",
      credential: "f1",
    });
  });
});

test("a target that nobody has said the place of is passed over", () => {
  const to = target({ provider: "databricks", to: { kind: "missing", variable: "DATABRICKS_REAL_HOST" } });
  expect(legFor(exchange(CHAT), to)).toMatchObject({ kind: "passed_over", reason: "no_upstream" });
});
