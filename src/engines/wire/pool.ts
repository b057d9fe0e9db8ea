import { POOL_CONNECTIONS_MAX, SWEEP_MS } from "./limits.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

/** Kept connections by where they go and as whom; the one used last is used first, so that the others can go. */
export class Pool {
  readonly #idle = new Map<string, UpstreamConnection[]>();
  #sweeper: Timer | undefined;
  /** Counts while connections are kept; asking the system for the time twice a request would cost more than the pool does. */
  #nowMs = 0;

  take(key: string): UpstreamConnection | undefined {
    const connections = this.#idle.get(key);
    for (let connection = connections?.pop(); connection !== undefined; connection = connections?.pop()) {
      if (this.#isFresh(connection)) {
        connection.reuse();
        return connection;
      }
      connection.discard();
    }
    return undefined;
  }

  keep(key: string, connection: UpstreamConnection): void {
    const connections = this.#idle.get(key) ?? [];
    this.#idle.set(key, connections);
    connection.idleSinceMs = this.#nowMs;
    connections.push(connection);
    if (connections.length > POOL_CONNECTIONS_MAX) connections.shift()?.discard();
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS);
  }

  remove(key: string, connection: UpstreamConnection): void {
    const connections = this.#idle.get(key);
    const index = connections?.indexOf(connection) ?? -1;
    if (index >= 0) connections?.splice(index, 1);
  }

  /** On the safe side: the clock may be behind by as much as it steps. */
  #isFresh({ idleSinceMs, keptMs }: UpstreamConnection): boolean {
    return this.#nowMs - idleSinceMs < keptMs - SWEEP_MS;
  }

  #sweep(): void {
    this.#nowMs += SWEEP_MS;
    for (const [key, connections] of this.#idle) {
      const kept = connections.filter((connection) => {
        const isFresh = this.#isFresh(connection);
        if (!isFresh) connection.discard();
        return isFresh;
      });
      if (kept.length > 0) this.#idle.set(key, kept);
      else this.#idle.delete(key);
    }
    if (this.#idle.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
