import type { TestDaemon } from "./daemon.ts";

/** What a client of Chat Completions makes of an answer, however it comes. */
export type Outcome = {
  /** Undefined: no head came. */
  readonly status: number | undefined;
  readonly contentType: string;
  /** The body as far as it came. */
  readonly text: string;
  /** The end of the body was a proper one; the connection broke off; nothing came any more. */
  readonly end: "proper" | "cut" | "silence";
};

/** Asks and waits for so long; a client that is kept waiting leaves. */
export async function outcomeOf({ origin }: Pick<TestDaemon, "origin">, path: string, body: unknown, patienceMs: number): Promise<Outcome> {
  const patience = AbortSignal.timeout(patienceMs);
  let status: number | undefined;
  let contentType = "";
  let text = "";
  try {
    const answer = await fetch(`${origin}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer sk-test" },
      body: JSON.stringify(body),
      signal: patience,
      // A connection that a fault has used cannot be told from a good one.
      keepalive: false,
    });
    status = answer.status;
    contentType = (answer.headers.get("content-type") ?? "").replace(/;.*$/, "");
    const decoder = new TextDecoder();
    for await (const chunk of answer.body ?? []) text += decoder.decode(chunk, { stream: true });
    return { status, contentType, text, end: "proper" };
  } catch {
    return { status, contentType, text, end: patience.aborted ? "silence" : "cut" };
  }
}
