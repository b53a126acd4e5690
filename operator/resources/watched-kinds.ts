/** The kinds that the operator reads, from whichever source; any other object is none of its business. */

export interface WatchedKind {
  readonly apiVersion: string;
  readonly kind: string;
  /** The name in API paths. */
  readonly plural: string;
  readonly namespaced: boolean;
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
  { apiVersion: "weft.dev/v1", kind: "NodeReport", plural: "nodereports", namespaced: false },
];

export function findWatchedKind(apiVersion: string, kind: string): WatchedKind | undefined {
  return WATCHED_KINDS.find((entry) => entry.apiVersion === apiVersion && entry.kind === kind);
}
