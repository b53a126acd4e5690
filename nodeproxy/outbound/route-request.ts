/**
 * Where does one request to a Service's HTTP port go, by the routes that hold for its caller? The same for each version of
 * HTTP. Says nothing of endpoints: those are chosen for each try.
 */

import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { BackendRef, RouteRule, RouteTable } from "../../core/model/http-route.ts";
import { compileExpression } from "../../core/regex/compile-expression.ts";
import { type CompiledTable, compileTable } from "../http/match/compile-table.ts";
import type { BoundBackend } from "../http/match/compiled-rule.ts";
import type { FieldLines, RequestHead, ResponseHead } from "../http/message.ts";
import type { MeshView, ServiceCall } from "./choose-upstream.ts";

/** As the caller addressed it. */
export interface HttpCall extends ServiceCall {
  readonly version: HttpVersion;
}

export interface RoutedRequest {
  readonly kind: "forward";
  /** `undefined`: the called Service has no routes for this caller. */
  readonly rule: RouteRule | undefined;
  /** Whose endpoints are to be asked. */
  readonly call: ServiceCall;
  /** That they speak. */
  readonly version: HttpVersion;
  /** As filters have changed it. */
  readonly head: RequestHead;
  /** Where the same is sent too, and its answer not waited for. */
  readonly mirrors: readonly HttpCall[];
  readonly changeResponse: ((head: ResponseHead) => ResponseHead) | undefined;
}

export interface AnsweredRequest {
  readonly kind: "answer";
  readonly rule: RouteRule | undefined;
  readonly status: number;
  /** Stable code; "" for a redirect and for the answer to a CORS preflight. */
  readonly reason: string;
  readonly fields: FieldLines;
}

export interface RoutingCaller {
  readonly view: MeshView;
  /** Of the calling pod. */
  readonly namespace: string;
  /** Where requests of one session are to go on. */
  readonly boundBackend?: BoundBackend;
}

export function routeRequest(
  { view, namespace, boundBackend }: RoutingCaller,
  call: HttpCall,
  head: RequestHead,
): RoutedRequest | AnsweredRequest {
  const table = tableFor(view, call, namespace);
  if (!table) {
    const { version } = call;
    const unchanged = { rule: undefined, head, mirrors: [], changeResponse: undefined };
    return { kind: "forward", call, version, ...unchanged };
  }
  const plan = compiled(table).plan(head, Math.random, boundBackend);
  if (plan.kind === "answer") return plan;
  const { rule, changeResponse } = plan;
  const to = backendOf(view, plan.to, { rule, spoken: call.version });
  if (!to) return { kind: "answer", rule, status: 500, reason: "backend_invalid", fields: [] };
  const { version } = to;
  const mirrors = plan.mirrors.flatMap(
    (ref) => backendOf(view, ref, { rule, spoken: version }) ?? [],
  );
  return { kind: "forward", rule, call: to, version, head: plan.head, mirrors, changeResponse };
}

/** A namespace's own table replaces, for the callers there, the one for every caller. */
function tableFor(
  view: MeshView,
  { service, port }: ServiceCall,
  namespace: string,
): RouteTable | undefined {
  let forAll: RouteTable | undefined;
  for (const table of view.routesOf(service)?.tables ?? []) {
    if (table.port !== port) continue;
    if (table.consumer === namespace) return table;
    if (table.consumer === "") forAll = table;
  }
  return forAll;
}

interface Speaking {
  readonly rule: RouteRule;
  readonly spoken: HttpVersion;
}

/**
 * `undefined` where the Service or its port is gone. gRPC is HTTP/2 whatever a port declares; one that declares nothing
 * takes what is spoken to it.
 */
function backendOf(
  view: MeshView,
  ref: BackendRef,
  { rule, spoken }: Speaking,
): HttpCall | undefined {
  const service = view.service(ref.service);
  const port = service?.ports.find((entry) => entry.port === ref.port);
  if (!service || !port) return undefined;
  const version = rule.kind === "GRPCRoute" ? "http2" : (port.http ?? spoken);
  return { service, port: port.port, version };
}

/** Tables are replaced whole when routes change. */
const tables = new WeakMap<RouteTable, CompiledTable>();

function compiled(table: RouteTable): CompiledTable {
  const known = tables.get(table);
  if (known) return known;
  const made = compileTable(table, compileExpression);
  tables.set(table, made);
  return made;
}
