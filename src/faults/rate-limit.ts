import { httpFault } from "./helpers/http-error.ts";

export const rateLimit = httpFault({
  name: "rate_limit",
  letter: "r",
  title: "⏱️ Rate limit exceeded",
  summary: "too many requests or tokens per minute, with the provider's retry hints",
  retryAfter: true,
});
