/**
 * Files a TrafficPolicy; puts those of its namespace that rule to what every node gets, and takes the others out. Services
 * whose ports it makes HTTP, or does not any more, are compiled again.
 */
import { createResource } from "../compile/resource-version.ts";
import { compileTraffic } from "../compile/traffic-policy.ts";
import type { KubeObject } from "../resources/kube-object.ts";
import { parseTrafficPolicy } from "../resources/traffic-policy.ts";
import { changedSections, httpSections } from "./http-sections.ts";
import type { NodeTables } from "./node-tables.ts";
import type { PolicyStore } from "./policy-store.ts";
import type { RouteStore } from "./route-store.ts";

export interface TrafficPlaces {
  readonly policies: PolicyStore;
  readonly tables: Pick<NodeTables, "global">;
  readonly routes: Pick<RouteStore, "mark">;
}

/** That may change which of the others rules. True where the namespace's pods are concerned: limits are in their enrolments. */
export function publishTraffic(
  { policies, tables, routes }: TrafficPlaces,
  { object, isThere }: { readonly object: KubeObject; readonly isThere: boolean },
): boolean {
  const table = tables.global;
  const changed = object.metadata;
  const { namespace } = changed;
  const hadLimits = policies.hasRateLimits(namespace);
  const before = httpSections(policies, namespace);
  if (isThere) policies.traffic.put(changed, { object, parsed: parseTrafficPolicy(object) });
  else policies.traffic.drop(changed);
  const ruling = policies.trafficRuling(namespace).ruling.map(compileTraffic);
  const refs = new Set(ruling.map(({ ref }) => ref));
  const held = policies.traffic.inNamespace(namespace).map(({ object }) => object.metadata.name);
  for (const name of [changed.name, ...held].map((each) => `${namespace}/${each}`)) {
    if (!refs.has(name)) table.drop({ kind: "traffic", name });
  }
  for (const value of ruling) table.put(createResource(value.ref, { kind: "traffic", value }));
  for (const name of changedSections(before, httpSections(policies, namespace))) {
    routes.mark({ namespace, name });
  }
  return hadLimits || policies.hasRateLimits(namespace);
}
