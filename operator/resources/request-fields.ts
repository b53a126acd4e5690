/**
 * Which fields of a TrafficPolicy are of requests alone? Where no port of a Service is HTTP for its callers these do
 * nothing, and whoever applies the policy is told so.
 */
import { type Field, member } from "./fields.ts";

const PATHS = [
  "http",
  "connectionPool.http",
  "loadBalancer.consistentHash.httpHeaderName",
  "loadBalancer.consistentHash.httpCookie",
  "loadBalancer.consistentHash.httpQueryParameterName",
  "outlierDetection.consecutive5xxErrors",
  "outlierDetection.consecutiveGatewayErrors",
  "outlierDetection.successRate",
  "outlierDetection.failurePercentage",
  "healthCheck.http",
  "healthCheck.grpc",
];

/** Paths as users know them, of those that are given. */
export function requestFields(spec: Field): readonly string[] {
  return PATHS.flatMap((path) => {
    let field: Field | undefined = spec;
    for (const name of path.split(".")) field = field && member(field, name);
    return field ? [field.path] : [];
  });
}
