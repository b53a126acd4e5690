/**
 * Does a NetworkPolicy stand in the way of the tunnel (TCP 15008 between meshed pods)?
 *
 * Reads the policies as Kubernetes does: a pod that a policy selects takes only what some rule allows.
 */
import { type ClusterObject } from "../mesh/cluster-objects.ts";
import type { Finding } from "../mesh/finding.ts";
import { isEnrolled } from "../mesh/mesh-view.ts";

const TUNNEL_PORT = 15008;

export interface PolicyWorld {
  readonly policies: readonly ClusterObject[];
  readonly pods: readonly ClusterObject[];
  readonly namespaces: readonly ClusterObject[];
}

interface PolicySpec {
  readonly podSelector?: LabelSelector;
  readonly policyTypes?: readonly string[];
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
}

interface Rule {
  readonly ports?: readonly RulePort[];
}

interface RulePort {
  readonly protocol?: string;
  readonly port?: number | string;
  readonly endPort?: number;
}

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export function checkNetworkPolicies(world: PolicyWorld): readonly Finding[] {
  const blocked = world.pods
    .filter((pod) => isEnrolled(pod, world.namespaces))
    .flatMap((pod) =>
      (["Ingress", "Egress"] as const)
        .filter((direction) => isBlocked(pod, direction, world.policies))
        .map((direction) => ({ pod, direction })),
    );
  if (blocked.length === 0) {
    const message = `no NetworkPolicy stands in the way of port ${TUNNEL_PORT}`;
    return [{ check: "network policies", level: "ok", message }];
  }
  return blocked.map(({ pod, direction }) => ({
    check: "network policies",
    level: "fail",
    message: `${pod.metadata.namespace}/${pod.metadata.name}: ${direction.toLowerCase()} to TCP ${TUNNEL_PORT} is not allowed by any rule`,
  }));
}

/** Some policy selects the pod for that direction, and no rule of any of them lets the tunnel's port through. */
function isBlocked(
  pod: ClusterObject,
  direction: "Ingress" | "Egress",
  policies: readonly ClusterObject[],
): boolean {
  const specs = policies
    .filter(({ metadata }) => metadata.namespace === pod.metadata.namespace)
    .map(({ spec }) => (spec ?? {}) as PolicySpec)
    .filter((spec) => selects(spec.podSelector ?? {}, pod.metadata.labels ?? {}))
    .filter((spec) => typesOf(spec).includes(direction));
  const rules = specs.flatMap(
    (spec) => (direction === "Ingress" ? spec.ingress : spec.egress) ?? [],
  );
  return specs.length > 0 && !rules.some(letsTunnelThrough);
}

/** Where `policyTypes` is absent: Ingress, and Egress where there are egress rules. */
function typesOf({ policyTypes, egress }: PolicySpec): readonly string[] {
  return policyTypes ?? (egress === undefined ? ["Ingress"] : ["Ingress", "Egress"]);
}

function letsTunnelThrough({ ports = [] }: Rule): boolean {
  if (ports.length === 0) return true;
  return ports.some(({ protocol = "TCP", port, endPort }) => {
    if (protocol !== "TCP") return false;
    if (port === undefined) return true;
    const first = Number(port);
    return first <= TUNNEL_PORT && TUNNEL_PORT <= (endPort ?? first);
  });
}

function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          return false;
      }
    })
  );
}
