/** Services and their EndpointSlices from protobuf; what an older operator does not say has its default. */
import type { Endpoint, EndpointSlice, Service } from "../model/service.ts";
import type { TrafficSettings } from "../model/traffic-settings.ts";
import { BALANCE_ALGORITHMS, TRAFFIC_DISTRIBUTIONS } from "./enum-table.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

/** A timer of Node cannot be longer. */
const MAX_TIMER_MS = 0x7fff_ffff;
/** Larger tables than this cost more memory than evenness. */
const MAX_MAGLEV_TABLE = 5_000_011;

export function decodeService(service: wire.Service, findings: Findings): Service {
  const { traffic } = service;
  return {
    namespace: findings.name("namespace", service.namespace),
    name: findings.name("name", service.name),
    addresses: findings.ips("addresses", service.addresses),
    ports: service.ports.map(({ port, name, appProtocol }) => ({
      port: findings.port("ports.port", port),
      name: findings.optionalName("ports.name", name),
      appProtocol: findings.text("ports.appProtocol", appProtocol),
    })),
    algorithm: findings.member("algorithm", BALANCE_ALGORITHMS, service.algorithm),
    localOnly: service.localOnly,
    distribution: findings.member("distribution", TRAFFIC_DISTRIBUTIONS, service.distribution),
    affinitySeconds: service.affinitySeconds,
    traffic: traffic ? decodeTraffic(traffic, findings) : undefined,
  };
}

export function decodeSlice(slice: wire.EndpointSlice, findings: Findings): EndpointSlice {
  return {
    namespace: findings.name("namespace", slice.namespace),
    name: findings.name("name", slice.name),
    service: findings.name("service", slice.service),
    ports: slice.ports.map(({ name, port }) => ({
      name: findings.optionalName("ports.name", name),
      port: findings.port("ports.port", port),
    })),
    endpoints: slice.endpoints.map((endpoint) => decodeEndpoint(endpoint, findings)),
  };
}

function decodeEndpoint(endpoint: wire.Endpoint, findings: Findings): Endpoint {
  return {
    address: findings.ip("endpoints.address", endpoint.address),
    workload: findings.optionalName("endpoints.workload", endpoint.workload),
    node: findings.optionalName("endpoints.node", endpoint.node),
    ready: endpoint.ready,
    draining: endpoint.draining,
    zone: findings.optionalName("endpoints.zone", endpoint.zone),
    forZones: endpoint.forZones.map((zone) => findings.name("endpoints.forZones", zone)),
    forNodes: endpoint.forNodes.map((node) => findings.name("endpoints.forNodes", node)),
  };
}

function decodeTraffic(traffic: wire.Traffic, findings: Findings): TrafficSettings {
  const { connectTimeoutMs, idleTimeoutMs, pendingTimeoutMs, warmupMs } = traffic;
  const { maxConnections, maxConnectionsPerEndpoint, maxPending, retries } = traffic;
  for (const [name, ms] of Object.entries({ idleTimeoutMs, pendingTimeoutMs, warmupMs })) {
    findings.integer(`traffic.${name}`, ms, [0, MAX_TIMER_MS]);
  }
  const { outliers, tcpCheck } = traffic;
  return {
    policy: findings.name("traffic.policy", traffic.policy),
    connectTimeoutMs: findings.integer("traffic.connectTimeoutMs", connectTimeoutMs, [
      1,
      MAX_TIMER_MS,
    ]),
    retries,
    idleTimeoutMs,
    limits: { maxConnections, maxConnectionsPerEndpoint, maxPending, pendingTimeoutMs },
    warmupMs,
    warmupMinimumPercent: findings.integer(
      "traffic.warmupMinimumPercent",
      traffic.warmupMinimumPercent,
      [1, 100],
    ),
    maglevTableSize: findings.integer("traffic.maglevTableSize", traffic.maglevTableSize, [
      2,
      MAX_MAGLEV_TABLE,
    ]),
    outliers: outliers ? decodeOutliers(outliers, findings) : undefined,
    tcpCheck: tcpCheck ? decodeTcpCheck(tcpCheck, findings) : undefined,
  };
}

function decodeOutliers(
  outliers: wire.Outliers,
  findings: Findings,
): NonNullable<TrafficSettings["outliers"]> {
  const { consecutiveFailures, baseEjectionMs, maxEjectionPercent, minHealthPercent } = outliers;
  return {
    consecutiveFailures: findings.integer(
      "traffic.consecutiveFailures",
      consecutiveFailures,
      [1, 1_000_000],
    ),
    baseEjectionMs: findings.integer("traffic.baseEjectionMs", baseEjectionMs, [1, MAX_TIMER_MS]),
    maxEjectionPercent: findings.integer(
      "traffic.maxEjectionPercent",
      maxEjectionPercent,
      [0, 100],
    ),
    minHealthPercent: findings.integer("traffic.minHealthPercent", minHealthPercent, [0, 100]),
  };
}

function decodeTcpCheck(
  check: wire.TcpCheck,
  findings: Findings,
): NonNullable<TrafficSettings["tcpCheck"]> {
  const { intervalMs, timeoutMs, healthyThreshold, unhealthyThreshold } = check;
  for (const [name, ms] of Object.entries({ intervalMs, timeoutMs })) {
    findings.integer(`traffic.tcpCheck.${name}`, ms, [1, MAX_TIMER_MS]);
  }
  for (const [name, count] of Object.entries({ healthyThreshold, unhealthyThreshold })) {
    findings.integer(`traffic.tcpCheck.${name}`, count, [1, 1_000]);
  }
  return { intervalMs, timeoutMs, healthyThreshold, unhealthyThreshold };
}
