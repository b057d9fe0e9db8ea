import type { Parsed } from "../rules/values.ts";

/** Where requests go: the base without a trailing slash. */
export type Upstream = { readonly kind: "url"; readonly base: string } | { readonly kind: "simulated" };

/** A base URL (scheme, authority, optional path), or `simulated`. */
export function checkUpstream(text: string): Parsed<Upstream> {
  const expected = "http://HOST[:PORT] or https://HOST[:PORT], with a path if need be, or simulated";
  if (text === "simulated") return { ok: true, value: { kind: "simulated" } };
  // The parser of URLs leaves out what it should not find: spaces, tabs and line ends.
  const url = !/[\s\p{Cc}]/u.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:\/\/[^/]/i.test(text)) return { ok: false, expected: `${expected}; this is not a URL of that kind` };
  if (url.username !== "" || url.password !== "") return { ok: false, expected: `${expected}; a user or password in it is not taken` };
  if (url.search !== "" || url.hash !== "") return { ok: false, expected: `${expected}; a base URL has no query and no fragment` };
  return { ok: true, value: { kind: "url", base: url.origin + url.pathname.replace(/\/+$/, "") } };
}

/** A text that may hold a URL, right or wrong, fit to be shown: without all that could be a password or a key. */
export function withoutCredentials(text: string): string {
  const scheme = /^(\w+=)?https?:\/\//i.exec(text)?.[0] ?? "";
  const query = text.search(/[?#]/);
  const at = text.lastIndexOf("@");
  if (query >= 0 && at >= 0) return `${scheme}…`;
  if (query >= 0) return `${text.slice(0, query + 1)}…`;
  return at >= 0 ? `${scheme}…${text.slice(at)}` : text;
}
