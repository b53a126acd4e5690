/**
 * Reads a TrafficPolicy: how callers reach the Services that it names. `compile/traffic-policy.ts` decides
 * which of several rules a Service. Fields are those of Istio's DestinationRule where it has them.
 */
import type { BalanceAlgorithm } from "../../core/model/service.ts";
import {
  type ConnectionLimits,
  DEFAULT_TRAFFIC_SETTINGS,
  type OutlierSettings,
  type TcpCheckSettings,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import { type Field, isObjectOf, member, oneOf, type Reason, refuse, rootField } from "./fields.ts";
import { durationMember, integerMember, objectMember } from "./members.ts";
import { type Envelope, type PolicyMetadata, parseEnvelope } from "./policy-metadata.ts";
import { parseRateLimits, type RateLimitRule } from "./rate-limits.ts";
import { parseTargetRefs } from "./workload-scope.ts";

export interface TrafficPolicy {
  readonly metadata: PolicyMetadata;
  /** Names of Services of its own namespace. */
  readonly services: readonly string[];
  /** `undefined`: the Service's own. */
  readonly algorithm: BalanceAlgorithm | undefined;
  readonly settings: TrafficSettings;
  /** Applied at the side of the called pods. */
  readonly rateLimits: readonly RateLimitRule[];
}

export type ParsedTrafficPolicy =
  | {
      readonly kind: "accepted";
      readonly value: TrafficPolicy;
      readonly warnings: readonly Reason[];
    }
  | { readonly kind: "refused"; readonly reasons: readonly Reason[] };

// Istio's names where it has the algorithm; LEAST_REQUEST counts connections here.
const SIMPLE = {
  ROUND_ROBIN: "round_robin",
  LEAST_RECENTLY_USED: "least_recently_used",
  RANDOM: "random",
  WEIGHTED_ROUND_ROBIN: "weighted_round_robin",
  LEAST_REQUEST: "least_connections",
} as const;
const SIMPLE_NAMES = Object.keys(SIMPLE) as (keyof typeof SIMPLE)[];

/** Above it a count is surely a mistake, and below 2^31 it fits every type on its way. */
const MAX_COUNT = 1_000_000;
const MAX_RETRIES = 10;
const MAX_THRESHOLD = 100;
/** Istio: "The table size must be prime number less than 5000011." */
const MAX_TABLE = 5_000_010;
// Istio's defaults.
const DEFAULT_OUTLIERS: OutlierSettings = {
  consecutiveFailures: 5,
  baseEjectionMs: 30_000,
  maxEjectionPercent: 10,
  minHealthPercent: 0,
};
const DEFAULT_TCP_CHECK: TcpCheckSettings = {
  intervalMs: 10_000,
  timeoutMs: 1_000,
  healthyThreshold: 1,
  unhealthyThreshold: 3,
};

export function parseTrafficPolicy(object: unknown): ParsedTrafficPolicy {
  const reasons: Reason[] = [];
  const envelope = parseEnvelope(rootField(object, reasons), {
    kind: "TrafficPolicy",
    namespaced: true,
  });
  if (!envelope) return { kind: "refused", reasons };
  const value = read(envelope, reasons);
  return reasons.length > 0
    ? { kind: "refused", reasons }
    : { kind: "accepted", value, warnings: [] };
}

function read({ metadata, spec }: Envelope, reasons: Reason[]): TrafficPolicy {
  const field = spec ?? { value: {}, path: "spec", reasons };
  isObjectOf(field, [
    "targetRefs",
    "loadBalancer",
    "connectionPool",
    "retries",
    "outlierDetection",
    "healthCheck",
    "rateLimits",
  ]);
  const targets = member(field, "targetRefs");
  if (!targets) refuse({ ...field, path: "spec.targetRefs" }, "must be given");
  const scope = targets && parseTargetRefs(targets);
  const loadBalancer = objectMember(field, "loadBalancer", LOAD_BALANCER_FIELDS);
  const hash = loadBalancer && readHash(loadBalancer);
  const { maglevTableSize, http } = DEFAULT_TRAFFIC_SETTINGS;
  return {
    metadata,
    services: scope?.kind === "services" ? [...new Set(scope.names)] : [],
    algorithm: hash?.algorithm ?? (loadBalancer && readSimple(loadBalancer)),
    settings: {
      ...readConnections(field),
      ...readWarmup(loadBalancer),
      ...readHealth(field),
      maglevTableSize: hash?.tableSize ?? maglevTableSize,
      http,
    },
    rateLimits: parseRateLimits(field),
  };
}

const LOAD_BALANCER_FIELDS = ["simple", "consistentHash", "warmup"];
const TCP_FIELDS = [
  "connectTimeout",
  "idleTimeout",
  "maxConnections",
  "maxConnectionsPerEndpoint",
  "maxPending",
  "pendingTimeout",
];
const OUTLIER_FIELDS = [
  "consecutiveLocalOriginFailures",
  "baseEjectionTime",
  "maxEjectionPercent",
  "minHealthPercent",
];

function readSimple(loadBalancer: Field): BalanceAlgorithm | undefined {
  const simple = member(loadBalancer, "simple");
  const name = simple && oneOf(simple, SIMPLE_NAMES);
  return name && SIMPLE[name];
}

function readHash(
  loadBalancer: Field,
): { readonly algorithm: BalanceAlgorithm; readonly tableSize: number | undefined } | undefined {
  const hash = objectMember(loadBalancer, "consistentHash", ["useSourceIp", "ringHash", "maglev"]);
  if (!hash) return undefined;
  if (member(loadBalancer, "simple")) refuse(hash, "simple and consistentHash exclude each other");
  const warmup = member(loadBalancer, "warmup");
  // Callers would only be moved to and fro.
  if (warmup) refuse(warmup, "warmup and consistentHash exclude each other");
  const source = member(hash, "useSourceIp");
  if (source?.value !== true) {
    refuse(source ?? { ...hash, path: `${hash.path}.useSourceIp` }, "must be true");
  }
  const ring = objectMember(hash, "ringHash", []);
  const maglev = objectMember(hash, "maglev", ["tableSize"]);
  if (ring && maglev) refuse(maglev, "ringHash and maglev exclude each other");
  // Istio: "Defaults to RingHash if not specified."
  if (!maglev) return { algorithm: "ring_hash", tableSize: undefined };
  const tableSize = integerMember(maglev, "tableSize", [2, MAX_TABLE]);
  if (tableSize !== undefined && !isPrime(tableSize)) {
    refuse({ ...maglev, path: `${maglev.path}.tableSize` }, "must be a prime number");
  }
  return { algorithm: "maglev", tableSize };
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor += 1) {
    if (value % divisor === 0) return false;
  }
  return true;
}

function readConnections(
  spec: Field,
): Pick<TrafficSettings, "connectTimeoutMs" | "idleTimeoutMs" | "retries" | "limits"> {
  const pool = objectMember(spec, "connectionPool", ["tcp"]);
  const tcp = pool && objectMember(pool, "tcp", TCP_FIELDS);
  const retries = objectMember(spec, "retries", ["attempts"]);
  const defaults = DEFAULT_TRAFFIC_SETTINGS;
  return {
    connectTimeoutMs: durationMember(tcp, "connectTimeout", 1) ?? defaults.connectTimeoutMs,
    // As in Istio, 0s turns it off.
    idleTimeoutMs: durationMember(tcp, "idleTimeout", 0) ?? defaults.idleTimeoutMs,
    retries: integerMember(retries, "attempts", [0, MAX_RETRIES]) ?? defaults.retries,
    limits: readLimits(tcp),
  };
}

function readHealth(spec: Field): Pick<TrafficSettings, "outliers" | "tcpCheck"> {
  const outliers = objectMember(spec, "outlierDetection", OUTLIER_FIELDS);
  const check = objectMember(spec, "healthCheck", ["tcp"]);
  return {
    outliers: outliers && readOutliers(outliers),
    tcpCheck: check && readTcpCheck(check),
  };
}

function readLimits(tcp: Field | undefined): ConnectionLimits {
  const { limits } = DEFAULT_TRAFFIC_SETTINGS;
  const count = [1, MAX_COUNT] as const;
  const maxConnections = integerMember(tcp, "maxConnections", count);
  for (const name of ["maxPending", "pendingTimeout"]) {
    const pending = tcp && member(tcp, name);
    if (pending && maxConnections === undefined) refuse(pending, "needs maxConnections");
  }
  return {
    maxConnections: maxConnections ?? limits.maxConnections,
    maxConnectionsPerEndpoint:
      integerMember(tcp, "maxConnectionsPerEndpoint", count) ?? limits.maxConnectionsPerEndpoint,
    maxPending: integerMember(tcp, "maxPending", [0, MAX_COUNT]) ?? limits.maxPending,
    pendingTimeoutMs: durationMember(tcp, "pendingTimeout", 1) ?? limits.pendingTimeoutMs,
  };
}

function readWarmup(
  loadBalancer: Field | undefined,
): Pick<TrafficSettings, "warmupMs" | "warmupMinimumPercent"> {
  const { warmupMs, warmupMinimumPercent } = DEFAULT_TRAFFIC_SETTINGS;
  const warmup =
    loadBalancer && objectMember(loadBalancer, "warmup", ["duration", "minimumPercent"]);
  if (warmup && !member(warmup, "duration")) refuse(warmup, "duration must be given");
  return {
    warmupMs: durationMember(warmup, "duration", 1000) ?? warmupMs,
    warmupMinimumPercent: integerMember(warmup, "minimumPercent", [1, 100]) ?? warmupMinimumPercent,
  };
}

function readOutliers(outliers: Field): OutlierSettings {
  const defaults = DEFAULT_OUTLIERS;
  const percent = [0, 100] as const;
  return {
    consecutiveFailures:
      integerMember(outliers, "consecutiveLocalOriginFailures", [1, MAX_THRESHOLD]) ??
      defaults.consecutiveFailures,
    baseEjectionMs: durationMember(outliers, "baseEjectionTime", 1) ?? defaults.baseEjectionMs,
    maxEjectionPercent:
      integerMember(outliers, "maxEjectionPercent", percent) ?? defaults.maxEjectionPercent,
    minHealthPercent:
      integerMember(outliers, "minHealthPercent", percent) ?? defaults.minHealthPercent,
  };
}

function readTcpCheck(check: Field): TcpCheckSettings | undefined {
  const fields = ["interval", "timeout", "healthyThreshold", "unhealthyThreshold"];
  const tcp = objectMember(check, "tcp", fields);
  if (!tcp) return member(check, "tcp") ? undefined : refuse(check, "tcp must be given");
  const defaults = DEFAULT_TCP_CHECK;
  const threshold = [1, MAX_THRESHOLD] as const;
  return {
    intervalMs: durationMember(tcp, "interval", 1000) ?? defaults.intervalMs,
    timeoutMs: durationMember(tcp, "timeout", 1) ?? defaults.timeoutMs,
    healthyThreshold:
      integerMember(tcp, "healthyThreshold", threshold) ?? defaults.healthyThreshold,
    unhealthyThreshold:
      integerMember(tcp, "unhealthyThreshold", threshold) ?? defaults.unhealthyThreshold,
  };
}
