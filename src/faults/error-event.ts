import type { Dialect } from "../core/dialect.ts";
import type { Action, BodyFault, FaultContext, FrameFault } from "../core/fault.ts";
import type { Framing } from "../core/frame.ts";
import type { StreamErrorFacts } from "../core/provider.ts";
import { envelopeOf, plainAnswer } from "./helpers/answer.ts";
import { END, overDialect, pass } from "./helpers/frames.ts";
import { entryFor } from "./helpers/http-error.ts";
import { positionOf, switchOf, textOf } from "./helpers/parameters.ts";
import { advance, NO_PROGRESS, positionReached } from "./helpers/position.ts";

export const errorEvent: BodyFault = {
  name: "error_event",
  level: "stream",
  summary: "an error inside the 200 stream, in the provider's own form",
  terminal: true,
  forms: "stream_errors",
  parameters: {
    after: { type: "position", default: "0", summary: "frames, tokens, bytes or time that come before it, in whole frames" },
    variant: { type: "text", summary: "another of the provider's forms; `faultproxy faults PROVIDER` lists them" },
    message: { type: "text", summary: "takes the place of the text inside the provider's form" },
    done: { type: "switch", summary: "whether the stream's terminator follows; default: as the provider does it" },
  },
  acts: "body",
  over: "frames",
  start: (context, framing) => overDialect(context, (dialect) => startErrorEvent(context, dialect, framing)),
};

function startErrorEvent(context: FaultContext, dialect: Dialect, framing: Framing): FrameFault {
  const position = positionOf(context.parameters, "after") ?? { unit: "frames", count: 0 };
  let progress = NO_PROGRESS;
  let firstData: string | undefined;
  let failed = false;

  const fail = (): readonly Action[] => {
    failed = true;
    return errorActions(context, dialect, framing, { index: progress.frames, firstData });
  };

  return {
    onFrame(frame, elapsedMs) {
      if (failed) return [];
      if (positionReached(position, progress, elapsedMs)) return fail();
      progress = advance(progress, frame, position, dialect);
      firstData ??= frame.data;
      return [pass(frame)];
    },
    onEnd: () => (!failed && positionReached(position, progress, 0) ? fail() : [END]),
  };
}

/** The error, the terminator where one follows, and the proper end. */
function errorActions(
  context: FaultContext,
  dialect: Dialect,
  framing: Framing,
  before: Pick<StreamErrorFacts, "index" | "firstData">,
): readonly Action[] {
  const { errorContext, parameters, provider } = context;
  const entry = entryFor(provider.streamErrors[dialect.name] ?? dialect.streamErrors, textOf(parameters, "variant"));
  const message = textOf(parameters, "message");
  const text = entry.text({ ...errorContext, status: 200, message, ...before });
  const isClosed = switchOf(parameters, "done") ?? entry.done;
  const encoder = new TextEncoder();
  return [
    encoder.encode(text),
    isClosed ? terminatorOf(context, dialect, framing, before.index + 1) : new Uint8Array(),
    encoder.encode(framing.trailer),
  ]
    .filter((bytes) => bytes.length > 0)
    .map((bytes): Action => ({ kind: "write", bytes }))
    .concat(END);
}

/** The frame that closes a stream of this dialect. */
function terminatorOf(context: FaultContext, dialect: Dialect, framing: Framing, index: number): Uint8Array {
  const last = dialect.frames(plainAnswer(context), envelopeOf(context), context.facts).at(-1);
  return last === undefined ? new Uint8Array() : framing.render(last.event, last.data, index);
}
