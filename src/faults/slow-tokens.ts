import type { BodyFault } from "../core/fault.ts";
import { END, overDialect, pass } from "./helpers/frames.ts";
import { jittered, numberOf } from "./helpers/parameters.ts";

export const slowTokens: BodyFault = {
  name: "slow_tokens",
  level: "stream",
  summary: "a late first token and pauses between tokens; adds to other faults",
  terminal: false,
  parameters: {
    ttft: { type: "duration", default: "2s", minimum: 0, summary: "added before the first token" },
    between: { type: "duration", default: "100ms", minimum: 0, summary: "added before every other token" },
    jitter: { type: "duration", default: "0ms", minimum: 0, summary: "give or take up to this much on each, uniformly" },
  },
  acts: "body",
  over: "frames",
  start: (context) =>
    overDialect(context, (dialect) => {
      const { parameters, random } = context;
      const ttftMs = numberOf(parameters, "ttft") ?? 0;
      const betweenMs = numberOf(parameters, "between") ?? 0;
      const jitterMs = numberOf(parameters, "jitter") ?? 0;
      let isFirst = true;
      return {
        onFrame(frame) {
          if (!dialect.isContent(frame)) return [pass(frame)];
          const ms = jittered(isFirst ? ttftMs : betweenMs, jitterMs, random);
          isFirst = false;
          return ms > 0 ? [{ kind: "delay", ms }, pass(frame)] : [pass(frame)];
        },
        onEnd: () => [END],
      };
    }),
};
