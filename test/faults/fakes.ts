import type { Answer, Dialect, Payload } from "../../src/core/dialect.ts";
import type { WirePiece } from "../../src/core/exchange.ts";
import type { Action, BodyFault, Fault, FaultContext, Parameters, ParameterValue } from "../../src/core/fault.ts";
import type { Frame, Framing } from "../../src/core/frame.ts";
import type { ErrorCatalogue, ErrorEntry, Provider } from "../../src/core/provider.ts";
import { HTTP_FAULT_NAMES } from "../../src/core/provider.ts";
import { randomStream } from "../../src/core/random.ts";
import { faultByName } from "../../src/faults/index.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const FAKE_SSE: Framing = {
  name: "sse",
  contentType: "text/event-stream",
  splitter: () => ({ push: () => [], end: () => [] }),
  render: (event, data) => encoder.encode(`${event === undefined ? "" : `event: ${event}\n`}data: ${data}\n\n`),
  trailer: "",
};

export const FAKE_ARRAY: Framing = {
  name: "json-array",
  contentType: "application/json",
  splitter: () => ({ push: () => [], end: () => [] }),
  render: (_event, data, index) => encoder.encode(`${index === 0 ? "[" : ",\n"}${data}`),
  trailer: "]",
};

export const FAKE_DIALECT: Dialect = {
  name: "chat",
  matches: () => true,
  facts: () => FACTS,
  framing: () => FAKE_SSE,
  isContent: ({ data }) => data?.includes('"text"') ?? false,
  isTerminal: ({ data }) => data === "[DONE]",
  streamErrors: [
    {
      variant: "plain",
      evidence: "F",
      source: "a test",
      done: true,
      text: ({ message, index }) => `data: {"error":"${message ?? "broken"} at ${index}"}\n\n`,
    },
    { variant: "bare", evidence: "F", source: "a test", done: false, text: () => '{"error":"bare"}\n' },
  ],
  keepalive: ": waiting\n\n",
  whole: (answer) => JSON.stringify(answer),
  frames: (answer) => [
    ...answer.text.map((text): Payload => ({ event: undefined, data: JSON.stringify({ text }) })),
    { event: undefined, data: "[DONE]" },
  ],
  usage: () => undefined,
  withoutUsage: () => (payload) => (payload.includes('"usage"') ? undefined : payload),
  endedByLength(max) {
    let seen = 0;
    return (payload) => {
      if (payload.includes('"text"') && ++seen > max) return undefined;
      return payload.includes('"finish"') ? '{"finish":"length"}' : payload;
    };
  },
};

const FACTS = {
  model: "some-model",
  stream: true,
  session: undefined,
  user: undefined,
  inputCharacters: 44,
  inputTokens: 11,
  outputTokensMax: undefined,
  tools: ["search"],
  prompt: "hello",
  afterToolResult: false,
  usageInStream: true,
} as const;

function entry(variant: string, status: number, overrides: Partial<ErrorEntry> = {}): ErrorEntry {
  return {
    variant,
    status,
    evidence: "F",
    source: "a test",
    body: ({ message, status: sent }) => ({ error: { message: message ?? variant, status: sent } }),
    ...overrides,
  };
}

const RATE_LIMIT: readonly [ErrorEntry, ...ErrorEntry[]] = [
  entry("tokens", 429),
  entry("told_in_body", 429, { body: ({ retryAfterSeconds }) => ({ retryDelay: `${retryAfterSeconds}s` }) }),
  entry("page", 503, { body: () => "<html>busy</html>", headers: () => [["server", "edge"]] }),
];

export const FAKE_PROVIDER: Provider = {
  name: "openai",
  title: "A provider",
  recognition: { prefixes: [], headers: [], query: [], paths: [], keyPrefixes: [] },
  host: undefined,
  hostVariable: "",
  usualModel: "",
  apis: [{ dialect: "chat", root: "/v1" }],
  credentialFields: () => [],
  models: [],
  clientVariables: () => [],
  kindOf: () => undefined,
  errors: {
    ...Object.fromEntries(HTTP_FAULT_NAMES.map((name) => [name, [entry(name, 400)]])),
    rate_limit: RATE_LIMIT,
  } as unknown as ErrorCatalogue,
  errorHeaders: ({ retryAfterSeconds }, { status, variant }) =>
    status === 429 && variant === "tokens"
      ? [
          ["content-type", "application/json"],
          ["retry-after", String(retryAfterSeconds)],
        ]
      : [],
  streamErrors: {},
  answerHeaders: () => [["x-request-id", "req_1"]],
  ownError: () => ({}),
};

type ContextOptions = {
  readonly stream?: boolean;
  readonly dialect?: Dialect | undefined;
  readonly seed?: number;
  readonly tools?: readonly string[];
  readonly method?: string;
};

export function contextWith(parameters: Parameters, options: ContextOptions = {}): FaultContext {
  const controller = new AbortController();
  return {
    exchange: {
      id: 1,
      method: options.method ?? "POST",
      target: "/v1/chat/completions",
      headers: [],
      body: { lengthBytes: 0, whole: async () => new Uint8Array(), forward: async () => null },
      listenerProvider: undefined,
      clientGone: controller.signal,
      interim: undefined,
      canUpgrade: false,
      authority: undefined,
      via: "tcp",
      receivedMonotonicMs: 0,
      provider: "openai",
      dialect: "chat",
      kind: "inference",
      upstreamTarget: "/v1/chat/completions",
      path: "/v1/chat/completions",
      query: "",
    },
    provider: FAKE_PROVIDER,
    dialect: "dialect" in options ? options.dialect : FAKE_DIALECT,
    facts: { ...FACTS, stream: options.stream ?? true, tools: options.tools ?? FACTS.tools },
    errorContext: {
      model: "some-model",
      path: "/v1/chat/completions",
      framing: options.stream === false ? "whole" : "sse",
      dialect: "chat",
      inputTokens: 9_000,
      outputTokensMax: 100,
      contextTokensMax: 8_192,
      retryAfterSeconds: 2,
      maskedKey: "sk-***",
      wallMs: 1_700_000_000_000,
      random: randomStream(options.seed ?? 1, "text"),
    },
    parameters,
    attempt: 1,
    random: randomStream(options.seed ?? 1, "draws"),
  };
}

/** A fault that must exist. */
export function faultNamed(name: string): Fault {
  const fault = faultByName(name);
  if (fault === undefined) throw new Error(`no fault ${name}`);
  return fault;
}

/** What the fault does before anything is sent. */
export function planOf(name: string, parameters: Parameters = {}, options: ContextOptions = {}): readonly Action[] {
  const fault = faultNamed(name);
  if (fault.acts !== "before") throw new Error(`${name} does not act before`);
  return fault.plan(contextWith(parameters, options));
}

/** The one answer that a fault gives in place of the target's. */
export function answerOf(name: string, parameters: Parameters = {}, options: ContextOptions = {}) {
  const [action, ...more] = planOf(name, parameters, options);
  if (action?.kind !== "respond" || more.length > 0) throw new Error(`${name} does not answer`);
  return { status: action.status, headers: action.headers, text: decoder.decode(action.body) };
}

/** Runs a body fault over frames that come one millisecond apart, and gives every action up to the one that ends the body. */
export function actionsOver(
  name: string,
  frames: readonly Frame[],
  parameters: Record<string, ParameterValue> = {},
  framing: Framing = FAKE_SSE,
  options: ContextOptions = {},
): readonly Action[] {
  return runOver(faultNamed(name), frames, contextWith(parameters, options), framing);
}

export function runOver(fault: Fault, frames: readonly Frame[], context: FaultContext, framing: Framing): readonly Action[] {
  const running = (fault as BodyFault).start(context, framing);
  const actions: Action[] = [];
  for (const [elapsedMs, frame] of frames.entries()) {
    actions.push(...running.onFrame(frame, elapsedMs));
    if (actions.some(isEnd)) break;
  }
  if (!actions.some(isEnd)) actions.push(...running.onEnd());
  const end = actions.findIndex(isEnd);
  if (end !== actions.length - 1)
    throw new Error(`${fault.name}: ${end < 0 ? "nothing ends the body" : "something follows the end of the body"}`);
  return actions;
}

function isEnd({ kind }: Action): boolean {
  return kind === "end" || kind === "reset" || kind === "hang" || kind === "close";
}

/** How the end of a response's body is told. */
export type BodyForm = "length" | "chunked" | "until_close";

/** The parts of a response on the wire, its body in these pieces. Without a body there are no pieces, whatever the form says. */
export function responsePieces(form: BodyForm, bodies: readonly Uint8Array[], status = "200 OK"): readonly WirePiece[] {
  const lengthBytes = bodies.reduce((sum, { length }) => sum + length, 0);
  const framing = {
    length: `Content-Length: ${lengthBytes}\r\n`,
    chunked: "Transfer-Encoding: chunked\r\n",
    until_close: "Connection: close\r\n",
  };
  const piece = (part: WirePiece["part"], text: string): WirePiece => ({ part, bytes: encoder.encode(text), payload: new Uint8Array() });
  return [
    piece("head", `HTTP/1.1 ${status}\r\nx-length: 7\r\n${framing[form]}x-last: 1\r\n\r\n`),
    ...bodies
      .filter(({ length }) => length > 0)
      .map((payload): WirePiece => ({ part: "body", bytes: form === "chunked" ? chunk(payload) : payload, payload })),
    piece("end", form === "chunked" ? "0\r\n\r\n" : ""),
  ];
}

function chunk(payload: Uint8Array): Uint8Array {
  return Buffer.concat([encoder.encode(`${payload.length.toString(16)}\r\n`), payload, encoder.encode("\r\n")]);
}

/** Runs a wire fault over the parts of a response, and gives every action up to the one after which nothing comes. */
export function actionsOverPieces(
  name: string,
  pieces: readonly WirePiece[],
  parameters: Parameters = {},
  options: ContextOptions = {},
): readonly Action[] {
  const fault = faultNamed(name);
  if (fault.acts !== "wire") throw new Error(`${name} does not act on the wire`);
  const given = fault.start(contextWith(parameters, options));
  const actions: Action[] = [];
  for (const piece of pieces) {
    actions.push(...given(piece));
    const last = actions.findIndex(({ kind }) => kind !== "write" && kind !== "delay");
    if (last >= 0 && last < actions.length - 1) throw new Error(`${name}: something follows ${actions[last]?.kind}`);
    if (last >= 0) break;
  }
  return actions;
}

/** The bytes that the client gets. */
export function joined(actions: readonly Action[]): Uint8Array {
  const pieces = actions.flatMap((action) => (action.kind === "write" ? [action.bytes] : []));
  return new Uint8Array(Buffer.concat(pieces));
}

export function textOver(actions: readonly Action[]): string {
  return decoder.decode(joined(actions));
}

/** The last action, the pauses, and the number of writes. */
export function outcome(actions: readonly Action[]) {
  return {
    ends: actions.at(-1)?.kind,
    delays: actions.flatMap((action) => (action.kind === "delay" ? [action.ms] : [])),
    writes: actions.filter(({ kind }) => kind === "write").length,
  };
}

/** Frames as a splitter would give them. */
export function framesOf(payloads: readonly string[], framing: Framing = FAKE_SSE): readonly Frame[] {
  const frames = payloads.map((data, index): Frame => ({ bytes: framing.render(undefined, data, index), event: undefined, data }));
  return framing.trailer === "" ? frames : [...frames, { bytes: encoder.encode(framing.trailer), event: undefined, data: undefined }];
}

export function bytesOfFrames(frames: readonly Frame[]): Uint8Array {
  return new Uint8Array(Buffer.concat(frames.map(({ bytes }) => bytes)));
}

export type { Answer };
