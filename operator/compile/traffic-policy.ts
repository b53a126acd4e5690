/**
 * Which TrafficPolicy rules which Service? Of two that name one Service the older rules; the younger one
 * rules nothing at all, so that no Service is ruled by the half of an object.
 */
import type { Traffic } from "../../core/model/traffic-settings.ts";
import type { PolicyMetadata } from "../resources/policy-metadata.ts";
import type { TrafficPolicy } from "../resources/traffic-policy.ts";

export interface TrafficRuling {
  readonly ruling: readonly TrafficPolicy[];
  /** Why a policy does not rule, by its name; for people. */
  readonly conflicts: ReadonlyMap<string, string>;
}

/** Among the policies of one namespace, in any order. */
export function ruleTraffic(policies: readonly TrafficPolicy[]): TrafficRuling {
  const owners = new Map<string, string>();
  const ruling: TrafficPolicy[] = [];
  const conflicts = new Map<string, string>();
  for (const policy of policies.toSorted((a, b) => compareAge(a.metadata, b.metadata))) {
    const { name } = policy.metadata;
    const taken = policy.services.find((service) => owners.has(service));
    if (taken !== undefined) {
      conflicts.set(
        name,
        `Service ${taken} is ruled by the older TrafficPolicy ${owners.get(taken)}`,
      );
      continue;
    }
    for (const service of policy.services) owners.set(service, name);
    ruling.push(policy);
  }
  return { ruling, conflicts };
}

export function compileTraffic({
  metadata,
  services,
  algorithm,
  settings,
}: TrafficPolicy): Traffic {
  const { namespace, name } = metadata;
  return {
    ref: `${namespace}/${name}`,
    services: services.map((service) => `${namespace}/${service}`).toSorted(),
    algorithm,
    settings,
  };
}

function compareAge(a: PolicyMetadata, b: PolicyMetadata): number {
  return a.createdMs - b.createdMs || (a.name < b.name ? -1 : 1);
}
