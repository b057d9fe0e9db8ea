import type { BodyFault } from "../core/fault.ts";
import { END, frameEditor, overDialect } from "./helpers/frames.ts";
import { ONE_FRAME_AFTER, oneFrame } from "./helpers/one-frame.ts";
import { positionOf } from "./helpers/parameters.ts";

export const duplicateFrame: BodyFault = {
  name: "duplicate_frame",
  level: "stream",
  summary: "one frame comes twice",
  terminal: true,
  parameters: { after: ONE_FRAME_AFTER },
  acts: "body",
  over: "frames",
  start: (context, framing) =>
    overDialect(context, (dialect) => {
      const isTheOne = oneFrame(positionOf(context.parameters, "after"), dialect, ({ data }) => data !== undefined);
      const editor = frameEditor(framing);
      return {
        onFrame: (frame, elapsedMs) => (isTheOne(frame, elapsedMs) ? [...editor.pass(frame), ...editor.repeat(frame)] : editor.pass(frame)),
        onEnd: () => [END],
      };
    }),
};
