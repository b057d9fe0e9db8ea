import type { DialectName } from "../core/dialect.ts";

/** Where each dialect's inference endpoint stands below the root of an API, and how paths that ask for it end. */
const ENDPOINTS: Readonly<Record<Exclude<DialectName, "gemini">, { readonly path: string; readonly end: RegExp }>> = {
  chat: { path: "/chat/completions", end: /\/(?:chat\/completions|serving-endpoints\/[^/]+\/invocations)\/?$/ },
  responses: { path: "/responses", end: /\/responses\/?$/ },
  messages: { path: "/messages", end: /\/messages\/?$/ },
};

/** The same request's path in another dialect: what stands before the endpoint stays. */
export function translatedPath(path: string, client: DialectName, target: DialectName): string {
  if (client === "gemini" || target === "gemini") return path;
  return path.replace(ENDPOINTS[client].end, ENDPOINTS[target].path);
}

/** The same endpoint below the root of another API; undefined where the path is none of the dialect's. */
export function endpointBelow(root: string, dialect: DialectName): string | undefined {
  return dialect === "gemini" ? undefined : root + ENDPOINTS[dialect].path;
}

/** What of a request's target stands below the root of the API, which a client's base URL names: `/v1/responses` is `/responses`. */
export function belowApiRoot(target: string): string {
  const rest = target.replace(/^\/(?:(?:api|openai)\/)?v\d+(?:beta)?(?:\/openai)?(?=[/?]|$)/, "");
  return rest.startsWith("/") ? rest : `/${rest}`;
}
