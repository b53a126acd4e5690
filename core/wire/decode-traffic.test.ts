import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect, test } from "@jest/globals";
import { DEFAULT_HTTP_SETTINGS } from "../model/http-settings.ts";
import { DEFAULT_TRAFFIC_SETTINGS } from "../model/traffic-settings.ts";
import { decodeResource } from "./decode-resource.ts";
import { encodeResource } from "./encode-resource.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

function encodedTraffic(algorithm?: "peak_ewma" | "maglev"): wire.Traffic {
  const { body } = encodeResource({
    name: "shop/web",
    version: "1",
    body: {
      kind: "traffic",
      value: {
        ref: "shop/web",
        services: ["shop/web"],
        algorithm,
        settings: DEFAULT_TRAFFIC_SETTINGS,
      },
    },
  });
  if (body.case !== "traffic") throw new Error("not a Traffic");
  return body.value;
}

function decoded(value: wire.Traffic): ReturnType<typeof decodeResource> {
  const body = { case: "traffic" as const, value };
  return decodeResource(create(wire.ResourceSchema, { name: "shop/web", version: "1", body }));
}

test("decodeTraffic(): an operator that says nothing of requests leaves them their defaults", () => {
  expect(decoded({ ...encodedTraffic(), http: undefined } as never)).toMatchObject({
    value: { body: { value: { settings: { http: DEFAULT_HTTP_SETTINGS } } } },
  });
});

test("encodeTraffic(): a node from before balancing by requests balances by connections", () => {
  expect(encodedTraffic("peak_ewma")).toMatchObject({
    algorithm: wire.BalanceAlgorithm.LEAST_CONNECTIONS,
    requestAlgorithm: wire.BalanceAlgorithm.PEAK_EWMA,
  });
  expect(encodedTraffic("maglev")).toMatchObject({
    algorithm: wire.BalanceAlgorithm.MAGLEV,
    requestAlgorithm: wire.BalanceAlgorithm.UNSPECIFIED,
  });
});

test.each<[string, MessageInitShape<typeof wire.HttpSettingsSchema>]>([
  ["http.requestTimeoutMs: 2147483648 is not in 0..2147483647", { requestTimeoutMs: 2 ** 31 }],
  ["http.retry.codes: 99 is not in 100..599", { retry: { codes: [99] } }],
  ["http.retry.grpcCodes: 17 is not in 1..16", { retry: { grpcCodes: [17] } }],
  ["http.retry.on: 9 is not known", { retry: { on: [9 as wire.RetryCause] } }],
  ["http.retryBudget.percent: 101 is not in 0..100", { retryBudget: { percent: 101 } }],
  ["http.hedge.attempts: 0 is not in 1..1000", { hedge: {} }],
  ["http.breaker.openMs: 0 is not in 1..2147483647", { breaker: {} }],
  ["http.outliers.intervalMs: 0 is not in 1..2147483647", { outliers: {} }],
  [
    "http.check.statuses.to: 200 is not in 300..599",
    {
      check: {
        case: "httpCheck",
        value: create(wire.HttpCheckSchema, { statuses: [{ from: 300, to: 200 }] }),
      },
    },
  ],
  [
    "http.check.intervalMs: 0 is not in 1..2147483647",
    { check: { case: "grpcCheck", value: create(wire.GrpcCheckSchema) } },
  ],
  ["http.hashOn.header: not a name", { hashOn: { case: "hashHeader", value: "" } }],
  ["session.name: not a name", { session: {} }],
  ["http.failover.from: not a name", { failover: [{}] }],
  [
    "http.fault.delay: 1000001 is not in 0..1000000",
    { fault: { delay: { partsPerMillion: 1_000_001 } } },
  ],
  ["http.fault.abort.status: 0 is not in 200..599", { fault: { abort: {} } }],
])("decodeTraffic(): refuses %s", (reason, init) => {
  const traffic = encodedTraffic();
  Object.assign(traffic, { http: create(wire.HttpSettingsSchema, init) });
  expect(decoded(traffic)).toMatchObject({
    kind: "refused",
    reasons: expect.arrayContaining([reason]),
  });
});

test.each<[string, MessageInitShape<typeof wire.SettingsSchema>]>([
  ["tracing.port: 0 is not in 1..65535", { tracing: { service: "shop/collector" } }],
  ["tracing.service: not a name", { tracing: { port: 4317 } }],
  [
    "tracing.partsPerMillion: 1000001 is not in 0..1000000",
    { tracing: { service: "a", port: 1, partsPerMillion: 1_000_001 } },
  ],
  ["rateLimitService.timeoutMs: 0 is not in 1..600000", { rateLimitService: {} }],
  ["rateLimitService.domain: not a name", { rateLimitService: {} }],
])("decodeMeshSettings(): refuses %s", (reason, init) => {
  const settings = { trustDomain: "cluster.local", leafLifetimeSeconds: 3600, ...init };
  const value = create(wire.SettingsSchema, settings);
  const body = { case: "settings" as const, value };
  const resource = create(wire.ResourceSchema, { name: "mesh", version: "1", body });
  expect(decodeResource(resource)).toMatchObject({
    kind: "refused",
    reasons: expect.arrayContaining([reason]),
  });
});
