/**
 * Where does a connection go that a pod opens? Pure: the original destination and what the mesh
 * knows in, a route out. Never says plaintext for a workload that takes the tunnel (invariant 1).
 */
import { modeOfPort } from "../../core/model/mtls-modes.ts";
import type { Endpoint, EndpointSlice, Service } from "../../core/model/service.ts";
import type { Workload } from "../../core/model/workload.ts";
import { chooseEndpoint } from "../balance/choose-endpoint.ts";

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
    }
  | {
      readonly kind: "none";
      readonly reason: "no_ready_endpoint" | "no_such_port";
      readonly service: Service;
    };

/** The lookups that routing needs; `state/current.ts` has them all. */
export interface MeshView {
  workload(uid: string): Workload | undefined;
  workloadAt(address: string): Workload | undefined;
  serviceAt(address: string): Service | undefined;
  slicesOf(service: Service): readonly EndpointSlice[];
}

export interface RouteInput {
  /** Name of this node, for `localOnly` services. */
  readonly node: string;
  /** Endpoints `address:port` already tried in vain for this connection. */
  readonly tried: readonly string[];
  readonly turn: number;
  readonly random: number;
  /** Connections open from this node proxy to `address:port`. */
  readonly openTo: (endpoint: string) => number;
}

export function chooseUpstream(view: MeshView, to: Destination, input: RouteInput): Route {
  const service = view.serviceAt(to.address);
  if (!service) {
    const upstream = upstreamTo(view.workloadAt(to.address), to);
    return { kind: "upstream", upstream, service: undefined };
  }
  const port = service.ports.find((entry) => entry.port === to.port);
  if (!port) return { kind: "none", reason: "no_such_port", service };
  const candidates = readyEndpoints(view.slicesOf(service), port.name, {
    tried: input.tried,
    node: service.localOnly ? input.node : undefined,
  });
  if (candidates.length === 0) return { kind: "none", reason: "no_ready_endpoint", service };
  const index = chooseEndpoint(service.algorithm, candidates.length, {
    turn: input.turn,
    random: input.random,
    openAt: (at) => input.openTo(keyOf(candidates[at])),
  });
  const chosen = candidates[index];
  if (!chosen) return { kind: "none", reason: "no_ready_endpoint", service };
  const workload = workloadOf(view, chosen.endpoint);
  const destination = { address: chosen.endpoint.address, port: chosen.port };
  return { kind: "upstream", upstream: upstreamTo(workload, destination), service };
}

export function endpointKey({ address, port }: Destination): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

interface Candidate {
  readonly endpoint: Endpoint;
  readonly port: number;
}

function keyOf(candidate: Candidate | undefined): string {
  return candidate
    ? endpointKey({ address: candidate.endpoint.address, port: candidate.port })
    : "";
}

function readyEndpoints(
  slices: readonly EndpointSlice[],
  portName: string,
  { tried, node }: { readonly tried: readonly string[]; readonly node: string | undefined },
): readonly Candidate[] {
  const candidates: Candidate[] = [];
  for (const slice of slices) {
    const port = slice.ports.find((entry) => entry.name === portName)?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints) {
      if (!endpoint.ready || (node !== undefined && endpoint.node !== node)) continue;
      if (tried.length > 0 && tried.includes(endpointKey({ address: endpoint.address, port })))
        continue;
      candidates.push({ endpoint, port });
    }
  }
  return candidates;
}

/** By UID first; an endpoint whose pod is not known yet is found by address, so that it never gets plaintext by haste. */
function workloadOf(view: MeshView, endpoint: Endpoint): Workload | undefined {
  const byUid = endpoint.workload === "" ? undefined : view.workload(endpoint.workload);
  return byUid ?? view.workloadAt(endpoint.address);
}

function upstreamTo(workload: Workload | undefined, to: Destination): Upstream {
  if (workload?.tunnel && modeOfPort(workload.modes, to.port) !== "DISABLE") {
    return { kind: "tunnel", to, workload };
  }
  return { kind: "plaintext", to, workload };
}
