import type { BeforeFault } from "../core/fault.ts";
import { plainAnswer, rendered, respond } from "./helpers/answer.ts";

/** What an endpoint of no known dialect might list. */
const EMPTY_LIST = '{"object":"list","data":[]}';

export const wrongContentType: BeforeFault = {
  name: "wrong_content_type",
  level: "wire",
  summary: "200 with a right answer that is labelled text/html",
  terminal: true,
  parameters: {},
  acts: "before",
  plan(context) {
    const text = context.dialect === undefined ? EMPTY_LIST : rendered(context, context.dialect, plainAnswer(context)).text;
    return [respond(context, "text/html; charset=utf-8", text)];
  },
};
