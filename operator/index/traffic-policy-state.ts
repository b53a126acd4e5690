/** What the status of a TrafficPolicy is written from: enforced where callers are, on every node that runs a node proxy. */
import type { ResourceRef } from "../../core/model/resource.ts";
import type { Reason } from "../resources/fields.ts";
import type { ClusterState } from "./cluster-state.ts";
import { identityOf, type PolicyState, proofsEverywhere, readingOf } from "./policy-state.ts";
import type { HeldTrafficPolicy } from "./policy-store.ts";

export function listTrafficPolicyStates(state: ClusterState): readonly PolicyState[] {
  return state.policies.traffic.all().map((held) => trafficPolicyState(state, held));
}

function trafficPolicyState(state: ClusterState, held: HeldTrafficPolicy): PolicyState {
  const { namespace, name } = held.object.metadata;
  const ref: ResourceRef = { kind: "traffic", name: `${namespace}/${name}` };
  const isRuling = state.tables.global.get(ref) !== undefined;
  const reading = readingOf(held.parsed);
  return {
    kind: "TrafficPolicy",
    ...identityOf(held.object),
    ...reading,
    ...conflictOf(state, held),
    warnings: [...reading.warnings, ...missingServices(state, held)],
    effect: isRuling ? "full" : "unused",
    notes: [],
    proofs: isRuling ? proofsEverywhere(state, ref) : [],
    uncaptured: new Map(),
  };
}

function conflictOf(
  { policies }: ClusterState,
  { object }: HeldTrafficPolicy,
): Partial<Pick<PolicyState, "accepted" | "refusal" | "reasons">> {
  const { namespace, name } = object.metadata;
  const message = policies.trafficRuling(namespace).conflicts.get(name);
  if (message === undefined) return {};
  const reasons = [{ field: "spec.targetRefs", message }];
  return { accepted: false, refusal: "Conflicted", reasons };
}

function missingServices(
  { services }: ClusterState,
  { parsed }: HeldTrafficPolicy,
): readonly Reason[] {
  if (parsed.kind === "refused") return [];
  const { namespace } = parsed.value.metadata;
  return parsed.value.services
    .filter((name) => !services.get({ namespace, name }))
    .map((name) => ({ field: "spec.targetRefs", message: `there is no Service ${name}` }));
}
