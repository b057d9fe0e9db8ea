import { httpFault } from "./helpers/http-error.ts";

export const quota = httpFault({
  name: "quota",
  letter: "b",
  summary: "billing or quota: no credit left, or a spend limit reached",
  retryAfter: true,
});
