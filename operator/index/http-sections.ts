/** Which TrafficPolicy's section `http` is for a Service? That of the policy that rules it; which of its ports, `asked-http.ts` decides. */
import type { HttpSection } from "../resources/http-section.ts";
import type { PolicyStore } from "./policy-store.ts";

/** By the Service's name. */
export function httpSections(
  policies: PolicyStore,
  namespace: string,
): ReadonlyMap<string, HttpSection> {
  // Few have one, and where none does nobody need be told apart.
  const isAny = policies.traffic
    .inNamespace(namespace)
    .some(({ parsed }) => parsed.kind === "accepted" && parsed.value.http);
  if (!isAny) return new Map();
  const { ruling } = policies.trafficRuling(namespace);
  return new Map(
    ruling.flatMap(({ services, http }) => {
      return http ? services.map((service) => [service, http] as const) : [];
    }),
  );
}

/** Services whose section is another one, by name. */
export function changedSections(
  before: ReadonlyMap<string, HttpSection>,
  after: ReadonlyMap<string, HttpSection>,
): readonly string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => {
    return JSON.stringify(before.get(name)) !== JSON.stringify(after.get(name));
  });
}
