/** Installs the mesh into a test cluster as a user would: the image onto the nodes, then the manifests. */
import { join } from "node:path";
import { until } from "../world/until.ts";
import type { Cluster } from "./cluster.ts";
import { buildWeftImage } from "./weft-image.ts";

const DEPLOY = join(import.meta.dirname, "..", "..", "deploy");
const WEBHOOK_LIMIT_MS = 240_000;
/** The kind's schema lets it pass, our webhook does not. */
const UNREADABLE_POLICY = {
  apiVersion: "weft.dev/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "unreadable", namespace: "default" },
  spec: { rules: [{ from: [{ source: { ipBlocks: ["10.0.0.0/99"] } }] }] },
};

/** Returns once every replica of operator and node proxy is ready, and the webhooks answer. */
export async function installWeft(cluster: Cluster): Promise<void> {
  await cluster.loadImage(await buildWeftImage());
  await applyManifests(cluster);
  for (const workload of ["deployment/weft-operator", "daemonset/weft-node-proxy"]) {
    await cluster.kubectl(["-n", "weft-system", "rollout", "status", workload, "--timeout=240s"]);
  }
  const trusted = "--for=jsonpath={.webhooks[0].clientConfig.caBundle}";
  for (const kind of ["validating", "mutating"]) {
    const configuration = `${kind}webhookconfiguration/weft`;
    await cluster.kubectl(["wait", trusted, "--timeout=240s", configuration]);
  }
  await untilWebhookAnswers(cluster);
}

/** The Service's endpoints may follow the pods' readiness late: by a minute after an outage of the API server. */
async function untilWebhookAnswers(cluster: Cluster): Promise<void> {
  const create = ["create", "--dry-run=server", "-f", "-"];
  await until(
    "the webhook for our objects to answer",
    async () => {
      const { stderr } = await cluster.tryKubectl(create, JSON.stringify(UNREADABLE_POLICY));
      return stderr.includes("must be an address") ? true : undefined;
    },
    WEBHOOK_LIMIT_MS,
  );
}

/** `kubectl apply -k deploy`, and waits until the API server serves our kinds. */
async function applyManifests(cluster: Cluster): Promise<void> {
  await cluster.kubectl(["apply", "-k", DEPLOY]);
  const names = await cluster.kubectl(["get", "crd", "-o", "name"]);
  const ours = names.split("\n").filter((name) => name.endsWith(".weft.dev"));
  await cluster.kubectl(["wait", "--for=condition=Established", "--timeout=240s", ...ours]);
}
