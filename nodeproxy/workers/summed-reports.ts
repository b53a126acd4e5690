/** What workers report of their connections and tunnels, as one report of the process. */
import type { OlderTunnels } from "../../core/model/node-report.ts";
import type { OpenConnection } from "../channel/messages.ts";
import { MAX_WORKERS } from "./max-workers.ts";

/** As one thread would list; see `traffic-app.ts`. */
const MAX_LISTED = 10_000;

export class SummedReports {
  readonly #issuers = new Map<number, readonly OlderTunnels[]>();
  readonly #connections = new Map<number, readonly OpenConnection[]>();

  setIssuers(worker: number, issuers: readonly OlderTunnels[]): void {
    this.#issuers.set(worker, issuers);
  }

  setConnections(worker: number, open: readonly OpenConnection[]): void {
    this.#connections.set(worker, open);
  }

  /** Whoever has not told yet is not known, and must not be taken for none. */
  hasIssuersOf(workers: number): boolean {
    return this.#issuers.size === workers;
  }

  /** Its connections and tunnels ended with it. */
  died(worker: number): void {
    this.#issuers.set(worker, []);
    this.#connections.delete(worker);
  }

  openOf(worker: number): number {
    return this.#connections.get(worker)?.length ?? 0;
  }

  /** Sorted by issuer. */
  issuers(): readonly OlderTunnels[] {
    const counts = new Map<string, number>();
    for (const { issuer, count } of [...this.#issuers.values()].flat()) {
      counts.set(issuer, (counts.get(issuer) ?? 0) + count);
    }
    const summed = Array.from(counts, ([issuer, count]) => ({ issuer, count }));
    return summed.toSorted((a, b) => (a.issuer < b.issuer ? -1 : 1));
  }

  /** Each under a number that no other has. */
  connections(): readonly OpenConnection[] {
    const listed: OpenConnection[] = [];
    for (const [worker, open] of this.#connections) {
      for (const connection of open) {
        if (listed.length === MAX_LISTED) return listed;
        listed.push({ ...connection, id: connection.id * MAX_WORKERS + worker });
      }
    }
    return listed;
  }
}
