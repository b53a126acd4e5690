/**
 * Which backend of a route's rule did a request's session begin with? It goes on there whatever the weights say, as long
 * as the endpoint is there: two versions of an application must not take turns at one client.
 */
import type { BackendRef, RouteRule } from "../../core/model/http-route.ts";
import type { BoundBackend } from "../http/match/compiled-rule.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import { sessionTokenOf } from "./request-binding.ts";
import { memberOfSession } from "./session-endpoints.ts";
import type { SessionToken } from "./session-token.ts";

export function sessionBackendIn(pod: OutboundPod): BoundBackend {
  return (head, { session, backends }: RouteRule) => {
    const token = session && sessionTokenOf(head, session, Date.now());
    if (!token) return undefined;
    const bound = backends.find(({ to, weight }) => to && weight > 0 && hasMember(pod, to, token));
    return bound?.to;
  };
}

function hasMember(
  pod: OutboundPod,
  { service: ref, port }: BackendRef,
  token: SessionToken,
): boolean {
  const service = pod.view.service(ref);
  const portName = service?.ports.find((entry) => entry.port === port)?.name;
  if (!service || portName === undefined) return false;
  const place = { service, portName, node: pod.node, zone: pod.zone() };
  const balancer = pod.balancers.at(place, performance.now());
  return memberOfSession(balancer, port, token) !== undefined;
}
