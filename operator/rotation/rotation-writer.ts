/** Writes what a CARotation's status says to the API, and the Events about it, while this replica leads. */
import type { KubeApi } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import type { Log } from "../../core/process/log.ts";
import { applyStatus, createEvent, type ObjectRef } from "../kube/status-patches.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import { CoalescedWrites } from "../status/coalesced-writes.ts";
import type { RotationEvent } from "./rotation-events.ts";
import type { ToldRotation } from "./rotation-runner.ts";

export interface RotationWriterOptions {
  readonly api: KubeApi;
  readonly isLeader: () => boolean;
  readonly log: Log;
}

export class RotationWriter {
  readonly #options: RotationWriterOptions;
  readonly #writes: CoalescedWrites<ToldRotation>;
  #events: Promise<void> = Promise.resolve();

  constructor(options: RotationWriterOptions) {
    this.#options = options;
    this.#writes = new CoalescedWrites<ToldRotation>({
      write: (_key, told) => this.#write(told),
      onFailure: (key, error) => this.#isWorthRetrying(key, error),
      isSame: () => false,
      // People watch it.
      intervalMs: 200,
      limit: 4,
    });
  }

  put(told: ToldRotation): void {
    this.#writes.put(told.object.metadata.name, told);
    // Each of them, and in their order.
    for (const event of told.events) {
      this.#events = this.#events.then(() => this.#writeEvent(told.object, event));
    }
  }

  async close(): Promise<void> {
    await this.#writes.close();
    await this.#events;
  }

  async #write({ object, status }: ToldRotation): Promise<void> {
    // A term may have ended while this waited for its turn.
    if (this.#options.isLeader()) await applyStatus(this.#options.api, refOf(object), status);
  }

  async #writeEvent(object: KubeObject, event: RotationEvent): Promise<void> {
    const { api, log } = this.#options;
    try {
      await createEvent(api, refOf(object), event);
    } catch (error) {
      log.warn({ err: error, rotation: object.metadata.name }, "event not written");
    }
  }

  #isWorthRetrying(name: string, error: unknown): boolean {
    const isGone = error instanceof KubeError && ["not_found", "conflict"].includes(error.reason);
    if (!isGone) this.#options.log.warn({ err: error, rotation: name }, "status not written");
    return !isGone;
  }
}

function refOf({ apiVersion, kind, metadata }: KubeObject): ObjectRef {
  const { name, uid } = metadata;
  return { apiVersion, kind, plural: "carotations", namespace: "", name, uid };
}
