/**
 * What the status of a TrafficPolicy is written from: enforced where callers are, on every node that runs a node proxy;
 * its rate limits on the nodes of the pods that they are about.
 */
import type { Resource, ResourceRef } from "../../core/model/resource.ts";
import { unseenRateLimits } from "../compile/rate-limits.ts";
import type { Reason } from "../resources/fields.ts";
import type { ClusterState } from "./cluster-state.ts";
import { portsIn } from "./http-of-pod.ts";
import {
  countUncaptured,
  enrolmentProof,
  identityOf,
  type PolicyState,
  proofsEverywhere,
  readingOf,
} from "./policy-state.ts";
import type { HeldTrafficPolicy } from "./policy-store.ts";
import { limitingPolicies } from "./ruling-of-pod.ts";
import { trafficWarnings } from "./traffic-warnings.ts";

export function listTrafficPolicyStates(state: ClusterState): readonly PolicyState[] {
  return state.policies.traffic.all().map((held) => trafficPolicyState(state, held));
}

function trafficPolicyState(state: ClusterState, held: HeldTrafficPolicy): PolicyState {
  const { parsed } = held;
  const { namespace, name } = held.object.metadata;
  const ref: ResourceRef = { kind: "traffic", name: `${namespace}/${name}` };
  const isRuling = state.tables.global.get(ref) !== undefined;
  const reading = readingOf(parsed);
  const limited = isRuling ? limitedPods(state, held) : [];
  return {
    kind: "TrafficPolicy",
    ...identityOf(held.object),
    ...reading,
    ...conflictOf(state, held),
    warnings: [
      ...reading.warnings,
      ...(parsed.kind === "accepted" ? trafficWarnings(state, parsed.value) : []),
      ...unseenLimits(limited),
    ],
    effect: isRuling ? "full" : "unused",
    notes: [],
    proofs: [
      ...(isRuling ? proofsEverywhere(state, ref) : []),
      ...limited.map(({ node, enrolment }) => enrolmentProof(node, enrolment)),
    ],
    uncaptured: countUncaptured(
      state,
      limited.map(({ node, enrolment }) => ({ node, uid: enrolment.name })),
    ),
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

interface LimitedPod {
  readonly node: string;
  readonly enrolment: Resource;
  /** Of its rate limits, by index, those that do not hold on each port that they mean. */
  readonly unseen: readonly number[];
}

function limitedPods(state: ClusterState, { object, parsed }: HeldTrafficPolicy) {
  const { namespace, name } = object.metadata;
  if (parsed.kind === "refused" || parsed.value.rateLimits.length === 0) return [];
  return [...state.pods.inNamespace(namespace)].flatMap((pod): readonly LimitedPod[] => {
    const { node } = pod;
    const enrolment = state.tables.findEnrolment(node, pod.uid);
    const limiting = limitingPolicies(state, pod);
    const policy = limiting.policies.find(({ metadata }) => metadata.name === name);
    if (!enrolment || !policy) return [];
    const workload = { ...limiting, httpPorts: portsIn(enrolment) };
    return [{ node, enrolment, unseen: unseenRateLimits(policy, workload) }];
  });
}

function unseenLimits(limited: readonly LimitedPod[]): readonly Reason[] {
  const indexes = new Set(limited.flatMap(({ unseen }) => unseen));
  return [...indexes]
    .toSorted((a, b) => a - b)
    .map((index) => ({
      field: `spec.rateLimits[${index}]`,
      message:
        "limits nothing on ports that are not read as HTTP: their Service must declare appProtocol",
    }));
}
