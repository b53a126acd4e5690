/**
 * `weftctl uninstall`: releases every pod, waits until every node says so, then deletes the mesh.
 *
 * The order matters. Webhooks go first, so that nothing new waits for a gate; gates are opened, so that
 * no pod that starts again waits for one; rules are gone before the node proxies are. Where a node does
 * not answer in time nothing is deleted, and it is named.
 *
 * A released pod whose rules are out may still have connections that go through its node proxy: these
 * get some seconds to end, and then end with it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { KubeApi } from "../core/kube/kube-api.ts";
import type { Command } from "./command.ts";
import { type ClusterObject, found, listObjects } from "./mesh/cluster-objects.ts";
import { capturesOf, isDraining, isEnrolled, isMeshNamespace } from "./mesh/mesh-view.ts";
import { print } from "./print.ts";

const ASK_EVERY_MS = 500;
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/**
 * By name, as the manifests have them and the operator expects them: labels differ with the tool that
 * somebody installed with. A test holds them to deploy/weft.yaml.
 */
const WEBHOOKS = [
  "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/weft",
  "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/weft",
];
const ROLES = [
  "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/weft-operator",
  "/apis/rbac.authorization.k8s.io/v1/clusterroles/weft-operator",
];

export interface UninstallResult {
  readonly releasedNamespaces: readonly string[];
  readonly openedGates: number;
  /** Nodes that still hold captured pods; nothing but the webhooks was deleted then. */
  readonly waitingFor: readonly string[];
  /** Released pods whose connections had not ended when the node proxies were deleted. */
  readonly draining: number;
  readonly deleted: boolean;
}

/** 0 once all is gone, 1 where a node did not release in time. */
export async function runUninstall(api: KubeApi, command: Command): Promise<number> {
  const result = await uninstall(api, command);
  print({ value: result, text: () => describe(result) }, command.output);
  return result.deleted ? 0 : 1;
}

async function uninstall(api: KubeApi, command: Command): Promise<UninstallResult> {
  for (const path of WEBHOOKS) await remove(api, path);
  const namespaces = await listObjects(api, "/api/v1/namespaces");
  const pods = await listObjects(api, "/api/v1/pods");
  const gated = pods.filter((pod) => hasGate(pod) || isEnrolled(pod, namespaces));
  for (const pod of gated) await openGate(api, pod);
  const releasedNamespaces: string[] = [];
  for (const namespace of namespaces.filter(isMeshNamespace)) {
    await unlabel(api, namespace.metadata.name);
    releasedNamespaces.push(namespace.metadata.name);
  }
  say(`released ${releasedNamespaces.join(", ") || "no namespace"}; waiting for the nodes`);
  const release = await untilReleased(api, command);
  const outcome = { releasedNamespaces, openedGates: gated.length, ...release };
  if (release.waitingFor.length > 0) return { ...outcome, deleted: false };
  await deleteMesh(api, command);
  return { ...outcome, deleted: true };
}

/** Also one that waits for a node, and one whose namespace is no longer labelled. */
function hasGate({ spec }: ClusterObject): boolean {
  const containers = (spec?.["initContainers"] ?? []) as readonly { readonly name?: string }[];
  return containers.some(({ name }) => name === "weft-gate");
}

/** The gate reads the annotation through the downward API, so also a container that runs again gets by. */
async function openGate(api: KubeApi, { metadata }: ClusterObject): Promise<void> {
  await found(
    api.call({
      method: "PATCH",
      path: `/api/v1/namespaces/${metadata.namespace}/pods/${metadata.name}`,
      patch: "merge",
      body: { metadata: { annotations: { "weft.dev/gate": "open" } } },
    }),
  );
}

async function unlabel(api: KubeApi, namespace: string): Promise<void> {
  await api.call({
    method: "PATCH",
    path: `/api/v1/namespaces/${namespace}`,
    patch: "merge",
    body: { metadata: { labels: { "weft.dev/mesh": null } } },
  });
}

type Release = Pick<UninstallResult, "waitingFor" | "draining">;

/** Until no node holds a pod, or for a while only such as have nothing but open connections. */
async function untilReleased(
  api: KubeApi,
  { timeoutSeconds, drainSeconds }: Command,
): Promise<Release> {
  const endMs = performance.now() + timeoutSeconds * 1000;
  let drainedMs = Number.POSITIVE_INFINITY;
  for (;;) {
    const reports = await listObjects(api, "/apis/weft.dev/v1/nodereports");
    const captures = reports.flatMap(capturesOf);
    const holding = reports.filter((report) => !capturesOf(report).every(isDraining));
    const now = performance.now();
    if (holding.length > 0) drainedMs = Number.POSITIVE_INFINITY;
    else drainedMs = Math.min(drainedMs, now + drainSeconds * 1000);
    if (captures.length === 0 || now >= drainedMs) {
      return { waitingFor: [], draining: captures.length };
    }
    if (now >= endMs) {
      const waitingFor = holding.map(({ metadata }) => metadata.name);
      return { waitingFor, draining: captures.filter(isDraining).length };
    }
    await delay(ASK_EVERY_MS);
  }
}

async function deleteMesh(api: KubeApi, { namespace, keepCrds }: Command): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}`;
  await remove(api, path);
  for (const role of ROLES) await remove(api, role);
  if (!keepCrds) await removeKinds(api);
  say(`deleting the namespace ${namespace}`);
  while ((await found(api.call({ method: "GET", path }))) !== undefined) await delay(ASK_EVERY_MS);
}

/** Every kind of our group, and so every object of these kinds. */
async function removeKinds(api: KubeApi): Promise<void> {
  for (const { metadata, spec } of await listObjects(api, CRDS)) {
    if (spec?.["group"] === "weft.dev") await remove(api, `${CRDS}/${metadata.name}`);
  }
}

/** What is not there (an uninstall that was broken off) is as good as removed. */
async function remove(api: KubeApi, path: string): Promise<void> {
  await found(api.call({ method: "DELETE", path }));
}

function describe({ waitingFor, openedGates, deleted }: UninstallResult): string {
  if (deleted) return `weft is gone; ${openedGates} pods were released and keep running`;
  return `not deleted: ${waitingFor.join(", ")} still hold captured pods; see weftctl status`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
