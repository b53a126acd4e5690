/** Does a policy apply to a workload? By namespace, labels or the Services that select it. Pure. */
import type { WorkloadScope } from "../resources/workload-scope.ts";

export interface ScopedPolicy {
  readonly metadata: { readonly namespace: string };
  readonly scope: WorkloadScope;
}

export interface SelectableWorkload {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Names of the Services of its namespace whose selector picks it. */
  readonly services: readonly string[];
}

/** Policies of the root namespace reach every namespace; `targetRefs` never leave their own. */
export function selectsWorkload(
  { metadata, scope }: ScopedPolicy,
  workload: SelectableWorkload,
  rootNamespace: string,
): boolean {
  const isOwn = metadata.namespace === workload.namespace;
  if (scope.kind === "services") {
    return isOwn && scope.names.some((name) => workload.services.includes(name));
  }
  if (!isOwn && metadata.namespace !== rootNamespace) return false;
  return scope.kind === "namespace" || hasLabels(workload.labels, scope.labels);
}

/** Every wanted label is there with that very value. */
export function hasLabels(
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(
    ([key, value]) => Object.hasOwn(labels, key) && labels[key] === value,
  );
}
