import { httpFault } from "./helpers/http-error.ts";

export const timeout = httpFault({
  name: "timeout",
  summary: "the provider gave up waiting for itself",
});
