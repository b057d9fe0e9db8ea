import type { Identified } from "../../core/exchange.ts";

export type OwnPage = "/health" | "/metrics";

/** What is answered in the place of a backend. */
export function asksForHealth({ method, path }: Pick<Identified, "method" | "path">): boolean {
  return (method === "GET" || method === "HEAD") && /^\/health\/?$/.test(path);
}

/** Which of the gateway's own pages is asked for. */
export function ownPageOf({ method, target }: Pick<Identified, "method" | "target">): OwnPage | undefined {
  if (method !== "GET" && method !== "HEAD") return undefined;
  const queryAt = target.indexOf("?");
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  return path === "/health" || path === "/metrics" ? path : undefined;
}
