/**
 * Ends connections over which no byte has moved for their idle timeout, within a second of it. One timer for
 * all, and none while there is nothing to watch.
 */

export interface Watchable {
  readonly idleTimeoutMs: number;
  /** Carried so far, both ways. */
  readonly bytes: number;
  endIdle(): void;
}

interface Seen {
  bytes: number;
  sinceMs: number;
}

const SWEEP_MS = 500;

export class IdleWatch {
  readonly #watched = new Map<Watchable, Seen>();
  #timer: NodeJS.Timeout | undefined;

  add(connection: Watchable): void {
    this.#watched.set(connection, { bytes: connection.bytes, sinceMs: performance.now() });
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  delete(connection: Watchable): void {
    if (!this.#watched.delete(connection) || this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sweep(): void {
    const now = performance.now();
    for (const [connection, seen] of this.#watched) {
      const { bytes, idleTimeoutMs } = connection;
      if (bytes !== seen.bytes) {
        seen.bytes = bytes;
        seen.sinceMs = now;
      } else if (now - seen.sinceMs >= idleTimeoutMs) {
        connection.endIdle();
      }
    }
  }
}
