/** What the mesh says of itself in a test cluster, by its objects as a user reads them; and waiting for it. */
import { until } from "../world/until.ts";
import type { Cluster } from "./cluster.ts";
import type { EchoPod } from "./echo-workload.ts";

interface NodeReport {
  readonly metadata: { readonly name: string };
  readonly status: {
    readonly captures: readonly {
      readonly uid: string;
      readonly state: string;
      readonly reason?: string;
    }[];
    readonly leaves: readonly { readonly identity: string; readonly notAfter: string }[];
  };
}

const LIMIT_MS = 240_000;

export async function label(cluster: Cluster, namespace: string): Promise<void> {
  await cluster.kubectl(["label", "namespace", namespace, "weft.dev/mesh=enabled", "--overwrite"]);
}

export async function unlabel(cluster: Cluster, namespace: string): Promise<void> {
  await cluster.kubectl(["label", "namespace", namespace, "weft.dev/mesh-"]);
}

/** Resolves once the nodes have reported each of the pods as captured. */
export async function untilCaptured(cluster: Cluster, pods: readonly EchoPod[]): Promise<void> {
  const what = `${pods.map(({ name }) => name).join(", ")} to be captured`;
  await until(what, async () => areCaptured(await readReports(cluster), pods), LIMIT_MS);
}

/** Resolves once no node holds any of the pods. */
export async function untilReleased(cluster: Cluster, pods: readonly EchoPod[]): Promise<void> {
  const uids = new Set(pods.map(({ uid }) => uid));
  await until(
    "pods to be released",
    async () => {
      const reports = await readReports(cluster);
      const isHeld = reports.some(({ status }) => status.captures.some(({ uid }) => uids.has(uid)));
      return isHeld ? undefined : true;
    },
    LIMIT_MS,
  );
}

/** Of every certificate that the nodes hold: when it ends, by node and identity. */
export async function readLeaves(cluster: Cluster): Promise<ReadonlyMap<string, number>> {
  const reports = await readReports(cluster);
  return new Map(
    reports.flatMap(({ metadata, status }) =>
      status.leaves.map(
        ({ identity, notAfter }) => [`${metadata.name} ${identity}`, Date.parse(notAfter)] as const,
      ),
    ),
  );
}

/** Applies a policy, or any object of weft's with conditions, and resolves once every node concerned holds it. */
export async function enforce(cluster: Cluster, object: MeshObject): Promise<void> {
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(object));
  const { kind, metadata } = object;
  const place = metadata.namespace === undefined ? [] : ["-n", metadata.namespace];
  const generation = `jsonpath={.metadata.generation} {.status.observedGeneration} {.status.conditions[?(@.type=="Enforced")].status}`;
  await until(
    `${kind} ${metadata.name} to be enforced`,
    async () => {
      const read = await cluster.kubectl([...place, "get", kind, metadata.name, "-o", generation]);
      const [wanted, observed, status] = read.split(" ");
      return wanted === observed && status === "True" ? true : undefined;
    },
    LIMIT_MS,
  );
}

export interface MeshObject {
  readonly apiVersion: "weft.dev/v1";
  readonly kind:
    | "AuthorizationPolicy"
    | "PeerAuthentication"
    | "TrafficPolicy"
    | "MeshConfig"
    | "TrustBundle";
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

async function readReports(cluster: Cluster): Promise<readonly NodeReport[]> {
  const json = await cluster.kubectl(["get", "nodereports", "-o", "json"]);
  return (JSON.parse(json) as { readonly items: readonly NodeReport[] }).items;
}

function areCaptured(reports: readonly NodeReport[], pods: readonly EchoPod[]): true | undefined {
  const captured = new Set(
    reports.flatMap(({ status }) =>
      status.captures.filter(({ state }) => state === "captured").map(({ uid }) => uid),
    ),
  );
  return pods.every(({ uid }) => captured.has(uid)) ? true : undefined;
}
