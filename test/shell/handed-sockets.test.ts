import { describe, expect, test } from "bun:test";
import { handedSockets, tcpAddress, withoutHandedSockets } from "../../src/shell/handed-sockets.ts";

describe("which sockets were handed over", () => {
  test.each<[string, Record<string, string>, readonly number[]]>([
    ["none without variables", {}, []],
    ["from the third on", { LISTEN_FDS: "3", LISTEN_PID: "7" }, [3, 4, 5]],
    ["none for another process", { LISTEN_FDS: "1", LISTEN_PID: "8" }, []],
    ["none without a process", { LISTEN_FDS: "1" }, []],
    ["none without a count", { LISTEN_PID: "7" }, []],
    ...["0", "", "x", "-1", "1.5", "1e3", "99999"].map((count): [string, Record<string, string>, readonly number[]] => [
      `none of ${count}`,
      { LISTEN_FDS: count, LISTEN_PID: "7" },
      [],
    ]),
  ])("%s", (_, environment, expected) => {
    expect(handedSockets(environment, 7).map(({ fd }) => fd)).toEqual([...expected]);
  });

  test("a name that is a provider's is for the provider", () => {
    const environment = { LISTEN_FDS: "4", LISTEN_PID: "7", LISTEN_FDNAMES: "faultproxy.socket:anthropic::google" };
    expect(handedSockets(environment, 7).map(({ provider }) => provider)).toEqual([undefined, "anthropic", undefined, "google"]);
  });

  test("fewer names than sockets are enough", () => {
    const environment = { LISTEN_FDS: "2", LISTEN_PID: "7", LISTEN_FDNAMES: "anthropic" };
    expect(handedSockets(environment, 7).map(({ provider }) => provider)).toEqual(["anthropic", undefined]);
  });
});

test.each([
  ["0100007F:22B8", "127.0.0.1", 8888],
  ["00000000:0050", "0.0.0.0", 80],
  ["0200A8C0:FFFF", "192.168.0.2", 65535],
  ["00000000000000000000000000000000:22B8", "::", 8888],
  ["00000000000000000000000001000000:22B8", "::1", 8888],
  ["B80D0120000000000000000001000000:01BB", "2001:db8::1", 443],
])("the system's %s is %s, port %d", (text, host, port) => {
  expect(tcpAddress(text)).toEqual({ kind: "tcp", host, port });
});

test("processes that are started get no word of them", () => {
  const environment = { PATH: "/bin", LISTEN_FDS: "1", LISTEN_PID: "7", LISTEN_FDNAMES: "a", LISTEN_PIDFDID: "1", LISTENER: "x" };
  expect(withoutHandedSockets(environment)).toEqual({ PATH: "/bin", LISTENER: "x" });
});
