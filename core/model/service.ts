/** A Kubernetes Service and its EndpointSlices, as the outbound side balances over them. */

/** `random` is uniform; `least_connections` counts what this node proxy itself has open. */
export type BalanceAlgorithm = "round_robin" | "random" | "least_connections";

export interface Service {
  readonly namespace: string;
  readonly name: string;
  /** Canonical cluster addresses; empty for a headless service, which clients reach by pod address. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  readonly algorithm: BalanceAlgorithm;
  /** `internalTrafficPolicy: Local`: only endpoints on the caller's node. */
  readonly localOnly: boolean;
}

export interface ServicePort {
  readonly port: number;
  /** The Service port's name; "" for the one unnamed port. EndpointSlices refer to it. */
  readonly name: string;
  readonly appProtocol: string;
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
  /** Only ready endpoints are chosen (EndpointSlice `conditions.ready`, absent means true). */
  readonly ready: boolean;
}
