import { joined, responseHead } from "./http1/writer.ts";

/** Statuses of requests that never become an exchange. */
export type RefusalStatus = 400 | 408 | 431 | 500 | 501 | 503 | 504 | 505;

/** An answer to what is no request that could go on: nobody knows whose client it is, so it has no provider's shape. */
export function refusal(status: RefusalStatus, code: string, message: string): Buffer {
  const body = Buffer.from(
    JSON.stringify({ error: { message: `faultproxy: ${message}`, type: "invalid_request_error", param: null, code } }),
    "latin1",
  );
  const head = responseHead(status, undefined, [
    ["content-type", "application/json"],
    ["content-length", String(body.length)],
    ["x-faultproxy-error", code],
    ["date", new Date().toUTCString()],
    ["connection", "close"],
  ]);
  return joined(head, body);
}
