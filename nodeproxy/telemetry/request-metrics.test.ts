import { expect, test } from "@jest/globals";
import { Counter, Histogram, Registry } from "prom-client";
import { type ConnectionFacts, NO_PARTY } from "../flow/connection-facts.ts";
import { ConnectionMetrics, type MetricsBudget } from "./connection-metrics.ts";

const OUTCOME = { code: "", carried: true, bytesSent: 10, bytesReceived: 200 };
const ROOMY: MetricsBudget = { pairs: 100, statuses: 100, statusesOfPair: 100, tallies: 100 };

function party(owner: string): ConnectionFacts["source"] {
  return { ...NO_PARTY, namespace: "shop", owner };
}

/** A request by `source`, begun so long ago. */
function request(source: string, status: number, agoMs = 0): ConnectionFacts {
  return {
    direction: "inbound",
    sinceMs: Date.now() - agoMs,
    pod: "uid",
    source: party(source),
    sourceAddress: "",
    destination: party("db"),
    destinationAddress: "",
    upstreamAddress: "",
    service: "",
    tunnelled: true,
    request: { method: "GET", path: "/", host: "", status, fields: [] },
  };
}

/** Samples of a metric as `name{the labels asked for} value`. */
async function samplesOf(
  metrics: ConnectionMetrics,
  name: string,
  labels: readonly string[],
): Promise<readonly string[]> {
  const registry = new Registry();
  metrics.expose(registry, { Counter, Histogram });
  const lines = (await registry.metrics()).split("\n").filter((line) => line.startsWith(name));
  return lines.map((line) => {
    const values = labels.map((label) => new RegExp(`[{,]${label}="([^"]*)"`).exec(line)?.[1]);
    return [line.slice(0, line.indexOf("{")), ...values, line.split(" ").at(-1)].join(" ");
  });
}

test("ConnectionMetrics.requested(): fills the buckets of who called whom and of the status' class, each with the smaller ones", async () => {
  const metrics = new ConnectionMetrics(ROOMY);
  metrics.requested(request("web", 200, 60_000), OUTCOME);
  metrics.requested(request("web", 204, 7_000), OUTCOME);
  metrics.requested(request("web", 503, 60_000), OUTCOME);
  const name = "weft_http_request_duration_seconds";
  const told = await samplesOf(metrics, `${name}_`, ["source_workload", "status_class", "le"]);
  expect(told).toContain(`${name}_bucket web 2xx 5 0`);
  expect(told).toContain(`${name}_bucket web 2xx 30 1`);
  expect(told).toContain(`${name}_bucket web 2xx +Inf 2`);
  expect(told).toContain(`${name}_count web 2xx  2`);
  expect(told).toContain(`${name}_bucket web 5xx +Inf 1`);
  // 13 bounds, one without, sum and count; of two classes.
  expect(told).toHaveLength(2 * 16);
});

test("ConnectionMetrics.requested(): sums the bytes of requests and answers by class, with none for no answer", async () => {
  const metrics = new ConnectionMetrics(ROOMY);
  metrics.requested(request("web", 200), OUTCOME);
  metrics.requested(request("web", 201), OUTCOME);
  metrics.requested(request("web", 0), { ...OUTCOME, code: "upstream_reset", bytesReceived: 0 });
  const labels = ["source_workload", "status_class"];
  expect(await samplesOf(metrics, "weft_http_request_bytes_total{", labels)).toEqual([
    "weft_http_request_bytes_total web 2xx 20",
    "weft_http_request_bytes_total web none 10",
  ]);
  expect(await samplesOf(metrics, "weft_http_response_bytes_total{", labels)).toEqual([
    "weft_http_response_bytes_total web 2xx 400",
    "weft_http_response_bytes_total web none 0",
  ]);
});

test("ConnectionMetrics.requested(): counts beyond the budget of histograms in one set for all, and tells how often", async () => {
  const metrics = new ConnectionMetrics({ ...ROOMY, tallies: 2 });
  for (const source of ["a", "b", "c", "d", "c", "a"]) {
    metrics.requested(request(source, 200), OUTCOME);
  }
  const labels = ["source_workload", "destination_workload", "direction", "status_class"];
  const counts = "weft_http_request_duration_seconds_count";
  expect(await samplesOf(metrics, `${counts}{`, labels)).toEqual([
    `${counts} a db inbound 2xx 2`,
    `${counts} b db inbound 2xx 1`,
    `${counts} other other inbound 2xx 3`,
  ]);
  expect(await samplesOf(metrics, "weft_metrics_overflow_total{", ["budget"])).toEqual([
    "weft_metrics_overflow_total pair 0",
    "weft_metrics_overflow_total status 0",
    "weft_metrics_overflow_total duration 3",
  ]);
});

test("ConnectionMetrics.requested(): an application that answers with everything uses up no other pair's statuses", async () => {
  const metrics = new ConnectionMetrics({ ...ROOMY, statuses: 5, statusesOfPair: 2 });
  for (const status of [200, 201, 202, 203, 200]) {
    metrics.requested(request("a", status), OUTCOME);
  }
  for (const source of ["b", "c", "d", "d"]) metrics.requested(request(source, 200), OUTCOME);
  const labels = ["source_workload", "status", "reason"];
  expect(await samplesOf(metrics, "weft_http_requests_total{", labels)).toEqual([
    "weft_http_requests_total a 200  2",
    "weft_http_requests_total a 201  1",
    "weft_http_requests_total a other other 2",
    "weft_http_requests_total b 200  1",
    "weft_http_requests_total c 200  1",
    "weft_http_requests_total other other other 2",
  ]);
  expect(await samplesOf(metrics, "weft_metrics_overflow_total{", ["budget"])).toContain(
    "weft_metrics_overflow_total status 4",
  );
});

test("ConnectionMetrics.opened(): counts pairs beyond the budget under `other`, and tells how often", async () => {
  const metrics = new ConnectionMetrics({ ...ROOMY, pairs: 1 });
  for (const source of ["a", "b", "c", "a"]) metrics.opened(request(source, 200));
  const labels = ["source_workload", "destination_workload"];
  expect(await samplesOf(metrics, "weft_tcp_connections_opened_total{", labels)).toEqual([
    "weft_tcp_connections_opened_total a db 2",
    "weft_tcp_connections_opened_total other other 2",
  ]);
  expect(await samplesOf(metrics, "weft_metrics_overflow_total{", ["budget"])).toContain(
    "weft_metrics_overflow_total pair 2",
  );
});

test("ConnectionMetrics: knows pairs apart by direction, by namespaces and by the way they came", async () => {
  const metrics = new ConnectionMetrics(ROOMY);
  const facts = request("web", 200);
  metrics.requested(facts, OUTCOME);
  metrics.requested({ ...facts, direction: "outbound" }, OUTCOME);
  metrics.requested({ ...facts, tunnelled: false }, OUTCOME);
  metrics.requested({ ...facts, source: { ...facts.source, namespace: "test" } }, OUTCOME);
  metrics.requested({ ...facts, destination: { ...facts.destination, namespace: "x" } }, OUTCOME);
  metrics.requested({ ...facts }, OUTCOME);
  const labels = ["direction", "source_namespace", "destination_namespace", "mutual_tls"];
  expect(await samplesOf(metrics, "weft_http_requests_total{", labels)).toEqual([
    "weft_http_requests_total inbound shop shop true 2",
    "weft_http_requests_total outbound shop shop true 1",
    "weft_http_requests_total inbound shop shop false 1",
    "weft_http_requests_total inbound test shop true 1",
    "weft_http_requests_total inbound shop x true 1",
  ]);
});

test("ConnectionMetrics.requested(): tells requests, durations and sizes apart by route and by reason", async () => {
  const metrics = new ConnectionMetrics(ROOMY);
  function routed(route: string, status: number, code: string): void {
    const facts = request("web", status);
    const line = { method: "GET", path: "/", host: "", status, fields: [], route };
    metrics.requested({ ...facts, direction: "outbound", request: line }, { ...OUTCOME, code });
  }
  routed("shop/canary", 200, "");
  routed("shop/canary", 200, "");
  routed("shop/all", 200, "");
  routed("shop/all", 503, "");
  routed("shop/all", 503, "upstream_reset");
  routed("shop/all", 504, "upstream_reset");
  metrics.requested(request("web", 200), OUTCOME);
  const requests = "weft_http_requests_total";
  expect(
    await samplesOf(metrics, `${requests}{`, ["direction", "route", "status", "reason"]),
  ).toEqual([
    `${requests} outbound shop/canary 200  2`,
    `${requests} outbound shop/all 200  1`,
    `${requests} outbound shop/all 503  1`,
    `${requests} outbound shop/all 503 upstream_reset 1`,
    `${requests} outbound shop/all 504 upstream_reset 1`,
    `${requests} inbound  200  1`,
  ]);
  const labels = ["route", "status_class", "reason"];
  for (const [name, unit] of [
    ["weft_http_request_duration_seconds_count", 1],
    ["weft_http_request_bytes_total", OUTCOME.bytesSent],
    ["weft_http_response_bytes_total", OUTCOME.bytesReceived],
  ] as const) {
    expect(await samplesOf(metrics, `${name}{`, labels)).toEqual([
      `${name} shop/canary 2xx  ${2 * unit}`,
      `${name} shop/all 2xx  ${unit}`,
      `${name} shop/all 5xx  ${unit}`,
      `${name} shop/all 5xx upstream_reset ${2 * unit}`,
      `${name}  2xx  ${unit}`,
    ]);
  }
});

test("ConnectionMetrics.requested(): beyond the budget of histograms no route and no reason is told, each status' class is", async () => {
  const metrics = new ConnectionMetrics({ ...ROOMY, tallies: 1 });
  for (const status of [200, 503, 504, 503]) {
    metrics.requested(request("a", status), { ...OUTCOME, code: status === 200 ? "" : "late" });
  }
  const counts = "weft_http_request_duration_seconds_count";
  const labels = ["source_workload", "route", "status_class", "reason"];
  expect(await samplesOf(metrics, `${counts}{`, labels)).toEqual([
    `${counts} a  2xx  1`,
    `${counts} other other 5xx other 3`,
  ]);
  const beyond = await samplesOf(metrics, "weft_metrics_overflow_total{", ["budget"]);
  expect(beyond).toContain("weft_metrics_overflow_total duration 3");
});
