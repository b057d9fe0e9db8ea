import type { BodyFault } from "../core/fault.ts";
import { END, frameEditor, overDialect } from "./helpers/frames.ts";

export const noDone: BodyFault = {
  name: "no_done",
  level: "stream",
  summary: "the stream ends properly, but without its terminal events",
  terminal: true,
  parameters: {},
  acts: "body",
  over: "frames",
  start: (context, framing) =>
    overDialect(context, (dialect) => {
      const editor = frameEditor(framing);
      return {
        onFrame: (frame) => (dialect.isTerminal(frame) ? editor.drop(frame) : editor.pass(frame)),
        onEnd: () => [END],
      };
    }),
};
