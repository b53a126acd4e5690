/**
 * Which endpoints of a Service may a caller on this node use? As kube-proxy decides it (its topology.go,
 * CategorizeEndpoints): ready ones, where there is none those that end and still serve; on this node alone
 * where the Service says so; first those that hints or the Service's trafficDistribution give to this zone or node.
 */
import type { FailoverStep } from "../../core/model/http-settings.ts";
import type { Endpoint, EndpointSlice, TrafficDistribution } from "../../core/model/service.ts";

export interface Place {
  readonly node: string;
  /** "" where it is not known. */
  readonly zone: string;
}

export interface UsableQuestion extends Place {
  readonly localOnly: boolean;
  readonly distribution: TrafficDistribution;
  /** A step from this zone rules before `distribution` and hints. */
  readonly failover: readonly FailoverStep[];
}

export interface UsableEndpoint {
  readonly endpoint: Endpoint;
  readonly port: number;
}

/** Those that are equally near. */
export type EndpointTier = readonly UsableEndpoint[];

/**
 * Of all slices of a Service, for its port of that name; the nearest first, the others for when these are not healthy.
 * An address that is in two slices counts once.
 */
export function usableEndpoints(
  slices: readonly EndpointSlice[],
  portName: string,
  question: UsableQuestion,
): readonly EndpointTier[] {
  const all = endpointsAt(slices, portName);
  const reachable = question.localOnly
    ? all.filter(({ endpoint }) => endpoint.node === question.node)
    : all;
  const ready = reachable.filter(({ endpoint }) => endpoint.ready);
  if (ready.length === 0) {
    const draining = reachable.filter(({ endpoint }) => endpoint.draining);
    return draining.length === 0 ? [] : [draining];
  }
  // Whoever is on this very node is in its zone already, whatever the hints say.
  return question.localOnly ? [ready] : near(ready, question);
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

/** In groups by what is said of places, the preferred first; each endpoint in the first that takes it. */
function near(ready: readonly UsableEndpoint[], question: UsableQuestion): readonly EndpointTier[] {
  const { node, zone, distribution, failover } = question;
  const ofZone = isInZone(zone);
  const hasNode = distribution === "same_node" && ready.some(isOnNode(node));
  const ofNode = hasNode ? [isOnNode(node)] : [];
  const steps = zone === "" ? undefined : failover.find(({ from }) => from === zone);
  if (steps) return grouped(ready, [...ofNode, ofZone, ...steps.to.map(isInZone)]);
  const isForNode = hintedTo(ready, node, ({ forNodes }) => forNodes);
  if (isForNode) return grouped(ready, [isForNode]);
  if (hasNode) return grouped(ready, [...ofNode, ofZone]);
  const isForZone = hintedTo(ready, zone, ({ forZones }) => forZones);
  if (isForZone) return grouped(ready, [isForZone]);
  return distribution === "anywhere" ? [ready] : grouped(ready, [ofZone]);
}

function isOnNode(node: string): IsIn {
  return ({ endpoint }) => endpoint.node === node;
}

function isInZone(zone: string): IsIn {
  return ({ endpoint }) => zone !== "" && endpoint.zone === zone;
}

type IsIn = (one: UsableEndpoint) => boolean;

/** Who is in none is in the last; none is empty. */
function grouped(all: readonly UsableEndpoint[], groups: readonly IsIn[]): readonly EndpointTier[] {
  const tiers: UsableEndpoint[][] = [...groups.map(() => []), []];
  for (const one of all) {
    const at = groups.findIndex((isIn) => isIn(one));
    tiers.at(at)?.push(one);
  }
  return tiers.filter(({ length }) => length > 0);
}

/** kube-proxy: hints count only where every ready endpoint has one and some name this place. */
function hintedTo(
  ready: readonly UsableEndpoint[],
  place: string,
  hintsOf: (endpoint: Endpoint) => readonly string[],
): IsIn | undefined {
  if (place === "" || ready.some(({ endpoint }) => hintsOf(endpoint).length === 0)) {
    return undefined;
  }
  function isFor({ endpoint }: UsableEndpoint): boolean {
    return hintsOf(endpoint).includes(place);
  }
  return ready.some(isFor) ? isFor : undefined;
}
