import { httpFault } from "./helpers/http-error.ts";

export const modelNotFound = httpFault({
  name: "model_not_found",
  summary: "the model does not exist, or not for this key",
});
