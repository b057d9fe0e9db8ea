import { needsRawSockets } from "./helpers/unavailable.ts";

export const hangAfterHeaders = needsRawSockets("hang_after_headers", "status and headers come, the body never does");
