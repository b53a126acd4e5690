/**
 * Which mTLS mode has each port of one workload? Computed from the precedence itself:
 * port > workload > namespace > mesh, UNSET inherits, nothing anywhere is PERMISSIVE.
 */
import type { MtlsMode, MtlsModes } from "../../core/model/mtls-modes.ts";
import type { PeerAuthentication, PeerMode } from "../resources/peer-authentication.ts";
import type { PortPair } from "../resources/service.ts";
import { hasLabels } from "./selects-workload.ts";

export interface ModesQuestion {
  /** All of the mesh, in any order; refused ones as their parser hands them over. */
  readonly policies: Iterable<PeerAuthentication>;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly rootNamespace: string;
}

export function compileModes(question: ModesQuestion): MtlsModes {
  const ruling = rulingPolicies(question);
  const mesh = inherit(ruling.mesh?.mode, "PERMISSIVE");
  const namespace = inherit(ruling.namespace?.mode, mesh);
  const workload = inherit(ruling.workload?.mode, namespace);
  const ports = (ruling.workload?.ports ?? [])
    .map(({ port, mode }) => ({ port, mode: inherit(mode, workload) }))
    .filter(({ mode }) => mode !== workload);
  return { default: workload, ports };
}

type Level = "mesh" | "namespace" | "workload";

/** Of two in one scope the oldest rules whole; what it leaves unset comes from the wider scope, not from the younger. */
export function rulingPolicies(
  question: ModesQuestion,
): Readonly<Partial<Record<Level, PeerAuthentication>>> {
  const ruling: Partial<Record<Level, PeerAuthentication>> = {};
  for (const policy of question.policies) {
    const level = levelOf(policy, question);
    if (level && isOlder(policy, ruling[level])) ruling[level] = policy;
  }
  return ruling;
}

// Istio: a PeerAuthentication with a selector is about workloads of its own namespace, the root namespace included.
function levelOf(
  { metadata, scope, isScopeUnread = false }: PeerAuthentication,
  { namespace, labels, rootNamespace }: ModesQuestion,
): Level | undefined {
  // As if it selected each of them: an older one of the namespace must not take the place of what may be a workload's own.
  if (isScopeUnread && metadata.namespace !== rootNamespace) {
    return metadata.namespace === namespace ? "workload" : undefined;
  }
  if (scope.kind === "labels") {
    return metadata.namespace === namespace && hasLabels(labels, scope.labels)
      ? "workload"
      : undefined;
  }
  if (metadata.namespace === rootNamespace) return "mesh";
  return metadata.namespace === namespace ? "namespace" : undefined;
}

function isOlder(policy: PeerAuthentication, than: PeerAuthentication | undefined): boolean {
  if (!than) return true;
  const { createdMs, name } = policy.metadata;
  return (
    createdMs < than.metadata.createdMs ||
    (createdMs === than.metadata.createdMs && name < than.metadata.name)
  );
}

function inherit(mode: PeerMode | undefined, wider: MtlsMode): MtlsMode {
  return mode === undefined || mode === "UNSET" ? wider : mode;
}

/** Ports of `portLevelMtls` that are a Service's port but nobody's workload port: surely meant otherwise. */
export function mistakenPorts(
  { ports }: PeerAuthentication,
  pairs: readonly PortPair[],
): readonly PortPair[] {
  const targets = new Set(pairs.map(({ targetPort }) => targetPort));
  return pairs.filter(
    (pair) => !targets.has(pair.port) && ports.some(({ port }) => port === pair.port),
  );
}
