/** A TrafficPolicy as the nodes of callers apply it. Every limit counts what one node proxy has open, not what the mesh has. */
import { DEFAULT_HTTP_SETTINGS, type HttpSettings } from "./http-settings.ts";
import type { BalanceAlgorithm } from "./service.ts";

export interface Traffic {
  /** `namespace/name` of the TrafficPolicy. */
  readonly ref: string;
  /** `namespace/name` of the Services that it rules; no other Traffic names them. */
  readonly services: readonly string[];
  /** `undefined`: the Service's own. */
  readonly algorithm: BalanceAlgorithm | undefined;
  readonly settings: TrafficSettings;
}

export interface TrafficSettings {
  /** For one attempt, TCP connect or tunnel and its answer together. */
  readonly connectTimeoutMs: number;
  /** Endpoints tried after the first, while no byte has been sent. */
  readonly retries: number;
  /** 0: never. */
  readonly idleTimeoutMs: number;
  readonly limits: ConnectionLimits;
  /** Slow start of new endpoints; 0: none. */
  readonly warmupMs: number;
  /** Share of its part that a new endpoint begins with, 1 to 100. */
  readonly warmupMinimumPercent: number;
  /** Slots of Maglev's table, a prime. */
  readonly maglevTableSize: number;
  readonly outliers: OutlierSettings | undefined;
  readonly tcpCheck: TcpCheckSettings | undefined;
  /** Of requests, on ports that are HTTP for callers. */
  readonly http: HttpSettings;
}

export interface ConnectionLimits {
  /** Open and being opened to the Service; 0: no limit. */
  readonly maxConnections: number;
  /** The same to one of its endpoints; 0: no limit. */
  readonly maxConnectionsPerEndpoint: number;
  /** How many may wait for `maxConnections`; 0: none, so they are refused at once. */
  readonly maxPending: number;
  readonly pendingTimeoutMs: number;
}

/** Passive: what connections themselves find out. Names as in Istio's `outlierDetection`. */
export interface OutlierSettings {
  /** Failures to connect one after the other, at least 1. */
  readonly consecutiveFailures: number;
  /** Times the number of ejections in a row. */
  readonly baseEjectionMs: number;
  /** 0 to 100. */
  readonly maxEjectionPercent: number;
  /** Below this share of healthy endpoints health is not looked at; 0: always looked at. */
  readonly minHealthPercent: number;
}

/** Active: this node connects to every endpoint of a Service that its pods call. */
export interface TcpCheckSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Checks in a row that turn an endpoint, each at least 1. */
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/** What holds for a Service without a TrafficPolicy, and for what a policy leaves out. */
export const DEFAULT_TRAFFIC_SETTINGS: TrafficSettings = {
  connectTimeoutMs: 10_000,
  retries: 2,
  idleTimeoutMs: 0,
  limits: {
    maxConnections: 0,
    maxConnectionsPerEndpoint: 0,
    maxPending: 0,
    pendingTimeoutMs: 10_000,
  },
  warmupMs: 0,
  warmupMinimumPercent: 10,
  // The size that Envoy takes.
  maglevTableSize: 65_537,
  outliers: undefined,
  tcpCheck: undefined,
  http: DEFAULT_HTTP_SETTINGS,
};
