/**
 * What a rotation would do now, and what would stand in its way, as far as the mesh's objects tell it.
 *
 * Over objects already read; asks nobody, writes nothing, and never sees a key: whether the root's own key is
 * where the operator finds it is only known when a rotation is asked for.
 */
import { isOperatorRoot, readCertificates } from "./ca-roots.ts";
import { type ClusterObject, conditionsOf } from "./cluster-objects.ts";
import { chooseUnderWay, type RotationView } from "./rotation-view.ts";

export interface PlanObjects {
  readonly authority: "root" | "intermediate";
  /** Of the mesh: where node proxies run. */
  readonly namespace: string;
  readonly roots: ClusterObject | undefined;
  readonly meshConfig: ClusterObject | undefined;
  readonly rotations: readonly ClusterObject[];
  readonly reports: readonly ClusterObject[];
  readonly nodes: readonly ClusterObject[];
  /** Of all namespaces. */
  readonly pods: readonly ClusterObject[];
  readonly now: number;
}

export interface PlannedPhase {
  readonly phase: "Add" | "Reissue" | "Drop";
  readonly nodes: number;
  readonly leaves: number;
  /** Pods whose tunnels are made anew. */
  readonly pods: number;
}

export interface Hindrance {
  readonly node: string;
  readonly reason: "NoReport" | "StaleReport" | "NodeNotReady" | "NoNodeProxy";
  readonly message: string;
}

export interface Refusal {
  /** The operator's own code where it would be the one to refuse. */
  readonly reason: "CaBrought" | "SignerOwnsRoot" | "AnotherRotation" | "NoCa";
  readonly message: string;
}

export interface RotationPlan {
  readonly authority: "root" | "intermediate";
  /** Nothing refuses it, and nothing would hold it up. */
  readonly ready: boolean;
  readonly refusals: readonly Refusal[];
  readonly phases: readonly PlannedPhase[];
  readonly heldUpBy: readonly Hindrance[];
  readonly underWay: RotationView | null;
  /** What cannot be seen from here. */
  readonly notes: readonly string[];
}

export function planRotation(objects: PlanObjects): RotationPlan {
  const { authority, reports, nodes } = objects;
  const known = new Set(nodes.map(({ metadata }) => metadata.name));
  const counting = reports.filter(({ metadata }) => known.has(metadata.name));
  const underWay = chooseUnderWay(objects.rotations) ?? null;
  const refusals = refusalsOf(objects, underWay);
  const heldUpBy = nodes.flatMap((node) => hindranceOf(node, objects));
  const count = counting.length;
  const reissue = {
    phase: "Reissue",
    nodes: count,
    leaves: sum(counting, "leaves"),
    pods: sum(counting, "tunnels"),
  } as const;
  const add = { phase: "Add", nodes: count, leaves: 0, pods: 0 } as const;
  const drop = { phase: "Drop", nodes: count, leaves: 0, pods: 0 } as const;
  return {
    authority,
    ready: refusals.length === 0 && heldUpBy.length === 0,
    refusals,
    phases: authority === "root" ? [add, reissue, drop] : [reissue, drop],
    heldUpBy,
    underWay,
    notes: notesOf(objects),
  };
}

function refusalsOf(objects: PlanObjects, underWay: RotationView | null): readonly Refusal[] {
  const refusals: Refusal[] = [];
  const { certificates, problem } = readCertificates(objects.roots, "roots.pem");
  if (problem !== "") refusals.push({ reason: "NoCa", message: problem });
  if (objects.authority === "root" && hasSigner(objects)) {
    const message = "cert-manager signs (issuerRef): its root is exchanged there";
    refusals.push({ reason: "SignerOwnsRoot", message });
  } else if (objects.authority === "root" && !certificates.every(isOperatorRoot)) {
    const message =
      "the CA was brought: exchange it in its Secret, see docs/certificates.md#bringing-a-ca";
    refusals.push({ reason: "CaBrought", message });
  }
  if (underWay && underWay.authority !== objects.authority) {
    const message = `${underWay.name} is under way and exchanges the ${underWay.authority}`;
    refusals.push({ reason: "AnotherRotation", message });
  }
  return refusals;
}

function notesOf(objects: PlanObjects): readonly string[] {
  if (objects.authority === "root" || hasSigner(objects)) return [];
  const { certificates } = readCertificates(objects.roots, "roots.pem");
  const notes = ["whether the root's key is in the Secret (RootKeyOffline) is not seen from here"];
  if (!certificates.every(isOperatorRoot)) {
    notes.push("the CA was brought: the operator may refuse it (CaBrought)");
  }
  return notes;
}

function hasSigner({ meshConfig }: PlanObjects): boolean {
  const certificates = meshConfig?.spec?.["certificates"];
  return typeof certificates === "object" && certificates !== null && "issuerRef" in certificates;
}

function hindranceOf(node: ClusterObject, objects: PlanObjects): readonly Hindrance[] {
  const { name } = node.metadata;
  const report = objects.reports.find(({ metadata }) => metadata.name === name);
  const proxy = objects.pods.find((pod) => isNodeProxyOn(pod, name, objects.namespace));
  // A node that is no part of the mesh.
  if (!report && !proxy) return [];
  if (!report) {
    const message = "its node proxy has not reported yet: it counts from its first report on";
    return [{ node: name, reason: "NoReport", message }];
  }
  const at = textOf(report.status, "reportedAt");
  const last = at === "" ? "" : `; last report ${at}`;
  if (!isReady(node)) {
    return [{ node: name, reason: "NodeNotReady", message: `the node is not Ready${last}` }];
  }
  if (!proxy || !isReady(proxy)) {
    const message = `no node proxy is ready there${last}`;
    return [{ node: name, reason: "NoNodeProxy", message }];
  }
  if (!isStale(report, objects.now)) return [];
  const message = `every certificate that it reported has ended${last}`;
  return [{ node: name, reason: "StaleReport", message }];
}

/** By the name that the manifests give to the DaemonSet's pods. */
function isNodeProxyOn(pod: ClusterObject, node: string, namespace: string): boolean {
  const { metadata, spec, status } = pod;
  const isOurs = metadata.namespace === namespace && metadata.labels?.["app"] === "weft-node-proxy";
  return isOurs && spec?.["nodeName"] === node && status?.["phase"] === "Running";
}

function isReady(object: ClusterObject): boolean {
  return conditionsOf(object).some(({ type, status }) => type === "Ready" && status === "True");
}

/** A report is written when it changes, so its age alone says nothing; leaves are renewed long before they end. */
function isStale({ status }: ClusterObject, now: number): boolean {
  const leaves = (status?.["leaves"] ?? []) as readonly { readonly notAfter?: string }[];
  return leaves.length > 0 && leaves.every(({ notAfter = "" }) => !(Date.parse(notAfter) > now));
}

function sum(reports: readonly ClusterObject[], list: "leaves" | "tunnels"): number {
  return reports.reduce((count, { status }) => {
    const items = status?.[list];
    return count + (Array.isArray(items) ? items.length : 0);
  }, 0);
}

function textOf(status: ClusterObject["status"], field: string): string {
  const value = status?.[field];
  return typeof value === "string" ? value : "";
}
