/** The kinds that the operator reads, from whichever source; any other object is none of its business. */
import { ROOT_NAMESPACE } from "./mesh-config.ts";
import { PLUGIN_LABEL } from "./plugins.ts";
import { GATEWAY_GROUP } from "./route.ts";

export interface WatchedKind {
  readonly apiVersion: string;
  readonly kind: string;
  /** The name in API paths. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** Only those of one namespace with that label. */
  readonly only?: { readonly namespace: string; readonly labelSelector: string };
  /** That it is not there is no fault, and it may come at any time: another project's kind. */
  readonly optional?: true;
  /** Of the same schema, where a cluster does not serve the other. */
  readonly olderVersion?: string;
}

/** In the order in which a first state is best applied: who can be selected before what selects. */
export const WATCHED_KINDS: readonly WatchedKind[] = [
  { apiVersion: "weft.dev/v1", kind: "MeshConfig", plural: "meshconfigs", namespaced: false },
  { apiVersion: "v1", kind: "Namespace", plural: "namespaces", namespaced: false },
  { apiVersion: "v1", kind: "Node", plural: "nodes", namespaced: false },
  { apiVersion: "v1", kind: "Pod", plural: "pods", namespaced: true },
  { apiVersion: "v1", kind: "Service", plural: "services", namespaced: true },
  {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    plural: "endpointslices",
    namespaced: true,
  },
  {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    plural: "authorizationpolicies",
    namespaced: true,
  },
  {
    apiVersion: "weft.dev/v1",
    kind: "PeerAuthentication",
    plural: "peerauthentications",
    namespaced: true,
  },
  {
    apiVersion: "weft.dev/v1",
    kind: "RequestAuthentication",
    plural: "requestauthentications",
    namespaced: true,
  },
  { apiVersion: "weft.dev/v1", kind: "TrustBundle", plural: "trustbundles", namespaced: false },
  { apiVersion: "weft.dev/v1", kind: "CARotation", plural: "carotations", namespaced: false },
  {
    apiVersion: "weft.dev/v1",
    kind: "TrafficPolicy",
    plural: "trafficpolicies",
    namespaced: true,
  },
  {
    apiVersion: `${GATEWAY_GROUP}/v1`,
    kind: "HTTPRoute",
    plural: "httproutes",
    namespaced: true,
    optional: true,
  },
  {
    apiVersion: `${GATEWAY_GROUP}/v1`,
    kind: "GRPCRoute",
    plural: "grpcroutes",
    namespaced: true,
    optional: true,
  },
  {
    apiVersion: `${GATEWAY_GROUP}/v1`,
    // Until Gateway API 1.5 there was this one alone, and it is served still.
    olderVersion: `${GATEWAY_GROUP}/v1beta1`,
    kind: "ReferenceGrant",
    plural: "referencegrants",
    namespaced: true,
    optional: true,
  },
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    plural: "configmaps",
    namespaced: true,
    only: { namespace: ROOT_NAMESPACE, labelSelector: `${PLUGIN_LABEL}=true` },
    // An operator that may not read them yet runs without plugins.
    optional: true,
  },
  { apiVersion: "weft.dev/v1", kind: "NodeReport", plural: "nodereports", namespaced: false },
];

export function findWatchedKind(apiVersion: string, kind: string): WatchedKind | undefined {
  return WATCHED_KINDS.find(
    (entry) => entry.kind === kind && [entry.apiVersion, entry.olderVersion].includes(apiVersion),
  );
}
