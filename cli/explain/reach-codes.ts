/** Why a connection or a request came to nobody. Part of the catalogue: `catalogue.ts`. */
import {
  ACCESS_LOG,
  type CodeGroup,
  FAILED_CONNECTIONS,
  HEADER,
  HTTP_REQUESTS,
} from "./code-group.ts";

export const REACH_CODES: CodeGroup = {
  title: "Not carried",
  place: "answered 503 on ports that are HTTP where nothing else is said",
  toldIn: [ACCESS_LOG, FAILED_CONNECTIONS, HTTP_REQUESTS, HEADER],
  codes: {
    connect_refused: [
      "nothing listens there",
      "The container is not up, listens on another port, or on 127.0.0.1 alone.",
      "`kubectl describe pod`; let the application listen on 0.0.0.0 or the pod's address, and compare the Service's `targetPort`.",
    ],
    connect_timeout: [
      "no answer in 10 s, or in the TrafficPolicy's `connectTimeout`",
      "A NetworkPolicy or a firewall that drops packets, a node that is gone, or an application that does not accept.",
      "Call it from the pod itself; look for NetworkPolicies that select the destination.",
    ],
    connect_failed: [
      "another failure to connect",
      "No route, or an address that the node's network does not have.",
      "The node proxy's log has the kernel's word for it.",
    ],
    pod_connections_exhausted: [
      "the pod has as many open, or being opened, in this direction as one pod may: `--max-pod-connections`, 16,384",
      "A client without a connection pool, or connections that nobody ends.",
      "Find who holds them in the access log; raise `--max-pod-connections` only if they are meant, or set an `idleTimeout`.",
    ],
    pod_tunnels_exhausted: [
      "the pod has as many tunnels in this direction as one pod may: `--max-pod-tunnels`, 4,096",
      "A pod that calls thousands of others, or is called by them.",
      "Raise `--max-pod-tunnels` on the node proxies.",
    ],
    too_many_descriptors: [
      "the node proxy has no file descriptors left",
      "The container's limit of open files is lower than what the node's connections need.",
      "Raise the limit of the node proxy's container (`LimitNOFILE` of containerd).",
    ],
    caller_gone: [
      "the caller ended before it was connected, or before the answer was whole",
      "A client's timeout, shorter than the connection or the answer takes; or a user who gave up.",
      "Compare `durationMs` with the client's timeout.",
    ],
    no_such_port: [
      "the Service has no such port",
      "The client uses a port that the Service does not declare.",
      "Call a declared port, or add it to the Service.",
    ],
    destination_unknown: [
      "the mesh does not know the address, and MeshConfig's `outboundPolicy` is `registryOnly`",
      "A call to outside of the cluster, or to an address that is not anybody's any more.",
      "Make it known by a Service with an EndpointSlice, or set `outboundPolicy: allowAny`.",
    ],
    destination_unreadable: [
      "the kernel does not say where it was going (`SO_ORIGINAL_DST`): conntrack does not know it",
      "The connection came to port 15001 without the redirect, or conntrack was full.",
      "Look at `nf_conntrack_count` of the node; nothing may call port 15001 itself.",
    ],
    route_not_found: [
      "no rule of the Service's routes matches the request: answered 404",
      "An HTTPRoute or GRPCRoute is attached to the Service, and this host, path, method or header fits none of its rules.",
      "Add a rule for it, or one that matches everything, to the route.",
    ],
    backend_invalid: [
      "the route's rule has no backend, or the one drawn by weight does not resolve: answered 500",
      "A `backendRef` to a Service that is not there, or in another namespace without a ReferenceGrant.",
      "The route's status says which (`ResolvedRefs`).",
    ],
    backend_version_unlike: [
      "the backend's port speaks HTTP/2 and the caller HTTP/1, or gRPC was to go to a port of HTTP/1: answered 502",
      "The `appProtocol` of the two Services' ports differs, or a GRPCRoute is attached to a port that is called by HTTP/1.",
      "Give both ports the same `appProtocol`: `http` for HTTP/1, `kubernetes.io/h2c` or `grpc` for HTTP/2.",
    ],
    mirror_body_too_large: [
      "of a mirror: the request's body is longer than the 64 KiB that are kept for a copy, and none was sent",
      "A route's `requestMirror` on requests with large bodies. The request itself went on.",
      "Mirror only what is small, by a rule of its own, or have the application send the copies.",
    ],
    mirrors_exhausted: [
      "of a mirror: 128 copies of the pod's requests are under way in one thread of the node proxy, and no other was sent",
      "The mirror's Service is slower than the requests come, or does not answer. The request itself went on.",
      "Scale the mirror's Service out, or mirror a smaller `percent` of the requests.",
    ],
    no_ready_endpoint: [
      "the Service has no ready endpoint, or all that were tried failed",
      "No pod of the Service is ready, or its selector fits none.",
      "`kubectl get endpointslices`; look at the pods' readiness.",
    ],
    no_healthy_endpoint: [
      "all endpoints of the Service are ejected or fail their checks (TrafficPolicy)",
      "Outlier detection has ejected them, or the health checks fail from this node.",
      "Look at the pods; compare `outlierDetection` and `healthCheck` in the TrafficPolicy with what they can do.",
    ],
    service_connections_exhausted: [
      "`maxConnections` of the Service's TrafficPolicy are open, and as many wait as may",
      "More load than the limit allows, or connections that nobody ends.",
      "Raise `maxConnections` or `maxPending`, which count for each node, or scale the Service out.",
    ],
    service_pending_timeout: [
      "waited for a connection of the Service to end, its `maxConnections` being open, in vain",
      "More load than the limit allows for longer than `pendingTimeout`.",
      "Raise `maxConnections`, or scale the Service out.",
    ],
    endpoint_connections_exhausted: [
      "each endpoint that could be chosen has its `maxConnectionsPerEndpoint`",
      "More load than the endpoints may take, or few of them.",
      "Scale the Service out, or raise `maxConnectionsPerEndpoint`.",
    ],
    probe_unanswered: [
      "a probe of kubelet that the application did not answer in its time",
      "The application hangs or is too slow for the probe's `timeoutSeconds`.",
      "Look at the application; kubelet restarts it, or takes it out of its Services, as the probe says.",
    ],
  },
};
