/** A pod as every node is told about it. Enrolled or not: who lives behind an address matters to all callers. */
import type { MtlsModes } from "../../core/model/mtls-modes.ts";
import type { Workload } from "../../core/model/workload.ts";
import type { Pod } from "../resources/pod.ts";

export interface WorkloadFacts {
  readonly modes: MtlsModes;
  /** The pod's node reports it captured. */
  readonly tunnel: boolean;
}

/** `undefined` for a pod without an address of its own, and for one that ended: another may have its address. */
export function compileWorkload(pod: Pod, { modes, tunnel }: WorkloadFacts): Workload | undefined {
  if (pod.ended || pod.hostNetwork || pod.addresses.length === 0) return undefined;
  const { uid, namespace, name, serviceAccount, node, addresses, owner, weight } = pod;
  return { uid, namespace, name, serviceAccount, node, addresses, tunnel, modes, owner, weight };
}
