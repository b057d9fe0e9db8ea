import type { BeforeFault } from "../core/fault.ts";
import { serverError } from "./server-error.ts";

/** For `side=upstream`: what a retry heals. */
export const forceTransientRecover: BeforeFault = {
  name: "force_transient_recover",
  level: "http",
  summary: "the provider fails inside when it is first asked, and answers when it is asked again (side=upstream)",
  terminal: true,
  parameters: {},
  acts: "before",
  plan: (context) => (context.attempt === 1 ? serverError.plan(context) : []),
};
