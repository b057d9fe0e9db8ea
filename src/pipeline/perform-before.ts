import type { Clock } from "../core/clock.ts";
import type { OpenResponse } from "../core/exchange.ts";
import type { Action } from "../core/fault.ts";
import type { Gone } from "../core/gone.ts";

/** What the actions before forwarding came to: an answer, an end without one, actions that put bytes on the wire, or nothing (forward). */
export type Before =
  | { readonly kind: "response"; readonly response: OpenResponse }
  | { readonly kind: "hang" | "reset" | "close" }
  | { readonly kind: "bytes"; readonly actions: readonly Action[] }
  | undefined;

/** Waits out the delays in order and gives the first action that ends the exchange. */
export async function performBefore(actions: readonly Action[], clock: Clock, gone: Gone): Promise<Before> {
  for (const [index, action] of actions.entries()) {
    switch (action.kind) {
      case "delay":
        await clock.sleep(action.ms, gone);
        break;
      case "respond": {
        const { status, headers, body } = action;
        return { kind: "response", response: { status, reason: undefined, headers, body } };
      }
      case "hang":
      case "reset":
      case "close":
        return { kind: action.kind };
      case "write":
      case "half_close":
        return { kind: "bytes", actions: actions.slice(index) };
      case "end":
        throw new Error("end has no meaning before a response");
    }
  }
  return undefined;
}
