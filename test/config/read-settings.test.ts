import { describe, expect, test } from "bun:test";
import { readConfiguration, type SettingsSources } from "../../src/config/read-settings.ts";
import { SETTING_ROWS } from "../../src/config/schema.ts";
import type { Settings } from "../../src/config/settings.ts";
import { inputError, isInputError } from "../../src/core/errors.ts";

type Case = Partial<Omit<SettingsSources, "files">> & { readonly toml?: string };

function read({ toml, ...sources }: Case): Settings | string {
  const options = { ...sources.options, ...(toml === undefined ? {} : { config: "test.toml" }) };
  const files = {
    read: (path: string) => (path === "test.toml" && toml !== undefined ? toml : inputError(`cannot read ${path}`)),
    readIfThere: () => undefined,
  };
  const configuration = readConfiguration({ environment: {}, ...sources, options, files });
  return isInputError(configuration) ? configuration.message : configuration.settings;
}

function good(sources: Case): Settings {
  const settings = read(sources);
  if (typeof settings === "string") throw new Error(settings);
  return settings;
}

describe("precedence", () => {
  const toml = "port = 1000";
  const environment = { FAULTPROXY_PORT: "2000", PORT: "3000" };
  test.each<[string, Case, number]>([
    ["nothing: the default", {}, 8888],
    ["the file before the default", { toml }, 1000],
    ["a variable before the file", { toml, environment }, 2000],
    ["an option before a variable", { toml, environment, options: { port: "4000" } }, 4000],
    ["plain PORT where FAULTPROXY_PORT is not set", { environment: { PORT: "3000" } }, 3000],
    ["an empty variable is none", { environment: { FAULTPROXY_PORT: "", PORT: "3000" } }, 3000],
    ["defaults of the command before the table's", { defaults: { port: 0 } }, 0],
    ["a variable before the command's default", { defaults: { port: 0 }, environment }, 2000],
    ["a setting that only an option decides", { toml, environment, defaults: { port: 0 }, onlyByOption: ["port"] }, 0],
    ["the same with the option", { environment, options: { port: "5" }, onlyByOption: ["port"] }, 5],
  ])("%s", (_, sources, port) => {
    expect(good(sources).port).toBe(port);
  });

  test("upstreams of all sources are put together by provider", () => {
    const settings = good({
      options: { upstream: "openai=http://option" },
      environment: { FAULTPROXY_UPSTREAM: "openai=http://variable,google=simulated" },
      toml: '[providers.openai]\nupstream = "http://file"\n[providers.anthropic]\nupstream = "http://file/base"\nport = 9001\n',
    });
    expect(settings.upstreams).toEqual({ openai: "http://option", google: "simulated", anthropic: "http://file/base" });
    expect(settings.providerPorts).toEqual({ anthropic: 9001 });
  });

  test("the file is named by FAULTPROXY_CONFIG too", () => {
    const configuration = readConfiguration({
      options: {},
      environment: { FAULTPROXY_CONFIG: "/x.toml" },
      files: { read: (path) => `seed = ${path.length}`, readIfThere: () => "seed = 1" },
    });
    expect(configuration).toMatchObject({ settings: { seed: 7 }, file: "/x.toml" });
  });
});

test("every key of the file is read", () => {
  const toml = `
port = 1
host = "::1"
mode = "r 30%"
stdin = false
seed = 42
socket = "/tmp/x.sock"
simulate = true
log_format = "json"
log_level = "warn"
default_provider = "google"
engine = "serve"
listen = ["127.0.0.1:1", "google=unix:/a.sock"]
reuse_port = true
connect_timeout = "1s"
head_timeout = 20
idle_timeout = "1m"
tls_cert = "/server.pem"
tls_key = "/server.key"
[simulator]
ttft = "1.5s"
between = 20
tokens = 7
[providers.openai]
upstream = "https://host"
port = 2
cert_file = "/c.pem"
key_file = "/k.pem"
ca_file = "/a.pem"
server_name = "inner.example"
[providers.google]
server_name = "x"
`;
  expect(good({ toml })).toMatchObject({
    port: 1,
    host: "::1",
    mode: "r 30%",
    stdin: false,
    seed: 42,
    socket: "/tmp/x.sock",
    simulate: true,
    logFormat: "json",
    logLevel: "warn",
    defaultProvider: "google",
    engine: "serve",
    ttftMs: 1500,
    betweenMs: 20,
    tokens: 7,
    upstreams: { openai: "https://host" },
    providerPorts: { openai: 2 },
    backend: undefined,
    targets: {
      openai: { certFile: "/c.pem", keyFile: "/k.pem", caFile: "/a.pem", serverName: "inner.example" },
      google: { serverName: "x" },
    },
    workers: 1,
    listen: [
      { address: { kind: "tcp", host: "127.0.0.1", port: 1 }, provider: undefined },
      { address: { kind: "unix", path: "/a.sock" }, provider: "google" },
    ],
    reusePort: true,
    connectTimeoutMs: 1_000,
    headTimeoutMs: 20,
    idleTimeoutMs: 60_000,
    tlsCertFile: "/server.pem",
    tlsKeyFile: "/server.key",
  });
});

test("FAULTPROXY_NO_STDIN says the opposite of the setting", () => {
  expect(good({ environment: { FAULTPROXY_NO_STDIN: "1" } }).stdin).toBe(false);
  expect(good({ environment: { FAULTPROXY_NO_STDIN: "off" } }).stdin).toBe(true);
});

describe("mistakes name the place and what to do", () => {
  test.each<[string, Case, string]>([
    ["a port that is no number", { options: { port: "abc" } }, "--port abc: expected a whole number from 0 to 65535"],
    ["a port above the last", { options: { port: "65536" } }, "--port 65536: expected a whole number from 0 to 65535"],
    ["a negative port", { options: { port: "-1" } }, "--port -1: expected a whole number from 0 to 65535"],
    ["a fraction", { environment: { PORT: "80.5" } }, "PORT=80.5: expected a whole number from 0 to 65535"],
    ["a variable", { environment: { FAULTPROXY_SEED: "x" } }, "FAULTPROXY_SEED=x: expected a whole number from 0 to 4294967295"],
    [
      "an unknown level",
      { options: { "log-level": "inf" } },
      "--log-level inf: expected one of silent, error, warn, info, debug; did you mean info?",
    ],
    ["an unknown provider", { options: { "default-provider": "opena" } }, "; did you mean openai?"],
    ["an upstream without =", { options: { upstream: "openai" } }, "--upstream openai: expected NAME=URL, such as"],
    ["an upstream of nobody", { options: { upstream: "antropic=http://x" } }, "; did you mean anthropic?"],
    ["an upstream that is no URL", { options: { upstream: "openai=localhost:1" } }, "expected http://HOST[:PORT] or https://HOST[:PORT]"],
    ["an upstream with a query", { options: { upstream: "openai=http://x/?key=1" } }, "a base URL has no query"],
    ["an upstream given twice", { options: { upstream: "openai=http://a,openai=http://b" } }, "expected openai only once"],
    ["a duration", { options: { ttft: "soon" } }, "--ttft soon: expected a duration such as 500ms, 2s or 1m"],
    ["no tokens at all", { options: { tokens: "0" } }, "--tokens 0: expected a whole number from 1"],
    ["a host with a scheme", { options: { host: "http://x" } }, "--host http://x: expected an address"],
    ["a file that is not there", { options: { config: "/none.toml" } }, "cannot read /none.toml"],
    ["a file that is not TOML", { toml: "port = 1\nhost = \n" }, "test.toml:2:8: not TOML: invalid value"],
    ["a key given twice", { toml: "port = 1\nport = 2\n" }, "test.toml:2:1: not TOML"],
    ["an unknown key", { toml: "\n# a comment\n  prot = 1\n" }, 'test.toml:3:3: unknown key "prot"; did you mean port?'],
    ["an unknown table", { toml: "[simulater]\ntokens = 1\n" }, 'test.toml:1:1: unknown key "simulater"; did you mean simulator?'],
    [
      "an unknown key of a table",
      { toml: "[simulator]\nttf = 1\n" },
      'test.toml:2:1: unknown key "ttf" in [simulator]; did you mean ttft?',
    ],
    [
      "an unknown provider's table",
      { toml: "[providers.opena]\n" },
      'test.toml:1:1: unknown key "opena" in [providers]; did you mean openai?',
    ],
    [
      "an unknown key of a provider",
      { toml: "[providers.openai]\nprot = 1\n" },
      'test.toml:2:1: unknown key "prot" in [providers.openai]; did you mean port?',
    ],
    ["a text where a number belongs", { toml: 'port = "80"\n' }, 'test.toml:1:1: port = "80": expected a number'],
    ["a number where a switch belongs", { toml: "simulate = 1\n" }, "test.toml:1:1: simulate = 1: expected true or false"],
    [
      "a port of a provider",
      { toml: "[providers]\ngoogle.port = 99999\n" },
      "test.toml:2:1: providers.google.port = 99999: expected a whole number from 0 to 65535",
    ],
    ["a provider that is no table", { toml: "providers.google = 1\n" }, "test.toml:1:1: google is a table"],
    ["an address without a port", { options: { listen: "foo" } }, "--listen foo: expected HOST:PORT, [IPV6]:PORT or unix:PATH, with NAME="],
    ["an address without a host", { options: { listen: ":80" } }, "--listen :80: expected HOST:PORT"],
    ["an address with a port above the last", { options: { listen: "a:65536" } }, "--listen a:65536: expected HOST:PORT"],
    ["an IPv6 address without brackets", { options: { listen: "::1:80" } }, "--listen ::1:80: expected HOST:PORT, [IPV6]:PORT"],
    ["an empty path", { environment: { FAULTPROXY_LISTEN: "unix:" } }, "FAULTPROXY_LISTEN=unix:: expected HOST:PORT"],
    ["an address behind a comma that is none", { options: { listen: "a:1,b" } }, "--listen a:1,b: expected HOST:PORT"],
    ["an address of nobody", { options: { listen: "antropic=a:1" } }, '--listen antropic=a:1: expected a provider before the "="'],
    ["an address of nobody, nearly somebody", { options: { listen: "antropic=a:1" } }, "; did you mean anthropic?"],
    [
      "an address that is a number in the file",
      { toml: "listen = 80\n" },
      "test.toml:1:1: listen = 80: expected a list of texts or a text in quotes",
    ],
    ["a list with a number", { toml: 'listen = ["a:1", 2]\n' }, "test.toml:1:1: listen = a:1,2: expected a list of texts"],
    ["a list with a mistake", { toml: 'listen = ["a:1", "b"]\n' }, "test.toml:1:1: listen = a:1,b: expected HOST:PORT"],
    ["a timeout", { options: { "connect-timeout": "never" } }, "--connect-timeout never: expected a duration such as 500ms, 2s or 1m"],
    ["a timeout below nothing", { options: { "idle-timeout": "-1s" } }, "--idle-timeout -1s: expected a duration"],
    ["a timeout of years", { options: { "head-timeout": "9999h" } }, "--head-timeout 9999h: expected a duration of at most 24 days"],
    ["a switch", { environment: { FAULTPROXY_REUSE_PORT: "maybe" } }, "FAULTPROXY_REUSE_PORT=maybe: expected on or off"],
    ["an engine", { options: { engine: "wir" } }, "--engine wir: expected one of wire, serve; did you mean wire?"],
    [
      "a certificate without its key",
      { toml: '[providers.openai]\nport = 1\ncert_file = "x"\n' },
      "test.toml:3:1: providers.openai.cert_file needs key_file beside it",
    ],
    [
      "a key without its certificate",
      { toml: '[providers.openai]\nkey_file = "x"\n' },
      "test.toml:2:1: providers.openai.key_file needs cert_file beside it",
    ],
    [
      "a path that is empty",
      { toml: '[providers.openai]\nca_file = ""\n' },
      'test.toml:2:1: providers.openai.ca_file = "": expected the path of a PEM file',
    ],
    [
      "a server name that is an address",
      { toml: '[providers.openai]\nserver_name = "192.0.2.1"\n' },
      'test.toml:2:1: providers.openai.server_name = "192.0.2.1": expected a host name',
    ],
    [
      "a key of a provider, nearly",
      { toml: '[providers.openai]\ncert = "x"\n' },
      'test.toml:2:1: unknown key "cert" in [providers.openai]',
    ],
    ["a key behind long texts", { toml: 'mode = """\n[x]\nport = 1\n"""\nhost = ["a",\n "b"]\n' }, "test.toml:5:1: host = "],
  ])("%s", (_, sources, expected) => {
    expect(read(sources)).toContain(expected);
  });

  test.each<[string, Case, string]>([
    ["an option", { options: { upstream: "openai=http://me:secret@x" } }, "--upstream "],
    ["a variable", { environment: { FAULTPROXY_UPSTREAM: "openai=http://me:secret@x" } }, "FAULTPROXY_UPSTREAM="],
    ["a variable of another kind", { environment: { FAULTPROXY_PORT: "me:secret@x" } }, "FAULTPROXY_PORT="],
    ["the file", { toml: '[providers.openai]\nupstream = "http://me:secret@x"\n' }, "test.toml:2:1: providers.openai.upstream = "],
  ])("a password in %s is not shown, and where it stands is", (_, sources, where) => {
    const message = read(sources);
    expect(message).toStartWith(where);
    expect(message).not.toContain("secret");
  });

  test.each<[string, Case]>([
    ["an option", { options: { upstream: "openai=http://me:secret@x" } }],
    ["a variable", { environment: { FAULTPROXY_UPSTREAM: "openai=http://me:secret@x" } }],
    ["the file", { toml: '[providers.openai]\nupstream = "http://me:secret@x"\n' }],
  ])("a password in the URL of %s is refused and not shown", (_, sources) => {
    const message = read(sources);
    expect(message).toContain("a user or password in it is not taken");
    expect(message).not.toContain("secret");
  });
});

test("the default of every setting is one that its own reader takes", () => {
  for (const [, { value, default: preset }] of SETTING_ROWS) {
    if (preset === undefined || typeof preset === "object" || typeof preset === "boolean") continue;
    const written = value.toToml?.(preset).replaceAll('"', "") ?? String(preset);
    expect(value.parse(written)).toEqual({ ok: true, value: preset });
  }
});

test("every option has its own variable, named after it", () => {
  for (const [, { option, variables, negated }] of SETTING_ROWS) {
    if (option === undefined) continue;
    expect(variables).toContain(`FAULTPROXY_${negated ? "NO_" : ""}${option.toUpperCase().replaceAll("-", "_")}`);
  }
});
