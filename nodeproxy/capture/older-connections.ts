/** The connections of a pod that are older than its capture: outside policy until they end, and counted. */
import type { NetworkNamespace } from "../sys/namespace.ts";
import { runningConnections } from "./inspect-namespace.ts";

export class OlderConnections {
  #running: ReadonlySet<string> = new Set();

  get count(): number {
    return this.#running.size;
  }

  /** All that run now are older. Before the rules go in. */
  async begin(namespace: NetworkNamespace): Promise<void> {
    this.#running = await runningConnections(namespace);
  }

  /** Forgets those that have ended. */
  async refresh(namespace: NetworkNamespace): Promise<void> {
    if (this.#running.size === 0) return;
    const now = await runningConnections(namespace);
    this.#running = new Set([...this.#running].filter((key) => now.has(key)));
  }
}
