import { describe, expect, test } from "bun:test";
import { exampleFile } from "../../src/config/example.ts";
import { readToml } from "../../src/config/read-file.ts";
import { SETTING_ROWS } from "../../src/config/schema.ts";
import { TARGET_ROWS } from "../../src/config/target-schema.ts";

const linesOf = (toml: string) => readToml(toml).problems.map(({ line, column, message }) => `${line}:${column}: ${message}`);

describe("a target's table", () => {
  const KEYS = `timeout = 60
proxy = "http://user:pass@proxy.example:3128"
dialect = "responses"
system_messages = "instructions"
model = { "gpt-4o" = "llama", "*" = "" }
strict = true
extra_headers = { "X-Team" = "blue", Authorization = "" }
extra_body = { store = true, n = { a = [1, "b"] } }
models = ["llama"]
`;
  const AUTH = `cert_file = "/c.pem"
key_file = "/k.pem"
ca_file = "/a.pem"
server_name = "inner.example"
`;
  const setting = {
    timeoutMs: 60_000,
    proxy: "http://user:pass@proxy.example:3128",
    dialect: "responses",
    systemMessages: "instructions",
    model: { "gpt-4o": "llama", "*": "" },
    strict: true,
    extraHeaders: { "X-Team": "blue", Authorization: "" },
    extraBody: { store: true, n: { a: [1, "b"] } },
    models: ["llama"],
    certFile: "/c.pem",
    keyFile: "/k.pem",
    caFile: "/a.pem",
    serverName: "inner.example",
  } as const;

  test.each([
    ["the backend", `[backend]\nendpoint = "https://b/v1"\n${KEYS}[backend.auth]\n${AUTH}`, "backend"],
    ["a provider", `[providers.openai]\n${KEYS}[providers.openai.auth]\n${AUTH}`, "openai"],
    ["a provider, with its certificates in the table itself", `[providers.openai]\n${KEYS}${AUTH}`, "openai"],
  ])("of %s is read whole", (_, toml, scope) => {
    const { settings, problems } = readToml(toml);
    expect(problems).toEqual([]);
    expect(settings.targets).toEqual({ [scope]: setting });
    expect(settings.backend).toBe(scope === "backend" ? "https://b/v1" : undefined);
  });

  test.each([
    ["30", 30_000],
    ["0.5", 500],
    ['"1m"', 60_000],
    ["0", 0],
  ])("counts its timeout in seconds: %s", (text, timeoutMs) => {
    expect(readToml(`[providers.openai]\ntimeout = ${text}\n`).settings.targets).toEqual({ openai: { timeoutMs } });
  });

  test("takes a preset, and what is written beside it comes first", () => {
    const { settings, problems } = readToml(
      '[backend]\nendpoint = "https://b"\npreset = "lightspeed"\nextra_headers = { authorization = "Bearer x" }\nextra_body = { store = true }\n[backend.auth]\ncert_file = "/c"\nkey_file = "/k"\n',
    );
    expect(problems).toEqual([]);
    expect(settings.targets).toEqual({
      backend: {
        dialect: "responses",
        systemMessages: "drop",
        certFile: "/c",
        keyFile: "/k",
        extraHeaders: { "X-LCS-Merge-Server-Tools": "true", authorization: "Bearer x" },
        extraBody: { model: "", generate_topic_summary: false, store: true },
        models: ["lightspeed"],
      },
    });
  });
});

test("keys of other proxies' files mean what they mean there", () => {
  const { settings, problems } = readToml('[server]\nhost = "0.0.0.0"\nport = 8080\nworkers = 4\n[logging]\nlevel = "WARNING"\n');
  expect(problems).toEqual([]);
  expect(settings).toMatchObject({ host: "0.0.0.0", port: 8080, workers: 4, logLevel: "warn" });
});

test.each([
  ["CRITICAL", "error"],
  ["error", "error"],
  ["Warning", "warn"],
  ["INFO", "info"],
  ["debug", "debug"],
  ["NOTSET", "debug"],
])("the level %s is %s", (level, logLevel) => {
  expect(readToml(`[logging]\nlevel = "${level}"\n`).settings).toMatchObject({ logLevel });
});

describe("every problem is told, each with its place", () => {
  test("several at once, in their order", () => {
    expect(linesOf('prot = 1\n[backend]\nendpont = "x"\ntimeout = "soon"\n[providers.opnai]\na = 1\n[simulator]\nttft = true\n')).toEqual([
      expect.stringContaining('1:1: unknown key "prot"; did you mean port?'),
      expect.stringContaining('3:1: unknown key "endpont" in [backend]; did you mean endpoint?'),
      '4:1: backend.timeout = "soon": expected seconds such as 60, or a duration such as 1m, of at most 24 days',
      expect.stringContaining('5:1: unknown key "opnai" in [providers]; did you mean openai?'),
      "8:1: simulator.ttft = true: expected a number or a text in quotes",
    ]);
  });

  test("no more than a hundred, and quickly, of a file that is none", () => {
    const lines = linesOf(Array.from({ length: 5_000 }, (_, index) => `k${index} = 1\n`).join(""));
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe("100:1: 4900 further problems are not told");
    expect(linesOf(`${Array(50_000).fill("a").join(".")} = 1\n`)).toHaveLength(1);
  });

  test("the tables that there are are told whole, and a part of a key's name is none of them", () => {
    expect(linesOf("[foo]\n[por]\n")).toEqual([
      '1:1: unknown key "foo" (known: server, simulator, logging, limits, retry, breaker, cors, cost, state, backend, providers, route)',
      '2:1: unknown key "por" (known: server, simulator, logging, limits, retry, breaker, cors, cost, state, backend, providers, route)',
    ]);
  });

  test.each([
    ["two ways at once", "port = 1\n[server]\nport = 2\n", "3:1: server.port says the same as port; one of them is enough"],
    ["a table where a value belongs", "[port]\nx = 1\n", "1:1: port = {…}: expected a number"],
    ["a value where a table belongs", "backend = 1\n", "1:1: backend is a table: [backend]"],
    [
      "an upstream for the backend",
      '[backend]\nendpoint = "http://x"\nupstream = "http://y"\n',
      '3:1: unknown key "upstream" in [backend]',
    ],
    [
      "a dialect",
      '[backend]\nendpoint = "http://x"\ndialect = "response"\n',
      "expected one of chat, responses, messages; did you mean responses?",
    ],
    ["a preset", '[backend]\nendpoint = "http://x"\npreset = "light"\n', "expected lightspeed; did you mean lightspeed?"],
    [
      "a field that frames the message",
      '[providers.openai]\nextra_headers = { Host = "x" }\n',
      "2:1: providers.openai.extra_headers = {…}: expected a table of header fields",
    ],
    ["a field with a line end", '[providers.openai]\nextra_headers = { X = "a\\r\\nb: c" }\n', "expected a table of header fields"],
    ["a field that is no text", "[providers.openai]\nextra_headers = { X = 1 }\n", "expected a table of header fields"],
    ["a date in the body", "[providers.openai]\nextra_body = { a = 2026-01-01 }\n", "dates only as texts"],
    ["a model that is a number", "[providers.openai]\nmodel = 1\n", "2:1: providers.openai.model = 1: expected a name"],
    ["models that are no list", '[providers.openai]\nmodels = "a"\n', "expected a list of names"],
    ["a proxy of another kind", '[providers.openai]\nproxy = "socks5://me:secret@x"\n', "expected http://[USER:PASSWORD@]HOST[:PORT]"],
    [
      "a certificate without its key",
      '[backend]\nendpoint = "https://x"\n[backend.auth]\ncert_file = "/c"\n',
      "4:1: backend.auth.cert_file needs key_file beside it",
    ],
  ])("%s", (_, toml, expected) => {
    const lines = linesOf(toml);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(expected);
    expect(lines[0]).not.toContain("secret");
  });
});

describe("the example", () => {
  const live = exampleFile().replace(/^#(?! )/gm, "");

  test("means nothing as it is printed", () => {
    expect(readToml(exampleFile())).toEqual({
      settings: { upstreams: {}, providerPorts: {}, targets: {} },
      written: new Map(),
      problems: [],
    });
  });

  test("has every key, and no mistake, when it is not commented out", () => {
    const { written, problems } = readToml(live);
    expect(problems).toEqual([]);
    const program = SETTING_ROWS.flatMap(([, { key }]) => (key === "" ? [] : [key]));
    const targets = TARGET_ROWS.flatMap(([name, { key, only }]) => [
      ...(only === "providers" || name === "preset" ? [] : [`backend.${key}`]),
      ...(only === "backend" || name === "preset" ? [] : [`providers.openai.${key}`]),
    ]);
    const keys = [...written.keys()].filter((key) => !key.endsWith(".preset"));
    expect(keys.sort()).toEqual([...program, ...targets].sort());
  });

  test("shows the defaults where there are some", () => {
    const { settings } = readToml(live);
    for (const [name, row] of SETTING_ROWS) {
      if (row.key === "" || row.key === "route" || row.example !== undefined) continue;
      expect([name, settings[name]]).toEqual([name, row.default as never]);
    }
  });
});
