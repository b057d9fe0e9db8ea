import { describe, expect, test } from "bun:test";
import { isUnusable, proxyFor } from "../../../src/engines/wire/http-proxy.ts";

type Environment = Readonly<Record<string, string>>;

const proxyOf = (environment: Environment, isTls = true, host = "api.example.com", port = 443) => proxyFor(isTls, host, port, environment);

/** The proxy's authority, `none`, or the mistake. */
function told(environment: Environment, isTls = true): string {
  const proxy = proxyOf(environment, isTls);
  return proxy === undefined ? "none" : isUnusable(proxy) ? proxy.mistake : proxy.authority;
}

describe("which variable counts", () => {
  test.each<[string, Environment, boolean, string]>([
    ["none", {}, true, "none"],
    ["https_proxy for https", { https_proxy: "http://a:1", http_proxy: "http://b:2" }, true, "a:1"],
    ["http_proxy for http", { https_proxy: "http://a:1", http_proxy: "http://b:2" }, false, "b:2"],
    ["upper case", { HTTPS_PROXY: "http://a:1" }, true, "a:1"],
    ["lower case before upper case", { HTTPS_PROXY: "http://a:1", https_proxy: "http://b:2" }, true, "b:2"],
    ["all_proxy for what has none of its own", { all_proxy: "http://a:1", http_proxy: "http://b:2" }, true, "a:1"],
    ["all_proxy in upper case", { ALL_PROXY: "http://a:1" }, false, "a:1"],
    ["an empty one says none", { https_proxy: "", HTTPS_PROXY: "http://a:1", ALL_PROXY: "http://b:2" }, true, "none"],
    ["the one of the other scheme does not", { http_proxy: "http://a:1" }, true, "none"],
    ["without a scheme", { https_proxy: "a:3128" }, true, "a:3128"],
    ["without a port", { https_proxy: "http://a" }, true, "a:80"],
    ["an IPv6 address", { https_proxy: "http://[::1]:3128" }, true, "[::1]:3128"],
    ["with spaces around it and a slash behind it", { https_proxy: " http://a:1/ " }, true, "a:1"],
  ])("%s", (_, environment, isTls, expected) => {
    expect(told(environment, isTls)).toBe(expected);
  });

  test("the brackets of an IPv6 address are no part of its name", () => {
    expect(proxyOf({ https_proxy: "http://[::1]:3128" })).toMatchObject({ hostname: "::1", port: 3128 });
  });
});

describe("credentials", () => {
  test.each([
    ["http://a:1", undefined],
    ["http://me:secret@a:1", "me:secret"],
    ["me:secret@a:1", "me:secret"],
    ["http://me@a:1", "me:"],
    ["http://me%40home:p%3Aw%2F%25@a:1", "me@home:p:w/%"],
    ["http://%C3%BC:%E2%82%AC@a:1", "ü:€"],
  ])("of %s", (url, credentials) => {
    const authorization = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString("base64")}`;
    expect(proxyOf({ https_proxy: url })).toMatchObject({ hostname: "a", authorization });
  });
});

describe("what is not spoken is told, without what could be a password", () => {
  test.each([
    ["socks5://me:secret@a:1", "https_proxy names a socks5 proxy, which is not spoken: expected http://[USER:PASSWORD@]HOST[:PORT]"],
    ["socks5h://a:1", "https_proxy names a socks5h proxy"],
    ["https://me:secret@a:1", "https_proxy names a proxy that wants TLS to itself"],
    ["http://", "https_proxy is not the URL of a proxy"],
    ["http://me:secret@a:port", "https_proxy is not the URL of a proxy"],
    ["two words secret", "https_proxy is not the URL of a proxy"],
    ["http://me:secret%@a:1", "https_proxy has a % in its user or password"],
  ])("%s", (url, expected) => {
    expect(told({ https_proxy: url })).toStartWith(expected);
    expect(told({ https_proxy: url })).not.toContain("secret");
    expect(told({ ALL_PROXY: url })).toStartWith("ALL_PROXY");
  });

  test("only where it would be used", () => {
    expect(told({ ALL_PROXY: "socks5://a:1", https_proxy: "http://b:2" })).toBe("b:2");
    expect(told({ ALL_PROXY: "socks5://a:1", no_proxy: "example.com" })).toBe("none");
  });
});

describe("no_proxy", () => {
  test.each<[string, string, number, boolean]>([
    ["api.example.com", "api.example.com", 443, true],
    ["API.Example.Com", "api.example.com", 443, true],
    ["api.example.com", "API.example.com.", 443, true],
    ["example.com", "api.example.com", 443, true],
    [".example.com", "api.example.com", 443, true],
    ["*.example.com", "api.example.com", 443, true],
    [".example.com", "example.com", 443, true],
    ["example.com", "badexample.com", 443, false],
    ["xample.com", "example.com", 443, false],
    ["api.example.com", "example.com", 443, false],
    ["other, api.example.com", "api.example.com", 443, true],
    ["other api.example.com", "api.example.com", 443, true],
    ["other,,", "api.example.com", 443, false],
    [".", "api.example.com", 443, false],
    ["*", "api.example.com", 443, true],
    ["example.com:443", "api.example.com", 443, true],
    ["example.com:8443", "api.example.com", 443, false],
    ["127.0.0.1", "127.0.0.1", 80, true],
    ["127.0.0.1:8080", "127.0.0.1", 80, false],
    ["127.0.0.1:80", "127.0.0.1", 80, true],
    ["0.0.1", "127.0.0.1", 80, false],
    ["10.0.0.0/8", "10.1.2.3", 80, true],
    ["10.0.0.0/8", "11.1.2.3", 80, false],
    ["10.0.0.0/33", "10.0.0.0", 80, false],
    ["10.0.0.0/x", "10.0.0.0", 80, false],
    ["10.0.0.0/8", "10.example.com", 80, false],
    ["0.0.0.0/0", "10.1.2.3", 80, true],
    ["0.0.0.0/0", "::1", 80, false],
    ["::1", "::1", 80, true],
    ["[::1]", "::1", 80, true],
    ["[::1]:80", "::1", 80, true],
    ["[::1]:81", "::1", 80, false],
    ["0:0:0:0:0:0:0:1", "::1", 80, true],
    ["fd00::/8", "fd12::1", 80, true],
    ["fd00::/8", "fe80::1", 80, false],
    ["localhost", "localhost", 80, true],
    // As with curl, this machine is no exception by itself.
    ["", "localhost", 80, false],
    ["", "127.0.0.1", 80, false],
  ])("%j and %s:%d", (exceptions, host, port, isExcepted) => {
    const environment = { all_proxy: "http://a:1", no_proxy: exceptions };
    expect(proxyOf(environment, true, host, port) === undefined).toBe(isExcepted);
  });

  test("in upper case", () => {
    expect(told({ all_proxy: "http://a:1", NO_PROXY: "*" })).toBe("none");
  });
});
