import type { Identified } from "../../core/exchange.ts";
import { headerValue, withoutHeaders } from "../../core/headers.ts";

/** What clients say to a gateway, in fields and a parameter that no provider knows; targets do not get to see them. */
const FIELDS: ReadonlySet<string> = new Set(["x-llm-proxy-timeout-ms", "x-llm-proxy-test-mode"]);
const PARAMETER = "llm_proxy_test_mode";

export type OwnFields = {
  /** Without them. */
  readonly exchange: Identified;
  /** The time that the request gives; `nonsense`: what is written is no such time. */
  readonly budgetMs: number | "nonsense" | undefined;
  /** As written. */
  readonly testMode: string | undefined;
};

/** Undefined where it says nothing to a gateway, as most requests. */
export function ownFieldsOf(exchange: Identified): OwnFields | undefined {
  const { headers, query } = exchange;
  const timeoutMs = headerValue(headers, "x-llm-proxy-timeout-ms");
  const inHeader = headerValue(headers, "x-llm-proxy-test-mode");
  const inQuery = query.includes(PARAMETER) ? parameterIn(query) : undefined;
  if (timeoutMs === undefined && inHeader === undefined && inQuery === undefined) return undefined;
  const rest = inQuery === undefined ? query : inQuery.rest;
  const { upstreamTarget } = exchange;
  const path = upstreamTarget.slice(0, upstreamTarget.length - query.length - (query === "" ? 0 : 1));
  const without = {
    ...exchange,
    headers: withoutHeaders(headers, FIELDS),
    query: rest,
    upstreamTarget: inQuery === undefined ? upstreamTarget : rest === "" ? path : `${path}?${rest}`,
  };
  return { exchange: without, budgetMs: budgetIn(timeoutMs), testMode: inHeader ?? inQuery?.value };
}

function budgetIn(written: string | undefined): OwnFields["budgetMs"] {
  if (written === undefined) return undefined;
  return /^[1-9]\d{0,9}$/.test(written) ? Number(written) : "nonsense";
}

function parameterIn(query: string): { readonly value: string; readonly rest: string } | undefined {
  const parts = query.split("&");
  const found = parts.find((part) => part.startsWith(`${PARAMETER}=`));
  if (found === undefined) return undefined;
  return { value: found.slice(PARAMETER.length + 1), rest: parts.filter((part) => !part.startsWith(`${PARAMETER}=`)).join("&") };
}
