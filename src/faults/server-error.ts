import { httpFault } from "./helpers/http-error.ts";

export const serverError = httpFault({
  name: "server_error",
  letter: "u",
  title: "💥 Unknown server error",
  summary: "the provider failed inside",
  retryAfter: true,
});
