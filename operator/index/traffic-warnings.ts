/**
 * What a TrafficPolicy cannot do because of the objects there are: a Service is not there, or no port of it shows requests
 * to the nodes of callers, or nobody counts for global limits. Warnings only: the next object may put it right.
 */
import { askedHttp, unfitPorts } from "../compile/asked-http.ts";
import { compileService } from "../compile/service.ts";
import type { Reason } from "../resources/fields.ts";
import type { Service } from "../resources/service.ts";
import type { TrafficPolicy } from "../resources/traffic-policy.ts";
import type { ClusterState } from "./cluster-state.ts";

export function trafficWarnings(state: ClusterState, policy: TrafficPolicy): readonly Reason[] {
  const { namespace } = policy.metadata;
  const ofServices = policy.services.flatMap((name) => {
    const service = state.services.get({ namespace, name });
    if (service) return requestWarnings(state, policy, service);
    return [{ field: "spec.targetRefs", message: `there is no Service ${name}` }];
  });
  return [...ofServices, ...uncountedLimits(state, policy)];
}

function uncountedLimits(
  { policies }: ClusterState,
  { rateLimits }: TrafficPolicy,
): readonly Reason[] {
  if (policies.settings.rateLimitService) return [];
  return [...rateLimits.entries()]
    .filter(([, { count }]) => count.kind === "global")
    .map(([index]) => ({
      field: `spec.rateLimits[${index}]`,
      message: "limits nothing while nobody counts it: MeshConfig has no rateLimitService",
    }));
}

function requestWarnings(
  state: ClusterState,
  policy: TrafficPolicy,
  service: Service,
): readonly Reason[] {
  const unfit = policy.http ? unfitPorts(policy.http, service) : [];
  const unseen = whyUnseen(state, policy, service);
  return [
    ...unfit.map((message) => ({ field: "spec.http.ports", message })),
    ...policy.requestFields.slice(0, 1).flatMap((field) => {
      return unseen === undefined ? [] : [{ field, message: unseen }];
    }),
  ];
}

/** `undefined`: requests to the Service are seen on a port at least. */
function whyUnseen(
  { routes }: ClusterState,
  { http }: TrafficPolicy,
  service: Service,
): string | undefined {
  const { name } = service;
  if (service.addresses.length === 0) {
    return `does nothing for Service ${name}: without a cluster IP its callers' requests are not seen`;
  }
  const asked = new Map([
    ...(http ? askedHttp(http, service) : []),
    ...routes.routedPorts(service),
  ]);
  if (compileService(service, asked).ports.some((port) => port.http)) return undefined;
  return `does nothing for Service ${name}: none of its ports is HTTP, by appProtocol, a route or the section http`;
}
