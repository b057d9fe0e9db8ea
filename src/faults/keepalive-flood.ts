import type { Dialect } from "../core/dialect.ts";
import type { Action, BodyFault } from "../core/fault.ts";
import type { Framing } from "../core/frame.ts";
import { END, overDialect, pass } from "./helpers/frames.ts";
import { numberOf } from "./helpers/parameters.ts";

/** At one time; more would only take memory, since the client sees no difference. */
const KEEPALIVES_MAX = 100_000;

export const keepaliveFlood: BodyFault = {
  name: "keepalive_flood",
  level: "stream",
  summary: "many keepalives before the first frame and some before every other",
  terminal: true,
  parameters: {
    count: { type: "integer", default: "100", minimum: 0, maximum: KEEPALIVES_MAX, summary: "keepalives before the first frame" },
    among: { type: "integer", default: "3", minimum: 0, maximum: KEEPALIVES_MAX, summary: "keepalives before every other frame" },
    every: { type: "duration", default: "0ms", minimum: 0, summary: "time between two keepalives" },
  },
  acts: "body",
  over: "frames",
  start: (context, framing) =>
    overDialect(context, (dialect) => {
      const { parameters } = context;
      const count = Math.min(numberOf(parameters, "count") ?? 0, KEEPALIVES_MAX);
      const among = Math.min(numberOf(parameters, "among") ?? 0, KEEPALIVES_MAX);
      const everyMs = numberOf(parameters, "every") ?? 0;
      const keepalive: Action = { kind: "write", bytes: keepaliveOf(dialect, framing) };
      const one: readonly Action[] = everyMs > 0 ? [keepalive, { kind: "delay", ms: everyMs }] : [keepalive];
      let isFirst = true;
      return {
        onFrame(frame) {
          if (frame.data === undefined) return [pass(frame)];
          const many = isFirst ? count : among;
          isFirst = false;
          return [...Array.from({ length: many }, () => one).flat(), pass(frame)];
        },
        onEnd: () => [END],
      };
    }),
};

/** The dialect's own, else what its framing lets every reader skip: white space in JSON, a comment in SSE. */
function keepaliveOf({ keepalive }: Dialect, framing: Framing): Uint8Array {
  const encoder = new TextEncoder();
  if (framing.name !== "sse") return encoder.encode("\n");
  if (keepalive === undefined) return encoder.encode(": keepalive\n\n");
  return typeof keepalive === "string" ? encoder.encode(keepalive) : framing.render(keepalive.event, keepalive.data, 0);
}
