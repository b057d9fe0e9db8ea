import type { Delivery, Identified, OpenResponse, Received } from "../core/exchange.ts";
import type { Cors, Gateway } from "../core/gateway.ts";
import type { Ports } from "../core/ports.ts";
import { accessOf, type RefusedAccess } from "./access.ts";
import { attempt, attempted } from "./attempt.ts";
import { preflightAnswer, withCors } from "./cors.ts";
import { dated } from "./helpers/dated.ts";
import { Facts } from "./helpers/facts.ts";
import { ownFieldsOf } from "./helpers/own-fields.ts";
import { asksForWebSocket } from "./helpers/websocket.ts";
import { identify } from "./identify.ts";
import { pageOf } from "./pages.ts";
import { abandoned, delivered, NOTHING_NOTED } from "./record.ts";
import { toClient } from "./run/ask.ts";
import { decideNow } from "./run/decide-now.ts";
import { governed } from "./run/governed.ts";
import { mishap, ownErrorDelivery } from "./run/own-answers.ts";
import { performed } from "./run/perform.ts";
import { adaptationOf, targetSide } from "./translate.ts";

/** The way of an exchange through all stages. The engine calls it with each request and delivers what it gives. */
export function createPipeline(ports: Ports): (received: Received) => Promise<Delivery> {
  const { gateway } = ports;
  return (received) => {
    const entered = accessOf(identify(received, ports.defaultProvider, ports.clock.monotonicMs()), ports);
    if (entered.kind === "refused") return turnedAway(entered, ports);
    return gateway === undefined ? answered(entered, ports) : throughGateway(entered, gateway, ports);
  };
}

/** A page that may read answers may read this one too. */
async function turnedAway({ exchange, response, error }: RefusedAccess, ports: Ports): Promise<Delivery> {
  const delivery = delivered(exchange, response, { ...NOTHING_NOTED, error }, ports);
  const cors = ports.gateway?.cors;
  return cors === undefined ? delivery : withCors(delivery, exchange, cors);
}

/** The gateway's own pages, and what browsers want around every answer. */
function throughGateway(exchange: Identified, gateway: Gateway, ports: Ports): Promise<Delivery> {
  const page = pageOf(exchange, gateway);
  if (page !== undefined) return paged(exchange, page, ports);
  const { cors } = gateway;
  return cors === undefined ? answered(exchange, ports) : answeredToPages(exchange, cors, ports);
}

async function paged(exchange: Identified, page: Promise<OpenResponse>, ports: Ports): Promise<Delivery> {
  return delivered(exchange, dated(await page, ports.clock.wallMs()), { ...NOTHING_NOTED, isPage: true }, ports);
}

async function answeredToPages(exchange: Identified, cors: Cors, ports: Ports): Promise<Delivery> {
  const preflight = preflightAnswer(exchange, cors);
  if (preflight !== undefined) return delivered(exchange, dated(preflight, ports.clock.wallMs()), NOTHING_NOTED, ports);
  return withCors(await answered(exchange, ports), exchange, cors);
}

function answered(received: Identified, ports: Ports): Promise<Delivery> {
  const { gateway } = ports;
  const isGoverned = gateway !== undefined && received.kind === "inference" && !asksForWebSocket(received);
  return isGoverned ? governed(received, gateway, ports) : ungoverned(received, ports);
}

async function ungoverned(received: Identified, ports: Ports): Promise<Delivery> {
  // What clients say to a gateway is for no target, whatever it is asked for.
  const exchange = (ports.gateway === undefined ? undefined : ownFieldsOf(received)?.exchange) ?? received;
  try {
    if (asksForWebSocket(received) && !(exchange.canUpgrade && ports.targets[exchange.provider].kind === "url")) {
      const message = exchange.canUpgrade
        ? "the built-in provider speaks no WebSocket; use HTTP"
        : "WebSocket connections are not passed through by --engine serve; use HTTP, or --engine wire";
      return ownErrorDelivery(exchange, 501, "websocket_unsupported", message, NOTHING_NOTED, ports);
    }
    const facts = new Facts(exchange, ports);
    const { mode, added } = ports.rules.get();
    if (mode !== undefined || added.length > 0) {
      const decided = await decideNow(exchange, facts, ports);
      if (decided.planned.length > 0) return await performed({ exchange, decided, facts }, ports);
    }
    const adaptation = adaptationOf(exchange, ports);
    const outcome =
      adaptation === undefined
        ? attempted(exchange, await attempt(exchange, false, facts, ports), ports)
        : await toClient(await targetSide(exchange, adaptation, facts, ports), exchange, ports);
    if (outcome === "client_gone" || exchange.clientGone.aborted) return abandoned(exchange, NOTHING_NOTED, ports);
    const { response, error } = outcome;
    return delivered(exchange, response, error === undefined ? NOTHING_NOTED : { ...NOTHING_NOTED, error }, ports);
  } catch (error) {
    return mishap(exchange, error, NOTHING_NOTED, ports);
  }
}
