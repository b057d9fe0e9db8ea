import { describe, expect, test } from "bun:test";
import { type ErrorEntry, HTTP_FAULT_NAMES, type HttpFaultName, PROVIDER_NAMES, type ProviderName } from "../../src/core/provider.ts";
import { PROVIDERS } from "../../src/providers/index.ts";
import { errorFacts, send } from "../providers/error-facts.ts";

type Case = { readonly provider: ProviderName; readonly fault: HttpFaultName; readonly entry: ErrorEntry; readonly name: string };

const CASES: readonly Case[] = PROVIDER_NAMES.flatMap((provider) =>
  HTTP_FAULT_NAMES.flatMap((fault) =>
    PROVIDERS[provider].errors[fault].map((entry) => ({ provider, fault, entry, name: `${provider} ${fault} ${entry.variant}` })),
  ),
);

/** Forms without a text for people; `message=` has nothing to replace there. */
const WITHOUT_TEXT: ReadonlySet<string> = new Set([
  "openai context_length cerebras",
  "openai rate_limit usage_limit_reached",
  "openai request_too_large cerebras",
  "openai timeout request_timeout",
  "google content_filter prompt_blocked",
  "google content_filter prohibited_content",
  "google content_filter finish_safety",
]);

/** Forms of other hosts and of edges, which have their own shape. */
function isOwnForm(entry: ErrorEntry): boolean {
  return entry.headers === undefined;
}

function isJson(contentType: string | undefined): boolean {
  return contentType?.startsWith("application/json") ?? false;
}

type Json = { readonly [key: string]: Json } | readonly Json[] | string | number | boolean | null;

function member(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || Array.isArray(at)) return undefined;
    at = (at as { readonly [key: string]: Json })[key];
  }
  return at;
}

const SHAPES: Readonly<Record<ProviderName, (body: Json, status: number, name: string) => void>> = {
  openai(body) {
    for (const key of ["type", "param", "code"]) expect(member(body, "error", key)).not.toBeUndefined();
    expect(typeof member(body, "error", "message")).toBe("string");
  },
  anthropic(body) {
    expect(member(body, "type")).toBe("error");
    expect(typeof member(body, "error", "type")).toBe("string");
    expect(typeof member(body, "error", "message")).toBe("string");
  },
  google(body, status, name) {
    if (WITHOUT_TEXT.has(name)) return;
    const one = Array.isArray(body) ? (body[0] as Json) : body;
    expect(typeof member(one, "error", "message")).toBe("string");
    if (typeof member(one, "error", "code") === "string") return;
    expect(member(one, "error", "code")).toBe(status);
    expect(typeof member(one, "error", "status")).toBe("string");
  },
  openrouter(body, status) {
    expect(member(body, "error", "code")).toBe(status);
    expect(typeof member(body, "error", "message")).toBe("string");
  },
  tetrate(body) {
    expect(typeof member(body, "error", "message")).toBe("string");
    expect(member(body, "error", "code")).not.toBeUndefined();
  },
  databricks(body) {
    expect(typeof member(body, "error_code")).toBe("string");
    expect(typeof member(body, "message")).toBe("string");
    expect(member(body, "error")).toBeUndefined();
  },
};

describe.each(CASES.map((one) => [one.name, one] as const))("%s", (name, { provider, entry }) => {
  test("has a status, a tag and a source", () => {
    expect(entry.status).toBeWithin(200, 600);
    expect(["F", "C", "D", "S", "U"]).toContain(entry.evidence);
    expect(entry.source.trim()).not.toBe("");
    expect(entry.variant).toMatch(/^[a-z0-9]+(?:_[a-z0-9]+)*$/);
  });

  test("has a body that its content type announces", () => {
    const { text, headers, status } = send(provider, entry);
    const contentType = headers["content-type"];
    if (text === "") {
      expect(contentType).toBeUndefined();
    } else if (isJson(contentType)) {
      const body = JSON.parse(text) as Json;
      if (isOwnForm(entry)) SHAPES[provider](body, status, name);
    } else {
      expect(contentType).toMatch(/^text\/(?:html|plain)/);
    }
  });

  test("shows message= wherever it has a text", () => {
    const message = 'A "quoted" text of the user';
    const { text, headers } = send(provider, entry, { message });
    const shown = text.includes(JSON.stringify(message)) || text.includes(JSON.stringify(JSON.stringify(message)).slice(1, -1));
    expect(shown).toBe(isJson(headers["content-type"]) && !WITHOUT_TEXT.has(name));
  });

  test("gives retry hints that agree with one another", () => {
    for (const retryAfterSeconds of [0.25, 2, 20.04466179, 578.016]) {
      const { text, headers } = send(provider, entry, { retryAfterSeconds });
      const whole = Math.max(1, Math.ceil(retryAfterSeconds));
      const after = headers["retry-after"];
      if (after !== undefined) {
        expect(after).toBe(String(whole));
        expect(entry.retryHint).not.toBe(false);
      }
      const afterMs = headers["retry-after-ms"];
      if (afterMs !== undefined) expect([Math.round(retryAfterSeconds * 1000), whole * 1000]).toContain(Number(afterMs));
      for (const [, shown] of text.matchAll(/Please (?:re)?try (?:again )?(?:in|after) ([0-9hms.]+?)(?: seconds)?\.? ?(?=[A-Z"\\])/g)) {
        expect([Math.round(retryAfterSeconds * 1000), whole * 1000]).toContain(milliseconds(shown ?? ""));
      }
      for (const [, delay] of text.matchAll(/"retryDelay": "([0-9.]+)s"/g)) {
        expect([retryAfterSeconds, Math.floor(retryAfterSeconds)]).toContain(Number(delay));
      }
    }
  });

  test("puts no NaN, undefined or object into its text", () => {
    const { text } = send(provider, entry);
    expect(text).not.toMatch(/NaN|undefined|\[object/);
  });

  test("is the same for the same seed", () => {
    expect(send(provider, entry)).toEqual(send(provider, entry));
  });
});

/** `9m38.016s`, `250ms` or `20.04466179` in whole milliseconds, the grain of a Go duration in these texts. */
function milliseconds(duration: string): number {
  if (/^[0-9.]+$/.test(duration)) return Math.round(Number(duration) * 1000);
  if (duration.endsWith("ms")) return Number(duration.slice(0, -2));
  const [, hours = "0", minutes = "0", seconds = "0"] = /^(?:(\d+)h)?(?:(\d+)m)?(?:([0-9.]+)s)?$/.exec(duration) ?? [];
  return Math.round((Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000);
}

describe.each(PROVIDER_NAMES.map((name) => [name, PROVIDERS[name]] as const))("%s", (name, provider) => {
  test("is filed under its own name", () => {
    expect(provider.name).toBe(name);
  });

  test("names each variant of a fault once", () => {
    for (const fault of HTTP_FAULT_NAMES) {
      const names = provider.errors[fault].map((entry) => entry.variant);
      expect(new Set(names).size).toBe(names.length);
    }
  });

  test("answers bad_gateway with a page", () => {
    const { headers, status, text } = send(name, provider.errors.bad_gateway[0]);
    expect(status).toBe(502);
    expect(headers["content-type"]).toMatch(/^text\/html/);
    expect(text).toMatch(/<title>/);
  });

  test("hints no retry where retrying cannot help", () => {
    for (const fault of ["context_length", "auth", "permission", "model_not_found", "content_filter", "request_too_large"] as const) {
      for (const entry of provider.errors[fault]) expect(send(name, entry).headers["retry-after"]).toBeUndefined();
    }
  });

  test("never repeats a secret: texts know the masked key only", () => {
    for (const fault of HTTP_FAULT_NAMES) {
      for (const entry of provider.errors[fault]) {
        const { text, headers } = send(name, entry);
        expect(`${text}${JSON.stringify(headers)}`).not.toMatch(/sk-(?!exam\*)[A-Za-z0-9-]{8}|Bearer |AIza|dapi[0-9a-f]{8}/);
      }
    }
  });

  test("sends stream errors as complete frames", () => {
    for (const entries of Object.values(provider.streamErrors)) {
      expect(new Set(entries.map((entry) => entry.variant)).size).toBe(entries.length);
      for (const entry of entries) {
        const text = entry.text({ ...errorFacts({ message: "Said by the user" }), index: 3, framing: "sse" });
        expect(text).toEndWith("\n\n");
        expect(text).toContain("Said by the user");
        const data = /^data: (.*)$/m.exec(text)?.[1] ?? "";
        expect(() => JSON.parse(data)).not.toThrow();
        expect(entry.source.trim()).not.toBe("");
      }
    }
  });

  test("words errors of our own in its shape", () => {
    const text = JSON.stringify(provider.ownError(502, "upstream_refused", "The target refused the connection."));
    expect(text).toContain("The target refused the connection.");
    const body = JSON.parse(text) as Json;
    if (name === "databricks") expect(member(body, "error_code")).toBe("UPSTREAM_REFUSED");
    else expect(member(body, "error", "message")).toBe("The target refused the connection.");
  });
});

/** The original proxy's table: what `c`, `r` and `u` give without a variant. */
const TABLE = [
  ["openai", "context_length", 400, '"code":"context_length_exceeded"'],
  ["openai", "rate_limit", 429, '"code":"rate_limit_exceeded"'],
  ["openai", "server_error", 500, '"code":"internal_server_error"'],
  ["anthropic", "context_length", 400, "prompt is too long"],
  ["anthropic", "rate_limit", 429, '"type":"rate_limit_error"'],
  ["anthropic", "server_error", 529, '"type":"overloaded_error"'],
  ["google", "context_length", 400, '"status": "INVALID_ARGUMENT"'],
  ["google", "rate_limit", 429, '"status": "RESOURCE_EXHAUSTED"'],
  ["google", "server_error", 503, '"status": "UNAVAILABLE"'],
  ["openrouter", "context_length", 400, "maximum context length"],
  ["openrouter", "rate_limit", 429, "Rate limit exceeded"],
  ["openrouter", "server_error", 500, "Internal Server Error"],
  ["tetrate", "context_length", 400, "context_length_exceeded"],
  ["tetrate", "rate_limit", 429, "rate_limit"],
  ["tetrate", "server_error", 503, "Service temporarily unavailable"],
  ["databricks", "context_length", 400, '"error_code":"INVALID_PARAMETER_VALUE"'],
  ["databricks", "rate_limit", 429, '"error_code":"RATE_LIMIT_EXCEEDED"'],
  ["databricks", "server_error", 500, '"error_code":"INTERNAL_ERROR"'],
] as const;

test.each(TABLE)("%s %s without a variant is %i with %s", (provider, fault, status, part) => {
  const sent = send(provider, PROVIDERS[provider].errors[fault][0]);
  expect(sent.status).toBe(status);
  expect(sent.text).toContain(part);
});
