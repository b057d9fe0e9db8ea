import { describe, expect, test } from "bun:test";
import type { Identified, Received } from "../../src/core/exchange.ts";
import type { Gateway } from "../../src/core/gateway.ts";
import type { Ports } from "../../src/core/ports.ts";
import { askedForUsage } from "../../src/pipeline/helpers/asked-usage.ts";
import { callerOf } from "../../src/pipeline/helpers/caller.ts";
import { factsOf } from "../../src/pipeline/helpers/read-facts.ts";
import { bodyOf } from "../../src/pipeline/helpers/repeatable-body.ts";
import { asksForWebSocket } from "../../src/pipeline/helpers/websocket.ts";
import { identify } from "../../src/pipeline/identify.ts";
import { degradedAnswer } from "../../src/policy/degraded-answer.ts";
import { REAL_CLOCK } from "../../src/shell/real-clock.ts";
import { exchange, FACTS } from "../support.ts";

function identified(method: string, target: string): Identified {
  const received: Received = exchange();
  return identify({ ...received, method, target }, "openai", 0);
}

describe("a path that goes there and back", () => {
  test.each([
    "/v1/models/../chat/completions",
    "/v1/models/%2e%2E/chat/completions",
    "/v1/files/x/../../chat/completions",
    "/oauth/../v1/chat/completions",
    "/v1/models/x\\..\\..\\chat/completions",
    "/v1/models/..%2fchat/completions",
    "/v1/./chat/completions",
    "/openai/v1/models/../chat/completions?a=/../b",
  ])("%s asks a model, and which one is known", (target) => {
    const { kind, dialect, path, provider } = identified("POST", target);
    expect({ kind, dialect, path, provider }).toEqual({
      kind: "inference",
      dialect: "chat",
      path: "/v1/chat/completions",
      provider: "openai",
    });
  });

  test("what a target would make of it some other way is no way out either", () => {
    expect(identified("POST", "/v1/models//../chat/completions").kind).toBe("inference");
    expect(identified("POST", "/v1/files/..").kind).toBe("inference");
  });

  test("it goes on as it was written", () => {
    expect(identified("POST", "/v1/models/../chat/completions").upstreamTarget).toBe("/v1/models/../chat/completions");
  });

  test.each([
    ["POST", "/v1/files", "metadata"],
    ["POST", "/v1/files/a..b", "metadata"],
    ["POST", "/v1/files/.hidden", "metadata"],
    ["POST", "/v1/files/...", "metadata"],
    ["GET", "/v1/models/../models", "metadata"],
  ])("%s %s is %s", (method, target, kind) => {
    expect(identified(method, target).kind).toBe(kind as Identified["kind"]);
  });
});

test.each([
  ["GET", true],
  ["POST", false],
])("a %s that asks for WebSocket: %p", (method, asks) => {
  const headers = [
    ["Upgrade", "websocket"],
    ["Connection", "keep-alive, Upgrade"],
  ] as const;
  expect(asksForWebSocket({ method, headers })).toBe(asks);
});

describe("the key of a request is the one that its provider reads", () => {
  const gateway = { hashOf: (secret: string) => secret, userHeader: "x-user-id" } as Gateway;
  test.each<[Identified["provider"], readonly (readonly [string, string])[], string, string | undefined]>([
    [
      "openai",
      [
        ["authorization", "Bearer a"],
        ["x-api-key", "b"],
      ],
      "",
      "a",
    ],
    [
      "anthropic",
      [
        ["authorization", "Bearer junk"],
        ["x-api-key", "b"],
      ],
      "",
      "b",
    ],
    ["anthropic", [["authorization", "Bearer a"]], "", "a"],
    [
      "google",
      [
        ["authorization", "Bearer junk"],
        ["x-goog-api-key", "b"],
      ],
      "",
      "b",
    ],
    ["google", [["authorization", "Bearer junk"]], "alt=sse&key=b", "b"],
    ["google", [], "%6Bey=b%2Dc", "b-c"],
    ["google", [], "monkey=a&keys=b&key=", undefined],
    [
      "openai",
      [
        ["Authorization", "bearer"],
        ["api-key", "b"],
      ],
      "",
      "b",
    ],
    ["openai", [["Authorization", "Bearer  a"]], "", "a"],
    ["openai", [["Authorization", "Basic a"]], "", "Basic a"],
    ["openai", [], "", undefined],
  ])("%s %j %j", (provider, headers, query, key) => {
    expect(callerOf(exchange({ provider, headers, query }), FACTS, false, gateway).key).toBe(key);
  });
});

test.each([
  [0, "1"],
  [1_500, "2"],
  [999_999_999_999_000, "86400"],
  [1e29, "86400"],
])("a degraded answer after %p ms asks for %p s", (retryAfterMs, seconds) => {
  expect(degradedAnswer("openai", "signal", retryAfterMs).headers).toContainEqual(["Retry-After", seconds]);
});

test("a sleep longer than a timer takes is not over at once", async () => {
  const wake = new AbortController();
  let isOver = false;
  const slept = REAL_CLOCK.sleep(9_999_999_999, wake.signal).then(() => {
    isOver = true;
  });
  await REAL_CLOCK.sleep(20, new AbortController().signal);
  expect(isOver).toBe(false);
  wake.abort();
  await slept;
});

describe("a stream is asked for its usage", () => {
  const streaming = { ...FACTS, stream: true };
  const asked = async (headers: Identified["headers"], base: string | undefined) => {
    const body = bodyOf(new TextEncoder().encode('{"stream":true}'));
    const changed = await askedForUsage(exchange({ headers, body }), { get: async () => streaming }, base);
    const bytes = await changed?.body.forward();
    return bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : undefined;
  };

  test.each([undefined, "https://api.openai.com/v1", "https://mistral.ai.example.com/v1", "http://127.0.0.1:8000"])(
    "of %s",
    async (base) => {
      expect(await asked([["accept", "*/*"]], base)).toBe('{"stream":true,"stream_options":{"include_usage":true}}');
    },
  );

  test.each(["https://api.mistral.ai/v1", "https://codestral.mistral.ai", "https://API.Mistral.AI:443/v1"])(
    "but not where that is refused: %s",
    async (base) => {
      expect(await asked([], base)).toBeUndefined();
    },
  );

  test.each(["Content-Digest", "Digest", "content-md5", "Signature", "X-Amz-Content-Sha256"])(
    "nor where %s vouches for its bytes",
    async (name) => {
      expect(await asked([[name, "x"]], undefined)).toBeUndefined();
    },
  );
});

describe("an endpoint without a dialect", () => {
  const ports = { withoutContentCoding: () => undefined } as unknown as Ports;
  const factsIn = (text: string) =>
    factsOf(exchange({ dialect: undefined, path: "/v1/completions" }), new TextEncoder().encode(text), ports);

  test("tells whose model it asks, and for whom", () => {
    const text = '{"model":"gpt-5","user":"bob","prompt":"Hello","stream":true}';
    expect(factsIn(text)).toMatchObject({ model: "gpt-5", user: "bob", stream: true, inputCharacters: text.length });
  });

  test.each(["", "--boundary\r\n", "[1]", "{", '{"model":1}'])("or nothing: %j", (text) => {
    expect(factsIn(text)).toMatchObject({ model: undefined, user: undefined, stream: false });
  });
});
