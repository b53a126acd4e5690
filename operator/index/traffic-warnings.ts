/**
 * What a TrafficPolicy cannot do because of the objects there are: a Service is not there, or no port of it shows requests
 * to the nodes of callers, or nobody counts for global limits. Warnings only: the next object may put it right.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
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
  return [...ofServices, ...uncountedLimits(state, policy), ...pluginWarnings(state, policy)];
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

/** Requests that need such a plugin fail until MeshConfig names it. */
function pluginWarnings(
  { policies }: ClusterState,
  { settings }: TrafficPolicy,
): readonly Reason[] {
  const named = new Set(policies.plugins.map(({ name }) => name));
  return (settings.http.plugins ?? []).flatMap(({ name }, i) => {
    if (named.has(name)) return [];
    const message = `MeshConfig has no plugin ${name}, so requests fail with plugin_missing`;
    return [{ field: `spec.http.plugins[${i}].name`, message }];
  });
}

function requestWarnings(
  state: ClusterState,
  policy: TrafficPolicy,
  service: Service,
): readonly Reason[] {
  const unfit = policy.http ? unfitPorts(policy.http, service) : [];
  const versions = versionsFor(state, policy, service);
  const unseen = whyUnseen(service, versions);
  return [
    ...unhedged(policy, service, versions),
    ...unfit.map((message) => ({ field: "spec.http.ports", message })),
    ...policy.requestFields.slice(0, 1).flatMap((field) => {
      return unseen === undefined ? [] : [{ field, message: unseen }];
    }),
  ];
}

/** What its callers speak, port by port, with the policy. */
function versionsFor(
  { routes }: ClusterState,
  { http }: TrafficPolicy,
  service: Service,
): readonly HttpVersion[] {
  const asked = new Map([
    ...(http ? askedHttp(http, service) : []),
    ...routes.routedPorts(service),
  ]);
  return compileService(service, asked).ports.flatMap((port) => port.http ?? []);
}

/** `undefined`: requests to the Service are seen on a port at least. */
function whyUnseen(
  { name, addresses }: Service,
  versions: readonly HttpVersion[],
): string | undefined {
  if (addresses.length === 0) {
    return `does nothing for Service ${name}: without a cluster IP its callers' requests are not seen`;
  }
  if (versions.length > 0) return undefined;
  return `does nothing for Service ${name}: none of its ports is HTTP, by appProtocol, a route or the section http`;
}

function unhedged(
  { settings }: TrafficPolicy,
  { name }: Service,
  versions: readonly HttpVersion[],
): readonly Reason[] {
  if (!settings.http.hedge || !versions.includes("http2") || versions.includes("http1")) return [];
  const message = `does nothing for Service ${name}: over HTTP/2, which all its HTTP ports are, no request is hedged`;
  return [{ field: "spec.http.hedge", message }];
}
