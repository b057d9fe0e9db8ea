import { POOL_CONNECTIONS_MAX, SWEEP_MS } from "./limits.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

/** Kept connections by where they go and as whom; the one used last is used first, so that the others can go. */
export class Pool {
  readonly #idle = new Map<string, UpstreamConnection[]>();
  #sweeper: Timer | undefined;

  take(key: string): UpstreamConnection | undefined {
    const connections = this.#idle.get(key);
    const nowMs = performance.now();
    for (let connection = connections?.pop(); connection !== undefined; connection = connections?.pop()) {
      if (nowMs - connection.idleSinceMs < connection.keptMs) {
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
    connection.idleSinceMs = performance.now();
    connections.push(connection);
    if (connections.length > POOL_CONNECTIONS_MAX) connections.shift()?.discard();
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_MS);
  }

  remove(key: string, connection: UpstreamConnection): void {
    const connections = this.#idle.get(key);
    const index = connections?.indexOf(connection) ?? -1;
    if (index >= 0) connections?.splice(index, 1);
  }

  #sweep(): void {
    const nowMs = performance.now();
    for (const [key, connections] of this.#idle) {
      const kept = connections.filter((connection) => {
        const isFresh = nowMs - connection.idleSinceMs < connection.keptMs;
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
