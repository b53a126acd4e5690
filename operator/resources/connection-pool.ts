/**
 * Reads `connectionPool` and `retries` of a TrafficPolicy: times and limits of connections, and limits of requests. Names
 * are those of Istio's DestinationRule where it has them; those of `http` hold for both versions of HTTP, as there.
 */
import { DEFAULT_HTTP_SETTINGS, type RequestLimits } from "../../core/model/http-settings.ts";
import {
  type ConnectionLimits,
  DEFAULT_TRAFFIC_SETTINGS,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import { type Field, member, refuse } from "./fields.ts";
import { durationMember, integerMember, objectMember } from "./members.ts";

export interface ConnectionPool
  extends Pick<TrafficSettings, "connectTimeoutMs" | "idleTimeoutMs" | "retries" | "limits"> {
  readonly requestLimits: RequestLimits;
}

const TCP_FIELDS = [
  "connectTimeout",
  "idleTimeout",
  "maxConnections",
  "maxConnectionsPerEndpoint",
  "maxPending",
  "pendingTimeout",
];
const HTTP_FIELDS = [
  "http2MaxRequests",
  "maxRequestsPerEndpoint",
  "http1MaxPendingRequests",
  "pendingTimeout",
  "maxRequestsPerConnection",
];
/** Above it a count is surely a mistake, and below 2^31 it fits every type on its way. */
const MAX_COUNT = 1_000_000;
const MAX_RETRIES = 10;
const COUNT = [1, MAX_COUNT] as const;
const QUEUE = [0, MAX_COUNT] as const;

export function readConnectionPool(spec: Field): ConnectionPool {
  const pool = objectMember(spec, "connectionPool", ["tcp", "http"]);
  const tcp = pool && objectMember(pool, "tcp", TCP_FIELDS);
  const http = pool && objectMember(pool, "http", HTTP_FIELDS);
  const retries = objectMember(spec, "retries", ["attempts"]);
  const defaults = DEFAULT_TRAFFIC_SETTINGS;
  return {
    connectTimeoutMs: durationMember(tcp, "connectTimeout", 1) ?? defaults.connectTimeoutMs,
    // As in Istio, 0s turns it off.
    idleTimeoutMs: durationMember(tcp, "idleTimeout", 0) ?? defaults.idleTimeoutMs,
    retries: integerMember(retries, "attempts", [0, MAX_RETRIES]) ?? defaults.retries,
    limits: readLimits(tcp),
    requestLimits: readRequestLimits(http),
  };
}

function readLimits(tcp: Field | undefined): ConnectionLimits {
  const { limits } = DEFAULT_TRAFFIC_SETTINGS;
  needs(tcp, "maxConnections", ["maxPending", "pendingTimeout"]);
  return {
    maxConnections: integerMember(tcp, "maxConnections", COUNT) ?? limits.maxConnections,
    maxConnectionsPerEndpoint:
      integerMember(tcp, "maxConnectionsPerEndpoint", COUNT) ?? limits.maxConnectionsPerEndpoint,
    maxPending: integerMember(tcp, "maxPending", QUEUE) ?? limits.maxPending,
    pendingTimeoutMs: durationMember(tcp, "pendingTimeout", 1) ?? limits.pendingTimeoutMs,
  };
}

function readRequestLimits(http: Field | undefined): RequestLimits {
  const { limits } = DEFAULT_HTTP_SETTINGS;
  needs(http, "http2MaxRequests", ["http1MaxPendingRequests", "pendingTimeout"]);
  return {
    maxRequests: integerMember(http, "http2MaxRequests", COUNT) ?? limits.maxRequests,
    maxRequestsPerEndpoint:
      integerMember(http, "maxRequestsPerEndpoint", COUNT) ?? limits.maxRequestsPerEndpoint,
    maxPending: integerMember(http, "http1MaxPendingRequests", QUEUE) ?? limits.maxPending,
    pendingTimeoutMs: durationMember(http, "pendingTimeout", 1) ?? limits.pendingTimeoutMs,
    maxRequestsPerConnection:
      integerMember(http, "maxRequestsPerConnection", QUEUE) ?? limits.maxRequestsPerConnection,
  };
}

/** What waits, waits for a place among so many. */
function needs(parent: Field | undefined, limit: string, names: readonly string[]): void {
  if (!parent || member(parent, limit)) return;
  for (const name of names) {
    const pending = member(parent, name);
    if (pending) refuse(pending, `needs ${limit}`);
  }
}
