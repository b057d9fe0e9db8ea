import type { Identified, OpenResponse } from "../core/exchange.ts";
import type { Gateway } from "../core/gateway.ts";
import { ownPageOf } from "./helpers/own-page.ts";

/** The gateway's own pages; undefined: it is none of them. No page of another origin may read them. */
export function pageOf(exchange: Identified, gateway: Gateway): Promise<OpenResponse> | undefined {
  switch (ownPageOf(exchange)) {
    case "/health":
      return healthPage(exchange.method, gateway);
    case "/metrics":
      return metricsPage(exchange.method, gateway);
    case undefined:
      return undefined;
  }
}

async function healthPage(method: string, gateway: Gateway): Promise<OpenResponse> {
  const { isHealthy, report } = await gateway.health();
  return page(method, isHealthy ? 200 : 503, "application/json", `${JSON.stringify(report)}\n`);
}

async function metricsPage(method: string, gateway: Gateway): Promise<OpenResponse> {
  return page(method, 200, "text/plain; version=0.0.4; charset=utf-8", await gateway.metrics());
}

function page(method: string, status: number, contentType: string, text: string): OpenResponse {
  const body = new TextEncoder().encode(text);
  return {
    status,
    reason: undefined,
    headers: [
      ["content-type", contentType],
      ["cache-control", "no-store"],
    ],
    body: method === "HEAD" ? null : body,
  };
}
