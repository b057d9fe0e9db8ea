import { eventually, type TestDaemon } from "./daemon.ts";

/** What these tests look at of an event. */
export type RouteEvent = {
  readonly type: string;
  readonly exchange: number;
  readonly model: string | null;
  readonly status: number | null;
  readonly done: string;
  readonly error: string | null;
  readonly from: string;
  readonly to: string;
  readonly class: string | null;
  readonly isRescue: boolean;
  readonly gateway?: {
    readonly attempts: number;
    readonly failure: string | null;
    readonly answeredBy: string | null;
    readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | null;
    readonly tried: readonly Tried[];
  };
};

export type Tried = {
  readonly target: string;
  readonly attempts: number;
  readonly status: number | null;
  readonly failure: string | null;
  readonly reason: string | null;
};

export type FollowedEvents = {
  /** All so far, in their order. */
  readonly all: () => readonly RouteEvent[];
  /** The exchanges of requests for this model, once there are so many. */
  readonly exchanges: (model: string, count: number) => Promise<readonly RouteEvent[]>;
  readonly stop: () => void;
};

/** Reads the events as they come: there are more than a daemon keeps. */
export async function followEvents({ socket }: TestDaemon): Promise<FollowedEvents> {
  const leaving = new AbortController();
  const events: RouteEvent[] = [];
  const answer = await fetch("http://localhost/v1/events", { unix: socket, signal: leaving.signal });
  const read = async () => {
    const decoder = new TextDecoder();
    let unread = "";
    for await (const chunk of answer.body ?? []) {
      const lines = (unread + decoder.decode(chunk, { stream: true })).split("\n");
      unread = lines.pop() ?? "";
      for (const line of lines) events.push(JSON.parse(line) as RouteEvent);
    }
  };
  read().catch(() => {});
  return {
    all: () => events,
    exchanges: (model, count) =>
      eventually(() => {
        const found = events.filter((event) => event.type === "exchange" && event.model === model);
        return found.length >= count ? found : undefined;
      }, `exchange ${count} of ${model}`),
    stop: () => leaving.abort(),
  };
}
