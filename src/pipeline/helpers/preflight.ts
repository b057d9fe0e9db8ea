import type { Identified } from "../../core/exchange.ts";
import { headerValue } from "../../core/headers.ts";

/** A browser asks whether a page may send its request (Fetch standard, section 3.2.2). */
export function isPreflight({ method, headers }: Pick<Identified, "method" | "headers">): boolean {
  return (
    method === "OPTIONS" &&
    headerValue(headers, "origin") !== undefined &&
    headerValue(headers, "access-control-request-method") !== undefined
  );
}
