/** A TrafficPolicy with every kind of field of requests as a user writes it, and what nodes must make of it. */
import type { HttpSettings } from "../../core/model/http-settings.ts";

/** With the Service that it is for, and a MeshConfig. */
export const REQUEST_MANIFESTS = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  clusterIP: 10.9.0.1
  ports:
    - { name: web, port: 80 }
    - { name: db, port: 3306, appProtocol: mysql }
---
apiVersion: weft.dev/v1
kind: MeshConfig
metadata: { name: default }
spec:
  telemetry: { tracing: { endpoint: "telemetry/otel:4317", samplingPercent: 25 } }
  rateLimitService:
    { service: limits/ratelimit, port: 8081, timeout: 50ms, failOpen: true, domain: weft }
`;

export const REQUEST_POLICY = `
apiVersion: weft.dev/v1
kind: TrafficPolicy
metadata: { name: web, namespace: shop }
spec:
  targetRefs: [{ kind: Service, name: web }]
  loadBalancer:
    simple: PEAK_EWMA
    localityLbSetting: { failover: [{ from: eu-1a, to: eu-1b }] }
  connectionPool: { http: { http2MaxRequests: 100, http1MaxPendingRequests: 10 } }
  outlierDetection: { consecutiveGatewayErrors: 3, failurePercentage: {} }
  healthCheck: { http: { path: /healthz, expectedStatuses: ["200-299", "404"] } }
  http:
    timeouts: { request: 5s, backendRequest: 2s, idle: 1m }
    retry: { attempts: 3, codes: [502], grpcCodes: [ABORTED], retryOn: [reset, per-try-timeout] }
    retryBudget: { percent: 10, minRetries: 3 }
    hedge: { delay: 300ms }
    circuitBreaker: { openTime: 3s }
    fault:
      delay: { percentage: { value: 0.1 }, fixedDelay: 2s }
      abort: { percentage: { value: 1 }, grpcStatus: UNAVAILABLE }
    sessionPersistence: { type: Header, header: { name: x-session } }
`;

export const REQUEST_SETTINGS: HttpSettings = {
  requestTimeoutMs: 5000,
  tryTimeoutMs: 2000,
  idleTimeoutMs: 60_000,
  retry: {
    attempts: 3,
    codes: [502],
    grpcCodes: [10],
    on: ["reset", "late"],
    backoffMs: 25,
    maxBackoffMs: 250,
  },
  retryBudget: { percent: 10, intervalMs: 10_000, minRetries: 3 },
  hedge: { delayMs: 300, attempts: 1 },
  limits: {
    maxRequests: 100,
    maxRequestsPerEndpoint: 0,
    maxPending: 10,
    pendingTimeoutMs: 10_000,
    maxRequestsPerConnection: 0,
  },
  breaker: { consecutiveFailures: 5, openMs: 3000, maxOpenMs: 60_000, halfOpenRequests: 1 },
  outliers: {
    consecutive5xx: 5,
    consecutiveGatewayErrors: 3,
    intervalMs: 10_000,
    successRate: undefined,
    failurePercentage: { threshold: 85, minimumHosts: 5, requestVolume: 50 },
  },
  check: {
    kind: "http",
    path: "/healthz",
    host: "",
    statuses: [
      [200, 299],
      [404, 404],
    ],
    intervalMs: 10_000,
    timeoutMs: 1000,
    healthyThreshold: 1,
    unhealthyThreshold: 3,
  },
  hashOn: { kind: "source" },
  session: {
    kind: "header",
    name: "x-session",
    absoluteTimeoutMs: 0,
    idleTimeoutMs: 0,
    isPermanent: false,
  },
  failover: [{ from: "eu-1a", to: ["eu-1b"] }],
  fault: {
    delay: { partsPerMillion: 1000, delayMs: 2000 },
    abort: { partsPerMillion: 10_000, status: 503, grpcStatus: 14 },
  },
};
