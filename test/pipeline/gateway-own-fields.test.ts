import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ownFieldsOf } from "../../src/pipeline/helpers/own-fields.ts";
import { exchange } from "../support.ts";

const OWN = ["x-llm-proxy-timeout-ms", "X-LLM-Proxy-Test-Mode", "x-llm-proxy-test-mode", "X-Llm-Proxy-Timeout-Ms"] as const;

const field = fc.tuple(fc.constantFrom(...OWN, "accept", "X-LLM-Proxy-Other", "x-llm-proxy-timeout-ms-2"), fc.string({ maxLength: 8 }));
const parameter = fc.oneof(
  fc.constantFrom(
    "llm_proxy_test_mode=force_degraded",
    "llm_proxy_test_mode=",
    "my_llm_proxy_test_mode=1",
    "a=llm_proxy_test_mode=",
    "llm_proxy_test_mode",
  ),
  fc.stringMatching(/^[a-z]{1,4}(?:=[\w%+.~-]{0,6})?$/),
);
const path = fc.constantFrom("/v1/chat/completions", "/v1beta/models/m%3AgenerateContent", "/v1/a?b".replace("?", "%3F"));

describe("what clients say to the gateway", () => {
  test("goes no further, and all else stays as it was", () => {
    fc.assert(
      fc.property(fc.array(field, { maxLength: 5 }), fc.array(parameter, { maxLength: 5 }), path, (headers, parameters, upstreamPath) => {
        const query = parameters.join("&");
        const upstreamTarget = query === "" ? upstreamPath : `${upstreamPath}?${query}`;
        const asked = exchange({ headers, query, upstreamTarget });
        const seen = ownFieldsOf(asked)?.exchange ?? asked;
        const isOwn = (name: string) => OWN.some((own) => own.toLowerCase() === name.toLowerCase());
        expect(seen.headers).toEqual(headers.filter(([name]) => !isOwn(name)));
        const rest = parameters.filter((each) => !each.startsWith("llm_proxy_test_mode=")).join("&");
        expect(seen.query).toBe(rest);
        expect(seen.upstreamTarget).toBe(rest === "" ? upstreamPath : `${upstreamPath}?${rest}`);
      }),
    );
  });

  test("nothing of it, and it is the same exchange", () => {
    const asked = exchange({
      headers: [["accept", "*/*"]],
      query: "my_llm_proxy_test_mode=1",
      upstreamTarget: "/v1/x?my_llm_proxy_test_mode=1",
    });
    expect(ownFieldsOf(asked)).toBeUndefined();
  });

  test("the field counts before the parameter", () => {
    const headers = [["x-llm-proxy-test-mode", "force_degraded"]] as const;
    const query = "llm_proxy_test_mode=force_transient_recover";
    expect(ownFieldsOf(exchange({ headers, query }))?.testMode).toBe("force_degraded");
    expect(ownFieldsOf(exchange({ query }))?.testMode).toBe("force_transient_recover");
    expect(ownFieldsOf(exchange())).toBeUndefined();
  });
});
