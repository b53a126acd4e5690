/**
 * Sees to it that a NodeReport names the leaves of its node that were taken back, where its node has no stream to
 * this replica: another replica writes the whole report, or nobody does because the node is gone.
 *
 * Who has the stream decides the same and writes it at once; this only fills in what is still missing a while later,
 * so replicas that saw different things come to the same set.
 */
import type { KubeApi } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import type { Log } from "../../core/process/log.ts";
import { patchNodeReport } from "../kube/status-patches.ts";
import type { KeptLeaves } from "../resources/node-report.ts";
import { CoalescedWrites } from "./coalesced-writes.ts";
import { keptContent } from "./node-report-object.ts";

/** Longer than it takes to hear what another replica has written. */
const GRACE_MS = 2_000;

export interface KeptLeavesWriterOptions {
  readonly api: KubeApi;
  readonly log: Log;
  /** Default 2 s. */
  readonly graceMs?: number;
}

export interface KeptLeavesNews {
  readonly node: string;
  /** Asked when its time has come; `undefined` where all of it has been written by then. */
  readonly unwritten: () => KeptLeaves | undefined;
  /** Its Node was deleted: nothing is served by it any more. */
  readonly isGone: boolean;
}

export class KeptLeavesWriter {
  readonly #options: KeptLeavesWriterOptions;
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  readonly #writes: CoalescedWrites<object>;

  constructor(options: KeptLeavesWriterOptions) {
    this.#options = options;
    this.#writes = new CoalescedWrites<object>({
      write: (node, status) => patchNodeReport(options.api, node, status),
      onFailure: (node, error) => this.#isWorthRetrying(node, error),
      // What was written may have been overwritten by a report that did not know of it.
      isSame: () => false,
      intervalMs: 1000,
      limit: 4,
    });
  }

  put({ node, unwritten, isGone }: KeptLeavesNews): void {
    clearTimeout(this.#waiting.get(node));
    const timer = setTimeout(() => {
      this.#waiting.delete(node);
      const kept = unwritten();
      if (!kept) return;
      const { earlierLeaves, revoked } = keptContent(kept);
      // The alert for leaves that end soon must not ring for a node that is gone.
      const leaves = isGone ? { leaves: [] } : {};
      this.#writes.put(node, { earlierLeaves, revoked, ...leaves });
    }, this.#options.graceMs ?? GRACE_MS);
    this.#waiting.set(node, timer);
  }

  async close(): Promise<void> {
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    await this.#writes.close();
  }

  #isWorthRetrying(node: string, error: unknown): boolean {
    // Somebody removed it; the node's next report makes it anew.
    if (error instanceof KubeError && error.reason === "not_found") return false;
    this.#options.log.warn({ err: error, node }, "revoked certificates not written");
    return true;
  }
}
