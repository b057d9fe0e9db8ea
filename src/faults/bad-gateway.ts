import { httpFault } from "./helpers/http-error.ts";

export const badGateway = httpFault({
  name: "bad_gateway",
  summary: "an edge server's HTML page in place of the provider's JSON",
});
