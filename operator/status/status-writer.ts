/** Writes status to the API, whichever kind it is of: conditions of Weft's own kinds, and what we say of routes. */
import type { RouteState } from "../index/route-store.ts";
import type { ObjectStatus } from "./mesh-status.ts";
import { PolicyStatusWriter, type PolicyStatusWriterOptions } from "./policy-status-writer.ts";
import { RouteStatusWriter } from "./route-status-writer.ts";

export class StatusWriter {
  readonly #policies: PolicyStatusWriter;
  readonly #routes: RouteStatusWriter;

  constructor(options: PolicyStatusWriterOptions) {
    this.#policies = new PolicyStatusWriter(options);
    this.#routes = new RouteStatusWriter(options);
  }

  put(statuses: readonly ObjectStatus[], routes: readonly RouteState[]): void {
    this.#policies.put(statuses);
    this.#routes.put(routes);
  }

  async close(): Promise<void> {
    await Promise.all([this.#policies.close(), this.#routes.close()]);
  }
}
