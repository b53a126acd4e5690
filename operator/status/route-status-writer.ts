/**
 * Writes what we say of routes to the API while this replica leads, and only what differs from what is there.
 *
 * `status.parents` is one list for all controllers and merges by nothing: it is written as a whole, with others' entries
 * as they were read, and only to the very version that they were read from. Whoever comes second reads again: the watch
 * brings the newer object, and that the next write.
 */
import type { KubeApi } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import type { Log } from "../../core/process/log.ts";
import type { RouteState } from "../index/route-store.ts";
import { replaceInStatus } from "../kube/status-patches.ts";
import { type KubeObject, objectKey } from "../resources/kube-object.ts";
import { findWatchedKind } from "../resources/watched-kinds.ts";
import { CoalescedWrites } from "./coalesced-writes.ts";
import { changedParents, contentOf, type RouteStatus } from "./route-status.ts";

interface Write {
  /** As it was read. */
  readonly object: KubeObject;
  readonly status: RouteStatus;
}

export interface RouteStatusWriterOptions {
  readonly api: KubeApi;
  readonly isLeader: () => boolean;
  readonly log: Log;
}

export class RouteStatusWriter {
  readonly #options: RouteStatusWriterOptions;
  readonly #writes: CoalescedWrites<Write>;
  /** Keys of the last `put`. */
  #known: ReadonlySet<string> = new Set();

  constructor(options: RouteStatusWriterOptions) {
    this.#options = options;
    this.#writes = new CoalescedWrites<Write>({
      write: (_key, value) => this.#write(value),
      onFailure: (key, error) => this.#isWorthRetrying(key, error),
      isSame,
      intervalMs: 1000,
      limit: 8,
      // A Service that comes or goes may concern thousands of routes.
      pace: { burst: 100, perSecond: 100 },
    });
  }

  /** All routes there are. */
  put(routes: readonly RouteState[]): void {
    if (!this.#options.isLeader()) return;
    const known = new Set<string>();
    for (const state of routes) {
      const { object } = state;
      const key = objectKey(object);
      known.add(key);
      const status = changedParents(state, Date.now());
      // What was written before is no proof: somebody may have edited it since.
      if (status) this.#writes.put(key, { object, status });
      else this.#writes.forget(key);
    }
    for (const key of this.#known) if (!known.has(key)) this.#writes.forget(key);
    this.#known = known;
  }

  async close(): Promise<void> {
    await this.#writes.close();
  }

  async #write({ object, status }: Write): Promise<void> {
    // A term may have ended while this waited for its turn.
    if (!this.#options.isLeader()) return;
    const { apiVersion, kind, metadata } = object;
    const plural = findWatchedKind(apiVersion, kind)?.plural ?? "";
    const { namespace, name, uid, resourceVersion } = metadata;
    const target = { apiVersion, kind, plural, namespace, name, uid, resourceVersion };
    const parents = [...status.others, ...status.own];
    await replaceInStatus(this.#options.api, target, { parents });
  }

  #isWorthRetrying(key: string, error: unknown): boolean {
    // The version that this is for will not come back.
    const isOver = error instanceof KubeError && ["not_found", "conflict"].includes(error.reason);
    if (!isOver) this.#options.log.warn({ err: error, object: key }, "status not written");
    return !isOver;
  }
}

/** What was written to one version may be gone in the next, so that it has to be written again. */
function isSame(a: Write, b: Write): boolean {
  return (
    a.object.metadata.uid === b.object.metadata.uid &&
    a.object.metadata.resourceVersion === b.object.metadata.resourceVersion &&
    contentOf(a.status) === contentOf(b.status)
  );
}
