/** Compiled TrafficPolicies from protobuf. */
import type { Traffic, TrafficSettings } from "../model/traffic-settings.ts";
import { decodeHttpSettings } from "./decode-http-settings.ts";
import { BALANCE_ALGORITHMS } from "./enum-table.ts";
import type { Findings } from "./findings.ts";
import type * as wire from "./gen/weft/v1/node_pb.ts";

/** A timer of Node cannot be longer. */
const MAX_TIMER_MS = 0x7fff_ffff;
/** Larger tables than this cost more memory than evenness. */
const MAX_MAGLEV_TABLE = 5_000_011;

export function decodeTraffic(ref: string, traffic: wire.Traffic, findings: Findings): Traffic {
  const algorithm = traffic.requestAlgorithm || traffic.algorithm;
  return {
    ref,
    services: traffic.services.map((service) => findings.name("services", service)),
    algorithm:
      algorithm === 0 ? undefined : findings.member("algorithm", BALANCE_ALGORITHMS, algorithm),
    settings: decodeSettings(traffic, findings),
  };
}

function decodeSettings(traffic: wire.Traffic, findings: Findings): TrafficSettings {
  const { connectTimeoutMs, idleTimeoutMs, pendingTimeoutMs, warmupMs } = traffic;
  const { maxConnections, maxConnectionsPerEndpoint, maxPending, retries } = traffic;
  for (const [name, ms] of Object.entries({ idleTimeoutMs, pendingTimeoutMs, warmupMs })) {
    findings.integer(`${name}`, ms, [0, MAX_TIMER_MS]);
  }
  const { outliers, tcpCheck } = traffic;
  return {
    connectTimeoutMs: findings.integer("connectTimeoutMs", connectTimeoutMs, [1, MAX_TIMER_MS]),
    retries,
    idleTimeoutMs,
    limits: { maxConnections, maxConnectionsPerEndpoint, maxPending, pendingTimeoutMs },
    warmupMs,
    warmupMinimumPercent: findings.integer(
      "warmupMinimumPercent",
      traffic.warmupMinimumPercent,
      [1, 100],
    ),
    maglevTableSize: findings.integer("maglevTableSize", traffic.maglevTableSize, [
      2,
      MAX_MAGLEV_TABLE,
    ]),
    outliers: outliers ? decodeOutliers(outliers, findings) : undefined,
    tcpCheck: tcpCheck ? decodeTcpCheck(tcpCheck, findings) : undefined,
    http: decodeHttpSettings(traffic.http, findings),
  };
}

function decodeOutliers(
  outliers: wire.Outliers,
  findings: Findings,
): NonNullable<TrafficSettings["outliers"]> {
  const { consecutiveFailures, baseEjectionMs, maxEjectionPercent, minHealthPercent } = outliers;
  return {
    consecutiveFailures: findings.integer(
      "consecutiveFailures",
      consecutiveFailures,
      [1, 1_000_000],
    ),
    baseEjectionMs: findings.integer("baseEjectionMs", baseEjectionMs, [1, MAX_TIMER_MS]),
    maxEjectionPercent: findings.integer("maxEjectionPercent", maxEjectionPercent, [0, 100]),
    minHealthPercent: findings.integer("minHealthPercent", minHealthPercent, [0, 100]),
  };
}

function decodeTcpCheck(
  check: wire.TcpCheck,
  findings: Findings,
): NonNullable<TrafficSettings["tcpCheck"]> {
  const { intervalMs, timeoutMs, healthyThreshold, unhealthyThreshold } = check;
  for (const [name, ms] of Object.entries({ intervalMs, timeoutMs })) {
    findings.integer(`tcpCheck.${name}`, ms, [1, MAX_TIMER_MS]);
  }
  for (const [name, count] of Object.entries({ healthyThreshold, unhealthyThreshold })) {
    findings.integer(`tcpCheck.${name}`, count, [1, 1_000]);
  }
  return { intervalMs, timeoutMs, healthyThreshold, unhealthyThreshold };
}
