/** A Kubernetes Service and its EndpointSlices, as the outbound side balances over them. */
import type { HttpVersion } from "./enrolment.ts";

/**
 * `round_robin` in order; `least_recently_used` by the time of the last use, so that a new endpoint is next;
 * `random` uniform; `weighted_round_robin` by the workloads' weights; `least_connections` the emptier of two
 * drawn, counting what this node proxy itself has open; `least_request` the same by requests under way; `peak_ewma` by
 * how long its answers take, weighted by what is under way; `ring_hash` and `maglev` by the caller's address or, of
 * requests, by what `hashOn` says.
 */
export type BalanceAlgorithm =
  | "round_robin"
  | "least_recently_used"
  | "random"
  | "weighted_round_robin"
  | "least_connections"
  | "least_request"
  | "peak_ewma"
  | "ring_hash"
  | "maglev";

/** What callers prefer while there is such an endpoint; `same_node` falls back to the zone. */
export type TrafficDistribution = "anywhere" | "same_zone" | "same_node";

export interface Service {
  readonly namespace: string;
  readonly name: string;
  /** Canonical cluster addresses; empty for a headless service, which clients reach by pod address. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  readonly algorithm: BalanceAlgorithm;
  /** `internalTrafficPolicy: Local`: only endpoints on the caller's node. */
  readonly localOnly: boolean;
  readonly distribution: TrafficDistribution;
  /** `sessionAffinity: ClientIP`: how long after its last connection a caller returns to the same endpoint; 0: none. */
  readonly affinitySeconds: number;
}

export interface ServicePort {
  readonly port: number;
  /** The Service port's name; "" for the one unnamed port. EndpointSlices refer to it. */
  readonly name: string;
  readonly appProtocol: string;
  /** What callers speak to it at the Service's address; absent: opaque bytes. */
  readonly http?: HttpVersion;
}

/** One EndpointSlice: at most a few hundred endpoints, so that one pod's change stays a small message. */
export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  /** Name of the Service in the same namespace. */
  readonly service: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly Endpoint[];
}

export interface Endpoint {
  /** Canonical text. */
  readonly address: string;
  /** UID of the pod behind it; "" for an address that is no pod. */
  readonly workload: string;
  readonly node: string;
  /** EndpointSlice `conditions.ready`, absent means true; with `publishNotReadyAddresses` Kubernetes says true of every one. */
  readonly ready: boolean;
  /** Ends and still answers (`serving` and `terminating`): chosen only where none is ready. */
  readonly draining: boolean;
  /** "" where it is not known. */
  readonly zone: string;
  /** Topology hints: zones and nodes that Kubernetes gave the endpoint to; empty without hints. */
  readonly forZones: readonly string[];
  readonly forNodes: readonly string[];
}
