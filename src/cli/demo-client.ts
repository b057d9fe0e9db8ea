/** What a plain HTTP client saw of one answer. */
export type Seen = {
  readonly status: number;
  readonly retryAfter: string | null;
  /** Everything that came, also of an answer that broke off. */
  readonly text: string;
  /** Data frames of a stream. */
  readonly events: number;
  readonly brokenOff: boolean;
};

const CHAT = { path: "/v1/chat/completions", headers: { authorization: "Bearer demo" } };
const MESSAGES = { path: "/v1/messages", headers: { "x-api-key": "demo", "anthropic-version": "2023-06-01" } };

/** One request as the provider's SDK would send it. */
export async function request(origin: string, provider: "openai" | "anthropic", stream: boolean): Promise<Seen> {
  const { path, headers } = provider === "openai" ? CHAT : MESSAGES;
  const model = provider === "openai" ? "gpt-4o" : "claude-sonnet-4-5";
  const body = { model, max_tokens: 100, stream, messages: [{ role: "user", content: "Tell me a joke." }] };
  const response = await fetch(origin + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const decoder = new TextDecoder();
  let text = "";
  let brokenOff = false;
  try {
    for await (const bytes of response.body ?? []) text += decoder.decode(bytes, { stream: true });
  } catch {
    brokenOff = true;
  }
  const events = text.match(/^data: /gm)?.length ?? 0;
  return { status: response.status, retryAfter: response.headers.get("retry-after"), text, events, brokenOff };
}
