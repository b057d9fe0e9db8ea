import type { Clock } from "../core/clock.ts";
import type { Delivery, OpenResponse } from "../core/exchange.ts";
import type { Action } from "../core/fault.ts";

/** What the actions before forwarding came to: an answer, an end without one, or nothing (forward). */
export type Before = OpenResponse | Exclude<Delivery["kind"], "response"> | undefined;

/** Waits out the delays in order and gives the first action that ends the exchange. */
export async function performBefore(actions: readonly Action[], clock: Clock, gone: AbortSignal): Promise<Before> {
  for (const action of actions) {
    switch (action.kind) {
      case "delay":
        await clock.sleep(action.ms, gone);
        break;
      case "respond":
        return { status: action.status, reason: "", headers: action.headers, body: action.body };
      case "hang":
      case "reset":
      case "close":
        return action.kind;
      case "write":
      case "end":
        throw new Error(`${action.kind} has no meaning before a response`);
    }
  }
  return undefined;
}
