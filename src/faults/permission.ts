import { httpFault } from "./helpers/http-error.ts";

export const permission = httpFault({
  name: "permission",
  summary: "the key may not do this",
});
