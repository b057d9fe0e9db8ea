import { httpFault } from "./helpers/http-error.ts";

export const auth = httpFault({
  name: "auth",
  letter: "a",
  summary: "the key is wrong or missing",
});
