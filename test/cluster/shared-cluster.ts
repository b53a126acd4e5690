/**
 * The one cluster all files of the tier share. `WEFT_CLUSTER=NAME` takes one that runs already (and
 * leaves it running), which saves the boot while writing a test. `test/run.ts` opens and closes it.
 */
import { attachCluster, type Cluster, createCluster } from "./cluster.ts";
import { buildWeftImage } from "./weft-image.ts";

const OWN_NAME = "test";

/** Boots the cluster with the image on every node, but no mesh installed. */
export async function openSharedCluster(): Promise<void> {
  if (process.env["WEFT_CLUSTER"] !== undefined) {
    sharedCluster();
    return;
  }
  // Built first: a build that fails need not wait for a cluster.
  const image = await buildWeftImage();
  const cluster = await createCluster({ name: OWN_NAME, nodes: 2 });
  await cluster.loadImage(image);
}

export async function closeSharedCluster(): Promise<void> {
  if (process.env["WEFT_CLUSTER"] === undefined) {
    await attachCluster(OWN_NAME)?.close();
  }
}

/** What the tests call: throws where no cluster runs. */
export function sharedCluster(): Cluster {
  const name = process.env["WEFT_CLUSTER"] ?? OWN_NAME;
  const cluster = attachCluster(name);
  if (cluster === undefined) {
    throw new Error(
      `cluster ${name} does not run: use npm run test:cluster, or npm run cluster -- up`,
    );
  }
  return cluster;
}
