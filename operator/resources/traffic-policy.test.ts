import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import { parseTrafficPolicy } from "./traffic-policy.ts";

const targetRefs = [{ kind: "Service", name: "api" }];

function parse(spec: unknown) {
  const metadata = { namespace: "shop", name: "p" };
  return parseTrafficPolicy({
    apiVersion: "weft.dev/v1",
    kind: "TrafficPolicy",
    metadata,
    spec,
  });
}

function reasonsOf(spec: object): readonly string[] {
  const parsed = parse({ targetRefs, ...spec });
  return parsed.kind === "refused"
    ? parsed.reasons.map(({ field, message }) => `${field}: ${message}`)
    : [];
}

test("parseTrafficPolicy(): a policy that says nothing has the defaults of a Service without one", () => {
  expect(parse({ targetRefs: [...targetRefs, ...targetRefs] })).toMatchObject({
    kind: "accepted",
    value: { services: ["api"], algorithm: undefined, settings: DEFAULT_TRAFFIC_SETTINGS },
  });
});

test("parseTrafficPolicy(): every field", () => {
  const spec = {
    targetRefs,
    loadBalancer: { simple: "LEAST_REQUEST", warmup: { duration: "1m30s", minimumPercent: 20 } },
    connectionPool: {
      tcp: {
        connectTimeout: "250ms",
        idleTimeout: "1h",
        maxConnections: 10,
        maxConnectionsPerEndpoint: 4,
        maxPending: 3,
        pendingTimeout: "2s",
      },
    },
    retries: { attempts: 0 },
    outlierDetection: {
      consecutiveLocalOriginFailures: 2,
      baseEjectionTime: "5s",
      maxEjectionPercent: 100,
      minHealthPercent: 40,
    },
    healthCheck: {
      tcp: { interval: "3s", timeout: "500ms", healthyThreshold: 4, unhealthyThreshold: 5 },
    },
  };
  expect(parse(spec)).toMatchObject({
    kind: "accepted",
    value: {
      algorithm: "least_request",
      settings: {
        connectTimeoutMs: 250,
        retries: 0,
        idleTimeoutMs: 3_600_000,
        limits: {
          maxConnections: 10,
          maxConnectionsPerEndpoint: 4,
          maxPending: 3,
          pendingTimeoutMs: 2000,
        },
        warmupMs: 90_000,
        warmupMinimumPercent: 20,
        maglevTableSize: 65_537,
        outliers: {
          consecutiveFailures: 2,
          baseEjectionMs: 5000,
          maxEjectionPercent: 100,
          minHealthPercent: 40,
        },
        tcpCheck: { intervalMs: 3000, timeoutMs: 500, healthyThreshold: 4, unhealthyThreshold: 5 },
      },
    },
  });
});

test.each([
  [{ simple: "ROUND_ROBIN" }, "round_robin"],
  [{ simple: "LEAST_RECENTLY_USED" }, "least_recently_used"],
  [{ simple: "RANDOM" }, "random"],
  [{ simple: "WEIGHTED_ROUND_ROBIN" }, "weighted_round_robin"],
  [{ simple: "LEAST_REQUEST" }, "least_request"],
  [{ simple: "PEAK_EWMA" }, "peak_ewma"],
  [{ consistentHash: { useSourceIp: true } }, "ring_hash"],
  [{ consistentHash: { useSourceIp: true, ringHash: {} } }, "ring_hash"],
  [{ consistentHash: { useSourceIp: true, maglev: { tableSize: 251 } } }, "maglev"],
])("parseTrafficPolicy(): %j", (loadBalancer, algorithm) => {
  expect(parse({ targetRefs, loadBalancer })).toMatchObject({ value: { algorithm } });
});

test("parseTrafficPolicy(): blocks that are there and empty have Istio's defaults", () => {
  expect(parse({ targetRefs, outlierDetection: {}, healthCheck: { tcp: {} } })).toMatchObject({
    value: {
      settings: {
        outliers: { consecutiveFailures: 5, baseEjectionMs: 30_000, maxEjectionPercent: 10 },
        tcpCheck: { intervalMs: 10_000, timeoutMs: 1000 },
      },
    },
  });
});

test.each<[object, string]>([
  [{ targetRefs: undefined }, "spec.targetRefs: must be given"],
  [{ targetRefs: [] }, "spec.targetRefs: must not be empty"],
  [
    { targetRefs: [{ kind: "Gateway", name: "x" }] },
    "spec.targetRefs[0].kind: kind must be Service",
  ],
  [{ loadbalancer: {} }, "spec.loadbalancer: unknown field"],
  [{ loadBalancer: { simple: "LEAST_CONN" } }, "spec.loadBalancer.simple: must be one of"],
  [
    { loadBalancer: { simple: "RANDOM", consistentHash: { useSourceIp: true } } },
    "spec.loadBalancer.consistentHash: simple and consistentHash exclude each other",
  ],
  [
    { loadBalancer: { consistentHash: {} } },
    "spec.loadBalancer.consistentHash: exactly one of useSourceIp, httpHeaderName",
  ],
  [
    { loadBalancer: { consistentHash: { useSourceIp: true, maglev: {}, ringHash: {} } } },
    "spec.loadBalancer.consistentHash.maglev: ringHash and maglev exclude each other",
  ],
  [
    { loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 65_536 } } } },
    "spec.loadBalancer.consistentHash.maglev.tableSize: must be a prime number",
  ],
  [
    {
      loadBalancer: { consistentHash: { useSourceIp: true }, warmup: { duration: "5s" } },
    },
    "spec.loadBalancer.warmup: warmup and consistentHash exclude each other",
  ],
  [{ loadBalancer: { warmup: {} } }, "spec.loadBalancer.warmup: duration must be given"],
  [
    { connectionPool: { tcp: { maxPending: 5 } } },
    "spec.connectionPool.tcp.maxPending: needs maxConnections",
  ],
  [
    { connectionPool: { tcp: { maxConnections: 0 } } },
    "spec.connectionPool.tcp.maxConnections: must be a whole number from 1 to 1000000",
  ],
  [
    { connectionPool: { tcp: { connectTimeout: "0s" } } },
    "spec.connectionPool.tcp.connectTimeout: must be from 1ms to 500h",
  ],
  [
    { connectionPool: { tcp: { connectTimeout: "2 s" } } },
    "spec.connectionPool.tcp.connectTimeout: must be a duration",
  ],
  [{ connectionPool: { udp: {} } }, "spec.connectionPool.udp: unknown field"],
  [{ retries: { attempts: 1.5 } }, "spec.retries.attempts: must be a whole number"],
  [{ outlierDetection: { maxEjectionPercent: 101 } }, "spec.outlierDetection.maxEjectionPercent"],
  [{ healthCheck: {} }, "spec.healthCheck: tcp, http or grpc must be given"],
  [{ healthCheck: { tcp: { interval: "10ms" } } }, "spec.healthCheck.tcp.interval: must be from"],
])("parseTrafficPolicy(): %j is refused with the field", (spec, reason) => {
  expect(reasonsOf(spec)).toEqual([expect.stringContaining(reason)]);
});

test("parseTrafficPolicy(): answers anything without throwing", () => {
  fc.assert(
    fc.property(fc.anything(), (spec) => {
      expect(["accepted", "refused"]).toContain(parse(spec).kind);
    }),
  );
});
