import type { Identified, OpenResponse } from "../../core/exchange.ts";
import type { Ports, TargetManner } from "../../core/ports.ts";
import { PROVIDERS } from "../../providers/index.ts";
import { modelList } from "../../simulator/models.ts";
import { asksForHealth } from "./own-page.ts";

const MODELS = /^\/(?:(?:api|openai)\/)?(?:v\d+(?:beta)?\/)?(?:openai\/)?models\/?$/;

/** What is known of a target without asking it: its models where they were set, and that a backend's proxy is there. */
export function answerFromSettings(exchange: Identified, { models, isBackend }: TargetManner, ports: Ports): OpenResponse | undefined {
  if (models === undefined && isBackend !== true) return undefined;
  const { method, path } = exchange;
  if (method !== "GET" && method !== "HEAD") return undefined;
  if (isBackend === true && asksForHealth(exchange)) return json(exchange, { status: "ok" });
  if (models === undefined || !MODELS.test(path)) return undefined;
  const provider = { ...PROVIDERS[exchange.provider], models };
  return json(exchange, modelList({ exchange, provider, createdSeconds: Math.floor(ports.clock.wallMs() / 1_000) }));
}

function json({ method }: Identified, value: unknown): OpenResponse {
  const body = new TextEncoder().encode(JSON.stringify(value));
  return {
    status: 200,
    reason: undefined,
    headers: [["content-type", "application/json"]],
    body: method === "HEAD" ? null : body,
  };
}
