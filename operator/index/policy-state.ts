/** What the status of a policy object is written from: how it was read, and what proves it enforced. */
import { type Resource, type ResourceRef, resourceKey } from "../../core/model/resource.ts";
import {
  type CompiledAuthorization,
  type CompileNote,
  providerNotes,
} from "../compile/authorization.ts";
import { selectsWorkload } from "../compile/selects-workload.ts";
import type { Reason } from "../resources/fields.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import type { Pod } from "../resources/pod.ts";
import type { ClusterState } from "./cluster-state.ts";
import { notesWhere, type SeeingPorts, seeingPortsIn } from "./http-of-pod.ts";
import type { HeldAuthorization, HeldMeshConfig, HeldPeerAuthentication } from "./policy-store.ts";
import { contradictionWarnings, peerPortWarnings, standingWarnings } from "./policy-warnings.ts";

export interface PolicyState {
  readonly kind:
    | "AuthorizationPolicy"
    | "PeerAuthentication"
    | "RequestAuthentication"
    | "TrafficPolicy"
    | "MeshConfig"
    | "TrustBundle";
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** As the source last gave it, so that a writer can compare before it writes. */
  readonly status: unknown;
  readonly accepted: boolean;
  /** Why it was refused where it is not simply invalid; a stable code in CamelCase. */
  readonly refusal?: "OwnTrustDomain" | "Conflicted";
  /** `dry_run`: counts and logs what it matches and decides nothing. `after_restart`: not all of it rules yet. `unused`: all is as without it. */
  readonly effect: "full" | "dry_run" | "after_restart" | "unused";
  /** Why it was refused; [] where accepted. */
  readonly reasons: readonly Reason[];
  readonly warnings: readonly Reason[];
  /** Fields not enforced as written. */
  readonly notes: readonly CompileNote[];
  /** Enforced on a node once it holds all of its proofs; a node without any has nothing to enforce. */
  readonly proofs: readonly Proof[];
  /** How many of the pods that it rules are not captured at the moment, by node: nothing rules these. */
  readonly uncaptured: ReadonlyMap<string, number>;
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
  const places = tables
    .nodesHolding(ref)
    .map((node) => ({ node, enrolments: tables.enrolmentsHolding(ref, node) }));
  return {
    kind: "AuthorizationPolicy",
    ...identityOf(held.object),
    ...withWarnings(
      readingOf(held.parsed),
      held.compiled
        ? [
            ...standingWarnings(state, held.compiled),
            ...contradictionWarnings(state, held.compiled, podsAt(state, places)),
          ]
        : [],
    ),
    effect: held.compiled?.policy.dryRun ? "dry_run" : "full",
    notes: held.compiled
      ? notesOf(
          state,
          held.compiled,
          places.flatMap(({ enrolments }) => enrolments.map(seeingPortsIn)),
        )
      : [],
    // A policy that no enrolment refers to yet rules nothing, so both must have arrived.
    proofs: places.flatMap(({ node, enrolments }) => [
      { node, key, version },
      ...enrolments.map((enrolment) => enrolmentProof(node, enrolment)),
    ]),
    uncaptured: countUncaptured(
      state,
      places.flatMap(({ node, enrolments }) => enrolments.map(({ name }) => ({ node, uid: name }))),
    ),
  };
}

function podsAt(
  { pods }: ClusterState,
  places: readonly { readonly enrolments: readonly Resource[] }[],
): readonly Pod[] {
  const uids = places.flatMap(({ enrolments }) => enrolments.map(({ name }) => name));
  return uids.flatMap((uid) => pods.findByUid(uid) ?? []);
}

/** MeshConfig may name another provider at any time, so what is to be said of it is not kept. */
function notesOf(
  { policies }: ClusterState,
  { policy, notes }: CompiledAuthorization,
  workloads: readonly SeeingPorts[],
): readonly CompileNote[] {
  const providers = policies.settings.authorizationProviders ?? [];
  return [...providerNotes(policy, providers), ...notesWhere(notes, workloads)];
}

/** Its modes are part of the enrolments of the pods that it selects. */
function peerAuthenticationState(state: ClusterState, held: HeldPeerAuthentication): PolicyState {
  const { policy } = held;
  const warnings = policy
    ? [...standingWarnings(state, policy), ...peerPortWarnings(state, policy)]
    : [];
  const places = peerAuthenticationPlaces(state, held);
  return {
    kind: "PeerAuthentication",
    ...identityOf(held.object),
    ...withWarnings(readingOf(held.parsed), warnings),
    effect: "full",
    notes: [],
    proofs: places.map(({ node, enrolment }) => enrolmentProof(node, enrolment)),
    uncaptured: countUncaptured(
      state,
      places.map(({ node, enrolment }) => ({ node, uid: enrolment.name })),
    ),
  };
}

/** A refused object has reasons; what else could be said of it waits until it can be read. */
function withWarnings(reading: ReturnType<typeof readingOf>, more: readonly Reason[]) {
  return reading.accepted ? { ...reading, warnings: [...reading.warnings, ...more] } : reading;
}

export function enrolmentProof(node: string, { name, version }: Resource): Proof {
  return { node, key: resourceKey({ kind: "enrolment", name }), version };
}

export function countUncaptured(
  { reports }: ClusterState,
  pods: readonly { readonly node: string; readonly uid: string }[],
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { node, uid } of pods) {
    if (!reports.isCapturedNow(node, uid)) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

interface Place {
  readonly node: string;
  readonly enrolment: Resource;
}

/** The enrolments that it is part of. */
function peerAuthenticationPlaces(
  state: ClusterState,
  { policy }: HeldPeerAuthentication,
): readonly Place[] {
  if (!policy) return [];
  const { rootNamespace } = state;
  const { namespace } = policy.metadata;
  const isMeshWide = namespace === rootNamespace && policy.scope.kind === "namespace";
  const pods = isMeshWide ? state.pods.all() : state.pods.inNamespace(namespace);
  const places: Place[] = [];
  for (const pod of pods) {
    const workload = { namespace: pod.namespace, labels: pod.labels, services: [] };
    if (!selectsWorkload(policy, workload, rootNamespace)) continue;
    const enrolment = state.tables.findEnrolment(pod.node, pod.uid);
    if (enrolment) places.push({ node: pod.node, enrolment });
  }
  return places;
}

function meshConfigState(state: ClusterState, held: HeldMeshConfig): PolicyState {
  const ref: ResourceRef = { kind: "settings", name: "mesh" };
  const isRuling = held.parsed.kind === "accepted";
  const missing = state.plugins.missing(isRuling ? held.parsed.value.plugins : []);
  return {
    kind: "MeshConfig",
    ...identityOf(held.object),
    ...withWarnings(readingOf(held.parsed), missing),
    effect: isRuling && state.policies.needsRestart ? "after_restart" : "full",
    notes: [],
    proofs: isRuling ? proofsEverywhere(state, ref) : [],
    uncaptured: new Map(),
  };
}

/** Of what every node holds. A node that has never reported runs no node proxy. */
export function proofsEverywhere(state: ClusterState, ref: ResourceRef): readonly Proof[] {
  const version = state.tables.global.get(ref)?.version ?? "";
  return [...state.nodes.keys()]
    .filter((node) => state.reports.get(node) !== undefined)
    .map((node) => ({ node, key: resourceKey(ref), version }));
}

export function identityOf({ metadata, status }: KubeObject) {
  const { namespace, name, uid, generation } = metadata;
  return { namespace, name, uid, generation, status };
}

export function readingOf(
  parsed:
    | { readonly kind: "accepted"; readonly warnings: readonly Reason[] }
    | { readonly kind: "refused"; readonly reasons: readonly Reason[] },
) {
  return parsed.kind === "accepted"
    ? { accepted: true, reasons: [], warnings: parsed.warnings }
    : { accepted: false, reasons: parsed.reasons, warnings: [] };
}
