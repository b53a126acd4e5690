/** What the log and the metrics are told of the requests of one connection of a pod: each once, whatever becomes of it. */
import type { RouteRule } from "../../core/model/http-route.ts";
import { type ConnectionFacts, NO_PARTY } from "../flow/connection-facts.ts";
import { type ExchangeOutcome, NO_HEAD, type RequestHead } from "../http/message.ts";
import { endpointKey, type Upstream } from "./choose-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";

/** One connection of a pod to a port whose requests are balanced one by one. */
export interface CallerConnection {
  readonly pod: OutboundPod;
  /** Without a far side: each request has its own. */
  readonly facts: ConnectionFacts;
}

/** Where a request went, and when it came. */
export interface RequestPlace {
  /** `namespace/name` of the Service whose endpoint it is. */
  readonly service: string;
  readonly upstream: Upstream | undefined;
  /** That said so. */
  readonly rule: RouteRule | undefined;
  /** A copy, of whose answer nobody hears. */
  readonly isMirror?: true | undefined;
  readonly sinceMs: number;
}

export type FarSide = Pick<ConnectionFacts, "destination" | "upstreamAddress" | "tunnelled">;

export function farSideOf(pod: OutboundPod, upstream: Upstream | undefined): FarSide {
  if (!upstream) return { destination: NO_PARTY, upstreamAddress: "", tunnelled: false };
  const tunnelled = upstream.kind === "tunnel";
  const party = pod.partyOf(upstream.workload);
  return {
    destination: tunnelled ? party : { ...party, identity: "" },
    upstreamAddress: endpointKey(upstream.to),
    tunnelled,
  };
}

export function reportRequest(
  { pod, facts }: CallerConnection,
  head: RequestHead,
  told: RequestPlace & { readonly outcome: ExchangeOutcome },
): void {
  const { outcome, service, upstream, sinceMs, rule, isMirror } = told;
  const { method, path, authority: host, fields, trace } = head;
  const {
    code,
    status,
    grpcStatus,
    requestBytes: bytesSent,
    responseBytes: bytesReceived,
  } = outcome;
  const { lease: _lease, ...shared } = facts;
  const routed = rule ? { route: rule.route, routeRule: rule.rule } : {};
  const mirrored = isMirror ? { isMirror } : {};
  const traced = trace ? { trace, ...(grpcStatus === undefined ? {} : { grpcStatus }) } : {};
  const request = { method, path, host, status, fields, ...routed, ...mirrored, ...traced };
  const carried = upstream !== undefined;
  pod.connections.reportRequest(
    { ...shared, ...farSideOf(pod, upstream), service, sinceMs, request },
    { code, carried, bytesSent, bytesReceived },
  );
}

export interface Refused {
  readonly status: number;
  readonly code: string;
  readonly rule?: RouteRule | undefined;
  /** Where the caller of gRPC hears another one than the status stands for. */
  readonly grpcStatus?: number | undefined;
}

/** Of a request that was answered before it had a way; without a head where nobody could read it. */
export function reportRefused(
  connection: CallerConnection,
  { status, code, rule, grpcStatus }: Refused,
  head = NO_HEAD,
): void {
  const nothing = { requestBytes: 0, responseBytes: 0, durationMs: 0 };
  const outcome = { code, status, grpcStatus, ...nothing };
  const { service } = connection.facts;
  const place = { service, upstream: undefined, rule, sinceMs: Date.now() };
  reportRequest(connection, head, { ...place, outcome });
}
