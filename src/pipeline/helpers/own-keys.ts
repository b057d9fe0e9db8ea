import { KEY_FIELD, PROVIDER_KEY_FIELDS } from "../../core/access.ts";
import type { Identified } from "../../core/exchange.ts";
import type { HeaderList } from "../../core/headers.ts";
import { percentDecoded } from "../../core/percent-decoded.ts";

type IsKey = (text: string) => boolean;

/** Texts of one field, or of a query, that are held against the keys: nobody sends more, and each costs a hash. */
const TEXTS_MAX = 16;

const LENGTHS: ReadonlySet<number> = new Set([...PROVIDER_KEY_FIELDS].map(({ length }) => length));

/** The key in the field that is there for it. Given twice it is none: two readers could take different ones. */
export function shownKey(headers: HeaderList, isKey: IsKey): string | undefined {
  let shown: string | undefined;
  for (const [name, value] of headers) {
    if (name.length !== KEY_FIELD.length || name.toLowerCase() !== KEY_FIELD) continue;
    if (shown !== undefined) return undefined;
    shown = value;
  }
  return shown !== undefined && isKey(shown) ? shown : undefined;
}

/** The request without any key of ours where a provider's would stand, for no provider may see it; and what stood there. */
export function withoutKeysInPlace(
  exchange: Identified,
  isKey: IsKey,
): { readonly exchange: Identified; readonly key: string | undefined } {
  const inFields = exchange.headers.flatMap(([name, value]) => (isPlace(name) ? (textsOf(value).find(isKey) ?? []) : []));
  const inQuery = exchange.query.includes("=") ? parametersOf(exchange.query).flatMap(({ text }) => (isKey(text) ? text : [])) : [];
  const [key] = [...inFields, ...inQuery];
  if (key === undefined) return { exchange, key };
  const isOurs = (text: string) => inFields.includes(text) || inQuery.includes(text);
  const headers = exchange.headers.filter(([name, value]) => !isPlace(name) || !textsOf(value).some(isOurs));
  const ours = new Set(parametersOf(exchange.query).flatMap(({ parameter, text }) => (isOurs(text) ? parameter : [])));
  return { exchange: withoutParameters({ ...exchange, headers }, ours), key };
}

function isPlace(name: string): boolean {
  return LENGTHS.has(name.length) && PROVIDER_KEY_FIELDS.has(name.toLowerCase());
}

/** `Bearer KEY`, `KEY`, or several of them where somebody joined equal fields (RFC 9110 section 5.3). */
function textsOf(value: string): readonly string[] {
  return value.split(",", TEXTS_MAX).map((text) => text.trim().replace(/^[^ \t]*[ \t]+/, ""));
}

type Parameter = { readonly parameter: string; readonly text: string };

/** `key=TEXT` in a query, however it is encoded. */
function parametersOf(query: string): readonly Parameter[] {
  const found: Parameter[] = [];
  for (const parameter of query.split("&")) {
    const equals = parameter.indexOf("=");
    if (equals < 0 || found.length === TEXTS_MAX || percentDecoded(parameter.slice(0, equals)).toLowerCase() !== "key") continue;
    found.push({ parameter, text: percentDecoded(parameter.slice(equals + 1)) });
  }
  return found;
}

function withoutParameters(exchange: Identified, parameters: ReadonlySet<string>): Identified {
  if (parameters.size === 0) return exchange;
  const query = exchange.query
    .split("&")
    .filter((parameter) => !parameters.has(parameter))
    .join("&");
  const replaced = (target: string) => {
    const path = target.slice(0, target.indexOf("?"));
    return query === "" ? path : `${path}?${query}`;
  };
  return { ...exchange, query, target: replaced(exchange.target), upstreamTarget: replaced(exchange.upstreamTarget) };
}
