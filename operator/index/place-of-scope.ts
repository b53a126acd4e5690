/** From where does an object reach a pod, for people: by its namespace, its labels or its Services? */
import type { WorkloadScope } from "../resources/workload-scope.ts";

export interface ScopePlace {
  /** Why it applies to the pod. `mesh`: it stands in the root namespace and names nothing. */
  readonly from: "mesh" | "namespace" | "selector" | "targetRefs";
  /** The labels or Services that it names. */
  readonly selects: readonly string[];
}

export function placeOfScope(scope: WorkloadScope, isRoot: boolean): ScopePlace {
  switch (scope.kind) {
    case "namespace":
      return { from: isRoot ? "mesh" : "namespace", selects: [] };
    case "labels": {
      const selects = Object.entries(scope.labels).map(([key, value]) => `${key}=${value}`);
      return { from: "selector", selects };
    }
    case "services":
      return { from: "targetRefs", selects: scope.names };
  }
}
