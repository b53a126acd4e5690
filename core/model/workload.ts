/** One pod (or machine) as every node proxy of the mesh knows it: who lives behind an address. */
import type { MtlsModes } from "./mtls-modes.ts";

export const MAX_WEIGHT = 1000;

export interface Workload {
  /** The pod's UID. Pools, caches and metrics are keyed by it, since addresses get reused. */
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly node: string;
  /** Canonical texts (`core/model/ip.ts`), the primary address first. Never an address of the host. */
  readonly addresses: readonly string[];
  /**
   * True once the workload's node has reported it captured. Callers then use the tunnel and never
   * plaintext (invariant 1), except to ports whose mode is DISABLE.
   */
  readonly tunnel: boolean;
  readonly modes: MtlsModes;
  /** For telemetry: the name of the Deployment, StatefulSet, … or of the pod itself. */
  readonly owner: string;
  /** Its part in weighted round robin, 1 to MAX_WEIGHT. */
  readonly weight: number;
}
