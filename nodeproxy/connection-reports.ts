/**
 * When does traffic tell control which connections are open, for the admin endpoint?
 *
 * At each tick after a change, but of so many in a second at most: with thousands that are idle, listing, copying and
 * checking them would cost more than the load.
 */
import type { OpenConnection } from "./channel/messages.ts";

/** Told at once. */
const MAX_LISTED = 10_000;
const LISTED_PER_SECOND = 500;

export interface ListedConnections {
  /** Grows with every one that opens or ends. */
  readonly changes: number;
  list(limit: number): readonly OpenConnection[];
}

export class ConnectionReports {
  readonly #connections: ListedConnections;
  readonly #tell: (open: readonly OpenConnection[]) => void;
  #told = -1;
  #nextMs = -Infinity;

  constructor(connections: ListedConnections, tell: (open: readonly OpenConnection[]) => void) {
    this.#connections = connections;
    this.#tell = tell;
  }

  /** `nowMs` is of a clock that never goes back. */
  tick(nowMs: number): void {
    const { changes } = this.#connections;
    if (changes === this.#told || nowMs < this.#nextMs) return;
    this.#told = changes;
    const open = this.#connections.list(MAX_LISTED);
    this.#nextMs = nowMs + (open.length / LISTED_PER_SECOND) * 1_000;
    this.#tell(open);
  }
}
