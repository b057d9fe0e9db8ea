import { needsRawSockets } from "./helpers/unavailable.ts";

export const close = needsRawSockets("close", "the connection is closed (FIN) before any byte");
