import type { TestDaemon } from "./daemon.ts";

const CHAT = '{"model":"m","messages":[]}';

/** One request for inference, and what came of it; `json` where it is that. */
export async function ask({ origin }: TestDaemon, path = "/v1/chat/completions", body = CHAT, headers = {}) {
  const answer = await fetch(`${origin}${path}`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
  const text = await answer.text();
  const isJson = answer.headers.get("content-type") === "application/json";
  return {
    status: answer.status,
    reason: answer.headers.get("x-faultproxy-error"),
    text,
    json: isJson ? (JSON.parse(text) as unknown) : undefined,
  };
}
