/**
 * Reads a TrafficPolicy: how callers reach the Services that it names. `compile/traffic-policy.ts` decides
 * which of several rules a Service. Fields are those of Istio's DestinationRule where it has them.
 */
import type { BalanceAlgorithm } from "../../core/model/service.ts";
import type { TrafficSettings } from "../../core/model/traffic-settings.ts";
import { readConnectionPool } from "./connection-pool.ts";
import { readHealth } from "./endpoint-health.ts";
import { type Field, isObjectOf, member, type Reason, refuse, rootField } from "./fields.ts";
import { type HttpSection, readHttpSection } from "./http-section.ts";
import { readLoadBalancer } from "./load-balancer.ts";
import { type Envelope, type PolicyMetadata, parseEnvelope } from "./policy-metadata.ts";
import { parseRateLimits, type RateLimitRule } from "./rate-limits.ts";
import { requestFields } from "./request-fields.ts";
import { parseTargetRefs } from "./workload-scope.ts";

export interface TrafficPolicy {
  readonly metadata: PolicyMetadata;
  /** Names of Services of its own namespace. */
  readonly services: readonly string[];
  /** `undefined`: the Service's own. */
  readonly algorithm: BalanceAlgorithm | undefined;
  readonly settings: TrafficSettings;
  /** `undefined`: it makes no port HTTP. */
  readonly http: HttpSection | undefined;
  /** Paths of the fields that do nothing on ports that are not HTTP for callers. */
  readonly requestFields: readonly string[];
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

const FIELDS = [
  "targetRefs",
  "loadBalancer",
  "connectionPool",
  "retries",
  "outlierDetection",
  "healthCheck",
  "http",
  "rateLimits",
];

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
  isObjectOf(field, FIELDS);
  const targets = member(field, "targetRefs");
  if (!targets) refuse({ ...field, path: "spec.targetRefs" }, "must be given");
  const scope = targets && parseTargetRefs(targets);
  const http = readHttpSection(field, metadata);
  return {
    metadata,
    services: scope?.kind === "services" ? [...new Set(scope.names)] : [],
    ...readSettings(field, http.settings),
    http: http.section,
    requestFields: requestFields(field),
    rateLimits: parseRateLimits(field),
  };
}

function readSettings(
  spec: Field,
  section: ReturnType<typeof readHttpSection>["settings"],
): Pick<TrafficPolicy, "algorithm" | "settings"> {
  const { algorithm, hashOn, failover, ...balancing } = readLoadBalancer(spec);
  const { requestLimits, ...connections } = readConnectionPool(spec);
  const { outliers, tcpCheck, answerOutliers, check } = readHealth(spec);
  return {
    algorithm,
    settings: {
      ...connections,
      ...balancing,
      outliers,
      tcpCheck,
      http: {
        ...section,
        limits: requestLimits,
        outliers: answerOutliers,
        check,
        hashOn,
        failover,
      },
    },
  };
}
