import { expect, test } from "bun:test";
import { effectiveKeys, MASK } from "../../src/config/effective.ts";
import { configCandidates } from "../../src/config/locate.ts";
import { readConfiguration } from "../../src/config/read-settings.ts";
import { isInputError } from "../../src/core/errors.ts";

const TOML = `log_level = "warn"
[providers.openai]
upstream = "https://file.example"
timeout = 1.5
proxy = "http://me:secret@proxy:1"
extra_headers = { Authorization = "Bearer secret", "X-Team" = "blue", "X-Id" = "sk-secretsecretsecret" }
extra_body = { store = true, token = "secret", list = [{ api_key = "secret", n = 1 }] }
[backend]
endpoint = "https://backend.example/v1"
preset = "lightspeed"
`;

test("every value is told with where it comes from, without secrets", () => {
  const environment = { PORT: "1", ANTHROPIC_REAL_HOST: "https://host.example", FAULTPROXY_UPSTREAM: "google=simulated" };
  const configuration = readConfiguration({
    options: { config: "/c.toml", engine: "serve" },
    environment,
    files: { read: () => TOML, readIfThere: () => undefined },
  });
  if (isInputError(configuration)) throw new Error(configuration.message);
  const keys = effectiveKeys(configuration, environment);
  expect(JSON.stringify(keys)).not.toContain("secret");
  const told = Object.fromEntries(keys.map(({ table, key, value, origin }) => [`${table}/${key}`, [value, origin]]));
  expect(told).toMatchObject({
    "/port": ["1", "PORT"],
    "/host": ['"127.0.0.1"', "default"],
    "/engine": ['"serve"', "--engine"],
    "/log_level": ['"warn"', "/c.toml:1"],
    "/seed": [undefined, "drawn, and printed (default)"],
    "/connect_timeout": ['"10s"', "default"],
    "providers.openai/upstream": ['"https://file.example"', "/c.toml:3"],
    "providers.openai/timeout": ['"1500ms"', "/c.toml:4"],
    "providers.openai/proxy": ['"http://…@proxy:1"', "/c.toml:5"],
    "providers.openai/extra_headers": [`{ Authorization = "${MASK}", X-Team = "blue", X-Id = "${MASK}" }`, "/c.toml:6"],
    "providers.openai/extra_body": [`{ store = true, token = "${MASK}", list = [{ api_key = "${MASK}", n = 1 }] }`, "/c.toml:7"],
    "providers.anthropic/upstream": ['"https://host.example"', "ANTHROPIC_REAL_HOST"],
    "providers.google/upstream": ['"simulated"', "FAULTPROXY_UPSTREAM"],
    "backend/endpoint": ['"https://backend.example/v1"', "/c.toml:9"],
    "backend/dialect": ['"responses"', "preset"],
    "backend.auth/cert_file": ['"/etc/pki/consumer/cert.pem"', "preset"],
  });
});

test("a host of the environment is not told where the built-in provider takes its place", () => {
  const environment = { OPENAI_REAL_HOST: "http://127.0.0.1:1" };
  const files = { read: () => "", readIfThere: () => undefined };
  const configuration = readConfiguration({ options: { simulate: true }, environment, files });
  if (isInputError(configuration)) throw new Error(configuration.message);
  expect(effectiveKeys(configuration, environment).filter(({ table }) => table.startsWith("providers"))).toEqual([]);
});

test.each<[string, Record<string, string>, readonly string[]]>([
  ["the home folder", { HOME: "/home/me" }, ["/home/me/.config", "/etc/xdg"]],
  ["XDG_CONFIG_HOME in its place", { HOME: "/home/me", XDG_CONFIG_HOME: "/own" }, ["/own", "/etc/xdg"]],
  ["each of XDG_CONFIG_DIRS", { XDG_CONFIG_DIRS: "/a:/b/" }, ["/a", "/b", "/etc/xdg"]],
  ["each once", { XDG_CONFIG_HOME: "/a", XDG_CONFIG_DIRS: "/etc/xdg:/a" }, ["/a", "/etc/xdg"]],
  ["no relative ones", { HOME: "", XDG_CONFIG_HOME: "own", XDG_CONFIG_DIRS: "b::c" }, ["/etc/xdg"]],
])("the file is looked for in %s", (_, environment, folders) => {
  expect(configCandidates(environment)).toEqual(folders.map((folder) => `${folder}/faultproxy/config.toml`));
});

test("the first file that is there counts", () => {
  const configuration = readConfiguration({
    options: {},
    environment: { XDG_CONFIG_HOME: "/a", XDG_CONFIG_DIRS: "/b:/c" },
    files: { read: () => "", readIfThere: (path) => (path.startsWith("/a") ? undefined : `port = ${path.startsWith("/b") ? 2 : 3}`) },
  });
  expect(configuration).toMatchObject({ settings: { port: 2 }, file: "/b/faultproxy/config.toml" });
});

test('an option "" asks for none', () => {
  const files = { read: () => "port = 1", readIfThere: () => "port = 2" };
  expect(readConfiguration({ options: { config: "" }, environment: { FAULTPROXY_CONFIG: "/x" }, files })).toMatchObject({
    settings: { port: 8888 },
    file: undefined,
  });
});
