import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { hostname } from "node:os";
import type { Settings } from "../../src/config/settings.ts";
import { isInputError } from "../../src/core/errors.ts";
import { accessOf, exposedAddress, exposureMistake } from "../../src/shell/access.ts";
import type { HandedSocket } from "../../src/shell/handed-sockets.ts";
import { targetsOf } from "../../src/shell/targets.ts";
import { settings } from "./support.ts";

const FIRST = "first-key-of-clients";
const SECOND = "second-key-of-clients";
const digestOf = (key: string) => `sha256:${createHash("sha256").update(key).digest("hex")}`;

function access(changes: Partial<Settings>) {
  const all = settings({ simulate: false, ...changes });
  const targets = targetsOf(all, {});
  if (isInputError(targets)) throw new Error(targets.message);
  return accessOf(all, targets, () => 0);
}

describe("keys", () => {
  test("none are needed where none are set", () => {
    expect(access({}).isKey).toBeUndefined();
  });

  test.each([
    [FIRST, true],
    [SECOND, true],
    [`${FIRST} `, false],
    [FIRST.toUpperCase(), false],
    [FIRST.slice(1), false],
    ["", false],
    // What stands in the configuration is no key: who can read it has not got in.
    [digestOf(SECOND), false],
    [digestOf(SECOND).slice("sha256:".length), false],
    ["\u0000", false],
    ["x".repeat(1_000_000), false],
    ["ﬁrst-key-of-clients", false],
  ])("%.40s: %p", (shown, expected) => {
    for (const apiKeys of [
      [FIRST, digestOf(SECOND)],
      [digestOf(SECOND), FIRST],
      [digestOf(FIRST).replace(/[a-f]/g, (digit) => digit.toUpperCase()), digestOf(SECOND)],
    ]) {
      expect(access({ apiKeys }).isKey?.(shown)).toBe(expected);
    }
  });

  test("wrong ones leave nothing behind", () => {
    const { isKey } = access({ apiKeys: [FIRST, digestOf(SECOND)] });
    const try1000 = (from: number) => {
      for (let each = from; each < from + 1_000; each++) isKey?.(`wrong-${each}-${"x".repeat(10_000)}`);
    };
    try1000(0);
    Bun.gc(true);
    const before = process.memoryUsage().heapUsed;
    for (let round = 1; round <= 10; round++) try1000(round * 1_000);
    Bun.gc(true);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(10_000_000);
  });
});

describe("names", () => {
  const listen = [
    { address: { kind: "tcp", host: "Proxy.lan", port: 1 }, provider: undefined },
    { address: { kind: "unix", path: "/x.lan" }, provider: undefined },
  ] as const;

  test.each([
    ["llm.example.com", true],
    ["LLM.EXAMPLE.COM:8888", true],
    ["proxy.lan", true],
    ["host.example", true],
    ["127.0.0.1:8888", true],
    ["other.example", false],
    ["x.lan", false],
  ])("%s: %p", (host, expected) => {
    const { isServed } = access({ names: ["llm.Example.com"], host: "host.example", listen });
    expect(isServed?.(host)).toBe(expected);
    // As it is remembered.
    expect(isServed?.(host)).toBe(expected);
  });

  test("this machine's own name", () => {
    expect(access({}).isServed?.(`${hostname()}:8888`)).toBe(true);
  });

  test("any, where that was said, or where a key is needed", () => {
    expect(access({ names: ["*"] }).isServed).toBeUndefined();
    expect(access({ apiKeys: [FIRST] }).isServed).toBeUndefined();
  });

  test("those of many strangers leave nothing behind", () => {
    const { isServed } = access({});
    for (let each = 0; each < 100_000; each++) isServed?.(`${each}.example`);
    expect(isServed?.("localhost")).toBe(true);
    expect(isServed?.("7.example")).toBe(false);
  });
});

describe("credentials", () => {
  const plain = { upstreams: { openai: "https://a.test" } };
  const target = (openai: Settings["targets"]["openai"]): Partial<Settings> => ({ ...plain, ...(openai ? { targets: { openai } } : {}) });

  test.each<readonly [string, Partial<Settings>, lends: boolean, inPlace: boolean]>([
    ["a plain target", plain, false, false],
    ["the built-in provider", { simulate: true }, false, true],
    ["Authorization", target({ extraHeaders: { Authorization: "Bearer x" } }), true, true],
    ["X-API-Key", target({ extraHeaders: { "X-API-Key": "x" } }), true, true],
    ["api-key", target({ extraHeaders: { "api-key": "x" } }), true, true],
    ["another field that is a secret by its name", target({ extraHeaders: { "X-Team-Token": "x" } }), true, false],
    ["another field that is a secret by its value", target({ extraHeaders: { "X-Upstream": "Basic eDp5" } }), true, false],
    ["a cookie", target({ extraHeaders: { cookie: "a=b" } }), true, false],
    ["a field that is none", target({ extraHeaders: { "X-Team": "blue", "anthropic-beta": "x" } }), false, false],
    ["a field that is taken away", target({ extraHeaders: { Authorization: "" } }), false, false],
    ["a certificate", target({ certFile: "/a.pem", keyFile: "/a.key" }), true, true],
    [
      "a certificate that is not used",
      { ...target({ certFile: "/a.pem", keyFile: "/a.key" }), upstreams: { openai: "http://a" } },
      false,
      false,
    ],
    ["an authority alone", target({ caFile: "/ca.pem" }), false, false],
    ["a simulated target with fields", { simulate: true, targets: { openai: { extraHeaders: { Authorization: "x" } } } }, false, true],
    ["a backend's", { backend: "https://b.test", targets: { backend: { extraHeaders: { Authorization: "x" } } } }, true, true],
    [
      "a backend's, not the provider's",
      { backend: "https://b.test", targets: { openai: { extraHeaders: { Authorization: "x" } } } },
      false,
      false,
    ],
  ])("%s", (_, changes, lends, inPlace) => {
    const { lends: lending, takesKeyInPlace } = access(changes);
    expect([lending.has("openai"), takesKeyInPlace.has("openai")]).toEqual([lends, inPlace]);
  });

  test("origins are those that were named", () => {
    expect([...access({ corsOrigins: ["*", "https://App.example"] }).origins]).toEqual(["https://app.example"]);
  });
});

describe("addresses that other machines reach", () => {
  const resolve = async (name: string) => {
    const known: Readonly<Record<string, readonly string[]>> = {
      "here.test": ["127.0.0.1", "::1"],
      "lan.test": ["192.168.1.5"],
      "both.test": ["127.0.0.1", "192.168.1.5"],
    };
    const addresses = known[name];
    if (addresses === undefined) throw new Error("ENOTFOUND");
    return addresses.map((address) => ({ address }));
  };
  const exposed = (host: string, changes: Partial<Settings> = {}, handed: readonly HandedSocket[] = []) =>
    exposedAddress(settings({ host, ...changes }), handed, resolve);

  test.each([
    "127.0.0.1",
    "127.8.9.10",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "localhost",
    "LOCALHOST",
    "here.test",
    "unknown.test",
  ])("not: %s", async (host) => expect(await exposed(host)).toBeUndefined());

  test.each([
    ["0.0.0.0", "--host 0.0.0.0"],
    ["::", "--host [::]"],
    ["192.168.1.5", "--host 192.168.1.5"],
    ["fe80::1%eth0", "--host [fe80::1%eth0]"],
    ["::ffff:192.168.1.5", "--host [::ffff:192.168.1.5]"],
    ["::ffff:0.0.0.0", "--host [::ffff:0.0.0.0]"],
    ["lan.test", "--host lan.test (192.168.1.5)"],
    ["both.test", "--host both.test (192.168.1.5)"],
  ])("%s", async (host, told) => expect(await exposed(host)).toBe(told));

  test.each([
    ["0", "0.0.0.0"],
    ["0x0", "0.0.0.0"],
  ])("as the system reads it: %s", async (host, address) => {
    expect(await exposedAddress(settings({ host }), [])).toBe(`--host ${host} (${address})`);
  });

  test("further ones count, sockets that are handed over take the place of host and port, and paths are for this machine alone", async () => {
    const listen = [{ address: { kind: "tcp", host: "10.0.0.1", port: 1 }, provider: undefined }] as const;
    const socket = (at: HandedSocket["at"]): HandedSocket => ({ fd: 3, provider: undefined, at });
    expect(await exposed("127.0.0.1", { listen })).toBe("--listen 10.0.0.1");
    expect(await exposed("127.0.0.1", {}, [socket({ kind: "tcp", host: "0.0.0.0", port: 1 })])).toBe("the socket unit, with 0.0.0.0");
    expect(await exposed("0.0.0.0", {}, [socket({ kind: "tcp", host: "127.0.0.1", port: 1 })])).toBeUndefined();
    expect(await exposed("0.0.0.0", {}, [socket({ kind: "unix", path: "/x" })])).toBeUndefined();
    expect(await exposed("127.0.0.1", { listen: [{ address: { kind: "unix", path: "/x" }, provider: undefined }] })).toBeUndefined();
  });

  test("are opened with a key, or where everybody may come", () => {
    expect(exposureMistake("--host ::", { apiKeys: [], open: false })?.message).toContain("--host ::");
    expect(exposureMistake("--host ::", { apiKeys: [FIRST], open: false })).toBeUndefined();
    expect(exposureMistake("--host ::", { apiKeys: [], open: true })).toBeUndefined();
    expect(exposureMistake(undefined, { apiKeys: [], open: false })).toBeUndefined();
  });
});
