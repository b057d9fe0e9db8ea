import { KEY_FIELD } from "../core/access.ts";
import { tooLargeText } from "../core/body-too-large.ts";
import type { Identified, OpenResponse } from "../core/exchange.ts";
import { type HeaderList, headerValue, withHeader } from "../core/headers.ts";
import type { Ports } from "../core/ports.ts";
import { dated } from "./helpers/dated.ts";
import { isOfForeignPage } from "./helpers/foreign-page.ts";
import { ownError } from "./helpers/own-error.ts";
import { shownKey, withoutKeysInPlace } from "./helpers/own-keys.ts";
import { asksForHealth, type OwnPage, ownPageOf } from "./helpers/own-page.ts";
import { isPreflight } from "./helpers/preflight.ts";

/** A request that goes no further. */
export type RefusedAccess = {
  readonly kind: "refused";
  readonly exchange: Identified;
  readonly response: OpenResponse;
  readonly error: string;
};

type AccessPorts = Pick<Ports, "access" | "clock" | "gateway" | "targets">;

/** The request as it may go on, without the proxy's own key where a target could see it; or why it may not. It is asked before all else. */
export function accessOf(exchange: Identified, ports: AccessPorts): Identified | RefusedAccess {
  const { access } = ports;
  if (access.isServed !== undefined && exchange.via === "tcp") {
    const host = exchange.authority ?? headerValue(exchange.headers, "host");
    if (host !== undefined && !access.isServed(host)) return notServed(exchange, host, ports);
  }
  const entered = access.isKey === undefined ? ofOwnPage(exchange, ports) : withKey(exchange, access.isKey, ports);
  if (entered.kind === "refused") return entered;
  const { lengthBytes } = exchange.body;
  if (lengthBytes !== undefined && lengthBytes > access.bodyBytesMax)
    return refused(exchange, 413, "request_too_large", tooLargeText(access.bodyBytesMax), ports);
  if (access.running() > access.streamsMax && pageOf(exchange, ports) === undefined) return tooMany(exchange, ports);
  return entered;
}

/** Without keys of our own, a page that anybody may have written gets nothing that only we have. */
function ofOwnPage(exchange: Identified, ports: AccessPorts): Identified | RefusedAccess {
  const { access } = ports;
  const isRefused = access.lends.has(exchange.provider) && isOfForeignPage(exchange, access) && !isAnsweredHere(exchange, ports);
  return isRefused ? originRefused(exchange, ports) : exchange;
}

function withKey(exchange: Identified, isKey: (text: string) => boolean, ports: AccessPorts): Identified | RefusedAccess {
  const shown = shownKey(exchange.headers, isKey);
  const { exchange: clean, key } = withoutKeysInPlace(exchange, isKey);
  if (shown !== undefined) return clean;
  const takesItInPlace = ports.access.takesKeyInPlace.has(exchange.provider) || pageOf(exchange, ports) === "/metrics";
  // Whose request it is, the limits learn from the field that is there for it.
  if (takesItInPlace && key !== undefined) return { ...clean, headers: withHeader(clean.headers, KEY_FIELD, key) };
  return needsNoKey(exchange, ports) ? clean : keyRequired(exchange, takesItInPlace, ports);
}

/** Monitors and browsers that ask first have no key to show. What a target with a credential of ours would answer is no such thing. */
function needsNoKey(exchange: Identified, ports: AccessPorts): boolean {
  if (isPreflight(exchange) && !ports.access.lends.has(exchange.provider)) return true;
  return isAnsweredHere(exchange, ports) && pageOf(exchange, ports) !== "/metrics";
}

/** Is no target asked? */
function isAnsweredHere(exchange: Identified, ports: AccessPorts): boolean {
  return pageOf(exchange, ports) !== undefined || (ports.gateway?.cors !== undefined && isPreflight(exchange));
}

/** Pages of the gateway's own, and what is answered in the place of a backend. */
function pageOf(exchange: Identified, { gateway, targets }: AccessPorts): OwnPage | undefined {
  const own = gateway === undefined ? undefined : ownPageOf(exchange);
  if (own !== undefined) return own;
  const target = targets[exchange.provider];
  return asksForHealth(exchange) && target.kind !== "missing" && target.isBackend === true ? "/health" : undefined;
}

// ---- refusals ----

function notServed(exchange: Identified, host: string, ports: AccessPorts): RefusedAccess {
  const name = host.replace(/:\d*$/, "");
  const shown = /^[\w.-]{1,253}$/.test(name) ? ` as ${name}` : " by this name";
  const toWrite = /^[\w.-]{1,253}$/.test(name) ? `names = ["${name}"]` : "it";
  const message = `nobody has said that this proxy is known${shown}; if it is, put ${toWrite} into [server] of its configuration, or ask it by its address`;
  return refused(exchange, 421, "host_not_served", message, ports);
}

/** Never says which part of what was shown is wrong. */
function keyRequired(exchange: Identified, takesItInPlace: boolean, ports: AccessPorts): RefusedAccess {
  const inPlace = takesItInPlace ? ", or in the place of the provider's key" : "";
  const message = `this proxy needs one of its own keys: send it as ${KEY_FIELD}${inPlace}`;
  const challenge = `${takesItInPlace ? "Bearer" : KEY_FIELD} realm="faultproxy"`;
  return refused(exchange, 401, "api_key_required", message, ports, [["www-authenticate", challenge]]);
}

function originRefused(exchange: Identified, ports: AccessPorts): RefusedAccess {
  const origin = headerValue(exchange.headers, "origin") ?? "";
  const isNameable = /^https?:\/\/[\w.:[\]-]{1,253}$/i.test(origin);
  const who = isNameable ? `pages of ${origin}` : "pages of other sites";
  const byName = isNameable ? `put that origin into allowed_origins of [cors], or ` : "";
  const message = `${who} do not get the credentials that this proxy has for its target; to allow it, ${byName}set api_keys in [server] and send one of them as ${KEY_FIELD}`;
  return refused(exchange, 403, "origin_refused", message, ports);
}

function tooMany(exchange: Identified, ports: AccessPorts): RefusedAccess {
  const message = `${ports.access.streamsMax} requests are being answered already (max_streams in [server])`;
  return refused(exchange, 503, "too_many_requests_running", message, ports, [["retry-after", "1"]]);
}

function refused(
  exchange: Identified,
  status: number,
  error: string,
  message: string,
  { clock }: AccessPorts,
  further: HeaderList = [],
): RefusedAccess {
  const own = ownError(exchange.provider, status, error, message);
  return { kind: "refused", exchange, error, response: dated({ ...own, headers: [...own.headers, ...further] }, clock.wallMs()) };
}
