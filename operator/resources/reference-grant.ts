/** Reads a ReferenceGrant: whose routes may lead to Services of its namespace. What cannot be read grants nothing. */
import type { KubeObject } from "./kube-object.ts";
import { asRecord, asText, recordsOf } from "./narrow.ts";
import { GATEWAY_GROUP, type RouteKind } from "./route.ts";

export interface ReferenceGrant {
  readonly namespace: string;
  readonly from: readonly GrantedFrom[];
  /** Of its namespace; "*" stands for all. */
  readonly services: readonly string[];
}

export interface GrantedFrom {
  readonly kind: RouteKind;
  readonly namespace: string;
}

export function parseReferenceGrant({ metadata, spec }: KubeObject): ReferenceGrant {
  const raw = asRecord(spec);
  return {
    namespace: metadata.namespace,
    from: recordsOf(raw?.["from"]).flatMap(({ group, kind, namespace }) => {
      const from = asText(namespace);
      const isRoute = kind === "HTTPRoute" || kind === "GRPCRoute";
      return group === GATEWAY_GROUP && isRoute && from !== undefined
        ? [{ kind, namespace: from }]
        : [];
    }),
    services: recordsOf(raw?.["to"]).flatMap(({ group, kind, name }) => {
      const service = name === undefined ? "*" : asText(name);
      return group === "" && kind === "Service" && service !== undefined ? [service] : [];
    }),
  };
}

export function permits(
  grant: ReferenceGrant,
  from: GrantedFrom,
  to: { readonly namespace: string; readonly name: string },
): boolean {
  return (
    grant.namespace === to.namespace &&
    grant.from.some(({ kind, namespace }) => kind === from.kind && namespace === from.namespace) &&
    grant.services.some((name) => name === "*" || name === to.name)
  );
}
