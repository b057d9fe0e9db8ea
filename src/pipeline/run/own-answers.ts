import { BodyTooLarge } from "../../core/body-too-large.ts";
import { BodyCut, type Delivery, type Identified } from "../../core/exchange.ts";
import type { Ports } from "../../core/ports.ts";
import { dated } from "../helpers/dated.ts";
import { ownError } from "../helpers/own-error.ts";
import { abandoned, delivered, type Notes } from "../record.ts";

/** What an exchange comes to that something was thrown out of. */
export function mishap(exchange: Identified, error: unknown, notes: Notes, ports: Ports): Delivery {
  if (error instanceof BodyTooLarge) return ownErrorDelivery(exchange, 413, "request_too_large", error.detail, notes, ports);
  // The rest of an upload never came.
  if (error instanceof BodyCut || exchange.clientGone.aborted) return abandoned(exchange, notes, ports);
  const message = `a mistake in faultproxy itself (${error instanceof Error ? error.name : typeof error}); please report it`;
  return ownErrorDelivery(exchange, 500, "internal_error", message, notes, ports);
}

export function ownErrorDelivery(
  exchange: Identified,
  status: number,
  reason: string,
  message: string,
  notes: Notes,
  ports: Ports,
): Delivery {
  const response = dated(ownError(exchange.provider, status, reason, message), ports.clock.wallMs());
  return delivered(exchange, response, { ...notes, error: reason }, ports);
}
