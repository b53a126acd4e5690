/**
 * Reads `http` of a TrafficPolicy: what is of requests alone. That it is there makes ports of the Services HTTP for their
 * callers; `compile/asked-http.ts` decides which.
 */
import {
  type BreakerSettings,
  DEFAULT_HTTP_SETTINGS,
  type HttpSettings,
} from "../../core/model/http-settings.ts";
import { type Field, listOf, member, refuse } from "./fields.ts";
import { readFault } from "./http-fault.ts";
import { readHedge, readRetry, readRetryBudget } from "./http-retry.ts";
import { durationMember, integer, integerMember, objectMember } from "./members.ts";
import { readPluginUses } from "./plugin-uses.ts";
import type { PolicyMetadata } from "./policy-metadata.ts";
import { readSession } from "./route-session.ts";

/** That a TrafficPolicy has the section, and what it says of ports. */
export interface HttpSection {
  /** Of the Services; empty: it names none. */
  readonly ports: readonly number[];
}

/** The settings that stand in the section. */
export type SectionSettings = Omit<
  HttpSettings,
  "limits" | "outliers" | "check" | "hashOn" | "failover"
>;

const FIELDS = [
  "ports",
  "timeouts",
  "retry",
  "retryBudget",
  "hedge",
  "circuitBreaker",
  "fault",
  "sessionPersistence",
  "plugins",
];
const MAX_PORTS = 64;
const MAX_COUNT = 1_000_000;

export interface ReadHttp {
  /** `undefined`: it is not there. */
  readonly section: HttpSection | undefined;
  readonly settings: SectionSettings;
}

export function readHttpSection(spec: Field, { namespace, name }: PolicyMetadata): ReadHttp {
  const field = objectMember(spec, "http", FIELDS);
  if (!field) return { section: undefined, settings: DEFAULT_HTTP_SETTINGS };
  const plugins = readPluginUses(field);
  const place = { namespace, route: `${namespace}/${name}`, rule: "traffic" };
  return {
    section: { ports: readPorts(field) },
    settings: {
      ...readTimeouts(field),
      retry: readRetry(field),
      retryBudget: readRetryBudget(field),
      hedge: readHedge(field),
      breaker: readBreaker(field),
      session: readSession(field, place),
      fault: readFault(field),
      ...(plugins && { plugins }),
    },
  };
}

function readPorts(http: Field): readonly number[] {
  const ports = listOf(http, "ports", (port) => integer(port, [1, 65_535]));
  const field = member(http, "ports");
  if (field && ports.length > MAX_PORTS) refuse(field, `must be at most ${MAX_PORTS}`);
  return [...new Set(ports)];
}

/** `request` and `backendRequest` as in HTTPRoute; 0s turns each off. */
function readTimeouts(
  http: Field,
): Pick<HttpSettings, "requestTimeoutMs" | "tryTimeoutMs" | "idleTimeoutMs"> {
  const field = objectMember(http, "timeouts", ["request", "backendRequest", "idle"]);
  const requestTimeoutMs = durationMember(field, "request", 0) ?? 0;
  const tryTimeoutMs = durationMember(field, "backendRequest", 0) ?? 0;
  // Gateway API: "The value of BackendRequest must be <= the value of Request timeout."
  if (field && requestTimeoutMs > 0 && tryTimeoutMs > requestTimeoutMs) {
    refuse(field, "backendRequest must not be longer than request");
  }
  return { requestTimeoutMs, tryTimeoutMs, idleTimeoutMs: durationMember(field, "idle", 0) ?? 0 };
}

function readBreaker(http: Field): BreakerSettings | undefined {
  const known = ["consecutiveFailures", "openTime", "maxOpenTime", "halfOpenRequests"];
  const field = objectMember(http, "circuitBreaker", known);
  if (!field) return undefined;
  const openMs = durationMember(field, "openTime", 1) ?? 5_000;
  const maxOpenMs = durationMember(field, "maxOpenTime", 1) ?? Math.max(60_000, openMs);
  if (maxOpenMs < openMs) refuse(field, "maxOpenTime must not be less than openTime");
  return {
    consecutiveFailures: integerMember(field, "consecutiveFailures", [1, MAX_COUNT]) ?? 5,
    openMs,
    maxOpenMs,
    halfOpenRequests: integerMember(field, "halfOpenRequests", [1, MAX_COUNT]) ?? 1,
  };
}
