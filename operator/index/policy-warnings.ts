/**
 * What a policy cannot do because of the other objects there are: its namespace is not in the mesh, a
 * Service is not there, no pod has its labels, a port is not the workload's. Warnings only: the
 * next object may put it right.
 *
 * `standingWarnings` are cheap and go into the status at every change; `applyWarnings` are what
 * whoever applies the policy is told at that moment.
 */
import {
  type CompiledAuthorization,
  compileAuthorization,
  providerNotes,
} from "../compile/authorization.ts";
import { describeNote } from "../compile/describe-note.ts";
import { isMeshed } from "../compile/enrolment.ts";
import { mistakenPorts } from "../compile/peer-authentication.ts";
import { hasLabels } from "../compile/selects-workload.ts";
import type { AuthorizationPolicy } from "../resources/authorization-policy.ts";
import type { Reason } from "../resources/fields.ts";
import { MESH_LABEL } from "../resources/namespace.ts";
import type { PeerAuthentication } from "../resources/peer-authentication.ts";
import type { Pod } from "../resources/pod.ts";
import type { PortPair } from "../resources/service.ts";
import type { ClusterState } from "./cluster-state.ts";
import { contradictions } from "./http-of-pod.ts";

export type ScopedObject = Pick<AuthorizationPolicy, "metadata" | "scope">;

export function standingWarnings(
  state: ClusterState,
  { metadata: { namespace }, scope }: ScopedObject,
): readonly Reason[] {
  const warnings: Reason[] = [];
  const isRoot = namespace === state.rootNamespace;
  if (!isRoot && state.namespaces.get(namespace)?.enabled !== true) {
    const message = `${namespace} is not in the mesh, so nothing enforces this: its label ${MESH_LABEL} must be enabled`;
    warnings.push({ field: "metadata.namespace", message });
  }
  if (scope.kind !== "services") return warnings;
  for (const [i, name] of scope.names.entries()) {
    const service = state.services.get({ namespace, name });
    const field = `spec.targetRefs[${i}].name`;
    if (!service) {
      warnings.push({ field, message: `there is no Service ${name} in ${namespace}` });
    } else if (!service.selector) {
      warnings.push({ field, message: `Service ${name} has no selector, so it picks no pod` });
    }
  }
  return warnings;
}

/** All that there is to tell of an AuthorizationPolicy beside what its parser does. */
export function authorizationApplyWarnings(
  state: ClusterState,
  policy: AuthorizationPolicy,
): readonly Reason[] {
  const pods = podsOf(state, policy);
  const compiled = compileAuthorization({ kind: "accepted", value: policy, warnings: [] });
  const providers = state.policies.settings.authorizationProviders ?? [];
  const notes = compiled ? [...providerNotes(compiled.policy, providers), ...compiled.notes] : [];
  return [
    ...standingWarnings(state, policy),
    ...selectionWarnings(state, policy, pods),
    ...portWarnings(state, policy, pods),
    ...(compiled ? contradictionWarnings(state, compiled, pods) : []),
    ...notes.map(describeNote),
  ];
}

export function peerAuthenticationApplyWarnings(
  state: ClusterState,
  policy: PeerAuthentication,
): readonly Reason[] {
  return [
    ...standingWarnings(state, policy),
    ...selectionWarnings(state, policy, podsOf(state, policy)),
    ...peerPortWarnings(state, policy),
  ];
}

/** Ports of `portLevelMtls` that are a Service's and no workload's: it was surely meant otherwise. [F11] */
export function peerPortWarnings(
  state: ClusterState,
  policy: PeerAuthentication,
): readonly Reason[] {
  if (policy.ports.length === 0 || policy.scope.kind !== "labels") return [];
  const { namespace } = policy.metadata;
  const pairs = portPairs(state, { namespace, pods: podsOf(state, policy) });
  return mistakenPorts(policy, pairs).map((pair) => ({
    field: `spec.portLevelMtls.${pair.port}`,
    message: mistakenPort(pair),
  }));
}

/** Pods that the scope names, in the mesh or not. */
export function podsOf(state: ClusterState, { metadata, scope }: ScopedObject): readonly Pod[] {
  const { namespace } = metadata;
  const isEverywhere = namespace === state.rootNamespace && scope.kind !== "services";
  const pods = [...(isEverywhere ? state.pods.all() : state.pods.inNamespace(namespace))];
  switch (scope.kind) {
    case "namespace":
      return pods;
    case "labels":
      return pods.filter(({ labels }) => hasLabels(labels, scope.labels));
    case "services": {
      const selectors = scope.names
        .map((name) => state.services.get({ namespace, name })?.selector)
        .filter((selector) => selector !== undefined);
      return pods.filter(({ labels }) => selectors.some((wanted) => hasLabels(labels, wanted)));
    }
  }
}

export function selectionWarnings(
  state: ClusterState,
  { scope }: ScopedObject,
  pods: readonly Pod[],
): readonly Reason[] {
  if (scope.kind === "namespace") return [];
  const field = scope.kind === "labels" ? "spec.selector" : "spec.targetRefs";
  if (pods.length === 0) return [{ field, message: "selects no pod at the moment" }];
  const isAnyMeshed = pods.some((pod) => isMeshed(pod, state.namespaces.get(pod.namespace)));
  return isAnyMeshed ? [] : [{ field, message: "selects only pods that are not in the mesh" }];
}

/** Rules name the workload's ports; a Service's port there matches nothing. [C4] */
function portWarnings(
  state: ClusterState,
  { metadata, rules }: AuthorizationPolicy,
  pods: readonly Pod[],
): readonly Reason[] {
  const named = rules.flatMap(({ to }, i) =>
    to.flatMap(({ ports }, j) =>
      ports.map((port) => ({ port, field: `spec.rules[${i}].to[${j}].operation.ports` })),
    ),
  );
  if (named.length === 0) return [];
  const pairs = portPairs(state, { namespace: metadata.namespace, pods });
  const targets = new Set(pairs.map(({ targetPort }) => targetPort));
  return named.flatMap(({ port, field }) => {
    const pair = pairs.find((one) => one.port === port);
    if (!pair || targets.has(port)) return [];
    return [{ field, message: `${port} ${mistakenPort(pair)}` }];
  });
}

/** Of the namespace's Services that pick any of the pods. */
function portPairs(
  state: ClusterState,
  { namespace, pods }: { readonly namespace: string; readonly pods: readonly Pod[] },
): readonly PortPair[] {
  return state.services
    .inNamespace(namespace)
    .filter(({ selector }) => selector && pods.some((pod) => hasLabels(pod.labels, selector)))
    .flatMap(({ targets }) => targets);
}

/** Said of policies that ask for HTTP, or for the server that TLS names. */
export function contradictionWarnings(
  { services }: ClusterState,
  { http, asksServerName }: Pick<CompiledAuthorization, "http" | "asksServerName">,
  pods: readonly Pod[],
): readonly Reason[] {
  const asks = http.asks || asksServerName;
  const ports = asks ? new Set(pods.flatMap((pod) => contradictions(services, pod))) : [];
  return Array.from(ports, (port) => ({
    field: "spec.rules",
    message: `Services declare different protocols for port ${port}, so it stays opaque`,
  }));
}

function mistakenPort({ targetPort }: PortPair): string {
  return `is a Service's port, the workload's is ${targetPort}`;
}
