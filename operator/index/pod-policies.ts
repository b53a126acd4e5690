/** Which policies rule one pod, from where, and in which order are they evaluated? For `weftctl authz list`; decides nothing. */
import type { PolicyAction } from "../../core/model/authorization-policy.ts";
import { type MtlsMode, modeOfPort } from "../../core/model/mtls-modes.ts";
import type { CompileNote } from "../compile/authorization.ts";
import { isMeshed } from "../compile/enrolment.ts";
import { compileModes, rulingPolicies } from "../compile/peer-authentication.ts";
import { hasLabels } from "../compile/selects-workload.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import type { Pod } from "../resources/pod.ts";
import { type AppliedAuthentication, appliedAuthentications } from "./applied-authentications.ts";
import type { ClusterState } from "./cluster-state.ts";
import { notesWhere, type SeeingPorts, seeingPortsIn } from "./http-of-pod.ts";
import { placeOfScope, type ScopePlace } from "./place-of-scope.ts";
import type { HeldAuthorization } from "./policy-store.ts";
import { selectable } from "./ruling-of-pod.ts";

export interface PodPolicies {
  /** `namespace/name`. */
  readonly pod: string;
  readonly uid: string;
  readonly node: string;
  readonly meshed: boolean;
  /** By the last report of its node. */
  readonly captured: boolean;
  /** In the order of evaluation: CUSTOM, DENY, ALLOW, then what never decides. */
  readonly policies: readonly AppliedPolicy[];
  /** The Services' ports of the pod and those that differ, ascending; last, with port 0, all others. */
  readonly modes: readonly AppliedMode[];
  /** What tokens its requests may carry, where they are read as HTTP. */
  readonly requestAuthentications: readonly AppliedAuthentication[];
}

export interface AppliedPolicy extends ScopePlace {
  readonly policy: string;
  readonly action: PolicyAction;
  readonly dryRun: boolean;
  readonly invalid: boolean;
  readonly provider?: string;
  readonly rules: number;
  /** What is not enforced as written on a port that is opaque. */
  readonly ignored: readonly CompileNote[];
}

export interface AppliedMode {
  readonly port: number;
  readonly mode: MtlsMode;
  /** `namespace/name` of the PeerAuthentication; "" where none says anything. */
  readonly policy: string;
  readonly from: "mesh" | "namespace" | "selector" | "port" | "default";
}

const ORDER: readonly PolicyAction[] = ["CUSTOM", "DENY", "ALLOW", "AUDIT"];

/** `undefined` where there is no such pod. */
export function podPolicies(state: ClusterState, name: string): PodPolicies | undefined {
  const pod = state.pods.get(name);
  if (!pod) return undefined;
  const workload = selectable(state, pod);
  const ports = seeingPortsIn(state.tables.findEnrolment(pod.node, pod.uid));
  const held = state.policies.authorizations
    .reaching(pod.namespace, state.rootNamespace)
    .filter((each) => state.policies.isSelected(each, workload));
  return {
    pod: name,
    uid: pod.uid,
    node: pod.node,
    meshed: isMeshed(pod, state.namespaces.get(pod.namespace)),
    captured: state.reports.isCapturedNow(pod.node, pod.uid),
    policies: held
      .flatMap((each) => applied(each, state.rootNamespace, ports))
      .toSorted(byEvaluation),
    modes: appliedModes(state, pod),
    requestAuthentications: appliedAuthentications(state.policies, workload, state.rootNamespace),
  };
}

function applied(
  { compiled }: HeldAuthorization,
  rootNamespace: string,
  ports: SeeingPorts,
): readonly AppliedPolicy[] {
  if (!compiled) return [];
  const { policy, metadata, scope, notes } = compiled;
  const { ref, action, dryRun, invalid, provider, rules } = policy;
  const isRoot = metadata.namespace === rootNamespace;
  return [
    {
      policy: ref,
      action,
      dryRun,
      invalid,
      ...(provider === undefined ? {} : { provider }),
      ...placeOfScope(scope, isRoot),
      rules: rules.length,
      ignored: notesWhere(notes, [ports]),
    },
  ];
}

function byEvaluation(a: AppliedPolicy, b: AppliedPolicy): number {
  return rank(a) - rank(b) || (a.policy < b.policy ? -1 : 1);
}

function rank({ action, dryRun }: AppliedPolicy): number {
  return (dryRun ? ORDER.length : 0) + ORDER.indexOf(action);
}

function appliedModes(state: ClusterState, pod: Pod): readonly AppliedMode[] {
  const { namespace, labels } = pod;
  const { rootNamespace } = state;
  const policies = state.policies.peers
    .reaching(namespace, rootNamespace)
    .flatMap(({ policy }) => (policy ? [policy] : []));
  const question = { policies, namespace, labels, rootNamespace };
  const modes = compileModes(question);
  const ruling = rulingPolicies(question);
  const ports = new Set([...servedPorts(state, pod), ...modes.ports.map(({ port }) => port)]);
  return [
    ...[...ports]
      .toSorted((a, b) => a - b)
      .map((port) => ({ port, mode: modeOfPort(modes, port), ...modeSource(ruling, port) })),
    { port: 0, mode: modes.default, ...modeSource(ruling, 0) },
  ];
}

/** The pod's own ports that Services lead to. */
function servedPorts({ services }: ClusterState, { namespace, labels }: Pod): readonly number[] {
  return services
    .inNamespace(namespace)
    .filter(({ selector }) => selector && hasLabels(labels, selector))
    .flatMap(({ targets }) => targets.map(({ targetPort }) => targetPort));
}

/** The narrowest that says anything else than UNSET. */
function modeSource(
  { mesh, namespace, workload }: ReturnType<typeof rulingPolicies>,
  port: number,
): Pick<AppliedMode, "policy" | "from"> {
  const own = workload?.ports.find((entry) => entry.port === port);
  if (workload && own && own.mode !== "UNSET") return { policy: refOf(workload), from: "port" };
  const wider = [
    ["selector", workload],
    ["namespace", namespace],
    ["mesh", mesh],
  ] as const;
  for (const [from, policy] of wider) {
    if (policy && policy.mode !== "UNSET") return { policy: refOf(policy), from };
  }
  return { policy: "", from: "default" };
}

function refOf({ metadata: { namespace, name } }: PeerAuthentication): string {
  return `${namespace}/${name}`;
}
