import type { DialectName } from "../../core/dialect.ts";
import type { BeforeFault, FaultContext, ParameterSpec } from "../../core/fault.ts";
import { type HeaderList, headerValue, withHeader } from "../../core/headers.ts";
import type { ErrorContext, ErrorEntry, ErrorFacts, HttpFaultName } from "../../core/provider.ts";
import { framingOf, renderedFrames } from "./answer.ts";
import { numberOf, textOf } from "./parameters.ts";

type HttpFaultOptions = {
  readonly name: HttpFaultName;
  readonly letter?: string;
  readonly title?: string;
  readonly summary: string;
  /** Whether `retry_after=` means something for this error. */
  readonly retryAfter?: boolean;
  /** Makes the numbers of the text true where those of the request would not be. */
  readonly adjust?: (context: ErrorContext) => ErrorContext;
};

const SHAPING = {
  variant: { type: "text", summary: "another of the provider's forms; `faultproxy faults PROVIDER` lists them" },
  status: { type: "integer", minimum: 200, maximum: 599, summary: "the status that is sent; default: the form's own" },
  message: { type: "text", summary: "takes the place of the text inside the provider's form" },
} as const satisfies Record<string, ParameterSpec>;

const RETRY_AFTER = {
  retry_after: {
    type: "duration",
    minimum: 0,
    summary: "until a retry makes sense, told in the provider's manner; default: typical for the provider",
  },
} as const satisfies Record<string, ParameterSpec>;

/** Statuses that must not carry a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5). */
const BODILESS_STATUSES: ReadonlySet<number> = new Set([204, 205, 304]);

/** A fault that is an entry of the provider's error catalogue. */
export function httpFault({ name, letter, title, summary, retryAfter, adjust = (context) => context }: HttpFaultOptions): BeforeFault {
  return {
    name,
    ...(letter === undefined ? {} : { letter }),
    ...(title === undefined ? {} : { title }),
    level: "http",
    summary,
    terminal: true,
    forms: name,
    parameters: retryAfter ? { ...SHAPING, ...RETRY_AFTER } : SHAPING,
    acts: "before",
    plan: (context) => [{ kind: "respond", ...httpError(name, { ...context, errorContext: adjust(context.errorContext) }) }],
  };
}

function httpError(name: HttpFaultName, context: FaultContext) {
  const { errorContext, provider, parameters } = context;
  const entry = entryFor(provider.errors[name], textOf(parameters, "variant"), errorContext.dialect);
  const status = numberOf(parameters, "status") ?? entry.status;
  const retryAfterMs = numberOf(parameters, "retry_after");
  const retryAfterSeconds = retryAfterMs === undefined ? errorContext.retryAfterSeconds : retryAfterMs / 1000;
  let retryWasRead = false;
  // One object for body and headers: a provider may remember by it what stands in both.
  const facts: ErrorFacts = {
    ...errorContext,
    status,
    message: textOf(parameters, "message"),
    get retryAfterSeconds() {
      retryWasRead = true;
      return retryAfterSeconds;
    },
  };

  const content = entry.body(facts);
  const bodyTellsRetry = retryWasRead;
  const plain = typeof content === "string" ? content : JSON.stringify(content);
  const framed = entry.isAnswer === true && status === 200 ? asStream(context, plain) : undefined;
  const text = framed?.text ?? plain;
  let headers = withContentType(entry.headers?.(facts) ?? provider.errorHeaders(facts, entry), text);
  if (framed !== undefined) headers = withHeader(headers, "content-type", framed.contentType);
  // Asked for in so many words, the hint is sent even with a form that has no place for it.
  if (retryAfterMs !== undefined && !bodyTellsRetry && headerValue(headers, "retry-after") === undefined) {
    headers = [...headers, ["retry-after", String(Math.ceil(retryAfterSeconds))]];
  }
  return { status, headers, body: BODILESS_STATUSES.has(status) ? new Uint8Array() : new TextEncoder().encode(text) };
}

/** The JSON text as the only frame of the stream that the request asks for; undefined where it asks for none. */
function asStream(context: FaultContext, text: string): { readonly contentType: string; readonly text: string } | undefined {
  if (context.dialect === undefined || !context.facts.stream) return undefined;
  const framing = framingOf(context, context.dialect);
  const data = JSON.stringify(JSON.parse(text));
  return { contentType: framing.contentType, text: renderedFrames(framing, [{ event: undefined, data }]) + framing.trailer };
}

/** The named variant where this provider has it, else the default: one rule may reach providers with different forms. */
export function entryFor<Entry extends Pick<ErrorEntry, "variant" | "dialect">>(
  entries: readonly [Entry, ...Entry[]],
  variant: string | undefined,
  dialect?: DialectName,
): Entry {
  const named = entries.find((entry) => entry.variant === variant);
  return named ?? entries.find((entry) => entry.dialect !== undefined && entry.dialect === dialect) ?? entries[0];
}

/** An empty body has no type. */
function withContentType(headers: HeaderList, text: string): HeaderList {
  if (text === "" || headerValue(headers, "content-type") !== undefined) return headers;
  return [["content-type", text.trimStart().startsWith("<") ? "text/html" : "application/json"], ...headers];
}
