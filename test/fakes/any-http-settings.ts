/** Arbitrary settings of requests for property tests, each as the operator could make them. */
import fc from "fast-check";
import type { HttpSettings } from "../../core/model/http-settings.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/);
const labels = fc.array(label, { maxLength: 3 });
const time = fc.nat(600_000);
const someTime = fc.integer({ min: 1, max: 600_000 });
const count = fc.nat(1_000);
const some = fc.integer({ min: 1, max: 1_000 });
const percent = fc.nat(100);
const partsPerMillion = fc.nat(1_000_000);
const grpcStatus = fc.integer({ min: 1, max: 16 });

function perhaps<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined });
}

const timing = {
  intervalMs: someTime,
  timeoutMs: someTime,
  healthyThreshold: some,
  unhealthyThreshold: some,
};

const statuses = fc.array(
  fc
    .tuple(fc.integer({ min: 100, max: 599 }), fc.nat(99))
    .map(([from, more]) => [from, Math.min(599, from + more)] as const),
  { maxLength: 2 },
);

const check: fc.Arbitrary<HttpSettings["check"]> = fc.oneof(
  fc.constant(undefined),
  fc.record({
    kind: fc.constant("http" as const),
    path: fc.webPath(),
    host: fc.oneof(label, fc.constant("")),
    statuses,
    ...timing,
  }),
  fc.record({ kind: fc.constant("grpc" as const), service: fc.string(), ...timing }),
);

const hashOn: fc.Arbitrary<HttpSettings["hashOn"]> = fc.oneof(
  fc.constant({ kind: "source" as const }),
  fc.record({ kind: fc.constantFrom("header" as const, "query" as const), name: label }),
  fc.record({
    kind: fc.constant("cookie" as const),
    name: label,
    path: fc.constantFrom("", "/", "/shop"),
    ttlMs: time,
  }),
);

const anySettings: fc.Arbitrary<HttpSettings> = fc.record({
  requestTimeoutMs: time,
  tryTimeoutMs: time,
  idleTimeoutMs: time,
  retry: perhaps(
    fc.record({
      attempts: fc.nat(10),
      codes: fc.array(fc.integer({ min: 100, max: 599 }), { maxLength: 3 }),
      grpcCodes: fc.array(grpcStatus, { maxLength: 3 }),
      on: fc.subarray(["connect-failure", "refused", "reset", "late"]),
      backoffMs: time,
      maxBackoffMs: time,
    }),
  ),
  retryBudget: fc.record({ percent, intervalMs: someTime, minRetries: count }),
  hedge: perhaps(fc.record({ delayMs: time, attempts: some })),
  limits: fc.record({
    maxRequests: count,
    maxRequestsPerEndpoint: count,
    maxPending: count,
    pendingTimeoutMs: time,
    maxRequestsPerConnection: count,
  }),
  breaker: perhaps(
    fc.record({
      consecutiveFailures: some,
      openMs: someTime,
      maxOpenMs: someTime,
      halfOpenRequests: some,
    }),
  ),
  outliers: perhaps(
    fc.record({
      consecutive5xx: count,
      consecutiveGatewayErrors: count,
      intervalMs: someTime,
      successRate: perhaps(
        fc.record({ minimumHosts: count, requestVolume: count, stdevFactor: fc.nat(10_000) }),
      ),
      failurePercentage: perhaps(
        fc.record({ threshold: percent, minimumHosts: count, requestVolume: count }),
      ),
    }),
  ),
  check,
  hashOn,
  session: perhaps(
    fc.record({
      kind: fc.constantFrom("cookie", "header"),
      name: label,
      absoluteTimeoutMs: time,
      idleTimeoutMs: time,
      isPermanent: fc.boolean(),
    }),
  ),
  failover: fc.array(fc.record({ from: label, to: labels }), { maxLength: 2 }),
  fault: perhaps(
    fc.record({
      delay: perhaps(fc.record({ partsPerMillion, delayMs: time })),
      abort: perhaps(
        fc.record({
          partsPerMillion,
          status: fc.integer({ min: 200, max: 599 }),
          grpcStatus: perhaps(fc.nat(16)),
        }),
      ),
    }),
  ),
});

/** Nothing is not told. */
export const anyHttpSettings: fc.Arbitrary<HttpSettings> = fc
  .record({
    settings: anySettings,
    plugins: fc.array(fc.record({ name: label, config: fc.json({ maxDepth: 2 }) }), {
      maxLength: 2,
    }),
  })
  .map(({ settings, plugins }) => (plugins.length > 0 ? { ...settings, plugins } : settings));
