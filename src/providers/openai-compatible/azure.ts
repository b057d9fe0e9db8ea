import type { HeaderList } from "../../core/headers.ts";
import type { ErrorFacts } from "../../core/provider.ts";
import { entry, JSON_HEADERS, oncePerError, retryAfter, uuid, wholeSeconds } from "../shared.ts";
import type { CompatibleHost } from "./shared.ts";

const requestId = oncePerError(uuid);

function headers(facts: ErrorFacts): HeaderList {
  const identity: HeaderList = [...JSON_HEADERS, ["apim-request-id", requestId(facts)]];
  if (facts.status !== 429 && facts.status !== 503) return identity;
  return [...identity, retryAfter(facts), ["retry-after-ms", String(wholeSeconds(facts.retryAfterSeconds) * 1000)]];
}

function rateLimit(what: "token" | "call") {
  return (facts: ErrorFacts): unknown => ({
    error: {
      code: String(facts.status),
      message:
        facts.message ??
        `Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-02-01 have exceeded ${what} rate limit of your current OpenAI S0 pricing tier. Please retry after ${wholeSeconds(facts.retryAfterSeconds)} seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to further increase the default rate limit. For Free Account customers, upgrade to Pay as you Go here: https://aka.ms/429TrialUpgrade.`,
    },
  });
}

function contentFilter(facts: ErrorFacts): unknown {
  return {
    error: {
      message:
        facts.message ??
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify your prompt and retry. To learn more about our content filtering policies please read our documentation: https://go.microsoft.com/fwlink/?linkid=2198766",
      type: null,
      param: "prompt",
      code: "content_filter",
      status: facts.status,
      innererror: {
        code: "ResponsibleAIPolicyViolation",
        content_filter_result: {
          hate: { filtered: false, severity: "safe" },
          jailbreak: { filtered: false, detected: false },
          self_harm: { filtered: false, severity: "safe" },
          sexual: { filtered: true, severity: "high" },
          violence: { filtered: false, severity: "safe" },
        },
      },
    },
  };
}

/** Azure OpenAI: `code` is the status as a string, and there is no `type`. */
export const AZURE: CompatibleHost = {
  errors: {
    rate_limit: [
      entry("azure", 429, "C", "vanderschaarlab/climb#1, bc-code-interpreter#2", rateLimit("token"), { headers }),
      entry("azure_call", 429, "C", "vanderschaarlab/climb#1, bc-code-interpreter#2", rateLimit("call"), { headers }),
    ],
    auth: [
      entry(
        "azure",
        401,
        "U",
        "no public capture",
        (facts) => ({
          error: {
            code: String(facts.status),
            message:
              facts.message ??
              "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an active subscription and use a correct regional API endpoint for your resource.",
          },
        }),
        { headers },
      ),
    ],
    model_not_found: [
      entry(
        "azure",
        404,
        "U",
        "no public capture",
        (facts) => ({
          error: {
            code: "DeploymentNotFound",
            message:
              facts.message ??
              "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
          },
        }),
        { headers },
      ),
    ],
    content_filter: [entry("azure", 400, "C", "openai/openai-dotnet#55, compl-ai#20", contentFilter, { headers })],
  },
};
