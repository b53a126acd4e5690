/** What a TrafficPolicy says of requests, field by field, as nodes get it. */
import { expect, test } from "@jest/globals";
import { DEFAULT_HTTP_SETTINGS, type HttpSettings } from "../../core/model/http-settings.ts";
import type { TrafficPolicy } from "./traffic-policy.ts";
import { parseTrafficPolicy } from "./traffic-policy.ts";

function parse(spec: object) {
  return parseTrafficPolicy({
    apiVersion: "weft.dev/v1",
    kind: "TrafficPolicy",
    metadata: { namespace: "shop", name: "p" },
    spec: { targetRefs: [{ kind: "Service", name: "api" }], ...spec },
  });
}

function policyOf(spec: object): TrafficPolicy {
  const parsed = parse(spec);
  if (parsed.kind === "refused") throw new Error(JSON.stringify(parsed.reasons));
  return parsed.value;
}

function httpOf(spec: object): HttpSettings {
  return policyOf(spec).settings.http;
}

function reasonsOf(spec: object): readonly string[] {
  const parsed = parse(spec);
  if (parsed.kind === "accepted") return [];
  return parsed.reasons.map(({ field, message }) => `${field}: ${message}`);
}

const EVERYTHING = {
  loadBalancer: {
    consistentHash: { httpCookie: { name: "user", path: "/shop", ttl: "1h" }, maglev: {} },
    localityLbSetting: {
      failover: [
        { from: "eu-1a", to: "eu-1b" },
        { from: "eu-1b", to: "eu-1a" },
        { from: "eu-1a", to: "us-1a" },
      ],
    },
  },
  connectionPool: {
    http: {
      http2MaxRequests: 100,
      maxRequestsPerEndpoint: 20,
      http1MaxPendingRequests: 10,
      pendingTimeout: "2s",
      maxRequestsPerConnection: 1000,
    },
  },
  outlierDetection: {
    consecutive5xxErrors: 7,
    consecutiveGatewayErrors: 3,
    interval: "5s",
    successRate: { minimumHosts: 3, requestVolume: 50, stdevFactor: 2500 },
    failurePercentage: { threshold: 60, minimumHosts: 2, requestVolume: 20 },
  },
  healthCheck: {
    http: {
      path: "/healthz?full=1",
      host: "api.example",
      expectedStatuses: ["200-299", "404"],
      interval: "5s",
      timeout: "2s",
      healthyThreshold: 2,
      unhealthyThreshold: 4,
    },
  },
  http: {
    ports: [80, 8080, 80],
    timeouts: { request: "5s", backendRequest: "2s", idle: "1m" },
    retry: {
      attempts: 3,
      codes: [502, 503],
      grpcCodes: ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
      retryOn: ["connect-failure", "refused-stream", "reset", "per-try-timeout"],
      backoff: "10ms",
      maxBackoff: "1s",
    },
    retryBudget: { percent: 10, interval: "5s", minRetries: 3 },
    hedge: { delay: "200ms", attempts: 2 },
    circuitBreaker: {
      consecutiveFailures: 8,
      openTime: "3s",
      maxOpenTime: "30s",
      halfOpenRequests: 2,
    },
    fault: {
      delay: { percentage: { value: 0.07 }, fixedDelay: "300ms" },
      abort: { percentage: { value: 12.5 }, httpStatus: 418, grpcStatus: "UNAVAILABLE" },
    },
    sessionPersistence: {
      type: "Cookie",
      absoluteTimeout: "1h",
      cookie: { name: "stay", lifetimeType: "Permanent" },
    },
  },
};

test("parseTrafficPolicy(): every field of requests", () => {
  expect(policyOf(EVERYTHING)).toMatchObject({ algorithm: "maglev", http: { ports: [80, 8080] } });
  expect(httpOf(EVERYTHING)).toEqual({
    requestTimeoutMs: 5000,
    tryTimeoutMs: 2000,
    idleTimeoutMs: 60_000,
    retry: {
      attempts: 3,
      codes: [502, 503],
      grpcCodes: [14, 8],
      on: ["connect-failure", "refused", "reset", "late"],
      backoffMs: 10,
      maxBackoffMs: 1000,
    },
    retryBudget: { percent: 10, intervalMs: 5000, minRetries: 3 },
    hedge: { delayMs: 200, attempts: 2 },
    limits: {
      maxRequests: 100,
      maxRequestsPerEndpoint: 20,
      maxPending: 10,
      pendingTimeoutMs: 2000,
      maxRequestsPerConnection: 1000,
    },
    breaker: { consecutiveFailures: 8, openMs: 3000, maxOpenMs: 30_000, halfOpenRequests: 2 },
    outliers: {
      consecutive5xx: 7,
      consecutiveGatewayErrors: 3,
      intervalMs: 5000,
      successRate: { minimumHosts: 3, requestVolume: 50, stdevFactor: 2500 },
      failurePercentage: { threshold: 60, minimumHosts: 2, requestVolume: 20 },
    },
    check: {
      kind: "http",
      path: "/healthz?full=1",
      host: "api.example",
      statuses: [
        [200, 299],
        [404, 404],
      ],
      intervalMs: 5000,
      timeoutMs: 2000,
      healthyThreshold: 2,
      unhealthyThreshold: 4,
    },
    hashOn: { kind: "cookie", name: "user", path: "/shop", ttlMs: 3_600_000 },
    session: {
      kind: "cookie",
      name: "stay",
      absoluteTimeoutMs: 3_600_000,
      idleTimeoutMs: 0,
      isPermanent: true,
    },
    failover: [
      { from: "eu-1a", to: ["eu-1b", "us-1a"] },
      { from: "eu-1b", to: ["eu-1a"] },
    ],
    fault: {
      delay: { partsPerMillion: 700, delayMs: 300 },
      abort: { partsPerMillion: 125_000, status: 418, grpcStatus: 14 },
    },
  });
});

test("parseTrafficPolicy(): a section without anything in it makes ports HTTP and says nothing else", () => {
  expect(policyOf({ http: {} })).toMatchObject({
    http: { ports: [] },
    requestFields: ["spec.http"],
    settings: { http: DEFAULT_HTTP_SETTINGS },
  });
  expect(policyOf({})).toMatchObject({ http: undefined, requestFields: [] });
});

test("parseTrafficPolicy(): what a block that is there leaves out", () => {
  const spec = {
    outlierDetection: { successRate: {}, failurePercentage: {} },
    healthCheck: { http: {} },
    http: { retry: {}, hedge: { delay: "1s" }, circuitBreaker: {}, sessionPersistence: {} },
  };
  expect(httpOf(spec)).toMatchObject({
    retry: {
      attempts: 2,
      codes: [503],
      grpcCodes: [14],
      on: ["connect-failure", "refused", "reset"],
      backoffMs: 25,
      maxBackoffMs: 250,
    },
    hedge: { delayMs: 1000, attempts: 1 },
    breaker: { consecutiveFailures: 5, openMs: 5000, maxOpenMs: 60_000, halfOpenRequests: 1 },
    outliers: {
      consecutive5xx: 5,
      consecutiveGatewayErrors: 0,
      intervalMs: 10_000,
      successRate: { minimumHosts: 5, requestVolume: 100, stdevFactor: 1900 },
      failurePercentage: { threshold: 85, minimumHosts: 5, requestVolume: 50 },
    },
    check: { kind: "http", path: "/", host: "", statuses: [[200, 399]], intervalMs: 10_000 },
    session: { kind: "cookie", name: "weft_shop_p_traffic" },
  });
});

test("parseTrafficPolicy(): codes of one kind alone are all that is retried by code", () => {
  const { retry } = httpOf({ http: { retry: { codes: [500] } } });
  expect(retry).toMatchObject({ codes: [500], grpcCodes: [] });
  const other = httpOf({ http: { retry: { grpcCodes: ["ABORTED"], retryOn: ["reset"] } } });
  expect(other.retry).toMatchObject({ codes: [], grpcCodes: [10], on: ["reset"] });
});

test("parseTrafficPolicy(): outliers of connections are there with those of answers, and the other way round", () => {
  const { settings } = policyOf({ outlierDetection: { consecutive5xxErrors: 0 } });
  expect(settings).toMatchObject({
    outliers: { consecutiveFailures: 5, baseEjectionMs: 30_000, maxEjectionPercent: 10 },
    http: {
      outliers: { consecutive5xx: 0, successRate: undefined, failurePercentage: undefined },
    },
  });
  const other = httpOf({ outlierDetection: { consecutiveLocalOriginFailures: 3 } });
  expect(other.outliers).toMatchObject({ consecutive5xx: 5, consecutiveGatewayErrors: 0 });
});

test.each<[object, object]>([
  [{ useSourceIp: true }, { kind: "source" }],
  [{ httpHeaderName: "X-User" }, { kind: "header", name: "x-user" }],
  [{ httpQueryParameterName: "User" }, { kind: "query", name: "User" }],
  [{ httpCookie: { name: "u" } }, { kind: "cookie", name: "u", path: "/", ttlMs: 0 }],
  [{ httpCookie: { name: "u", ttl: "0s" } }, { kind: "cookie", name: "u", path: "/", ttlMs: 0 }],
])("parseTrafficPolicy(): consistentHash %j", (consistentHash, hashOn) => {
  expect(httpOf({ loadBalancer: { consistentHash } }).hashOn).toEqual(hashOn);
});

test("parseTrafficPolicy(): a check by gRPC beside one by TCP", () => {
  const healthCheck = { tcp: {}, grpc: { service: "shop.Carts", interval: "30s" } };
  expect(policyOf({ healthCheck }).settings).toMatchObject({
    tcpCheck: { intervalMs: 10_000 },
    http: { check: { kind: "grpc", service: "shop.Carts", intervalMs: 30_000 } },
  });
});

test("parseTrafficPolicy(): a fault in gRPC's status alone is 503 for callers who do not speak it", () => {
  const abort = { percentage: { value: 100 }, grpcStatus: "DATA_LOSS" };
  expect(httpOf({ http: { fault: { abort } } }).fault).toEqual({
    delay: undefined,
    abort: { partsPerMillion: 1_000_000, status: 503, grpcStatus: 15 },
  });
});

test("parseTrafficPolicy(): names the fields that are of requests alone", () => {
  expect(policyOf(EVERYTHING).requestFields).toEqual([
    "spec.http",
    "spec.connectionPool.http",
    "spec.loadBalancer.consistentHash.httpCookie",
    "spec.outlierDetection.consecutive5xxErrors",
    "spec.outlierDetection.consecutiveGatewayErrors",
    "spec.outlierDetection.successRate",
    "spec.outlierDetection.failurePercentage",
    "spec.healthCheck.http",
  ]);
  expect(policyOf({ outlierDetection: {}, healthCheck: { tcp: {} } }).requestFields).toEqual([]);
});

const HALF = { percentage: { value: 50 } };

test.each<[object, string]>([
  [{ http: { retries: {} } }, "spec.http.retries: unknown field"],
  [{ http: { ports: [] } }, "spec.http.ports: must not be empty"],
  [{ http: { ports: [70_000] } }, "spec.http.ports[0]: must be a whole number"],
  [
    { http: { timeouts: { request: "1s", backendRequest: "2s" } } },
    "spec.http.timeouts: backendRequest must not be longer than request",
  ],
  [{ http: { retry: { attempts: 0 } } }, "spec.http.retry.attempts: must be a whole number"],
  [{ http: { retry: { codes: [302] } } }, "spec.http.retry.codes[0]: must be a whole number"],
  [{ http: { retry: { grpcCodes: [14] } } }, "spec.http.retry.grpcCodes[0]: must be one of"],
  [{ http: { retry: { grpcCodes: ["OK"] } } }, "spec.http.retry.grpcCodes[0]: must be one of"],
  [{ http: { retry: { retryOn: ["5xx"] } } }, "spec.http.retry.retryOn[0]: must be one of"],
  [
    { http: { retry: { backoff: "2s", maxBackoff: "1s" } } },
    "spec.http.retry: maxBackoff must not be less than backoff",
  ],
  [{ http: { retryBudget: { percent: 101 } } }, "spec.http.retryBudget.percent: must be"],
  [{ http: { hedge: {} } }, "spec.http.hedge: delay must be given"],
  [
    { http: { circuitBreaker: { openTime: "1m", maxOpenTime: "1s" } } },
    "spec.http.circuitBreaker: maxOpenTime must not be less than openTime",
  ],
  [{ http: { fault: {} } }, "spec.http.fault: delay or abort must be given"],
  [{ http: { fault: { delay: HALF } } }, "spec.http.fault.delay.fixedDelay: must be given"],
  [
    { http: { fault: { delay: { fixedDelay: "1s" } } } },
    "spec.http.fault.delay.percentage: must be given",
  ],
  [
    { http: { fault: { abort: { percentage: { value: 100.5 }, httpStatus: 500 } } } },
    "spec.http.fault.abort.percentage.value: must be a number from 0 to 100",
  ],
  [
    { http: { fault: { abort: { percentage: { value: 0.00001 }, httpStatus: 500 } } } },
    "spec.http.fault.abort.percentage.value: must be a number from 0 to 100",
  ],
  [{ http: { fault: { abort: HALF } } }, "spec.http.fault.abort: httpStatus or grpcStatus"],
  [
    { http: { fault: { abort: { ...HALF, httpStatus: 100 } } } },
    "spec.http.fault.abort.httpStatus: must be a whole number from 200 to 599",
  ],
  [
    { http: { sessionPersistence: { type: "Header" } } },
    "spec.http.sessionPersistence.header: must be given",
  ],
  [
    { connectionPool: { http: { http1MaxPendingRequests: 1 } } },
    "spec.connectionPool.http.http1MaxPendingRequests: needs http2MaxRequests",
  ],
  [
    { connectionPool: { http: { pendingTimeout: "1s" } } },
    "spec.connectionPool.http.pendingTimeout: needs http2MaxRequests",
  ],
  [
    { loadBalancer: { consistentHash: { useSourceIp: true, httpHeaderName: "a" } } },
    "spec.loadBalancer.consistentHash: exactly one of useSourceIp, httpHeaderName",
  ],
  [
    { loadBalancer: { consistentHash: { useSourceIp: false } } },
    "spec.loadBalancer.consistentHash.useSourceIp: must be true",
  ],
  [
    { loadBalancer: { consistentHash: { httpHeaderName: "a b" } } },
    "spec.loadBalancer.consistentHash.httpHeaderName: must be a valid name",
  ],
  [
    { loadBalancer: { consistentHash: { httpCookie: {} } } },
    "spec.loadBalancer.consistentHash.httpCookie.name: must be given",
  ],
  [
    { loadBalancer: { consistentHash: { httpCookie: { name: "a", path: "/;b" } } } },
    "spec.loadBalancer.consistentHash.httpCookie.path: must begin with /",
  ],
  [
    { loadBalancer: { localityLbSetting: {} } },
    "spec.loadBalancer.localityLbSetting.failover: must be given",
  ],
  [
    { loadBalancer: { localityLbSetting: { failover: [{ from: "a", to: "a" }] } } },
    "spec.loadBalancer.localityLbSetting.failover[0].to: must be another zone than from",
  ],
  [
    {
      loadBalancer: {
        localityLbSetting: {
          failover: [
            { from: "a", to: "b" },
            { from: "a", to: "b" },
          ],
        },
      },
    },
    "spec.loadBalancer.localityLbSetting.failover[1].to: a goes there already",
  ],
  [
    { loadBalancer: { localityLbSetting: { failover: [{ from: "a/b", to: "c" }] } } },
    "spec.loadBalancer.localityLbSetting.failover[0].from: must be a zone",
  ],
  [
    { outlierDetection: { consecutive5xxErrors: -1 } },
    "spec.outlierDetection.consecutive5xxErrors: must be a whole number",
  ],
  [
    { outlierDetection: { failurePercentage: { threshold: 0 } } },
    "spec.outlierDetection.failurePercentage.threshold: must be a whole number from 1 to 100",
  ],
  [
    { healthCheck: { http: {}, grpc: {} } },
    "spec.healthCheck.grpc: http and grpc exclude each other",
  ],
  [{ healthCheck: { http: { path: "x" } } }, "spec.healthCheck.http.path: must begin with /"],
  [{ healthCheck: { http: { host: "a b" } } }, "spec.healthCheck.http.host: must be a host"],
  [
    { healthCheck: { http: { expectedStatuses: ["299-200"] } } },
    "spec.healthCheck.http.expectedStatuses[0]: must be a status",
  ],
  [{ healthCheck: { grpc: { service: "a b" } } }, "spec.healthCheck.grpc.service: must be a name"],
])("parseTrafficPolicy(): %j is refused with the field", (spec, reason) => {
  expect(reasonsOf(spec)).toEqual([expect.stringContaining(reason)]);
});
