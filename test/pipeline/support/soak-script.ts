import type { DialectName } from "../../../src/core/dialect.ts";
import type { ForwardFailure, RequestFacts } from "../../../src/core/exchange.ts";
import type { Framing } from "../../../src/core/frame.ts";
import { type HeaderList, headerValue } from "../../../src/core/headers.ts";
import { type ErrorFacts, HTTP_FAULT_NAMES, type ProviderName, type StreamErrorEntry } from "../../../src/core/provider.ts";
import { randomStream } from "../../../src/core/random.ts";
import { DIALECTS } from "../../../src/dialects/index.ts";
import { PROVIDERS } from "../../../src/providers/index.ts";
import { RESCUES_BY_DIALECT } from "../../../src/rescue/index.ts";
import type { Draws } from "./draws.ts";
import type { Story } from "./soak-story.ts";

/** What a target is asked, as it understands it. */
export type Question = {
  readonly story: Story;
  readonly provider: ProviderName;
  readonly dialect: DialectName;
  readonly path: string;
  readonly query: string;
  readonly facts: RequestFacts;
  /** What it has to say of the text: all of it, or what follows the beginning that it was told. */
  readonly rest: string;
  /** Unlike that of any other answer. */
  readonly number: number;
  readonly wallMs: number;
};

/** What a target does when it is asked. */
export type Script =
  | { readonly kind: "failure"; readonly afterMs: number; readonly reason: ForwardFailure["reason"] }
  | { readonly kind: "silence" }
  | { readonly kind: "response"; readonly afterMs: number; readonly status: number; readonly headers: HeaderList; readonly body: Said };

/** A body as it comes; `whole`: together with its head. */
export type Said = { readonly pieces: readonly Piece[]; readonly end: "end" | "reset" | "close" | "stall"; readonly isWhole: boolean };

export type Piece = { readonly afterMs: number; readonly bytes: Uint8Array };

/** How an answer goes wrong on its way, or nearly. */
const STREAM_HARMS = [
  "cut",
  "cut inside a frame",
  "ended",
  "stall",
  "error event",
  "broken frame",
  "keepalives only",
  "whole",
  // These are whole answers all the same.
  "junk",
  "without its last blank line",
  "without terminator",
  "stall behind finish",
  "cut behind finish",
] as const;
const WHOLE_HARMS = ["cut", "truncated", "stall", "error", "stream"] as const;

const encoder = new TextEncoder();
const OF_JSON: HeaderList = [["content-type", "application/json"]];

/** A target that is down fails mostly; any other sometimes. */
export function scriptOf(question: Question, isDown: boolean, draws: Draws): Script {
  if (draws.chance(isDown ? 0.15 : 0.65))
    return question.facts.stream ? streamed(question, undefined, draws) : whole(question, undefined, draws);
  const kind = draws.oneOf<"error" | "failure" | "silence" | "oddity" | "harm">([
    [4, "error"],
    [1, "failure"],
    [0.7, "silence"],
    [1, "oddity"],
    [question.facts.stream ? 9 : 4, "harm"],
  ]);
  switch (kind) {
    case "error":
      return errorAnswer(question, draws);
    case "failure":
      return { kind: "failure", afterMs: draws.between(0, 3_000), reason: draws.pick(FAILURES) };
    case "silence":
      return { kind: "silence" };
    case "oddity":
      return oddity(question, draws);
    case "harm":
      return question.facts.stream ? streamed(question, draws.pick(STREAM_HARMS), draws) : whole(question, draws.pick(WHOLE_HARMS), draws);
  }
}

const FAILURES = [
  "upstream_refused",
  "upstream_dns",
  "upstream_tls",
  "upstream_closed_early",
  "upstream_timeout",
  "upstream_protocol",
] as const satisfies readonly ForwardFailure["reason"][];

// ---- streams ----

function streamed(question: Question, harm: (typeof STREAM_HARMS)[number] | undefined, draws: Draws): Script {
  const { dialect, path, query, facts } = question;
  const framing = DIALECTS[dialect].framing(path, query);
  // An array of elements is JSON too.
  if (harm === "whole" && framing.name === "sse") return whole(question, undefined, draws);
  const payloads = DIALECTS[dialect].frames(answerOf(question, draws), envelopeOf(question), facts);
  const finishes = payloads.map(RESCUES_BY_DIALECT[dialect].finish());
  const finish = finishes.indexOf(true);
  const frames = payloads.map(({ event, data }, index) => framing.render(event, data, index));
  const trailer = encoder.encode(framing.trailer);
  // Behind its finish an answer is whole.
  const at = draws.whole(0, Math.max(0, finish));
  const kept = frames.slice(0, at);
  const next = frames[at] ?? trailer;
  const say = (parts: readonly Uint8Array[], end: Said["end"]) => response(question, framing, parts, end, draws);
  switch (harm) {
    case undefined:
    case "whole":
      return say([...frames, trailer], "end");
    case "cut":
      return say(kept, draws.pick(["reset", "close"]));
    case "cut inside a frame":
      return say([...kept, next.slice(0, draws.whole(1, next.length - 1))], draws.pick(["reset", "close", "end"]));
    case "ended":
      return say([...kept, ...(draws.chance(0.5) ? [trailer] : [])], "end");
    case "stall":
      return say(kept, "stall");
    case "keepalives only":
      return say([...kept, ...Array.from({ length: draws.whole(1, 40) }, () => keepaliveOf(framing))], "stall");
    case "error event":
      return say([...kept, encoder.encode(errorText(question, framing, at, payloads[0]?.data, draws))], "end");
    case "broken frame": {
      const { event, data } = payloads[at] ?? { event: undefined, data: "" };
      if (!data.startsWith('{"')) return say(kept, "reset");
      const broken = framing.render(event, data.slice(0, draws.whole(4, data.length - 1)), at);
      return say([...kept, broken, ...frames.slice(at + 1), trailer], "end");
    }
    case "junk":
      return say([...kept, junkOf(framing, at), ...(at === 0 ? renderedBehind(framing, payloads, 1) : frames.slice(at)), trailer], "end");
    case "without its last blank line": {
      const [last = "", ...others] = frames.map((bytes) => new TextDecoder().decode(bytes)).reverse();
      const unfinished = framing.name === "sse" ? last.replace(/\n\n$/, draws.pick(["", "\n"])) : last;
      return say([...others.reverse().map((text) => encoder.encode(text)), encoder.encode(unfinished), trailer], "end");
    }
    case "without terminator":
      return say([...frames.slice(0, finish + 1), ...(draws.chance(0.5) ? [trailer] : [])], "end");
    case "stall behind finish":
      return say(draws.chance(0.5) ? frames.slice(0, finish + 1) : [...frames, trailer], "stall");
    case "cut behind finish":
      return say(frames.slice(0, finish + 1), draws.pick(["reset", "close"]));
  }
}

function renderedBehind(
  framing: Framing,
  payloads: ReturnType<(typeof DIALECTS)["chat"]["frames"]>,
  before: number,
): readonly Uint8Array[] {
  return payloads.map(({ event, data }, index) => framing.render(event, data, index + before));
}

/** Something that was no piece of the answer. */
function junkOf(framing: Framing, index: number): Uint8Array {
  return framing.name === "sse" ? encoder.encode("data: upstream said hello\n\n") : framing.render(undefined, '"hello"', index);
}

function keepaliveOf(framing: Framing): Uint8Array {
  return encoder.encode(framing.name === "sse" ? ": keepalive\n\n" : "\n");
}

function errorText(question: Question, framing: Framing, index: number, firstData: string | undefined, draws: Draws): string {
  const { provider, dialect } = question;
  const entries: readonly [StreamErrorEntry, ...StreamErrorEntry[]] =
    PROVIDERS[provider].streamErrors[dialect] ?? DIALECTS[dialect].streamErrors;
  const { text, done } = draws.pick(entries);
  const error = text({ ...errorFacts(question, framing.name, 200, draws), index, firstData });
  return `${error}${done ? "data: [DONE]\n\n" : framing.trailer}`;
}

function response(question: Question, framing: Framing, parts: readonly Uint8Array[], end: Said["end"], draws: Draws): Script {
  const gapMs = draws.oneOf([
    [6, 20],
    [3, 400],
    [1, 2_500],
  ]);
  const type = `${framing.contentType}${draws.chance(0.3) ? "; charset=utf-8" : ""}`;
  const pieces = cutAnew(parts, draws).map((bytes) => ({ afterMs: draws.between(0, gapMs), bytes }));
  return {
    kind: "response",
    afterMs: draws.between(0, 1_500),
    status: 200,
    headers: [["content-type", type], ...(draws.chance(0.3) ? ([["x-request-id", `r${question.number}`]] as const) : [])],
    body: { pieces, end, isWhole: end === "end" && draws.chance(0.1) },
  };
}

/** The same bytes in other pieces. */
function cutAnew(parts: readonly Uint8Array[], draws: Draws): readonly Uint8Array[] {
  const mergeShare = draws.pick([0, 0, 0.5, 1]);
  const cutShare = draws.pick([0, 0, 0.3]);
  const pieces: Uint8Array[] = [];
  for (const part of parts) {
    const last = pieces.at(-1);
    if (last !== undefined && draws.chance(mergeShare)) pieces[pieces.length - 1] = Buffer.concat([last, part]);
    else pieces.push(part);
  }
  return pieces.flatMap((piece) => {
    if (piece.length < 2 || !draws.chance(cutShare)) return piece.length === 0 ? [] : [piece];
    const at = draws.whole(1, piece.length - 1);
    return [piece.slice(0, at), piece.slice(at)];
  });
}

// ---- whole answers ----

function whole(question: Question, harm: (typeof WHOLE_HARMS)[number] | undefined, draws: Draws): Script {
  const { dialect } = question;
  const bytes = encoder.encode(DIALECTS[dialect].whole(answerOf(question, draws), envelopeOf(question)));
  const part = bytes.slice(0, draws.whole(1, bytes.length - 1));
  switch (harm) {
    case undefined:
      return json(200, OF_JSON, bytes, "end", draws);
    case "cut":
      return json(200, OF_JSON, part, draws.pick(["reset", "close"]), draws);
    case "truncated":
      return json(200, OF_JSON, part, "end", draws);
    case "stall":
      return json(200, OF_JSON, part, "stall", draws);
    case "error": {
      const found = errorAnswer(question, draws);
      const isError = found.kind === "response" && found.body.pieces.some((piece) => Buffer.from(piece.bytes).includes('"error"'));
      // Nothing else tells that what comes with 200 is no answer.
      return isError ? { ...found, status: 200 } : found;
    }
    case "stream":
      return streamed({ ...question, facts: { ...question.facts, stream: true } }, undefined, draws);
  }
}

function json(status: number, headers: HeaderList, bytes: Uint8Array, end: Said["end"], draws: Draws): Script {
  const isWhole = end === "end" && draws.chance(0.5);
  const parts = isWhole
    ? [bytes]
    : Array.from({ length: 8 }, (_, index) => bytes.slice((bytes.length * index) / 8, (bytes.length * (index + 1)) / 8));
  const gapMs = draws.pick([10, 100, 1_000]);
  const pieces = cutAnew(parts, draws).map((each) => ({ afterMs: isWhole ? 0 : draws.between(0, gapMs), bytes: each }));
  return { kind: "response", afterMs: draws.between(0, 3_000), status, headers, body: { pieces, end, isWhole } };
}

// ---- errors ----

/** Above what is read of an error to understand it. */
const LARGE_BYTES = 1_200_000;

function errorAnswer(question: Question, draws: Draws): Script {
  const { errors, errorHeaders } = PROVIDERS[question.provider];
  const entries = errors[draws.pick(HTTP_FAULT_NAMES)].filter(({ isAnswer }) => isAnswer !== true);
  const entry = entries[draws.whole(0, entries.length - 1)] ?? errors.server_error[0];
  const facts = errorFacts(question, "sse", entry.status, draws);
  const said = entry.body(facts);
  const text = `${typeof said === "string" ? said : JSON.stringify(said)}${draws.chance(0.02) ? " ".repeat(LARGE_BYTES) : ""}`;
  const own = entry.headers?.(facts) ?? errorHeaders(facts, entry);
  const type = headerValue(own, "content-type") ?? (text.startsWith("<") ? "text/html" : "application/json");
  const headers: HeaderList = [["content-type", type], ...own.filter(([name]) => name.toLowerCase() !== "content-type")];
  const end = draws.oneOf<Said["end"]>([
    [20, "end"],
    [1, "reset"],
    [1, "close"],
    [1, "stall"],
  ]);
  return json(entry.status, headers, encoder.encode(text), end, draws);
}

function errorFacts(
  { story, dialect, path, facts, wallMs }: Question,
  framing: ErrorFacts["framing"],
  status: number,
  draws: Draws,
): ErrorFacts {
  return {
    model: facts.model ?? "some-model",
    path,
    framing,
    dialect,
    inputTokens: 9_000,
    outputTokensMax: 100,
    contextTokensMax: 8_000,
    retryAfterSeconds: draws.pick([0.2, 1, 3, 20, 120, 7_200]),
    maskedKey: "sk-…",
    wallMs,
    random: randomStream(story.id, `error/${wallMs}`),
    status,
    message: undefined,
  };
}

/** No answers of any API. */
function oddity(question: Question, draws: Draws): Script {
  const { facts } = question;
  const odd = (status: number, headers: HeaderList, text: string) => json(status, headers, encoder.encode(text), "end", draws);
  return draws.pick([
    () => odd(307, [["location", "https://elsewhere.test/?key=secret"], ...OF_JSON], "{}"),
    () => odd(204, [], ""),
    () => odd(200, [["content-type", "text/html"]], "<html>hello</html>"),
    () => odd(200, [], "hello"),
    () => odd(200, OF_JSON, "[]"),
    () => odd(200, OF_JSON, '"hello"'),
    // What nobody can read goes on to whoever asked for it whole.
    () => odd(200, [...OF_JSON, ["content-encoding", facts.stream ? "br" : "identity"]], "hello"),
    () => odd(200, [["content-type", "text/event-stream"]], ""),
    () => odd(418, [["content-type", "text/plain"]], "I am a teapot"),
    () => odd(facts.stream ? 599 : 400, OF_JSON, "{"),
  ])();
}

// ---- what is said ----

function answerOf({ story, rest }: Question, draws: Draws) {
  const { call } = story;
  return {
    text: inPieces(rest, draws),
    refusal: undefined,
    toolCalls: call === undefined ? [] : [call],
    finish: call === undefined ? "stop" : "tool_calls",
    inputTokens: 12,
    outputTokens: 6,
  } as const;
}

/** Cut anywhere, also inside a character. */
function inPieces(text: string, draws: Draws): readonly string[] {
  const places = new Set(Array.from({ length: draws.whole(0, 12) }, () => draws.whole(0, text.length)));
  const cuts = [...places, 0, text.length].sort((one, other) => one - other);
  return cuts.map((place, index) => text.slice(place, cuts[index + 1])).filter((piece) => piece !== "");
}

function envelopeOf({ number, facts, wallMs }: Question) {
  return {
    id: `${number}z0123456789abcdefghijkl`,
    model: facts.model ?? "some-model",
    createdSeconds: Math.floor(wallMs / 1_000),
  };
}
