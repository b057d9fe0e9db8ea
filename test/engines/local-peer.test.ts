import { expect, test } from "bun:test";
import { isLoopback } from "../../src/engines/local-peer.ts";

test.each(["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "::FFFF:127.0.0.1"])("%s is this machine", (address) => {
  expect(isLoopback(address)).toBe(true);
});

test.each(["10.0.0.1", "172.17.0.1", "::ffff:10.0.0.1", "fe80::1", "::", "0.0.0.0", "1270.0.0.1", "127.0.0.1.example", "", undefined])(
  "%s is not",
  (address) => {
    expect(isLoopback(address)).toBe(false);
  },
);
