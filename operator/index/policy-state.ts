/** What the status of a policy object is written from: how it was read, and what proves it enforced. */
import { type ResourceRef, resourceKey } from "../../core/model/resource.ts";
import type { CompileNote } from "../compile/authorization.ts";
import { selectsWorkload } from "../compile/selects-workload.ts";
import type { Reason } from "../resources/fields.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import type { ClusterState } from "./cluster-state.ts";
import type { HeldAuthorization, HeldMeshConfig, HeldPeerAuthentication } from "./policy-store.ts";

export interface PolicyState {
  readonly kind: "AuthorizationPolicy" | "PeerAuthentication" | "MeshConfig";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** As the source last gave it, so that a writer can compare before it writes. */
  readonly status: unknown;
  readonly accepted: boolean;
  /** Why it was refused; [] where accepted. */
  readonly reasons: readonly Reason[];
  readonly warnings: readonly Reason[];
  /** Fields not enforced as written. */
  readonly notes: readonly CompileNote[];
  /** Enforced on a node once it holds all of its proofs; a node without any has nothing to enforce. */
  readonly proofs: readonly Proof[];
}

/** A resource in that version, held by that node. */
export interface Proof {
  readonly node: string;
  /** `resourceKey` of the resource. */
  readonly key: string;
  readonly version: string;
}

export function listPolicyStates(state: ClusterState): readonly PolicyState[] {
  const { authorizations, peers, meshConfigs } = state.policies;
  return [
    ...authorizations.all().map((held) => authorizationState(state, held)),
    ...peers.all().map((held) => peerAuthenticationState(state, held)),
    ...meshConfigs.all().map((held) => meshConfigState(state, held)),
  ];
}

function authorizationState(state: ClusterState, held: HeldAuthorization): PolicyState {
  const { tables } = state;
  const ref = held.compiled?.policy.ref ?? "";
  const version = tables.findPolicy(ref)?.version ?? "";
  const key = resourceKey({ kind: "policy", name: ref });
  return {
    kind: "AuthorizationPolicy",
    ...identityOf(held.object),
    ...readingOf(held.parsed),
    notes: held.compiled?.notes ?? [],
    proofs: tables.nodesHolding(ref).map((node) => ({ node, key, version })),
  };
}

/** Its modes are part of the enrolments of the pods that it selects. */
function peerAuthenticationState(state: ClusterState, held: HeldPeerAuthentication): PolicyState {
  return {
    kind: "PeerAuthentication",
    ...identityOf(held.object),
    ...readingOf(held.parsed),
    notes: [],
    proofs: peerAuthenticationProofs(state, held),
  };
}

function peerAuthenticationProofs(
  state: ClusterState,
  { policy }: HeldPeerAuthentication,
): readonly Proof[] {
  if (!policy) return [];
  const { rootNamespace } = state;
  const { namespace } = policy.metadata;
  const isMeshWide = namespace === rootNamespace && policy.scope.kind === "namespace";
  const pods = isMeshWide ? state.pods.all() : state.pods.inNamespace(namespace);
  const proofs: Proof[] = [];
  for (const pod of pods) {
    const workload = { namespace: pod.namespace, labels: pod.labels, services: [] };
    if (!selectsWorkload(policy, workload, rootNamespace)) continue;
    const ref: ResourceRef = { kind: "enrolment", name: pod.uid };
    const enrolment = state.tables.findEnrolment(pod.node, pod.uid);
    if (enrolment) {
      proofs.push({ node: pod.node, key: resourceKey(ref), version: enrolment.version });
    }
  }
  return proofs;
}

function meshConfigState(state: ClusterState, held: HeldMeshConfig): PolicyState {
  const ref: ResourceRef = { kind: "settings", name: "mesh" };
  const version = state.tables.global.get(ref)?.version ?? "";
  const isRuling = held.parsed.kind === "accepted";
  return {
    kind: "MeshConfig",
    ...identityOf(held.object),
    ...readingOf(held.parsed),
    notes: [],
    proofs: isRuling
      ? [...state.nodes.keys()].map((node) => ({ node, key: resourceKey(ref), version }))
      : [],
  };
}

function identityOf({ metadata, status }: KubeObject) {
  const { namespace, name, uid, generation } = metadata;
  return { namespace, name, uid, generation, status };
}

function readingOf(
  parsed:
    | { readonly kind: "accepted"; readonly warnings: readonly Reason[] }
    | { readonly kind: "refused"; readonly reasons: readonly Reason[] },
) {
  return parsed.kind === "accepted"
    ? { accepted: true, reasons: [], warnings: parsed.warnings }
    : { accepted: false, reasons: parsed.reasons, warnings: [] };
}
