/**
 * The unit of configuration: what the operator streams, the node proxy holds and the snapshot stores.
 *
 * A resource is replaced whole, never edited. `version` is a hash of its content, so every replica of
 * the operator gives one content the same version and a reconnecting node gets only what differs.
 */
import type { CompiledPolicy } from "./authorization-policy.ts";
import type { Enrolment } from "./enrolment.ts";
import type { ServiceRoutes } from "./http-route.ts";
import type { MeshSettings } from "./mesh-settings.ts";
import type { RequestAuthentication } from "./request-authentication.ts";
import type { Revocation } from "./revocation.ts";
import type { EndpointSlice, Service } from "./service.ts";
import type { Traffic } from "./traffic-settings.ts";
import type { TrustBundle } from "./trust-bundle.ts";
import type { Workload } from "./workload.ts";

/** Names: workload and enrolment by UID; service, slice, policy, requestAuthentication and traffic by `namespace/name`; routes by those of their Service; bundle by trust domain; settings "mesh"; revocation by node. */
export type ResourceBody =
  | { readonly kind: "workload"; readonly value: Workload }
  | { readonly kind: "service"; readonly value: Service }
  | { readonly kind: "endpointSlice"; readonly value: EndpointSlice }
  | { readonly kind: "enrolment"; readonly value: Enrolment }
  | { readonly kind: "policy"; readonly value: CompiledPolicy }
  | { readonly kind: "bundle"; readonly value: TrustBundle }
  | { readonly kind: "settings"; readonly value: MeshSettings }
  | { readonly kind: "revocation"; readonly value: Revocation }
  | { readonly kind: "traffic"; readonly value: Traffic }
  | { readonly kind: "requestAuthentication"; readonly value: RequestAuthentication }
  | { readonly kind: "routes"; readonly value: ServiceRoutes };

export type ResourceKind = ResourceBody["kind"];

export interface ResourceRef {
  readonly kind: ResourceKind;
  readonly name: string;
}

export interface Resource {
  readonly name: string;
  readonly version: string;
  readonly body: ResourceBody;
}

/** What belongs together: applied together or not at all. A name is in `upserts` or in `removals`, never in both. */
export interface Changes {
  readonly upserts: readonly Resource[];
  readonly removals: readonly ResourceRef[];
}

/** Key of a resource in a map: no name contains a space. */
export function resourceKey({ kind, name }: ResourceRef): string {
  return `${kind} ${name}`;
}

/** The name that a body must travel under. */
export function resourceName(body: ResourceBody): string {
  switch (body.kind) {
    case "workload":
    case "enrolment":
      return body.value.uid;
    case "service":
    case "endpointSlice":
      return `${body.value.namespace}/${body.value.name}`;
    case "policy":
    case "traffic":
    case "requestAuthentication":
      return body.value.ref;
    case "routes":
      return body.value.service;
    case "bundle":
      return body.value.trustDomain;
    case "settings":
      return "mesh";
    case "revocation":
      return body.value.node;
  }
}

/** Names of the policies that the changes put, replace or remove. */
export function policiesIn({ upserts, removals }: Changes): ReadonlySet<string> {
  const put = upserts.filter(({ body }) => body.kind === "policy");
  const gone = removals.filter(({ kind }) => kind === "policy");
  return new Set([...put, ...gone].map(({ name }) => name));
}

/** At the end of a version: held in part only, so whoever can read the rest must be told it again. */
export const UNREAD = "?";
