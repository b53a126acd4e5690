/**
 * How requests to a Service are treated by the nodes of callers: what a TrafficPolicy says of HTTP. Every limit and every
 * count is of one node proxy, not of the mesh.
 */
import type { RouteSession } from "./http-route.ts";

/** 0 as a time or a limit: none. */
export interface HttpSettings {
  /** A route's own `timeouts` and `retry` rule before these. */
  readonly requestTimeoutMs: number;
  readonly tryTimeoutMs: number;
  /** No octet in either direction for so long ends a request. */
  readonly idleTimeoutMs: number;
  readonly retry: HttpRetry | undefined;
  readonly retryBudget: RetryBudget;
  readonly hedge: Hedge | undefined;
  readonly limits: RequestLimits;
  readonly breaker: BreakerSettings | undefined;
  readonly outliers: AnswerOutliers | undefined;
  readonly check: HttpCheck | GrpcCheck | undefined;
  readonly hashOn: HashOn;
  /** A route's own rules before it. */
  readonly session: RouteSession | undefined;
  readonly failover: readonly FailoverStep[];
  readonly fault: Fault | undefined;
  /** In the order in which they see requests, before these are routed; absent: none, and never empty. */
  readonly plugins?: readonly PluginUse[];
}

export interface PluginUse {
  /** Of one of MeshConfig's. */
  readonly name: string;
  /** JSON: what the plugin's own schema asks for. */
  readonly config: string;
}

export interface HttpRetry {
  /** Beside the first. */
  readonly attempts: number;
  /** 100 to 599. */
  readonly codes: readonly number[];
  /** Numbers of gRPC's status, 1 to 16. */
  readonly grpcCodes: readonly number[];
  readonly on: readonly RetryCause[];
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

/** `late`: the try's own time ran out. */
export type RetryCause = "connect-failure" | "refused" | "reset" | "late";

/**
 * Retries and hedges within `intervalMs` may be `percent` of the requests that began in it, and `minRetries` beside: the
 * `retryConstraint` of Gateway API's BackendTrafficPolicy.
 */
export interface RetryBudget {
  /** 0 to 100. */
  readonly percent: number;
  readonly intervalMs: number;
  readonly minRetries: number;
}

/**
 * A second request of a safe method while the first has no answer after `delayMs`, up to `attempts` of them; the first
 * answer wins, the others are cancelled.
 */
export interface Hedge {
  readonly delayMs: number;
  readonly attempts: number;
}

export interface RequestLimits {
  readonly maxRequests: number;
  readonly maxRequestsPerEndpoint: number;
  /** How many may wait for a place; 0: refused at once. */
  readonly maxPending: number;
  readonly pendingTimeoutMs: number;
  /** Then the connection is closed; 0: never. */
  readonly maxRequestsPerConnection: number;
}

/**
 * Of the Service at this node: `consecutiveFailures` open it; after `openMs` (doubling up to `maxOpenMs`)
 * `halfOpenRequests` are let through; all good closes it, one bad opens it again.
 */
export interface BreakerSettings {
  readonly consecutiveFailures: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
  readonly halfOpenRequests: number;
}

/** Istio's `outlierDetection` and Envoy's; how ejections end is said by the `outliers` of connections. 0 consecutive: off. */
export interface AnswerOutliers {
  readonly consecutive5xx: number;
  /** 502, 503 and 504. */
  readonly consecutiveGatewayErrors: number;
  /** Of the sweeps that look at `successRate` and `failurePercentage`. */
  readonly intervalMs: number;
  readonly successRate: SuccessRate | undefined;
  readonly failurePercentage: FailurePercentage | undefined;
}

export interface SuccessRate {
  readonly minimumHosts: number;
  readonly requestVolume: number;
  /** An endpoint below the mean by so many thousandths of the standard deviation is ejected. */
  readonly stdevFactor: number;
}

export interface FailurePercentage {
  /** 0 to 100. */
  readonly threshold: number;
  readonly minimumHosts: number;
  readonly requestVolume: number;
}

export interface HttpCheck {
  readonly kind: "http";
  readonly path: string;
  /** "": the Service's own. */
  readonly host: string;
  readonly statuses: readonly (readonly [from: number, to: number])[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/** `grpc.health.v1.Health/Check`. */
export interface GrpcCheck {
  readonly kind: "grpc";
  readonly service: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

/**
 * What ring_hash and maglev hash for requests. A cookie that is not there is made with `ttlMs` (0: for the session) and
 * its path as told; for a header or query parameter that is not there the source stands in. Header names in lower case.
 */
export type HashOn =
  | { readonly kind: "source" }
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "query"; readonly name: string }
  | {
      readonly kind: "cookie";
      readonly name: string;
      readonly path: string;
      readonly ttlMs: number;
    };

/**
 * Istio's `localityLbSetting.failover`: callers in zone `from` go to `to` in its order once fewer than 70 % (Envoy's
 * overprovisioning factor 1.4) of their own zone's endpoints are healthy; without steps by the Service's `distribution`.
 */
export interface FailoverStep {
  readonly from: string;
  readonly to: readonly string[];
}

/** Istio's HTTPFaultInjection. Shares in millionths: 0 to 1,000,000. */
export interface Fault {
  readonly delay: FaultDelay | undefined;
  readonly abort: FaultAbort | undefined;
}

export interface FaultDelay {
  readonly partsPerMillion: number;
  readonly delayMs: number;
}

export interface FaultAbort {
  readonly partsPerMillion: number;
  readonly status: number;
  /** `undefined`: by the mapping from HTTP's status. */
  readonly grpcStatus: number | undefined;
}

/** What holds for a Service without a TrafficPolicy, and for what a policy leaves out. */
export const DEFAULT_HTTP_SETTINGS: HttpSettings = {
  requestTimeoutMs: 0,
  tryTimeoutMs: 0,
  idleTimeoutMs: 0,
  retry: undefined,
  retryBudget: { percent: 20, intervalMs: 10_000, minRetries: 10 },
  hedge: undefined,
  limits: {
    maxRequests: 0,
    maxRequestsPerEndpoint: 0,
    maxPending: 0,
    pendingTimeoutMs: 10_000,
    maxRequestsPerConnection: 0,
  },
  breaker: undefined,
  outliers: undefined,
  check: undefined,
  hashOn: { kind: "source" },
  session: undefined,
  failover: [],
  fault: undefined,
};
