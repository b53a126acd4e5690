/**
 * The mesh as its objects tell it: one value that `weftctl status` prints and a program can check.
 *
 * Pure over lists of objects; asks nobody.
 */
import { type ClusterObject, type Condition, conditionsOf } from "./cluster-objects.ts";

export interface MeshObjects {
  readonly deployment: ClusterObject | undefined;
  readonly daemonSet: ClusterObject | undefined;
  readonly namespaces: readonly ClusterObject[];
  readonly pods: readonly ClusterObject[];
  readonly reports: readonly ClusterObject[];
  readonly policies: readonly ClusterObject[];
}

export interface MeshView {
  readonly installed: boolean;
  /** Everything that the mesh claims holds: programs ready, every enrolled pod captured, every policy accepted and enforced. */
  readonly healthy: boolean;
  readonly operator: Readiness;
  readonly nodeProxies: Readiness;
  readonly nodes: readonly NodeView[];
  readonly namespaces: readonly NamespaceView[];
  readonly notCaptured: readonly NotCaptured[];
  readonly policies: readonly PolicyView[];
}

export interface Readiness {
  readonly ready: number;
  readonly wanted: number;
}

export interface NodeView {
  readonly node: string;
  readonly version: string;
  readonly captured: number;
  readonly pending: number;
  readonly failed: number;
  readonly leaves: number;
}

export interface NamespaceView {
  readonly namespace: string;
  readonly pods: number;
  readonly captured: number;
}

export interface NotCaptured {
  readonly pod: string;
  readonly node: string;
  readonly state: string;
  readonly reason: string;
  readonly message: string;
}

export interface PolicyView {
  readonly kind: string;
  readonly name: string;
  readonly accepted: string;
  readonly enforced: string;
  /** Stable code of the condition that `message` is of. */
  readonly reason: string;
  readonly message: string;
  /** What of an accepted one is read otherwise than it is written. */
  readonly note: string;
}

interface Capture {
  readonly uid: string;
  readonly state: string;
  readonly reason?: string;
  readonly message?: string;
}

export function viewMesh(objects: MeshObjects): MeshView {
  const { deployment, daemonSet } = objects;
  const operator = {
    ready: countOf(deployment?.status, "readyReplicas"),
    // status.replicas only counts those that could be made.
    wanted: countOf(deployment?.spec, "replicas") || countOf(deployment?.status, "replicas"),
  };
  const nodeProxies = {
    ready: countOf(daemonSet?.status, "numberReady"),
    wanted: countOf(daemonSet?.status, "desiredNumberScheduled"),
  };
  const captures = new Map(
    objects.reports.flatMap((report) =>
      capturesOf(report).map((each) => [each.uid, each] as const),
    ),
  );
  const enrolled = objects.pods.filter((pod) => isEnrolled(pod, objects.namespaces));
  const notCaptured = enrolled.flatMap((pod) => describeNotCaptured(pod, captures));
  const policies = objects.policies.map(viewPolicy);
  const installed = deployment !== undefined && daemonSet !== undefined;
  const areReady = [operator, nodeProxies].every(
    ({ ready, wanted }) => ready >= wanted && ready > 0,
  );
  return {
    installed,
    healthy: installed && areReady && notCaptured.length === 0 && policies.every(isInForce),
    operator,
    nodeProxies,
    nodes: objects.reports.map(viewNode),
    namespaces: objects.namespaces.filter(isMeshNamespace).map((namespace) => {
      const pods = enrolled.filter((pod) => pod.metadata.namespace === namespace.metadata.name);
      const captured = pods.filter((pod) => isCaptured(pod, captures)).length;
      return { namespace: namespace.metadata.name, pods: pods.length, captured };
    }),
    notCaptured,
    policies,
  };
}

function countOf(fields: ClusterObject["spec"], field: string): number {
  const value = fields?.[field];
  return typeof value === "number" ? value : 0;
}

export function capturesOf(report: ClusterObject): readonly Capture[] {
  return (report.status?.["captures"] ?? []) as readonly Capture[];
}

/** Its rules are out; what is left are connections that began before. */
export function isDraining({ state, reason }: Capture): boolean {
  return state === "releasing" && reason === "draining";
}

/** The mesh's own namespace never is, whatever its labels say. */
export function isMeshNamespace({ metadata }: ClusterObject): boolean {
  return metadata.labels?.["weft.dev/mesh"] === "enabled" && metadata.name !== "weft-system";
}

/** As the operator reads it: labelled namespace, not opted out, not on the host's network, not ended. */
export function isEnrolled(pod: ClusterObject, namespaces: readonly ClusterObject[]): boolean {
  const { metadata, spec, status } = pod;
  const isOptedOut = metadata.labels?.["weft.dev/mesh"] === "disabled";
  const hasEnded = status?.["phase"] === "Succeeded" || status?.["phase"] === "Failed";
  if (isOptedOut || hasEnded || spec?.["hostNetwork"] === true) return false;
  if (typeof spec?.["nodeName"] !== "string") return false;
  return namespaces.some(
    (each) => each.metadata.name === metadata.namespace && isMeshNamespace(each),
  );
}

function isCaptured(pod: ClusterObject, captures: ReadonlyMap<string, Capture>): boolean {
  return captures.get(pod.metadata.uid ?? "")?.state === "captured";
}

function describeNotCaptured(
  pod: ClusterObject,
  captures: ReadonlyMap<string, Capture>,
): readonly NotCaptured[] {
  if (isCaptured(pod, captures)) return [];
  const capture = captures.get(pod.metadata.uid ?? "");
  return [
    {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      node: String(pod.spec?.["nodeName"]),
      state: capture?.state ?? "unreported",
      reason: capture?.reason ?? "no_report",
      message:
        capture?.message ?? "the pod's node has not reported it: does a node proxy run there?",
    },
  ];
}

function viewNode(report: ClusterObject): NodeView {
  const captures = capturesOf(report);
  const { version = "", leaves = [] } = (report.status ?? {}) as {
    readonly version?: string;
    readonly leaves?: readonly unknown[];
  };
  function count(state: string): number {
    return captures.filter((capture) => capture.state === state).length;
  }
  return {
    node: report.metadata.name,
    version,
    captured: count("captured"),
    pending: count("pending"),
    failed: count("failed"),
    leaves: leaves.length,
  };
}

function viewPolicy(policy: ClusterObject): PolicyView {
  const accepted = currentCondition(policy, "Accepted");
  const enforced = currentCondition(policy, "Enforced");
  const { namespace } = policy.metadata;
  const { reason = "", message = "" } = (accepted?.status === "True" ? enforced : accepted) ?? {};
  return {
    kind: policy.kind ?? "",
    name: namespace === undefined ? policy.metadata.name : `${namespace}/${policy.metadata.name}`,
    accepted: accepted?.status ?? "Unknown",
    enforced: enforced?.status ?? "Unknown",
    reason,
    message,
    note: noteOf(accepted),
  };
}

function noteOf(accepted: Condition | undefined): string {
  return accepted?.status === "True" ? (accepted.message ?? "") : "";
}

/** One that was judged before the last change of the object says nothing about what is there now. */
function currentCondition(policy: ClusterObject, type: string): Condition | undefined {
  const condition = conditionsOf(policy).find((each) => each.type === type);
  const { generation } = policy.metadata;
  const judged = condition?.observedGeneration ?? generation;
  return judged === generation ? condition : undefined;
}

/** One in dry-run is as its author wants it. */
export function isInForce({ accepted, enforced, reason }: PolicyView): boolean {
  return accepted === "True" && (enforced === "True" || reason === "DryRun");
}
