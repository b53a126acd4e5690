/**
 * Which endpoints of a Service may a caller on this node use? As kube-proxy decides it (its topology.go,
 * CategorizeEndpoints): ready ones, where there is none those that end and still serve; on this node alone
 * where the Service says so; those that hints or the Service's trafficDistribution give to this zone or node.
 */
import type { Endpoint, EndpointSlice, TrafficDistribution } from "../../core/model/service.ts";

export interface Place {
  readonly node: string;
  /** "" where it is not known. */
  readonly zone: string;
}

export interface UsableQuestion extends Place {
  readonly localOnly: boolean;
  readonly distribution: TrafficDistribution;
}

export interface UsableEndpoint {
  readonly endpoint: Endpoint;
  readonly port: number;
}

/** Of all slices of a Service, for its port of that name. An address that is in two slices counts once. */
export function usableEndpoints(
  slices: readonly EndpointSlice[],
  portName: string,
  question: UsableQuestion,
): readonly UsableEndpoint[] {
  const all = endpointsAt(slices, portName);
  const reachable = question.localOnly
    ? all.filter(({ endpoint }) => endpoint.node === question.node)
    : all;
  const ready = reachable.filter(({ endpoint }) => endpoint.ready);
  if (ready.length === 0) return reachable.filter(({ endpoint }) => endpoint.draining);
  // Whoever is on this very node is in its zone already, whatever the hints say.
  return question.localOnly ? ready : nearOnes(ready, question);
}

function endpointsAt(
  slices: readonly EndpointSlice[],
  portName: string,
): readonly UsableEndpoint[] {
  const found = new Map<string, UsableEndpoint>();
  for (const slice of slices) {
    const port = slice.ports.find((entry) => entry.name === portName)?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints) {
      const key = `${endpoint.address} ${port}`;
      // While an endpoint moves from slice to slice it may be in both, once not ready any more.
      if (!found.get(key)?.endpoint.ready) found.set(key, { endpoint, port });
    }
  }
  return [...found.values()];
}

function nearOnes(
  ready: readonly UsableEndpoint[],
  { node, zone, distribution }: UsableQuestion,
): readonly UsableEndpoint[] {
  const onNode = ready.filter(({ endpoint }) => endpoint.node === node);
  const forNode = hinted(ready, node, ({ forNodes }) => forNodes);
  if (forNode.length > 0) return forNode;
  if (distribution === "same_node" && onNode.length > 0) return onNode;
  const forZone = hinted(ready, zone, ({ forZones }) => forZones);
  if (forZone.length > 0) return forZone;
  if (distribution === "anywhere" || zone === "") return ready;
  const inZone = ready.filter(({ endpoint }) => endpoint.zone === zone);
  return inZone.length > 0 ? inZone : ready;
}

/** kube-proxy: hints count only where every ready endpoint has one and some name this place. */
function hinted(
  ready: readonly UsableEndpoint[],
  place: string,
  hintsOf: (endpoint: Endpoint) => readonly string[],
): readonly UsableEndpoint[] {
  if (place === "" || ready.some(({ endpoint }) => hintsOf(endpoint).length === 0)) return [];
  return ready.filter(({ endpoint }) => hintsOf(endpoint).includes(place));
}
