import { describe, expect, test } from "bun:test";
import { headerValue } from "../../src/core/headers.ts";
import { HTTP_FAULT_NAMES } from "../../src/core/provider.ts";
import { answerOf, faultNamed } from "./fakes.ts";

describe("an HTTP fault", () => {
  test.each(HTTP_FAULT_NAMES.map((name) => [name]))("%s answers with the provider's first form", (name) => {
    const { status, text } = answerOf(name);
    expect(status).toBe(name === "rate_limit" ? 429 : 400);
    expect(JSON.parse(text).error.status).toBe(status);
    expect(faultNamed(name).level).toBe("http");
  });

  test("takes status, message and variant from its keys", () => {
    expect(answerOf("auth", { status: 418, message: "no" })).toMatchObject({
      status: 418,
      text: '{"error":{"message":"no","status":418}}',
    });
    expect(answerOf("rate_limit", { variant: "page" })).toMatchObject({ status: 503, text: "<html>busy</html>" });
  });

  test("falls back to the first form where the provider has no such variant", () => {
    expect(answerOf("rate_limit", { variant: "spend_cap" }).status).toBe(429);
  });

  test.each([
    ["the provider's own hint", {}, "2"],
    ["retry_after in the provider's own header", { retry_after: 7_000 }, "7"],
    ["no header where the body tells it", { variant: "told_in_body", retry_after: 7_000 }, undefined],
    ["no header where the form has none and none was asked for", { variant: "page" }, undefined],
    ["a plain header where the form has none and one was asked for", { variant: "page", retry_after: 1_500 }, "2"],
  ])("sends %s", (_what, parameters, expected) => {
    expect(headerValue(answerOf("rate_limit", parameters).headers, "retry-after")).toBe(expected);
  });

  test("tells a fractional delay in the body", () => {
    expect(answerOf("rate_limit", { variant: "told_in_body", retry_after: 1_500 }).text).toBe('{"retryDelay":"1.5s"}');
  });

  test("always has a content type", () => {
    expect(headerValue(answerOf("auth").headers, "content-type")).toBe("application/json");
    expect(answerOf("rate_limit", { variant: "page" }).headers).toEqual([
      ["content-type", "text/html"],
      ["server", "edge"],
    ]);
  });

  test("has no body where its status forbids one", () => {
    expect(answerOf("auth", { status: 204 })).toMatchObject({ status: 204, text: "" });
  });
});
