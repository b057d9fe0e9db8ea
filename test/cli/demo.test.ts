import { expect, test } from "bun:test";
import { faultproxy } from "./support.ts";

test("the demo shows each fault and what the client saw, and everything is as expected", async () => {
  const { code, out, err } = await faultproxy(["demo"], { environment: { FAULTPROXY_MODE: "u *", HTTP_PROXY: "http://127.0.0.1:1" } });
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out.match(/as expected\n/g)).toHaveLength(8);
  expect(out).toContain("429, Retry-After: 1");
  expect(out).toContain("529 overloaded_error");
  expect(out).toContain("8 requests, 5 injections, everything as expected.");
});
