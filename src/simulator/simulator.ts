import type { Clock } from "../core/clock.ts";
import type { Answer, Dialect, Envelope } from "../core/dialect.ts";
import type { Identified, OpenResponse, RequestFacts } from "../core/exchange.ts";
import type { HeaderList } from "../core/headers.ts";
import type { Provider } from "../core/provider.ts";
import { randomStream } from "../core/random.ts";
import { DIALECTS } from "../dialects/index.ts";
import { PROVIDERS } from "../providers/index.ts";
import { JSON_ARRAY } from "../stream/json-array.ts";
import { WHOLE } from "../stream/whole.ts";
import { answerTo } from "./answer.ts";
import { endpointAnswer } from "./endpoints.ts";
import { pacedChunks } from "./paced-chunks.ts";
import { mayAskForJson } from "./structured-output.ts";

export type SimulatorSettings = {
  /** Before the first frame, and before a whole answer. */
  readonly ttftMs: number;
  /** Between two frames; a whole answer takes as long as its tokens would. */
  readonly betweenMs: number;
  /** Pieces of text in an answer, unless the request limits it further. */
  readonly tokens: number;
  /** Of the addresses that it gives out, which are the proxy's own; http where it is not told. */
  readonly scheme?: "http" | "https";
};

/** What answers in place of a provider. `body` is the whole request body. */
export type Simulator = (exchange: Identified, facts: RequestFacts, body: Uint8Array) => OpenResponse | Promise<OpenResponse>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What every step of one answer needs. */
type Run = {
  readonly exchange: Identified;
  readonly facts: RequestFacts;
  readonly provider: Provider;
  readonly settings: SimulatorSettings;
  readonly clock: Clock;
};

/**
 * The built-in provider. The same request gets the same text; ids follow from the number of the exchange. It takes any
 * key and any model, so that nothing needs to be set up to try something.
 */
export function createSimulator(settings: SimulatorSettings, clock: Clock): Simulator {
  return (exchange, facts, body) => {
    const provider = PROVIDERS[exchange.provider];
    const run: Run = { exchange, facts, provider, settings, clock };
    const dialect = exchange.method === "POST" && exchange.dialect !== undefined ? DIALECTS[exchange.dialect] : undefined;
    if (dialect !== undefined) return inference(run, dialect, body);
    const { status, contentType, text } = endpointAnswer({
      exchange,
      provider,
      json: () => parseJson(body),
      createdSeconds: secondsOf(clock),
      scheme: settings.scheme ?? "http",
    });
    return {
      status,
      reason: undefined,
      headers: [["content-type", contentType ?? WHOLE.contentType], ...(status === 200 ? answerHeaders(run) : [])],
      body: exchange.method === "HEAD" ? null : encoder.encode(text),
    };
  };
}

function inference(run: Run, dialect: Dialect, body: Uint8Array): OpenResponse | Promise<OpenResponse> {
  const { exchange, facts, settings, clock } = run;
  // Most requests say their model in the body: then it has been read, and is not parsed again.
  const mustParse = facts.model === undefined || facts.tools.length > 0 || modelIsInPath(exchange.path) || mayAskForJson(body);
  const json = mustParse ? parseJson(body) : undefined;
  if (mustParse && (typeof json !== "object" || json === null || Array.isArray(json))) {
    return refused(run, "invalid_json", "We could not parse the JSON body of your request.");
  }
  if (facts.model === undefined) return refused(run, "missing_model", "you must provide a model parameter");

  const envelope: Envelope = { id: envelopeId(exchange.id), model: facts.model, createdSeconds: secondsOf(clock) };
  const answer = answerTo(facts, json, settings.tokens, envelope.id);
  if (facts.stream) return streamed(run, dialect, answer, envelope);
  const contentType = dialect.name === "gemini" ? JSON_ARRAY.contentType : WHOLE.contentType;
  const response: OpenResponse = {
    status: 200,
    reason: undefined,
    headers: [["content-type", contentType], ...answerHeaders(run)],
    body: encoder.encode(dialect.whole(answer, envelope)),
  };
  const waitMs = settings.ttftMs + settings.betweenMs * Math.max(0, answer.outputTokens - 1);
  return waitMs > 0 ? clock.sleep(waitMs, exchange.clientGone).then(() => response) : response;
}

function streamed(run: Run, dialect: Dialect, answer: Answer, envelope: Envelope): OpenResponse {
  const { exchange, facts, settings, clock } = run;
  const framing = dialect.framing(exchange.path, exchange.query);
  const frames = dialect.frames(answer, envelope, facts).map(({ event, data }, index) => framing.render(event, data, index));
  if (framing.trailer !== "") frames.push(encoder.encode(framing.trailer));
  return {
    status: 200,
    reason: undefined,
    headers: [["content-type", framing.contentType], ["cache-control", "no-cache"], ...answerHeaders(run)],
    body: pacedChunks(frames, settings, clock, exchange.clientGone),
  };
}

function answerHeaders({ exchange, provider, clock }: Run): HeaderList {
  return provider.answerHeaders({ wallMs: clock.wallMs(), random: randomStream(0, `simulator/${exchange.id}`) });
}

function refused({ provider }: Run, code: string, message: string): OpenResponse {
  return {
    status: 400,
    reason: undefined,
    headers: [["content-type", WHOLE.contentType]],
    body: encoder.encode(JSON.stringify(provider.ownError(400, code, message))),
  };
}

function modelIsInPath(path: string): boolean {
  return !/\/(?:chat\/completions|responses|messages)\/?$/.test(path);
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body));
  } catch {
    return undefined;
  }
}

function secondsOf(clock: Clock): number {
  return Math.floor(clock.wallMs() / 1000);
}

/** As long as the ids of the large providers. */
const ID_CHARACTERS = 24;

function envelopeId(exchangeId: number): string {
  return `sim${exchangeId.toString(36).padStart(ID_CHARACTERS - 3, "0")}`;
}
