import { httpFault } from "./helpers/http-error.ts";

export const serverError = httpFault({
  name: "server_error",
  letter: "u",
  summary: "the provider failed inside",
  retryAfter: true,
});
