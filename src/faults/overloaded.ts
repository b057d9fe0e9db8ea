import { httpFault } from "./helpers/http-error.ts";

export const overloaded = httpFault({
  name: "overloaded",
  letter: "o",
  summary: "the provider or model has no capacity at the moment",
  retryAfter: true,
});
