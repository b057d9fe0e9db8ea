import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Access, isOwnHost } from "../../src/core/access.ts";
import type { Identified } from "../../src/core/exchange.ts";
import type { Gateway } from "../../src/core/gateway.ts";
import { endToEndHeaders, type HeaderList, headerValue } from "../../src/core/headers.ts";
import type { Ports, Target } from "../../src/core/ports.ts";
import { accessOf } from "../../src/pipeline/access.ts";
import { exchange, fakeClock } from "../support.ts";

const KEY = "fp-0123456789abcdef+/=";

const OPEN: Access = {
  isKey: undefined,
  isServed: undefined,
  origins: new Set(),
  lends: new Set(),
  takesKeyInPlace: new Set(),
  bodyBytesMax: 1_000,
  streamsMax: 2,
  running: () => 1,
};
const KEYED: Access = { ...OPEN, isKey: (text) => text === KEY };

type Options = { readonly target?: Target; readonly gateway?: boolean; readonly cors?: boolean };

function portsOf(access: Partial<Access>, { target = URL_TARGET, gateway = false, cors = false }: Options = {}) {
  const targets = { openai: target, anthropic: target, google: target, openrouter: target, tetrate: target, databricks: target };
  const on = { cors: cors ? { origins: new Set(["*"]) } : undefined } as Gateway;
  const ports: Pick<Ports, "access" | "clock" | "gateway" | "targets"> = {
    access: { ...OPEN, ...access },
    clock: fakeClock(),
    gateway: gateway || cors ? on : undefined,
    targets,
  };
  return ports;
}

const URL_TARGET: Target = { kind: "url", base: "http://127.0.0.1:1" };

/** The exchange of a request with this target. */
function asked(target: string, changes: Partial<Identified> = {}): Identified {
  const queryAt = target.indexOf("?");
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  return exchange({ target, upstreamTarget: target, path, query: queryAt < 0 ? "" : target.slice(queryAt + 1), ...changes });
}

/** What it came to: the error, or `in`. */
function outcome(request: Identified, ports: ReturnType<typeof portsOf>): string {
  const entered = accessOf(request, ports);
  return entered.kind === "refused" ? `${entered.response.status} ${entered.error}` : "in";
}

function textOf(request: Identified, ports: ReturnType<typeof portsOf>): string {
  const entered = accessOf(request, ports);
  if (entered.kind !== "refused" || !(entered.response.body instanceof Uint8Array)) throw new Error("not refused");
  return new TextDecoder().decode(entered.response.body);
}

describe("the name that it is asked by", () => {
  const names = new Set(["llm.example.com", "build-7.lan"]);

  test.each([
    "127.0.0.1",
    "127.0.0.1:8888",
    "192.168.1.5:8888",
    "127.1",
    "[::1]",
    "[::1]:8888",
    "[fe80::1]:1",
    "[::ffff:127.0.0.1]",
    "localhost",
    "LOCALHOST:8888",
    "localhost.",
    "localhost.:8888",
    "localhost:",
    "api.localhost:8888",
    "A.B.LocalHost",
    "faultproxy",
    "llm_proxy:9000",
    "llm.example.com",
    "LLM.Example.COM:443",
    "llm.example.com.",
    "build-7.lan:8888",
    "",
  ])("is its own: %s", (host) => expect(isOwnHost(host, names)).toBe(true));

  test.each(
    [
      "evil.example",
      "evil.example:8888",
      "localhost.evil.example",
      "127.0.0.1.evil.example",
      "127.0.0.1.nip.io:8888",
      "evil.localhost.example",
      "notlocalhost.com",
      "llm.example.com.evil.example",
      "x.llm.example.com",
      "llm.example.comx",
      "llm.example.com..",
      "user@localhost",
      "user:pass@127.0.0.1",
      "localhost@evil.example",
      "localhost/evil.example",
      "localhost, evil.example",
      "localhost evil.example",
      "local%68ost",
      "[::1",
      "::1",
      "[::1]evil.example",
      "[evil.example]",
      "127.0.0.1.2x",
      "1.2.3.4.5",
      "127.0.0.1:80:80",
      "[::1%25eth0]",
      "é.example",
      ".",
    ].filter((host) => host !== "xlocalhost."),
  )("is not its own: %s", (host) => expect(isOwnHost(host, names)).toBe(false));

  test("never a name of two labels or more that nobody named, however it is written", () => {
    const label = fc.stringMatching(/^[a-z]([a-z0-9-]{0,8}[a-z0-9])?$/);
    const name = fc
      .tuple(fc.array(label, { minLength: 1, maxLength: 3 }), label)
      .map(([first, last]) => [...first, last].join("."))
      .filter((each) => !each.endsWith(".localhost") && !names.has(each));
    const written = fc.tuple(name, fc.boolean(), fc.constantFrom("", ".", ":80", ".:8888", ":")).map(([each, isUpper, behind]) => {
      return `${isUpper ? each.toUpperCase() : each}${behind}`;
    });
    fc.assert(fc.property(written, (host) => !isOwnHost(host, names)));
  });

  const served = { isServed: (host: string) => host === "own" };

  test.each<readonly [string, Partial<Identified>, string]>([
    ["a Host of its own", { headers: [["Host", "own"]] }, "in"],
    ["another", { headers: [["hOsT", "other.example"]] }, "421 host_not_served"],
    ["none, as in HTTP/1.0", { headers: [] }, "in"],
    ["an absolute target before its Host", { headers: [["host", "own"]], authority: "other.example" }, "421 host_not_served"],
    ["an absolute target of its own", { headers: [["host", "other.example"]], authority: "own" }, "in"],
    ["over TLS nobody can pass for it", { headers: [["host", "other.example"]], via: "tls" }, "in"],
    ["over a Unix socket no page comes", { headers: [["host", "other.example"]], via: "unix" }, "in"],
  ])("%s", (_, changes, expected) => {
    expect(outcome(exchange(changes), portsOf(served))).toBe(expected);
  });

  test("a refusal says what to write, and repeats nothing that is no name", () => {
    const refusedBy = (host: string) => textOf(exchange({ headers: [["host", host]] }), portsOf(served));
    expect(refusedBy("llm.example.com:8888")).toContain('names = [\\"llm.example.com\\"]');
    for (const host of ["<script>", "a\u001b[2J", 'a"b', "x".repeat(400)]) expect(refusedBy(host)).not.toContain(host.slice(0, 4));
  });
});

describe("keys", () => {
  const bearer: HeaderList = [["authorization", `Bearer ${KEY}`]];
  const inPlace: Partial<Access> = { ...KEYED, takesKeyInPlace: new Set(["openai"]) };

  test.each<readonly [string, HeaderList, string]>([
    ["none", [], "401 api_key_required"],
    ["a wrong one", [["x-faultproxy-key", `${KEY}x`]], "401 api_key_required"],
    ["an empty one", [["x-faultproxy-key", ""]], "401 api_key_required"],
    ["the beginning of one", [["x-faultproxy-key", KEY.slice(0, -1)]], "401 api_key_required"],
    ["the right one", [["x-faultproxy-key", KEY]], "in"],
    ["in odd case", [["X-FaultProxy-KEY", KEY]], "in"],
    ["its value in another case", [["x-faultproxy-key", KEY.toUpperCase()]], "401 api_key_required"],
    [
      "twice",
      [
        ["x-faultproxy-key", KEY],
        ["X-Faultproxy-Key", KEY],
      ],
      "401 api_key_required",
    ],
    [
      "the right one behind a wrong one",
      [
        ["x-faultproxy-key", "wrong"],
        ["x-faultproxy-key", KEY],
      ],
      "401 api_key_required",
    ],
    ["two joined by a comma", [["x-faultproxy-key", `${KEY}, ${KEY}`]], "401 api_key_required"],
    ["with an underscore", [["x_faultproxy_key", KEY]], "401 api_key_required"],
    ["in the provider's place, where the provider wants its own", bearer, "401 api_key_required"],
  ])("%s", (_, headers, expected) => {
    expect(outcome(exchange({ headers }), portsOf(KEYED))).toBe(expected);
  });

  test.each<readonly [string, HeaderList, string]>([
    ["Authorization: Bearer", bearer, "/v1/models"],
    ["odd case and white space", [["AUTHORIZATION", `bEARER \t ${KEY}`]], "/v1/models"],
    ["x-api-key", [["X-Api-Key", KEY]], "/v1/messages"],
    ["x-goog-api-key", [["x-goog-api-key", KEY]], "/v1/models"],
    ["api-key", [["Api-Key", KEY]], "/v1/models"],
    ["key= in the query", [], `/v1/models?a=b&key=${encodeURIComponent(KEY)}&c=d`],
    ["key= as it is", [], `/v1/models?key=${KEY}`],
    ["key= with every byte encoded", [], `/v1/models?%6bey=${[...KEY].map((each) => `%${each.charCodeAt(0).toString(16)}`).join("")}`],
    ["beside a wrong one for it", [["x-faultproxy-key", "wrong"], ...bearer], "/v1/models"],
    [
      "behind the provider's own",
      [
        ["authorization", "Bearer sk-1"],
        ["authorization", `Bearer ${KEY}`],
      ],
      "/v1/models",
    ],
    ["joined behind the provider's own", [["authorization", `Bearer sk-1, Bearer ${KEY}`]], "/v1/models"],
  ])("in the provider's place where the proxy has what the provider wants: %s", (_, headers, target) => {
    const entered = accessOf(asked(target, { method: "GET", headers }), portsOf(inPlace));
    if (entered.kind === "refused") throw new Error("refused");
    // There the limits look for whose request it is.
    expect(entered.headers.filter(([name]) => name === "x-faultproxy-key")).toEqual([["x-faultproxy-key", KEY]]);
    expect(traces(entered)).toEqual([]);
    expect(outcome(asked(target, { method: "GET", headers }), portsOf(KEYED))).toBe("401 api_key_required");
  });

  test("what is not ours stays, in its order and its spelling", () => {
    const headers: HeaderList = [
      ["Host", "a"],
      ["Authorization", "Bearer sk-1", "Authorization:  Bearer sk-1\r\n"],
      ["x-api-key", KEY],
      ["X-FAULTPROXY-KEY", KEY],
      ["X-Last", "1"],
    ];
    const entered = accessOf(asked(`/v1/x?a=%41&key=AIza&key=${KEY}&&b`, { headers }), portsOf(KEYED));
    if (entered.kind === "refused") throw new Error("refused");
    expect(entered.headers).toEqual(headers.filter(([name]) => name !== "x-api-key"));
    expect([entered.target, entered.upstreamTarget, entered.query]).toEqual([
      "/v1/x?a=%41&key=AIza&&b",
      "/v1/x?a=%41&key=AIza&&b",
      "a=%41&key=AIza&&b",
    ]);
    const alone = accessOf(asked(`/v1/x?key=${KEY}`, { headers: [["x-faultproxy-key", KEY]] }), portsOf(KEYED));
    expect(alone).toMatchObject({ target: "/v1/x", upstreamTarget: "/v1/x", query: "", path: "/v1/x" });
  });

  test("a request with nothing to be taken out goes on as it is", () => {
    const request = exchange({
      headers: [
        ["x-faultproxy-key", KEY],
        ["authorization", "Bearer sk-1"],
      ],
    });
    expect(accessOf(request, portsOf(KEYED))).toBe(request);
    expect(accessOf(request, portsOf({}))).toBe(request);
  });

  test("a target sees none of them, wherever they stood", () => {
    const written = fc.constantFrom(KEY, encodeURIComponent(KEY), encodeURIComponent(KEY).toLowerCase());
    const field = fc.oneof(
      fc.constantFrom<HeaderList[number]>(["authorization", `Bearer ${KEY}`], ["Authorization", KEY], ["X-API-KEY", KEY], ["api-key", KEY]),
      fc.constantFrom<HeaderList[number]>(["x-goog-api-key", KEY], ["accept", "*/*"], ["authorization", "Bearer sk-2"], ["x-api-key", "b"]),
      fc.constantFrom<HeaderList[number]>(["X-FAULTPROXY-key", KEY], ["connection", "x-faultproxy-key"], ["x-faultproxy-key", "wrong"]),
    );
    const parameter = fc.oneof(
      written.map((text) => `key=${text}`),
      written.map((text) => `%6B%65%79=${text}`),
      fc.constantFrom("key", "key=", "key=other", "a=b", "", "=", "%zz=%zz"),
    );
    const request = fc.record({
      headers: fc.array(field, { maxLength: 8 }),
      query: fc.array(parameter, { maxLength: 6 }).map((parameters) => parameters.join("&")),
    });
    fc.assert(
      fc.property(request, ({ headers, query }) => {
        const entered = accessOf(asked(`/v1/x?${query}`, { headers }), portsOf(inPlace));
        if (entered.kind === "refused") return entered.error === "api_key_required" && !query.includes("key=fp-");
        expect(traces(entered)).toEqual([]);
        // What is no key of ours is still there.
        const others = (list: HeaderList) => list.filter(([name, value]) => !value.includes(KEY) && name !== "x-faultproxy-key");
        expect(others(entered.headers)).toEqual(others(headers));
        return true;
      }),
    );
  });

  /** Where a target would see the key. */
  function traces({ headers, target, upstreamTarget, query }: Identified): readonly string[] {
    const forms = [KEY, encodeURIComponent(KEY), encodeURIComponent(KEY).toLowerCase()];
    const texts = [target, upstreamTarget, query, ...endToEndHeaders(headers).flatMap(([name, value]) => [name.toLowerCase(), value])];
    return texts.filter((text) => forms.some((form) => text.includes(form)) || text === "x-faultproxy-key");
  }

  test.each(["openai", "anthropic", "google", "openrouter", "tetrate", "databricks"] as const)(
    "the refusal of %s says what to send, and nothing of what was sent",
    (provider) => {
      const headers: HeaderList = [
        ["x-faultproxy-key", "attempted-secret"],
        ["authorization", "Bearer attempted-secret"],
      ];
      const text = textOf(exchange({ provider, headers }), portsOf(KEYED));
      expect(text).toContain("send it as x-faultproxy-key");
      expect(text).not.toContain("attempted");
      expect(text).toBe(textOf(exchange({ provider, headers: [] }), portsOf(KEYED)));
    },
  );

  test("a refusal names the way in that there is (RFC 9110 section 11.6.1)", () => {
    const challenge = (access: Partial<Access>) => {
      const entered = accessOf(exchange({ headers: [] }), portsOf(access));
      return entered.kind === "refused" ? headerValue(entered.response.headers, "www-authenticate") : undefined;
    };
    expect(challenge(KEYED)).toBe('x-faultproxy-key realm="faultproxy"');
    expect(challenge(inPlace)).toBe('Bearer realm="faultproxy"');
  });

  const PREFLIGHT: Partial<Identified> = {
    method: "OPTIONS",
    headers: [
      ["origin", "https://app.example"],
      ["access-control-request-method", "POST"],
    ],
  };
  const lending: Partial<Access> = { ...KEYED, lends: new Set(["openai"]) };

  test.each<readonly [string, Identified, Partial<Access>, Options, string]>([
    ["a monitor", asked("/health", { method: "GET" }), KEYED, { gateway: true }, "in"],
    ["a monitor that asks for the head", asked("/health?x", { method: "HEAD" }), KEYED, { gateway: true }, "in"],
    ["a monitor where no page is", asked("/health", { method: "GET" }), KEYED, {}, "401 api_key_required"],
    ["a POST to the page", asked("/health", { method: "POST" }), KEYED, { gateway: true }, "401 api_key_required"],
    ["a path like it", asked("/health/x", { method: "GET" }), KEYED, { gateway: true }, "401 api_key_required"],
    [
      "the page that stands for a backend",
      asked("/health", { method: "GET" }),
      lending,
      { target: { ...URL_TARGET, isBackend: true } as Target },
      "in",
    ],
    ["numbers", asked("/metrics", { method: "GET" }), KEYED, { gateway: true }, "401 api_key_required"],
    ["numbers, with a key", asked("/metrics", { method: "GET", headers: [["x-faultproxy-key", KEY]] }), KEYED, { gateway: true }, "in"],
    ["numbers, as Prometheus asks", asked("/metrics", { method: "GET", headers: bearer }), KEYED, { gateway: true }, "in"],
    ["numbers of a target", asked("/metrics", { method: "GET", headers: bearer }), KEYED, {}, "401 api_key_required"],
    ["a preflight", exchange(PREFLIGHT), KEYED, { cors: true }, "in"],
    ["a preflight that the target answers", exchange(PREFLIGHT), KEYED, {}, "in"],
    ["a preflight that a target with our credential would answer", exchange(PREFLIGHT), lending, {}, "401 api_key_required"],
    ["a preflight before such a target", exchange(PREFLIGHT), lending, { cors: true }, "in"],
    ["OPTIONS without an origin", exchange({ method: "OPTIONS" }), KEYED, { cors: true }, "401 api_key_required"],
    ["a POST that looks like a preflight", exchange({ ...PREFLIGHT, method: "POST" }), KEYED, { cors: true }, "401 api_key_required"],
  ])("who has none: %s", (_, request, access, options, expected) => {
    expect(outcome(request, portsOf(access, options))).toBe(expected);
  });
});

describe("pages of other origins", () => {
  const lending: Partial<Access> = { lends: new Set(["openai"]), origins: new Set(["https://app.example", "null"]) };
  const of = (origin: string, host = "127.0.0.1:8888", changes: Partial<Identified> = {}) =>
    exchange({
      headers: [
        ["host", host],
        ["Origin", origin],
      ],
      ...changes,
    });
  const plain: Partial<Access> = { ...lending, origins: new Set(["https://app.example"]) };

  test.each<readonly [string, Identified]>([
    ["none at all", exchange({ headers: [["host", "127.0.0.1:8888"]] })],
    ["its own", of("http://127.0.0.1:8888")],
    ["its own in another case", of("HTTP://LocalHost:8888", "localhost:8888")],
    ["its own on the usual port", of("http://localhost", "localhost:80")],
    ["its own behind somebody who speaks TLS", of("https://llm.lan", "llm.lan")],
    ["its own with TLS", of("https://llm.lan:8888", "llm.lan:8888", { via: "tls" })],
    ["one that was named", of("https://app.example")],
    ["one that was named, in another case", of("https://APP.example")],
    ["an extension", of("chrome-extension://abcdefghijklmnop")],
    ["another browser's extension", of("moz-extension://6f0c6d4e-6b6f-4a3c-8d5e-000000000000")],
    ["an editor's panel", of("vscode-webview://1a2b3c")],
    ["a program made of pages", of("tauri://localhost")],
    ["a link on its own page", exchange({ headers: [["sec-fetch-site", "same-origin"]] })],
    ["an address that was typed", exchange({ headers: [["sec-fetch-site", "none"]] })],
  ])("get the credential: %s", (_, request) => {
    expect(outcome(request, portsOf(plain))).toBe("in");
  });

  const REFUSED = [
    ["another site", of("https://evil.example")],
    ["a page without an origin", of("null")],
    ["another port of this machine", of("http://localhost:3000", "localhost:8888")],
    ["another spelling of this machine", of("http://localhost:8888", "127.0.0.1:8888")],
    ["a site whose name begins with a named one", of("https://app.example.evil.example")],
    ["a named one over plain HTTP", of("http://app.example")],
    ["a file", of("file://")],
    ["a plain page with this name, where this proxy speaks TLS", of("http://llm.lan:8888", "llm.lan:8888", { via: "tls" })],
    ["user information", of("http://127.0.0.1:8888@evil.example")],
    ["a path", of("http://127.0.0.1:8888/x")],
    ["nothing", of("")],
    ["two in one", of("http://127.0.0.1:8888, https://evil.example")],
    [
      "two",
      exchange({
        headers: [
          ["host", "a"],
          ["origin", "http://a"],
          ["ORIGIN", "https://evil.example"],
        ],
      }),
    ],
    ["its own, of a request without a Host", exchange({ headers: [["origin", "http://a"]] })],
    ["a link on another site", exchange({ headers: [["Sec-Fetch-Site", "cross-site"]] })],
    ["an image on another port", exchange({ headers: [["sec-fetch-site", "same-site"]] })],
  ] satisfies readonly (readonly [string, Identified])[];

  test.each<readonly [string, Identified]>(REFUSED)("do not get it: %s", (_, request) => {
    expect(outcome(request, portsOf(plain))).toBe("403 origin_refused");
  });

  test.each<readonly [string, Identified]>(REFUSED)("may ask a target to which nothing is lent: %s", (_, request) => {
    expect(outcome({ ...request, provider: "anthropic" }, portsOf(plain))).toBe("in");
  });

  test("get it with a key of the proxy's own", () => {
    const request = of("https://evil.example");
    const keyed = { ...plain, ...KEYED, lends: plain.lends ?? new Set() };
    expect(outcome(request, portsOf(keyed))).toBe("401 api_key_required");
    expect(outcome({ ...request, headers: [...request.headers, ["x-faultproxy-key", KEY]] }, portsOf(keyed))).toBe("in");
  });

  test("`*` names nobody", () => {
    expect(outcome(of("https://evil.example"), portsOf({ ...plain, origins: new Set(["*"]) }))).toBe("403 origin_refused");
  });

  test("a preflight that the proxy answers itself is no use of a credential; one that the target would answer is", () => {
    const preflight = { ...of("https://evil.example"), method: "OPTIONS" };
    const request = { ...preflight, headers: [...preflight.headers, ["access-control-request-method", "POST"] as const] };
    expect(outcome(request, portsOf(plain, { cors: true }))).toBe("in");
    expect(outcome(request, portsOf(plain))).toBe("403 origin_refused");
  });

  test("the refusal says how to let the page in", () => {
    expect(textOf(of("https://evil.example"), portsOf(plain))).toContain("pages of https://evil.example");
    expect(textOf(of("https://evil.example"), portsOf(plain))).toContain("allowed_origins of [cors]");
    expect(textOf(of("null"), portsOf(plain))).not.toContain("allowed_origins");
    expect(textOf(of("https://<b>"), portsOf(plain))).not.toContain("<b>");
  });
});

describe("bounds", () => {
  const bodyOf = (lengthBytes: number | undefined) => exchange({ body: { ...exchange().body, lengthBytes } });

  test.each([
    [1_000, "in"],
    [1_001, "413 request_too_large"],
    [undefined, "in"],
  ] as const)("a body of %p bytes, of 1000: %s", (length, expected) => {
    expect(outcome(bodyOf(length), portsOf({}))).toBe(expected);
  });

  test("who shows no key learns nothing of the bounds", () => {
    expect(outcome(bodyOf(9_999), portsOf(KEYED))).toBe("401 api_key_required");
    expect(outcome(exchange(), portsOf({ ...KEYED, running: () => 99 }))).toBe("401 api_key_required");
  });

  test.each([
    [2, "in"],
    [3, "503 too_many_requests_running"],
  ] as const)("%p running requests, with this one, of 2: %s", (running, expected) => {
    const entered = accessOf(exchange(), portsOf({ running: () => running }));
    expect(outcome(exchange(), portsOf({ running: () => running }))).toBe(expected);
    if (entered.kind === "refused") expect(headerValue(entered.response.headers, "retry-after")).toBe("1");
  });

  test("a monitor is answered when no other request is", () => {
    const full = { running: () => 99 };
    expect(outcome(asked("/health", { method: "GET" }), portsOf(full, { gateway: true }))).toBe("in");
    expect(outcome(asked("/health", { method: "GET" }), portsOf(full))).toBe("503 too_many_requests_running");
  });
});
