import { type ConnectionLimits, LINGER_MS } from "./limits.ts";
import type { Refused } from "./request-target.ts";

/**
 * What a client's connection waits for: the next request, the rest of a head, the rest of a body, nothing from the client (it is being
 * answered), or its end: for a while, or until the client leaves.
 */
export type Phase = "idle" | "head" | "body" | "answering" | "hanging" | "tunnel" | "lingering" | "half_closed" | "over";

export type Waiting = {
  readonly phase: Phase;
  readonly waitedMs: number;
  /** Has the client said nothing of a request yet? */
  readonly isSilent: boolean;
  /** Has an answer begun? Behind its head nobody waits for the rest of a request. */
  readonly hasBegun: boolean;
  /** Who keeps the rest of a body from coming: the client, the target that takes none of it, or we, who do not read it yet. */
  readonly heldUpBy: "client" | "target" | "us";
  /** Is everything sent? */
  readonly isSent: boolean;
};

/** What has waited too long is refused, closed (FIN) or reset. */
export function overdue(waiting: Waiting, limits: ConnectionLimits): Refused | "close" | "reset" | undefined {
  const { phase, waitedMs } = waiting;
  switch (phase) {
    case "idle":
      return waitedMs > limits.idleMs ? "close" : undefined;
    case "head":
      if (waitedMs <= limits.headMs) return undefined;
      // Somebody who has not said anything is not told anything.
      if (waiting.isSilent) return "close";
      return tooSlow(`the head of the request did not come within ${limits.headMs / 1_000} s`);
    case "body": {
      if (waitedMs <= limits.bodyIdleMs || waiting.hasBegun || waiting.heldUpBy === "us") return undefined;
      if (waiting.heldUpBy === "client") return tooSlow(`nothing of the request body came for ${limits.bodyIdleMs / 1_000} s`);
      const message = `the target took nothing of the request body for ${limits.bodyIdleMs / 1_000} s`;
      return { status: 504, code: "upstream_timeout", message };
    }
    case "lingering":
      if (waitedMs > LINGER_MS && waiting.isSent) return "close";
      return waitedMs > limits.bodyIdleMs ? "reset" : undefined;
    case "answering":
    case "hanging":
    case "tunnel":
    case "half_closed":
    case "over":
      return undefined;
  }
}

function tooSlow(message: string): Refused {
  return { status: 408, code: "request_timeout", message };
}
