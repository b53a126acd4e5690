/** Opens a connection to an endpoint that was chosen for a request, as one of the pod's own; the endpoint is judged by it. */
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import type { Lease } from "../flow/connection-facts.ts";
import type { Side } from "../flow/side.ts";
import { endpointKey, type Route, type ServiceCall } from "./choose-upstream.ts";
import type { EndpointRef } from "./endpoint-ref.ts";
import { isEndpointFault, openFailureCode, openUpstream } from "./open-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

export type Chosen = Extract<Route, { readonly kind: "upstream" }>;

export interface OpenedSide {
  readonly side: Side;
  /** Of the pod's connections; to be ended with it. */
  readonly lease: Lease;
}

export function serviceNameOf({ service: { namespace, name } }: ServiceCall): string {
  return `${namespace}/${name}`;
}

/** Where connections go that may serve the same requests. */
export function endpointRefOf(call: ServiceCall, { upstream, balanced }: Chosen): EndpointRef {
  return {
    service: serviceNameOf(call),
    port: call.port,
    key: endpointKey(upstream.to),
    workload: balanced?.member.endpoint.workload ?? "",
    tunnelled: upstream.kind === "tunnel",
  };
}

/** A text says why there is none. Never rejects. */
export async function openForRequest(
  pod: OutboundPod,
  { upstream, settings, balanced }: Chosen,
  service: string,
): Promise<OpenedSide | string> {
  const { connectTimeoutMs } = settings ?? DEFAULT_TRAFFIC_SETTINGS;
  const lease = slotFor(pod);
  if (!lease) return "pod_connections_exhausted";
  const times = { connectTimeoutMs, isForTunnels: settings !== undefined };
  const side = await openUpstream(pod, upstream, times).catch(openFailureCode);
  if (typeof side !== "string") {
    balanced?.balancer.succeeded(balanced.member);
    return { side, lease };
  }
  lease.end();
  if (balanced && isEndpointFault(side)) {
    const { balancer, member } = balanced;
    if (balancer.failed(member, performance.now()))
      pod.onEjected(service, member.key, "unreachable");
  }
  return side;
}

/** One of the pod's own for a connection, taken from one that idles where there is no other. */
function slotFor({ ownSlots, pools }: OutboundPod): Lease | undefined {
  const taken = ownSlots.take();
  if (taken) return taken;
  return pools.http1.endOldest() || pools.http2.endOldest() ? ownSlots.take() : undefined;
}
