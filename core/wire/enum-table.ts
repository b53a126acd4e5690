/**
 * The closed unions of the model and their numbers on the wire.
 *
 * A table that misses a member of its union does not compile; a number that is in no table has no
 * meaning here and is refused by the decoders, never guessed.
 */
import type { PolicyAction } from "../model/authorization-policy.ts";
import type { HttpVersion } from "../model/enrolment.ts";
import type { PathMatch } from "../model/http-route.ts";
import type { RetryCause } from "../model/http-settings.ts";
import type { OutboundPolicy } from "../model/mesh-settings.ts";
import type { MtlsMode } from "../model/mtls-modes.ts";
import type { CaptureState } from "../model/node-report.ts";
import type { RateQuota } from "../model/rate-limit.ts";
import type { ResourceKind } from "../model/resource.ts";
import type { BalanceAlgorithm, TrafficDistribution } from "../model/service.ts";
import * as wire from "./gen/weft/v1/node_pb.ts";

export type EnumTable<T extends string, N extends number = number> = Readonly<Record<T, N>>;

export const RESOURCE_KINDS: EnumTable<ResourceKind, wire.ResourceKind> = {
  workload: wire.ResourceKind.WORKLOAD,
  service: wire.ResourceKind.SERVICE,
  endpointSlice: wire.ResourceKind.ENDPOINT_SLICE,
  enrolment: wire.ResourceKind.ENROLMENT,
  policy: wire.ResourceKind.POLICY,
  bundle: wire.ResourceKind.BUNDLE,
  settings: wire.ResourceKind.SETTINGS,
  revocation: wire.ResourceKind.REVOCATION,
  traffic: wire.ResourceKind.TRAFFIC,
  requestAuthentication: wire.ResourceKind.REQUEST_AUTHENTICATION,
  routes: wire.ResourceKind.ROUTES,
};

export const MTLS_MODES: EnumTable<MtlsMode, wire.MtlsMode> = {
  STRICT: wire.MtlsMode.STRICT,
  PERMISSIVE: wire.MtlsMode.PERMISSIVE,
  DISABLE: wire.MtlsMode.DISABLE,
};

export const HTTP_VERSIONS: EnumTable<HttpVersion, wire.HttpVersion> = {
  http1: wire.HttpVersion.HTTP1,
  http2: wire.HttpVersion.HTTP2,
};

export const ROUTE_TEXT_KINDS: EnumTable<PathMatch["kind"], wire.RouteTextKind> = {
  exact: wire.RouteTextKind.EXACT,
  regex: wire.RouteTextKind.REGEX,
  prefix: wire.RouteTextKind.PREFIX,
};

export const RATE_QUOTA_KINDS: EnumTable<RateQuota["kind"], wire.RateQuotaKind> = {
  fixed_window: wire.RateQuotaKind.FIXED_WINDOW,
  sliding_window: wire.RateQuotaKind.SLIDING_WINDOW,
  token_bucket: wire.RateQuotaKind.TOKEN_BUCKET,
};

export const BALANCE_ALGORITHMS: EnumTable<BalanceAlgorithm, wire.BalanceAlgorithm> = {
  round_robin: wire.BalanceAlgorithm.ROUND_ROBIN,
  random: wire.BalanceAlgorithm.RANDOM,
  least_connections: wire.BalanceAlgorithm.LEAST_CONNECTIONS,
  least_recently_used: wire.BalanceAlgorithm.LEAST_RECENTLY_USED,
  weighted_round_robin: wire.BalanceAlgorithm.WEIGHTED_ROUND_ROBIN,
  ring_hash: wire.BalanceAlgorithm.RING_HASH,
  maglev: wire.BalanceAlgorithm.MAGLEV,
  least_request: wire.BalanceAlgorithm.LEAST_REQUEST,
  peak_ewma: wire.BalanceAlgorithm.PEAK_EWMA,
};

export const RETRY_CAUSES: EnumTable<RetryCause, wire.RetryCause> = {
  "connect-failure": wire.RetryCause.CONNECT_FAILURE,
  refused: wire.RetryCause.REFUSED,
  reset: wire.RetryCause.RESET,
  late: wire.RetryCause.LATE,
};

export const TRAFFIC_DISTRIBUTIONS: EnumTable<TrafficDistribution, wire.TrafficDistribution> = {
  anywhere: wire.TrafficDistribution.UNSPECIFIED,
  same_zone: wire.TrafficDistribution.SAME_ZONE,
  same_node: wire.TrafficDistribution.SAME_NODE,
};

export const OUTBOUND_POLICIES: EnumTable<OutboundPolicy, wire.OutboundPolicy> = {
  ALLOW_ANY: wire.OutboundPolicy.UNSPECIFIED,
  REGISTRY_ONLY: wire.OutboundPolicy.REGISTRY_ONLY,
};

export const POLICY_ACTIONS: EnumTable<PolicyAction, wire.PolicyAction> = {
  ALLOW: wire.PolicyAction.ALLOW,
  DENY: wire.PolicyAction.DENY,
  AUDIT: wire.PolicyAction.AUDIT,
  CUSTOM: wire.PolicyAction.CUSTOM,
};

export const CAPTURE_STATES: EnumTable<CaptureState, wire.CaptureState> = {
  pending: wire.CaptureState.PENDING,
  captured: wire.CaptureState.CAPTURED,
  releasing: wire.CaptureState.RELEASING,
  failed: wire.CaptureState.FAILED,
};

export function enumKeys<T extends string>(table: EnumTable<T>): readonly T[] {
  // Object.keys of a Record<T, number> written as a literal has exactly the members of T.
  return Object.keys(table) as T[];
}

export function enumKeyOf<T extends string>(table: EnumTable<T>, value: number): T | undefined {
  return enumKeys(table).find((key) => table[key] === value);
}
