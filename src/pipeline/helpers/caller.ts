import { KEY_FIELD, PROVIDER_KEY_FIELDS } from "../../core/access.ts";
import type { Identified, RequestFacts } from "../../core/exchange.ts";
import type { Gateway } from "../../core/gateway.ts";
import { type HeaderList, headerValue } from "../../core/headers.ts";
import { percentDecoded } from "../../core/percent-decoded.ts";
import type { ProviderName } from "../../core/provider.ts";
import { remembered } from "../../core/remembered.ts";
import type { Caller } from "../../core/state-store.ts";
import { named, namedModel } from "../../core/visible-name.ts";

/** Whose request it is. `hasKeys`: clients show a key of the proxy's own, which has been looked at. */
export function callerOf(exchange: Identified, facts: RequestFacts, hasKeys: boolean, gateway: Gateway): Caller {
  const own = hasKeys ? headerValue(exchange.headers, KEY_FIELD) : undefined;
  const secret = own ?? providerKeyOf(exchange);
  return {
    provider: exchange.provider,
    model: facts.model === undefined ? undefined : namedModel(facts.model),
    key: secret === undefined ? undefined : gateway.hashOf(secret),
    user: userOf(exchange, facts, gateway),
  };
}

/** An empty field names nobody. */
function userOf({ headers }: Identified, facts: RequestFacts, { userHeader }: Gateway): string | undefined {
  const inField = headerValue(headers, userHeader) ?? "";
  if (inField !== "") return named(inField, "latin1");
  return facts.user === undefined ? undefined : named(facts.user);
}

/**
 * What the client shows the provider, where that provider looks for it first: whoever puts something else into another field is the same
 * client still.
 */
function providerKeyOf({ provider, headers, query }: Identified): string | undefined {
  for (const place of PLACES[provider] ?? COMMON_PLACES) {
    const key = place === QUERY ? keyInQuery(query) : keyInField(headers, place);
    if (key !== undefined && key !== "") return key;
  }
  return undefined;
}

const QUERY = "?key";
const COMMON_PLACES: readonly string[] = [...PROVIDER_KEY_FIELDS, QUERY];

/** Of providers that have places of their own, which come before the common ones. */
const PLACES: Partial<Readonly<Record<ProviderName, readonly string[]>>> = {
  anthropic: ["x-api-key", ...COMMON_PLACES],
  google: ["x-goog-api-key", QUERY, ...COMMON_PLACES],
};

/** A scheme without anything behind it is no key. */
const withoutScheme = remembered((value) => value.replace(/^bearer(?:\s+|$)/i, ""));

function keyInField(headers: HeaderList, name: string): string | undefined {
  const value = headerValue(headers, name);
  return name === "authorization" && value !== undefined ? withoutScheme(value) : value;
}

function keyInQuery(query: string): string | undefined {
  if (query === "") return undefined;
  for (const parameter of query.split("&")) {
    const equals = parameter.indexOf("=");
    if (equals > 0 && percentDecoded(parameter.slice(0, equals)) === "key") return percentDecoded(parameter.slice(equals + 1));
  }
  return undefined;
}
