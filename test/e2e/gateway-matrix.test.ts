import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { PROVIDER_NAMES } from "../../src/core/provider.ts";
import { FORMS, type Form, MATRIX_GROUPS, type Measured, measureMatrix, type Row, type Way } from "./support/gateway-matrix.ts";
import { MATRIX_PAGE, matrixPage } from "./support/gateway-matrix-page.ts";
import type { SdkName } from "./support/sdk-clients.ts";

/** What a fault is taken for. */
const CLASS_OF_FAULT: Readonly<Record<string, string>> = {
  context_length: "context_window",
  rate_limit: "local_rate_limit",
  server_error: "degraded",
  overloaded: "degraded",
  auth: "auth",
  permission: "auth",
  quota: "quota",
  model_not_found: "client",
  content_filter: "content_filter",
  request_too_large: "client",
  timeout: "degraded",
  bad_gateway: "degraded",
};

/** Forms that say something else than others of their fault, by provider and command. */
const OTHER_CLASSES: Readonly<Record<string, string>> = {
  // No word, and no body.
  "openai context_length variant=cerebras": "client",
  // A 429 without a header of a rate limit.
  "openai rate_limit variant=mistral": "global_rate_limit",
  "openai rate_limit variant=mistral_raw_status": "global_rate_limit",
  "openai rate_limit variant=mistral_gateway": "global_rate_limit",
  "openai rate_limit variant=xai": "global_rate_limit",
  "openai rate_limit variant=deepseek": "global_rate_limit",
  "openai overloaded variant=mistral": "global_rate_limit",
  "openai overloaded variant=mistral_3505": "global_rate_limit",
  // The plan's hours are used up.
  "openai rate_limit variant=usage_limit_reached": "quota",
  // For tokens a minute.
  "openai request_too_large variant=groq": "local_rate_limit",
  "anthropic rate_limit variant=spend_cap": "quota",
  "anthropic request_too_large variant=size": "context_window",
  "anthropic request_too_large variant=vertex": "context_window",
  // They speak of quota.
  "google rate_limit variant=full": "global_rate_limit",
  "google rate_limit variant=minimal": "global_rate_limit",
  "google rate_limit variant=tokens": "global_rate_limit",
  "google rate_limit variant=zero_limit": "global_rate_limit",
  "google rate_limit variant=bare": "global_rate_limit",
  "google rate_limit variant=interactions": "global_rate_limit",
  "google rate_limit variant=per_day": "quota",
  "google overloaded variant=no_capacity": "local_rate_limit",
  "google permission variant=region": "client",
  "openai permission variant=model_access": "client",
  // Answers, not errors.
  "google content_filter variant=prompt_blocked": "none",
  "google content_filter variant=prohibited_content": "none",
  "google content_filter variant=finish_safety": "none",
  // Requests in flight.
  "openrouter quota variant=in_flight_budget": "local_rate_limit",
  "openai error_event variant=numeric_code after=3tokens": "client",
  "openai error_event variant=quota after=3tokens": "quota",
  "openai error_event variant=rate_limit after=3tokens": "local_rate_limit",
  "openai error_event variant=context_length after=3tokens": "context_window",
  "anthropic error_event variant=rate_limit after=3tokens": "local_rate_limit",
  "openrouter error_event variant=integer_code after=3tokens": "local_rate_limit",
};

/** Larger than a whole minute's tokens: no wait lets it through. */
const NEVER_FITS: ReadonlySet<string> = new Set(["openai rate_limit variant=request_too_large", "openai request_too_large variant=groq"]);

const GIVEN_UP: Readonly<Record<SdkName, string>> = {
  chat: "InternalServerError 503 provider_degraded",
  responses: "InternalServerError 503 provider_degraded",
  messages: "ServiceUnavailableError 503 provider_degraded",
  gemini: "ApiError 503 provider_degraded",
};

/** Of transport faults those that let a stream begin. */
const BEHIND_THE_HEAD = /^(?:garbage kind=chunk_size|half_close at=head|truncate_body|wrong_length)/;
/** Those that let its first words through. */
const BEHIND_WORDS = /^truncate_body|after=3tokens/;

type Expected = Pick<Measured, "class" | "attempts" | "circuit"> & { readonly client: RegExp };

const NO_WHOLE_STREAM = /^(?!answer, (?!failed))/;

/** By rule, so that a form that is treated differently from its like is one that a line above names. */
function expected(form: Form, way: Way): Expected {
  const { provider, dialect, command, group, status } = form;
  const named = `${provider} ${command}`;
  const of = OTHER_CLASSES[named] ?? CLASS_OF_FAULT[command.split(" ")[0] ?? ""] ?? "degraded";
  if (group === "streams" || (way === "streamed" && BEHIND_THE_HEAD.test(command))) {
    const circuit = of !== "degraded" ? "success" : BEHIND_WORDS.test(command) ? "success, failure" : "failure";
    return { class: of, attempts: 1, circuit, client: NO_WHOLE_STREAM };
  }
  switch (of) {
    case "degraded":
      return { class: of, attempts: form.target === "silent" ? 1 : 3, circuit: "failure", client: exactly(GIVEN_UP[dialect]) };
    case "local_rate_limit":
    case "global_rate_limit":
      return { class: of, attempts: NEVER_FITS.has(named) ? 1 : 2, circuit: "nothing", client: withStatus(status) };
    case "none":
      return { class: of, attempts: 1, circuit: "success", client: /^answer, / };
    default:
      return { class: of, attempts: 1, circuit: "success", client: withStatus(status) };
  }
}

/** An error inside a whole 200 is no exception to OpenAI's client. */
function withStatus(status = 0): RegExp {
  return status === 200 ? /^an answer without its end$/ : new RegExp(`^\\w+Error ${status}(?: |$)`);
}

function exactly(text: string): RegExp {
  return new RegExp(`^${text}$`);
}

describe("every failure, of every provider, whole and streamed", () => {
  let rows: readonly Row[];
  // Thousands of requests on a machine that may be slow.
  beforeAll(async () => {
    rows = await measureMatrix();
  }, 120_000);

  const blocks = PROVIDER_NAMES.flatMap((provider) => MATRIX_GROUPS.map((group) => [provider, group] as const));

  test.each(blocks)("%s, %s", (provider, group) => {
    const cells = rows
      .filter(({ form }) => form.provider === provider && form.group === group)
      .flatMap(({ form, cells: { whole, streamed } }) => [
        ...(whole === undefined ? [] : [{ form, way: "whole" as const, cell: whole }]),
        { form, way: "streamed" as const, cell: streamed },
      ]);
    const name = ({ command, dialect }: Form, way: Way) => `${dialect} ${command}, ${way}`;
    expect(cells.length).toBeGreaterThan(0);
    expect(cells.map(({ form, way, cell }) => [name(form, way), { ...cell }])).toEqual(
      cells.map(({ form, way }) => {
        const { client, ...rest } = expected(form, way);
        return [name(form, way), { ...rest, client: expect.stringMatching(client) }];
      }),
    );
  });

  test("docs/gateway-matrix.md says what was measured; `make matrix` writes it anew", () => {
    expect(readFileSync(MATRIX_PAGE, "utf8")).toBe(matrixPage(rows));
  });

  test("exceptions name forms that are there", () => {
    const forms = new Set(FORMS.map(({ provider, command }) => `${provider} ${command}`));
    expect([...Object.keys(OTHER_CLASSES), ...NEVER_FITS].filter((name) => !forms.has(name))).toEqual([]);
  });
});
