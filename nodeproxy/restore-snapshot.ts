/** Last known good: what a node proxy finds in its run directory when it starts, said in the log where it cannot be used. */
import type { Resource } from "../core/model/resource.ts";
import type { Log } from "../core/process/log.ts";
import type { ServedLeaf } from "./channel/messages.ts";
import { restoreLeaves, restoreResources } from "./control/snapshot.ts";

export interface RestoredSnapshot {
  readonly leaves: readonly ServedLeaf[];
  /** `undefined` where there is no snapshot: then nobody may be released. */
  readonly resources: readonly Resource[] | undefined;
}

export async function restoreSnapshot(runDir: string, log: Log): Promise<RestoredSnapshot> {
  const leaves = await restoreLeaves(runDir);
  const resources = await restoreResources(runDir);
  for (const restored of [leaves, resources]) {
    if (restored.kind === "unusable") {
      log.warn({ reasons: restored.reasons.slice(0, 5) }, "snapshot not used");
    }
  }
  if (resources.kind === "restored") {
    log.info({ resources: resources.value.length }, "snapshot restored");
  }
  return {
    leaves: leaves.kind === "restored" ? leaves.value : [],
    resources: resources.kind === "restored" ? resources.value : undefined,
  };
}
