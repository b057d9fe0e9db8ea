import type { Dialect, Payload } from "../core/dialect.ts";
import type { BeforeFault, FaultContext } from "../core/fault.ts";
import { envelopeOf, framingOf, plainAnswer, renderedFrames, respond } from "./helpers/answer.ts";
import { cutInTheMiddle, isObjectText } from "./helpers/break-json.ts";

/** Half of what an endpoint of no known dialect might list. */
const HALF_A_LIST = '{"object":"list","data":[{"id":"';

export const badJson: BeforeFault = {
  name: "bad_json",
  level: "wire",
  summary: "200 with JSON that stops in the middle; in a stream, a frame that does so and nothing after it",
  terminal: true,
  parameters: {},
  acts: "before",
  plan(context) {
    const { dialect } = context;
    if (dialect === undefined) return [respond(context, "application/json", HALF_A_LIST)];
    if (context.facts.stream) return [brokenStream(context, dialect)];
    return [respond(context, "application/json", cutInTheMiddle(dialect.whole(plainAnswer(context), envelopeOf(context))))];
  },
};

function brokenStream(context: FaultContext, dialect: Dialect) {
  const framing = framingOf(context, dialect);
  const objects = dialect.frames(plainAnswer(context), envelopeOf(context), context.facts).filter(({ data }) => isObjectText(data));
  const kept = objects.slice(0, Math.floor(objects.length / 2) + 1);
  const payloads = kept.map(
    ({ event, data }, index): Payload => ({ event, data: index === kept.length - 1 ? cutInTheMiddle(data) : data }),
  );
  return respond(context, framing.contentType, renderedFrames(framing, payloads));
}
