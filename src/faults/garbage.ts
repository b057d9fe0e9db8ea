import { needsRawSockets } from "./helpers/unavailable.ts";

export const garbage = needsRawSockets("garbage", "bytes that are not HTTP come in place of a response");
