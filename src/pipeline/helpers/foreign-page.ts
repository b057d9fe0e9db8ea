import type { Access, Via } from "../../core/access.ts";
import type { Identified } from "../../core/exchange.ts";
import { headerValue } from "../../core/headers.ts";

/** Origins of programs that somebody installed on purpose: extensions of browsers, and applications made of pages. No web page has one. */
const PROGRAMS: ReadonlySet<string> = new Set([
  "app",
  "capacitor",
  "chrome-extension",
  "moz-extension",
  "safari-web-extension",
  "tauri",
  "vscode-file",
  "vscode-webview",
]);

const SITE_LENGTH = "sec-fetch-site".length;

/** Does a browser send this for a page that is not our own and that nobody has named (Fetch standard, section 3.2; Fetch metadata)? */
export function isOfForeignPage(exchange: Identified, { origins }: Pick<Access, "origins">): boolean {
  let hasOrigin = false;
  let site = "";
  for (const [name, value] of exchange.headers) {
    if (name.length === 6 && name.toLowerCase() === "origin") {
      if (isForeign(value.toLowerCase(), exchange, origins)) return true;
      hasOrigin = true;
    } else if (name.length === SITE_LENGTH && name.toLowerCase() === "sec-fetch-site") site = value.toLowerCase();
  }
  // A link, an image, a form: `same-site` may be another port of this machine.
  return !hasOrigin && (site === "cross-site" || site === "same-site");
}

/** `null` is nobody's and everybody's: a page in a frame without rights, a file, a redirect. */
function isForeign(origin: string, { headers, via, authority }: Identified, named: ReadonlySet<string>): boolean {
  if (named.has(origin)) return false;
  const [, scheme, host] = /^([a-z][a-z\d+.-]*):\/\/([^/?#@]*)$/.exec(origin) ?? [];
  if (scheme === undefined || host === undefined) return true;
  if (PROGRAMS.has(scheme)) return false;
  const asked = authority ?? headerValue(headers, "host");
  return asked === undefined || !schemesOf(via).has(scheme) || withoutPort(host, scheme) !== withoutPort(asked.toLowerCase(), scheme);
}

/** Whoever stands in front may have taken TLS away. */
function schemesOf(via: Via): ReadonlySet<string> {
  return via === "tls" ? HTTPS : WEB;
}

const HTTPS: ReadonlySet<string> = new Set(["https"]);
const WEB: ReadonlySet<string> = new Set(["http", "https"]);

/** Without the scheme's own port. */
function withoutPort(host: string, scheme: string): string {
  return host.replace(scheme === "https" ? /:443$/ : /:80$/, "");
}
