/**
 * Writes conditions of Weft's own kinds to the API while this replica leads, and only what differs
 * from what the object says already.
 */

import type { KubeApi } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import type { Log } from "../../core/process/log.ts";
import type { PolicyState } from "../index/policy-state.ts";
import { applyStatus } from "../kube/status-patches.ts";
import { findWatchedKind } from "../resources/watched-kinds.ts";
import { CoalescedWrites } from "./coalesced-writes.ts";
import { changedStatus, type WrittenStatus } from "./conditions.ts";
import type { ObjectStatus } from "./mesh-status.ts";

interface Write {
  readonly state: PolicyState;
  readonly status: WrittenStatus;
}

export interface PolicyStatusWriterOptions {
  readonly api: KubeApi;
  readonly isLeader: () => boolean;
  readonly log: Log;
}

export class PolicyStatusWriter {
  readonly #options: PolicyStatusWriterOptions;
  readonly #writes: CoalescedWrites<Write>;

  constructor(options: PolicyStatusWriterOptions) {
    this.#options = options;
    this.#writes = new CoalescedWrites<Write>({
      write: (_key, value) => this.#write(value),
      onFailure: (key, error) => this.#isWorthRetrying(key, error),
      isSame: (a, b) => contentOf(a) === contentOf(b),
      intervalMs: 1000,
      limit: 8,
      // A node that comes changes the status of every policy; whoever has just applied one waits for nobody's.
      pace: { burst: 100, perSecond: 100 },
      isUrgent: ({ state }) => observedGeneration(state.status) !== state.generation,
    });
  }

  put(statuses: readonly ObjectStatus[]): void {
    if (!this.#options.isLeader()) return;
    for (const wanted of statuses) {
      const { state } = wanted;
      const { kind, namespace, name, generation } = state;
      const stamp = { generation, now: Date.now() };
      const changed = changedStatus(state.status, wanted, stamp);
      const key = `${kind} ${namespace}/${name}`;
      // What was written before is no proof: somebody may have edited it since.
      if (changed) this.#writes.put(key, { state, status: changed });
      else this.#writes.forget(key);
    }
  }

  async close(): Promise<void> {
    await this.#writes.close();
  }

  async #write({ state, status }: Write): Promise<void> {
    // A term may have ended while this waited for its turn.
    if (!this.#options.isLeader()) return;
    const { kind, namespace, name, uid } = state;
    const apiVersion = "weft.dev/v1";
    const plural = findWatchedKind(apiVersion, kind)?.plural ?? "";
    const object = { apiVersion, kind, plural, namespace, name, uid };
    await applyStatus(this.#options.api, object, status);
  }

  #isWorthRetrying(key: string, error: unknown): boolean {
    const isGone = error instanceof KubeError && ["not_found", "conflict"].includes(error.reason);
    if (!isGone) this.#options.log.warn({ err: error, object: key }, "status not written");
    return !isGone;
  }
}

/** Without the time, which differs with every computation. */
function contentOf({ state, status }: Write): string {
  const { conditions, nodes, ignored } = status;
  const content = conditions.map(({ type, status: is, reason, message, observedGeneration }) => {
    return [type, is, reason, message, observedGeneration];
  });
  return JSON.stringify([state.uid, content, nodes, ignored]);
}

function observedGeneration(status: unknown): unknown {
  return typeof status === "object" && status !== null && "observedGeneration" in status
    ? status.observedGeneration
    : undefined;
}
