import { needsRawSockets } from "./helpers/unavailable.ts";

export const truncateBody = needsRawSockets("truncate_body", "fewer bytes come than Content-Length promised");
