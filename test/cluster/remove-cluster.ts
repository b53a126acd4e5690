/**
 * Removes every trace of a cluster, whether it runs, was interrupted while starting, or lost the
 * process that started it: processes (by their records only), namespaces, cgroups, files.
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { removeCgroup } from "./cgroup-tree.ts";
import type { ClusterLayout } from "./cluster-layout.ts";
import { listDaemons, stopDaemon } from "./daemon.ts";
import { removeLinkNetwork } from "./link-network.ts";

export async function removeCluster(layout: ClusterLayout): Promise<void> {
  // A node ends with its process 1, whose parent is recorded under the node's name and takes it
  // along; the kernel then ends whatever else runs in the node. Nothing here is worth an orderly end.
  await Promise.all(
    listDaemons(layout).map(async (name) => stopDaemon(layout, name, { signal: "SIGKILL" })),
  );
  await removeLinkNetwork(layout);
  for (const node of layout.nodes) {
    await retryWhileBusy(async () => removeCgroup(node.cgroup));
  }
  // The last mount namespace of a node ends a moment after its last process.
  await retryWhileBusy(async () => rm(layout.dir, { recursive: true, force: true }));
  if (existsSync(layout.dir)) {
    throw new Error(`${layout.dir} could not be removed`);
  }
}

async function retryWhileBusy(remove: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      await remove();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EBUSY" || Date.now() > deadline) {
        throw error;
      }
      await new Promise<void>((resolve) => setTimeout(resolve, 20));
    }
  }
}
