import { httpFault } from "./helpers/http-error.ts";

export const rateLimit = httpFault({
  name: "rate_limit",
  letter: "r",
  summary: "too many requests or tokens per minute, with the provider's retry hints",
  retryAfter: true,
});
