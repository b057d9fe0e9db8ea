import { httpFault } from "./helpers/http-error.ts";

export const contentFilter = httpFault({
  name: "content_filter",
  summary: "the prompt was refused by the provider's policy",
});
