/** Ends the connections that a pod keeps for requests to endpoints which its Services do not have any more. */
import type { Balancer } from "../balance/balancer.ts";
import type { EndpointRef } from "./endpoint-ref.ts";
import type { OutboundPod } from "./outbound-pod.ts";

/** To be called after changes of Services and of their endpoints. */
export function retainEndpoints(pod: OutboundPod): void {
  const nowMs = performance.now();
  const known = new Map<Balancer, ReadonlySet<string>>();
  function isThere(ref: EndpointRef): boolean {
    const balancer = balancerOf(pod, ref, nowMs);
    if (!balancer) return false;
    const members = known.get(balancer) ?? membersOf(balancer);
    known.set(balancer, members);
    return members.has(`${ref.key} ${ref.workload}`);
  }
  pod.pools.retain(isThere);
}

function balancerOf(
  pod: OutboundPod,
  { service: name, port }: EndpointRef,
  nowMs: number,
): Balancer | undefined {
  const service = pod.view.service(name);
  const portName = service?.ports.find((entry) => entry.port === port)?.name;
  if (!service || portName === undefined) return undefined;
  return pod.balancers.at({ service, portName, node: pod.node, zone: pod.zone() }, nowMs);
}

function membersOf({ members }: Balancer): ReadonlySet<string> {
  return new Set(members.map(({ key, endpoint }) => `${key} ${endpoint.workload}`));
}
