/**
 * Reads `outlierDetection` and `healthCheck` of a TrafficPolicy: what callers find out by themselves about endpoints, and
 * what their nodes ask them. Fields of the first are Istio's where it has them, else Envoy's.
 */
import type { AnswerOutliers, GrpcCheck, HttpCheck } from "../../core/model/http-settings.ts";
import type { OutlierSettings, TcpCheckSettings } from "../../core/model/traffic-settings.ts";
import { type Field, listOf, member, refuse, text } from "./fields.ts";
import { missing, textIn } from "./gateway-fields.ts";
import { durationMember, integerMember, objectMember } from "./members.ts";

export interface EndpointHealth {
  readonly outliers: OutlierSettings | undefined;
  readonly answerOutliers: AnswerOutliers | undefined;
  readonly tcpCheck: TcpCheckSettings | undefined;
  readonly check: HttpCheck | GrpcCheck | undefined;
}

const OUTLIER_FIELDS = [
  "consecutiveLocalOriginFailures",
  "consecutive5xxErrors",
  "consecutiveGatewayErrors",
  "interval",
  "baseEjectionTime",
  "maxEjectionPercent",
  "minHealthPercent",
  "successRate",
  "failurePercentage",
];
const TIMING = ["interval", "timeout", "healthyThreshold", "unhealthyThreshold"];
const MAX_THRESHOLD = 100;
const MAX_ERRORS = 1000;
const MAX_COUNT = 1_000_000;
const PERCENT = [0, 100] as const;
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
/** As kubelet's probes: "greater than or equal to 200 and less than 400 indicates success". */
const GOOD_STATUSES: HttpCheck["statuses"] = [[200, 399]];

export function readHealth(spec: Field): EndpointHealth {
  const outliers = objectMember(spec, "outlierDetection", OUTLIER_FIELDS);
  return {
    outliers: outliers && readOutliers(outliers),
    answerOutliers: outliers && readAnswerOutliers(outliers),
    ...readChecks(spec),
  };
}

function readOutliers(outliers: Field): OutlierSettings {
  const defaults = DEFAULT_OUTLIERS;
  return {
    consecutiveFailures:
      integerMember(outliers, "consecutiveLocalOriginFailures", [1, MAX_THRESHOLD]) ??
      defaults.consecutiveFailures,
    baseEjectionMs: durationMember(outliers, "baseEjectionTime", 1) ?? defaults.baseEjectionMs,
    maxEjectionPercent:
      integerMember(outliers, "maxEjectionPercent", PERCENT) ?? defaults.maxEjectionPercent,
    minHealthPercent:
      integerMember(outliers, "minHealthPercent", PERCENT) ?? defaults.minHealthPercent,
  };
}

/** Istio counts 5xx by default and gateway errors not; of Envoy's other two neither is on unless it is there. */
function readAnswerOutliers(outliers: Field): AnswerOutliers {
  const errors = [0, MAX_ERRORS] as const;
  return {
    consecutive5xx: integerMember(outliers, "consecutive5xxErrors", errors) ?? 5,
    consecutiveGatewayErrors: integerMember(outliers, "consecutiveGatewayErrors", errors) ?? 0,
    intervalMs: durationMember(outliers, "interval", 1000) ?? 10_000,
    successRate: readSuccessRate(outliers),
    failurePercentage: readFailurePercentage(outliers),
  };
}

// Envoy, OutlierDetection: `success_rate_minimum_hosts` 5, `success_rate_request_volume` 100, `success_rate_stdev_factor` 1900.
function readSuccessRate(outliers: Field): AnswerOutliers["successRate"] {
  const known = ["minimumHosts", "requestVolume", "stdevFactor"];
  const field = objectMember(outliers, "successRate", known);
  return (
    field && {
      minimumHosts: integerMember(field, "minimumHosts", [1, MAX_COUNT]) ?? 5,
      requestVolume: integerMember(field, "requestVolume", [1, MAX_COUNT]) ?? 100,
      stdevFactor: integerMember(field, "stdevFactor", [1, MAX_COUNT]) ?? 1900,
    }
  );
}

// Envoy: `failure_percentage_threshold` 85, `failure_percentage_minimum_hosts` 5, `failure_percentage_request_volume` 50.
function readFailurePercentage(outliers: Field): AnswerOutliers["failurePercentage"] {
  const known = ["threshold", "minimumHosts", "requestVolume"];
  const field = objectMember(outliers, "failurePercentage", known);
  return (
    field && {
      threshold: integerMember(field, "threshold", [1, 100]) ?? 85,
      minimumHosts: integerMember(field, "minimumHosts", [1, MAX_COUNT]) ?? 5,
      requestVolume: integerMember(field, "requestVolume", [1, MAX_COUNT]) ?? 50,
    }
  );
}

function readChecks(spec: Field): Pick<EndpointHealth, "tcpCheck" | "check"> {
  const kinds = ["tcp", "http", "grpc"];
  const field = objectMember(spec, "healthCheck", kinds);
  if (!field) return { tcpCheck: undefined, check: undefined };
  if (!kinds.some((kind) => member(field, kind))) refuse(field, "tcp, http or grpc must be given");
  const tcp = objectMember(field, "tcp", TIMING);
  const http = objectMember(field, "http", ["path", "host", "expectedStatuses", ...TIMING]);
  const grpc = objectMember(field, "grpc", ["service", ...TIMING]);
  if (http && grpc) refuse(grpc, "http and grpc exclude each other");
  return {
    tcpCheck: tcp && readTiming(tcp),
    check: http ? readHttpCheck(http) : grpc && readGrpcCheck(grpc),
  };
}

function readTiming(check: Field): TcpCheckSettings {
  const defaults = DEFAULT_TCP_CHECK;
  const threshold = [1, MAX_THRESHOLD] as const;
  return {
    intervalMs: durationMember(check, "interval", 1000) ?? defaults.intervalMs,
    timeoutMs: durationMember(check, "timeout", 1) ?? defaults.timeoutMs,
    healthyThreshold:
      integerMember(check, "healthyThreshold", threshold) ?? defaults.healthyThreshold,
    unhealthyThreshold:
      integerMember(check, "unhealthyThreshold", threshold) ?? defaults.unhealthyThreshold,
  };
}

function readHttpCheck(http: Field): HttpCheck {
  const path = textIn(http, "path", "/");
  const host = textIn(http, "host");
  // RFC 9112 3.2.1: the origin form.
  if (!/^\/[\x21-\x22\x24-\x7e]{0,1023}$/.test(path))
    refuse(missing(http, "path"), "must begin with /");
  if (!/^[A-Za-z0-9.:[\]_-]{0,255}$/.test(host)) refuse(missing(http, "host"), "must be a host");
  const statuses = listOf(http, "expectedStatuses", readStatuses);
  return {
    kind: "http",
    path,
    host,
    statuses: statuses.length > 0 ? statuses : GOOD_STATUSES,
    ...readTiming(http),
  };
}

function readStatuses(field: Field): readonly [number, number] | undefined {
  const [, from, to = from] = /^([2-5]\d\d)(?:-([2-5]\d\d))?$/.exec(text(field) ?? "") ?? [];
  if (from === undefined || Number(from) > Number(to)) {
    return refuse(field, 'must be a status such as "204", or a range such as "200-299"');
  }
  return [Number(from), Number(to)];
}

function readGrpcCheck(grpc: Field): GrpcCheck {
  const service = textIn(grpc, "service");
  if (!/^[\x21-\x7e]{0,255}$/.test(service)) refuse(missing(grpc, "service"), "must be a name");
  return { kind: "grpc", service, ...readTiming(grpc) };
}
