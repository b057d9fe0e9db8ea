import type { Answer, Dialect, Envelope, Payload } from "../../core/dialect.ts";
import type { Action, BeforeFault, FaultContext, ParameterSpec } from "../../core/fault.ts";
import type { Framing } from "../../core/frame.ts";
import type { HeaderList } from "../../core/headers.ts";
import type { Random } from "../../core/random.ts";

type AnswerFaultOptions = {
  readonly name: string;
  readonly summary: string;
  readonly parameters?: Readonly<Record<string, ParameterSpec>>;
  readonly answer: (context: FaultContext) => Answer;
};

/** A fault that is an answer of its own in place of the target's, so that it does not depend on what the model does. */
export function answerFault({ name, summary, parameters, answer }: AnswerFaultOptions): BeforeFault {
  return {
    name,
    level: "answer",
    summary,
    terminal: true,
    parameters: parameters ?? {},
    acts: "before",
    plan(context) {
      // Without a dialect there is no form to be wrong in: the request goes to the target.
      if (context.dialect === undefined) return [];
      const { contentType, text } = rendered(context, context.dialect, answer(context));
      return [respond(context, contentType, text)];
    },
  };
}

/** What a model says when nothing is wrong. */
export function plainAnswer(context: FaultContext): Answer {
  return {
    text: ["Hello", "! How", " can I", " help you", " today?"],
    refusal: undefined,
    toolCalls: [],
    finish: "stop",
    inputTokens: context.facts.inputTokens,
    outputTokens: 9,
  };
}

/** An answer as bytes would show it: a stream where the request asks for one, else one JSON text. */
export function rendered(context: FaultContext, dialect: Dialect, answer: Answer): { readonly contentType: string; readonly text: string } {
  const envelope = envelopeOf(context);
  if (!context.facts.stream) return { contentType: "application/json", text: dialect.whole(answer, envelope) };
  const framing = framingOf(context, dialect);
  const payloads = dialect.frames(answer, envelope, context.facts);
  return { contentType: framing.contentType, text: renderedFrames(framing, payloads) + framing.trailer };
}

export function renderedFrames(framing: Framing, payloads: readonly Payload[]): string {
  const decoder = new TextDecoder();
  return payloads.map(({ event, data }, index) => decoder.decode(framing.render(event, data, index))).join("");
}

/** How the answer to this request is framed, if it is streamed. */
export function framingOf({ exchange }: FaultContext, dialect: Dialect): Framing {
  return dialect.framing(exchange.path, exchange.query);
}

/** A 200 with the headers of this provider's good answers. */
export function respond({ provider, errorContext }: FaultContext, contentType: string, text: string): Action {
  const headers: HeaderList = [["content-type", contentType], ...provider.answerHeaders(errorContext)];
  return { kind: "respond", status: 200, headers, body: new TextEncoder().encode(text) };
}

export function envelopeOf({ errorContext }: FaultContext): Envelope {
  return {
    id: randomId(errorContext.random),
    model: errorContext.model,
    createdSeconds: Math.floor(errorContext.wallMs / 1000),
  };
}

/** As long as the ids of the large providers. */
const ID_CHARACTERS = 24;

/** Lower-case letters and digits. */
export function randomId(random: Random): string {
  return Array.from({ length: ID_CHARACTERS }, () => Math.floor(random.next() * 36).toString(36)).join("");
}
