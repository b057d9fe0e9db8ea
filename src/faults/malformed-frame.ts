import type { BodyFault } from "../core/fault.ts";
import { brokenPayload, isObjectText } from "./helpers/break-json.ts";
import { END, overDialect, pass } from "./helpers/frames.ts";
import { ONE_FRAME_AFTER, oneFrame } from "./helpers/one-frame.ts";
import { positionOf } from "./helpers/parameters.ts";

export const malformedFrame: BodyFault = {
  name: "malformed_frame",
  level: "stream",
  summary: "one frame whose JSON is broken; the rest of the stream goes on",
  terminal: true,
  parameters: { after: ONE_FRAME_AFTER },
  acts: "body",
  over: "frames",
  start: (context, framing) =>
    overDialect(context, (dialect) => {
      const isTheOne = oneFrame(positionOf(context.parameters, "after"), dialect, ({ data }) => isObjectText(data));
      let index = 0;
      return {
        onFrame(frame, elapsedMs) {
          const { event, data } = frame;
          const chosen = isTheOne(frame, elapsedMs);
          if (data === undefined) return [pass(frame)];
          const place = index++;
          if (!chosen) return [pass(frame)];
          const broken = brokenPayload(framing, data);
          return [pass({ bytes: framing.render(event, broken, place), event, data: broken })];
        },
        onEnd: () => [END],
      };
    }),
};
