/** How tunnels fail where they begin, and how connections end. Part of the catalogue: `catalogue.ts`. */
import {
  ACCESS_LOG,
  type CodeGroup,
  FAILED_CONNECTIONS,
  HEADER,
  HTTP_REQUESTS,
} from "./code-group.ts";

export const PEER_CODES: CodeGroup = {
  title: "Tunnels that failed",
  place: "at the caller's node",
  toldIn: [ACCESS_LOG, FAILED_CONNECTIONS, HTTP_REQUESTS, HEADER],
  codes: {
    no_leaf: [
      "no certificate for the pod yet: look at the operator and at the node proxy's own log",
      "The operator cannot be reached, refuses to issue, or the pod is seconds old.",
      "`weftctl status` and `weftctl ca status`; the log of the node proxy has the operator's reason.",
    ],
    tunnel_connect_failed: [
      "no connection to port 15008 of the other pod",
      "The pod is gone, its node proxy is down, or a firewall rejects port 15008.",
      "`weftctl status` shows the node; let NetworkPolicies allow TCP 15008 between pods of the mesh.",
    ],
    tunnel_connect_timeout: [
      "no connection to port 15008 of the other pod in 10 s: a NetworkPolicy may block the port",
      "A NetworkPolicy or a firewall drops what goes to port 15008, or the node is gone.",
      "Let NetworkPolicies allow TCP 15008 between pods of the mesh; `weftctl check` looks at them.",
    ],
    tunnel_handshake_lost: [
      "the connection ended in the middle of TLS, twice: the node proxy there was killed, or resets what comes",
      "The other node proxy restarted in that moment, or a firewall resets TLS on port 15008.",
      "Nothing, if it is rare; else look at what stands between the nodes.",
    ],
    tunnel_tls_failed: [
      "TLS did not succeed, or the certificate there is not to be trusted",
      "The other end has a certificate of an older root, no TLS, or a wrong clock.",
      "`weftctl ca status` shows who uses which root; the other node's log has the reason.",
    ],
    tunnel_wrong_identity: [
      "a good certificate, and another workload's",
      "The address belongs to another pod by now, or somebody answers in its place.",
      "It ends by itself when the node hears of the change. If it stays: find out who has that address.",
    ],
    tunnel_lost: [
      "the tunnel ended before the answer",
      "The other node proxy or its node ended, or the network between them.",
      "Nothing, if it is rare; else look at that node.",
    ],
    tunnel_stream_refused: [
      "the other end takes no more streams in this tunnel",
      "The tunnel is full or about to end.",
      "Nothing: it is tried in another tunnel first, so this is a node under much load.",
    ],
    tunnel_answer_timeout: [
      "no answer in 30 s",
      "The other node is short of CPU, or the application there does not accept.",
      "Look at the CPU of that node's proxy and at the application.",
    ],
    malformed_by_peer: [
      "answered 400: the reason is in the log of the other node",
      "Node proxies of two versions or meshes that disagree.",
      "The access log of the other node, at the same time, has the code.",
    ],
    denied_by_peer: [
      "the other node answered 401 or 403: policy there, named in its log",
      "A policy of the destination forbids the call.",
      "The access log of the destination's node has the code and the policy; or `weftctl why --from … --to …`.",
    ],
    unreachable_at_peer: [
      "answered 503: the application there could not be reached",
      "The container is not up, or listens on another port or on 127.0.0.1 alone.",
      "`kubectl describe pod` of the destination; the access log of its node has the code.",
    ],
    refused_by_peer: [
      "the other node gave another answer than it should",
      "What answers on port 15008 is no node proxy, or one of another mesh.",
      "Look at who has the address, and at the log of the other node.",
    ],
  },
};

export const END_CODES: CodeGroup = {
  title: "Ended",
  place: "after bytes may have flowed",
  toldIn: [ACCESS_LOG, FAILED_CONNECTIONS, HTTP_REQUESTS],
  codes: {
    trust_withdrawn: [
      "the tunnel ended at once: the CA of one of its two certificates is not trusted any more",
      "A rotation of the CA came to its end, or a TrustBundle was taken away.",
      "Nothing: the next connection uses the new certificates.",
    ],
    port_protocol_changed: [
      "it was open when its port became HTTP, so that no request in it would have been judged",
      "A policy or a RequestAuthentication came to ask for HTTP, or a Service to declare it.",
      "Nothing: the next connection is served request by request.",
    ],
    idle_timeout: [
      "no byte came from either side for the TrafficPolicy's `idleTimeout`",
      "Nobody used the connection; or one end is gone without a word.",
      "Raise `idleTimeout`, or let the client send keep-alives more often.",
    ],
    workload_gone: [
      "the pod at one of the two ends is gone; at its own node also of tunnels that are refused because of it",
      "The pod was deleted, evicted or has ended.",
      "Nothing, if that was meant; a `preStop` and a grace period let connections end in order.",
    ],
    own_certificate_revoked: [
      "this node's own certificate for the tunnel was taken back; a pod that lives gets another at once. Also of tunnels that are refused meanwhile",
      "The operator took it back: the pod, or a predecessor of its name, was reported gone.",
      "Nothing: a pod that lives gets another at once. If it stays: `weftctl ca status`.",
    ],
    connection_reset: [
      "one of the two ends reset it",
      "An application that ends connections hard, crashed, or did not read what came.",
      "Look at the log of the two applications.",
    ],
    proxy_stopped: [
      "the node proxy ended with it still open",
      "An upgrade or restart of the node proxy, with connections open for longer than its grace period.",
      "Raise `terminationGracePeriodSeconds` of the DaemonSet, or let clients reconnect.",
    ],
    worker_died: [
      "the thread that carried it died and was replaced (`--workers`): a reason in the metric and a code of the program's own log, never a line here",
      "A bug, or a thread without memory; `weft_traffic_worker_deaths_total` says which.",
      "Look for `worker_died` in the node proxy's log, and report it with that line.",
    ],
  },
};
