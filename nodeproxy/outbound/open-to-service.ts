/**
 * Connects to a Service for the node proxy itself, in a pod's name: as a connection of the pod would go, by tunnel
 * where the endpoint takes it. No connection of the pod: it is in no log and counts for no limit of the pod's.
 */
import type { Service } from "../../core/model/service.ts";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import type { Side } from "../flow/side.ts";
import { upstreamOf } from "./choose-upstream.ts";
import { isEndpointFault, isVerdict, openFailureCode, openUpstream } from "./open-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

export interface ServiceTarget {
  readonly service: Service;
  /** Of the Service. */
  readonly port: number;
  /** For each endpoint. */
  readonly timeoutMs: number;
}

/** Rejects with the reason of the last endpoint that was tried. */
export async function openToService(
  pod: OutboundPod,
  { service, port, timeoutMs }: ServiceTarget,
): Promise<Side> {
  const { namespace, name } = service;
  const named = service.ports.find((entry) => entry.port === port);
  if (!named) throw new Error(`Service ${namespace}/${name} has no port ${port}`);
  const tried: string[] = [];
  for (;;) {
    const nowMs = performance.now();
    const place = { service, portName: named.name, node: pod.node, zone: pod.zone() };
    const balancer = pod.balancers.at(place, nowMs);
    const choice = balancer.choose({ address: pod.addresses()[0] ?? "", tried, nowMs });
    if (choice.kind === "none") throw new Error(`${namespace}/${name}: ${choice.reason}`);
    const { member } = choice;
    try {
      const times = { connectTimeoutMs: timeoutMs, isForTunnels: true };
      const side = await openUpstream(pod, upstreamOf(pod.view, member), times);
      balancer.succeeded(member);
      return side;
    } catch (error) {
      const code = openFailureCode(error);
      if (isEndpointFault(code) && balancer.failed(member, performance.now())) {
        pod.onEjected(`${namespace}/${name}`, member.key, "unreachable");
      }
      tried.push(member.key);
      if (isVerdict(code) || tried.length > DEFAULT_TRAFFIC_SETTINGS.retries) throw error;
    }
  }
}
