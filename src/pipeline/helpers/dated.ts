import type { OpenResponse } from "../../core/exchange.ts";
import { headerValue } from "../../core/headers.ts";

let lastSecond = Number.NaN;
let lastDate = "";

/** An answer that no target gave, with the `Date` that every origin server sends (RFC 9110 section 6.6.1). */
export function dated(response: OpenResponse, wallMs: number): OpenResponse {
  if (headerValue(response.headers, "date") !== undefined) return response;
  return { ...response, headers: [...response.headers, ["date", httpDate(wallMs)]] };
}

/** IMF-fixdate (RFC 9110 section 5.6.7). */
function httpDate(wallMs: number): string {
  const second = Math.floor(wallMs / 1_000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastDate = new Date(second * 1_000).toUTCString();
  }
  return lastDate;
}
