import { httpFault } from "./helpers/http-error.ts";

export const requestTooLarge = httpFault({
  name: "request_too_large",
  summary: "the request has too many bytes",
});
