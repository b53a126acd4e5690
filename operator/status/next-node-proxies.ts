/**
 * Lets a node's next proxy be made as soon as the pod of the one there is told to end. A DaemonSet makes another pod only
 * where it has none, and one that ends counts until it is gone: so the one that ends is taken out of the set, by its label.
 *
 * Says nothing to either pod: how the one hands over to the other is theirs (`nodeproxy/handover`).
 */
import { type KubeApi, kubePath } from "../../core/kube/kube-api.ts";
import { KubeError } from "../../core/kube/kube-error.ts";
import type { Log } from "../../core/process/log.ts";
import type { KubeChange, KubeObject } from "../resources/kube-object.ts";
import { CoalescedWrites } from "./coalesced-writes.ts";
import type { PodDirectory } from "./pod-directory.ts";

/** What the DaemonSet knows its pods by (deploy/node-proxy.yaml), and what it does not. */
const LABEL = "app";
const IN_SET = "weft-node-proxy";
const OUT_OF_SET = "weft-node-proxy-leaving";

export interface NextNodeProxiesOptions {
  readonly api: KubeApi;
  /** The operator's own, which is the node proxies'. */
  readonly namespace: string;
  /** One replica is enough. */
  readonly isLeader: () => boolean;
  /** Whether the node has another already, as in an upgrade. */
  readonly pods: Pick<PodDirectory, "isSuperseded">;
  readonly log: Log;
}

export class NextNodeProxies {
  readonly #options: NextNodeProxiesOptions;
  /** Names of pods that end and are in the set, by UID. */
  readonly #ending = new Map<string, string>();
  readonly #writes: CoalescedWrites<string>;

  constructor(options: NextNodeProxiesOptions) {
    this.#options = options;
    this.#writes = new CoalescedWrites<string>({
      write: (uid, name) => this.#takeOut(uid, name),
      onFailure: (uid, error) => this.#isWorthRetrying(uid, error),
      isSame: (a, b) => a === b,
      intervalMs: 1000,
      limit: 4,
    });
  }

  observe({ kind, object }: KubeChange): void {
    if (object.kind !== "Pod" || object.metadata.namespace !== this.#options.namespace) return;
    const { uid, name } = object.metadata;
    if (kind === "upsert" && isEndingInSet(object)) this.#ending.set(uid, name);
    else if (this.#ending.delete(uid)) this.#writes.forget(uid);
    this.look();
  }

  /** Also to be called by whoever has become the leader. */
  look(): void {
    const { isLeader, pods } = this.#options;
    if (!isLeader()) return;
    for (const [uid, name] of this.#ending) {
      if (!pods.isSuperseded(uid)) this.#writes.put(uid, name);
    }
  }

  async close(): Promise<void> {
    await this.#writes.close();
  }

  async #takeOut(uid: string, name: string): Promise<void> {
    const { api, namespace, log } = this.#options;
    await api.call({
      method: "PATCH",
      path: kubePath("api", "v1", "namespaces", namespace, "pods", name),
      patch: "merge",
      // Another pod of that name is not the one that ends: the API server compares the UID.
      body: { metadata: { uid, labels: { [LABEL]: OUT_OF_SET } } },
    });
    log.info({ pod: name }, "node proxy ends, its node may have the next one");
  }

  #isWorthRetrying(uid: string, error: unknown): boolean {
    const reason = error instanceof KubeError ? error.reason : undefined;
    if (reason === "not_found" || reason === "conflict" || !this.#ending.has(uid)) return false;
    const pod = this.#ending.get(uid);
    this.#options.log.warn({ err: error, pod }, "node proxy not taken out of its set");
    return true;
  }
}

function isEndingInSet({ metadata }: KubeObject): boolean {
  const { deletionTimestamp, labels, ownerReferences } = metadata;
  const isOfSet = ownerReferences.some(
    ({ kind, controller }) => controller && kind === "DaemonSet",
  );
  return deletionTimestamp !== "" && labels[LABEL] === IN_SET && isOfSet;
}
