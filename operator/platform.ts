/**
 * What the operator runs on: the Kubernetes API, or a directory of files. Everything that differs
 * between the two stands behind this; `app.ts` is the same for both.
 */
import type { Authority } from "./ca/authority.ts";
import type { IntermediateSource } from "./ca/intermediate-source.ts";
import type { KeyStore } from "./ca/key-store.ts";
import type { Authenticate } from "./distribute/authenticate.ts";
import type { RouteState } from "./index/route-store.ts";
import type { KubeChange } from "./resources/kube-object.ts";
import type { ToldRotation } from "./rotation/rotation-runner.ts";
import type { Source } from "./source/source.ts";
import type { KeptLeavesNews } from "./status/kept-leaves-writer.ts";
import type { ObjectStatus } from "./status/mesh-status.ts";
import type { ToldReport } from "./status/node-report-object.ts";

export interface Platform {
  readonly source: Source;
  readonly keyStore: KeyStore;
  readonly authenticate: Authenticate;
  /** Who makes the mesh's intermediate, by MeshConfig of now. */
  intermediates(): IntermediateSource;
  /** Makes the roots known to node proxies. */
  publishRoots(rootsPem: string): Promise<void>;
  /** Every change of the source, after the index has taken it. */
  observe(change: KubeChange): void;
  /** A node has reported, or acknowledged, on a stream of this replica; told before any node is told of it. */
  tellReport(told: ToldReport): void;
  /** The node proxy's pod ends and its successor lives on the same node. */
  isSuperseded(podUid: string): boolean;
  /** A node has no stream here any more. */
  tellGone(node: string): void;
  /** What is remembered of a node's leaves has changed, and it has no stream here: no report of it is told. */
  tellKeptLeaves(news: KeptLeavesNews): void;
  /** The node is gone, and all that its report names has ended. True where the report is gone at once. */
  dropReport(node: string): boolean;
  tellStatus(statuses: readonly ObjectStatus[], routes: readonly RouteState[]): void;
  tellRotation(told: ToldRotation): void;
  /** What a rotation of the CA has to know of those who are not told on a stream. */
  readonly trust: PublishedTrust;
  /** After the CA is there and before the program is ready: whatever else has to serve. */
  open(opening: Opening): Promise<void>;
  /** Told to stop: resolves once nobody is sent here any more. Everything goes on serving until then. */
  leave(): Promise<void>;
  close(): Promise<void>;
}

export interface PublishedTrust {
  isLeader(): boolean;
  /** Takes what the key store holds now, and publishes its roots. */
  follow(): Promise<void>;
  /** PEM of the roots that this leader has published last; `undefined` where that failed. */
  publishedPem(): string | undefined;
}

export interface Opening {
  readonly authority: Authority;
  /** Another CA certificate signs, perhaps under other roots: what was made by the one before is made anew. */
  readonly onCaChanged: () => void;
  /** Asks for all conditions to be told again, and rotations moved on: a new leader has to. */
  readonly recomputeStatus: () => void;
}
