/** What the Kubernetes API says that rules one pod: only the objects that can, read once. */
import { type KubeApi, kubePath } from "../../core/kube/kube-api.ts";
import { ClusterIndex } from "../../operator/index/cluster-index.ts";
import { parseKubeObject } from "../../operator/resources/kube-object.ts";
import { WATCHED_KINDS } from "../../operator/resources/watched-kinds.ts";
import { listObjects } from "../mesh/cluster-objects.ts";

/** Kinds of which those in the pod's and in the root namespace matter. */
const NAMESPACED = new Set([
  "Pod",
  "Service",
  "AuthorizationPolicy",
  "PeerAuthentication",
  "RequestAuthentication",
]);
const CLUSTER = new Set(["MeshConfig", "Namespace", "Node", "NodeReport"]);

export async function readMeshFromCluster(
  api: KubeApi,
  namespace: string,
  rootNamespace: string,
): Promise<ClusterIndex> {
  const index = new ClusterIndex({ rootNamespace, schedule: ignore });
  for (const { apiVersion, kind, plural, namespaced } of WATCHED_KINDS) {
    if (!NAMESPACED.has(kind) && !CLUSTER.has(kind)) continue;
    const group = apiVersion.includes("/")
      ? ["apis", ...apiVersion.split("/")]
      : ["api", apiVersion];
    const namespaces = namespaced ? new Set([namespace, rootNamespace]) : [undefined];
    for (const each of namespaces) {
      const place = each === undefined ? [] : ["namespaces", each];
      const objects = await listObjects(api, kubePath(...group, ...place, plural));
      // Items of a list do not name their kind.
      applyAll(
        index,
        objects.map((object) => ({ ...object, apiVersion, kind })),
      );
    }
  }
  return index;
}

function applyAll(index: ClusterIndex, objects: readonly object[]): void {
  for (const object of objects) {
    const parsed = parseKubeObject(object);
    if (parsed.kind === "accepted") index.apply({ kind: "upsert", object: parsed.value });
  }
}

function ignore(): void {}
