/**
 * Where does a connection go that a pod opens? The original destination and what the mesh knows in, a
 * route out. Never says plaintext for a workload that takes the tunnel (invariant 1).
 */

import type { ServiceRoutes } from "../../core/model/http-route.ts";
import { modeOfPort } from "../../core/model/mtls-modes.ts";
import type { Service } from "../../core/model/service.ts";
import type { Traffic, TrafficSettings } from "../../core/model/traffic-settings.ts";
import type { Workload } from "../../core/model/workload.ts";
import type { Balancer, Caller, CallingRequest } from "../balance/balancer.ts";
import type { Balancers } from "../balance/balancers.ts";
import type { NoChoice } from "../balance/choice.ts";
import type { Member } from "../balance/member.ts";
import { isRefusedAsUnknown, type Registry } from "./known-destination.ts";

/** Address and port in canonical text, as the kernel kept them. */
export interface Destination {
  readonly address: string;
  readonly port: number;
}

export type Upstream =
  | { readonly kind: "tunnel"; readonly to: Destination; readonly workload: Workload }
  | {
      readonly kind: "plaintext";
      readonly to: Destination;
      readonly workload: Workload | undefined;
    };

export type Route =
  | {
      readonly kind: "upstream";
      readonly upstream: Upstream;
      readonly service: Service | undefined;
      /** Of the Service's TrafficPolicy, if there is one. */
      readonly settings: TrafficSettings | undefined;
      /** Who chose it, to be told how it went. `undefined` for a destination that is no Service. */
      readonly balanced: Balanced | undefined;
    }
  | {
      readonly kind: "none";
      readonly reason: NoChoice | "no_such_port" | "endpoint_requests_exhausted";
      readonly service: Service;
    }
  | {
      readonly kind: "none";
      readonly reason: "destination_unknown";
      readonly service: undefined;
    };

export interface Balanced {
  readonly balancer: Balancer;
  readonly member: Member;
}

/** The lookups that routing needs; `state/current.ts` has them all. */
export interface MeshView extends Registry {
  workload(uid: string): Workload | undefined;
  workloadAt(address: string): Workload | undefined;
  serviceAt(address: string): Service | undefined;
  /** By `namespace/name`. */
  service(ref: string): Service | undefined;
  trafficOf(service: Service): Traffic | undefined;
  routesOf(service: Service): ServiceRoutes | undefined;
}

export interface RouteInput extends Caller {
  readonly balancers: Balancers;
  readonly node: string;
  /** Of this node; "" where it is not known. */
  readonly zone: string;
  readonly nodeAddresses: readonly string[];
  /** Of a request: what binds it to one of these endpoints. */
  readonly requestAt?: (balancer: Balancer) => CallingRequest;
}

const UNBALANCED = { settings: undefined, balanced: undefined };

export function chooseUpstream(view: MeshView, to: Destination, input: RouteInput): Route {
  const service = view.serviceAt(to.address);
  if (!service) {
    const workload = view.workloadAt(to.address);
    if (!workload && isRefusedAsUnknown(view, to, input.nodeAddresses)) {
      return { kind: "none", reason: "destination_unknown", service: undefined };
    }
    const upstream = upstreamTo(workload, to);
    return { kind: "upstream", upstream, service: undefined, ...UNBALANCED };
  }
  return chooseEndpoint(view, { service, port: to.port }, input);
}

/** Of a Service, by the number of one of its ports. */
export interface ServiceCall {
  readonly service: Service;
  readonly port: number;
}

export function chooseEndpoint(view: MeshView, call: ServiceCall, input: RouteInput): Route {
  const { service } = call;
  const port = service.ports.find((entry) => entry.port === call.port);
  if (!port) return { kind: "none", reason: "no_such_port", service };
  const { node, zone } = input;
  const balanced = { service, portName: port.name, node, zone };
  const balancer = input.balancers.at(balanced, input.nowMs);
  const { requestAt } = input;
  const choice = balancer.choose(requestAt ? { ...input, request: requestAt(balancer) } : input);
  if (choice.kind === "none") return { kind: "none", reason: choice.reason, service };
  const { member } = choice;
  return {
    kind: "upstream",
    upstream: upstreamOf(view, member),
    service,
    settings: view.trafficOf(service)?.settings,
    balanced: { balancer, member },
  };
}

export function endpointKey({ address, port }: Destination): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The way to one endpoint of a Service. */
export function upstreamOf(view: MeshView, member: Member): Upstream {
  return upstreamTo(workloadOf(view, member), { address: member.address, port: member.port });
}

/** By UID first; an endpoint whose pod is not known yet is found by address, so that it never gets plaintext by haste. */
function workloadOf(view: MeshView, { endpoint, address }: Member): Workload | undefined {
  const byUid = endpoint.workload === "" ? undefined : view.workload(endpoint.workload);
  return byUid ?? view.workloadAt(address);
}

function upstreamTo(workload: Workload | undefined, to: Destination): Upstream {
  if (workload?.tunnel && modeOfPort(workload.modes, to.port) !== "DISABLE") {
    return { kind: "tunnel", to, workload };
  }
  return { kind: "plaintext", to, workload };
}
