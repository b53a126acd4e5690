/** Installs the mesh into a test cluster as a user would: the image onto the nodes, then the manifests. */
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";
import { buildWeftImage } from "./weft-image.ts";

const DEPLOY = join(import.meta.dirname, "..", "..", "deploy");

/** Returns once every replica of operator and node proxy is ready, and the API server trusts the webhooks. */
export async function installWeft(cluster: Cluster): Promise<void> {
  await cluster.loadImage(await buildWeftImage());
  await applyManifests(cluster);
  for (const workload of ["deployment/weft-operator", "daemonset/weft-node-proxy"]) {
    await cluster.kubectl(["-n", "weft-system", "rollout", "status", workload, "--timeout=120s"]);
  }
  const trusted = "--for=jsonpath={.webhooks[0].clientConfig.caBundle}";
  for (const kind of ["validating", "mutating"]) {
    const configuration = `${kind}webhookconfiguration/weft`;
    await cluster.kubectl(["wait", trusted, "--timeout=90s", configuration]);
  }
}

/** `kubectl apply -k deploy`, and waits until the API server serves our kinds. */
async function applyManifests(cluster: Cluster): Promise<void> {
  await cluster.kubectl(["apply", "-k", DEPLOY]);
  const names = await cluster.kubectl(["get", "crd", "-o", "name"]);
  const ours = names.split("\n").filter((name) => name.endsWith(".weft.dev"));
  await cluster.kubectl(["wait", "--for=condition=Established", "--timeout=30s", ...ours]);
}
