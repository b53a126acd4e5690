/** How many pods of the mesh are captured, and how many are not: also those on nodes that tell nothing. */
import { isMeshed } from "../compile/enrolment.ts";
import type { ClusterState } from "./cluster-state.ts";

export interface CaptureCounts {
  readonly captured: number;
  /** Have an address, run or are about to, and their node does not say that it has captured them. */
  readonly missing: number;
}

/** Looks at every pod: for a scrape, not for every change. */
export function countCaptures({ pods, namespaces, reports }: ClusterState): CaptureCounts {
  let captured = 0;
  let missing = 0;
  for (const pod of pods.all()) {
    if (pod.ended || pod.addresses.length === 0) continue;
    if (!isMeshed(pod, namespaces.get(pod.namespace))) continue;
    if (reports.isCapturedNow(pod.node, pod.uid)) captured += 1;
    else missing += 1;
  }
  return { captured, missing };
}
