/**
 * Serves one connection of a pod to a Service's port that is HTTP: each request goes its own way, to an endpoint chosen
 * for it. What the pod called is an address of the Service; calls of a pod's address stay as they are.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { PluginUse } from "../../core/model/http-settings.ts";
import type { ConnectionFacts } from "../flow/connection-facts.ts";
import type { Side } from "../flow/side.ts";
import { isGrpc } from "../http/grpc-status.ts";
import { HTTP_LIMITS } from "../http/http-limits.ts";
import type { GateAnswer, RequestHead } from "../http/message.ts";
import { type CarriedBytes, serveHttp } from "../http/serve-http.ts";
import { type Admission, admitRequest } from "./admit-request.ts";
import type { Destination } from "./choose-upstream.ts";
import { Http1Pool } from "./http1-pool.ts";
import { Http2Pool } from "./http2-pool.ts";
import { withMirrors } from "./mirror-request.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import { OutboundRequest, type RequestCaller } from "./outbound-request.ts";
import { reportRefused } from "./request-facts.ts";
import {
  type AnsweredRequest,
  type HttpCall,
  type RoutedRequest,
  routeRequest,
} from "./route-request.ts";
import { sessionBackendIn } from "./session-backend.ts";

export interface CallerCall {
  /** With the pod's slot as their lease. */
  readonly facts: ConnectionFacts;
  readonly to: Destination;
  readonly version: HttpVersion;
}

/** Never throws. */
export function serveCaller(
  pod: OutboundPod,
  front: Side,
  { facts, to, version }: CallerCall,
): void {
  pod.pools.make(createPools);
  const bytes: CarriedBytes = { bytesSent: 0, bytesReceived: 0 };
  pod.connections.serve({ ...facts, isHttp: true }, ({ lane, ended }) => {
    const caller = { pod, facts, lane };
    return serveHttp(
      { version, side: front, bytes },
      {
        gate: (head) => answerTo(pod.tracer()?.begin(head) ?? head, { caller, to, version, bytes }),
        dial: neverDialled,
        limits: HTTP_LIMITS,
        refused: (code, status) => reportRefused(caller, { status, code }),
        lane,
        ended,
      },
    );
  });
}

function createPools() {
  return { http1: new Http1Pool(), http2: new Http2Pool() };
}

interface Answering {
  readonly caller: RequestCaller;
  readonly to: Destination;
  readonly version: HttpVersion;
  readonly bytes: CarriedBytes;
}

function answerTo(
  head: RequestHead,
  { caller, to, version, bytes }: Answering,
): GateAnswer | Promise<GateAnswer> {
  // Of today: it may have changed, or gone, since the connection began.
  const { view } = caller.pod;
  const service = view.serviceAt(to.address);
  if (!service) return refuse(caller, head, GONE);
  const uses = view.trafficOf(service)?.settings.http.plugins;
  const answering = { caller, to, version, bytes };
  return uses ? askFirst(head, uses, answering) : route(head, answering);
}

/** What its plugins leave of the request goes on, by what is known then. */
async function askFirst(
  head: RequestHead,
  uses: readonly PluginUse[],
  answering: Answering,
): Promise<GateAnswer> {
  const { caller, to } = answering;
  const { askPluginsFirst } = await import("./ask-plugins-first.ts");
  const service = caller.pod.view.serviceAt(to.address);
  if (!service) return refuse(caller, head, GONE);
  const asked = await askPluginsFirst(caller, { uses, head, call: { service, port: to.port } });
  return asked.kind === "pass" ? route(asked.head, answering) : refuse(caller, head, asked);
}

function route(
  head: RequestHead,
  { caller, to, version, bytes }: Answering,
): GateAnswer | Promise<GateAnswer> {
  const { view } = caller.pod;
  const service = view.serviceAt(to.address);
  if (!service) return refuse(caller, head, GONE);
  const call: HttpCall = { service, port: to.port, version };
  const { namespace } = caller.facts.source;
  const boundBackend = sessionBackendIn(caller.pod);
  const routed = routeRequest({ view, namespace, boundBackend }, call, head);
  if (routed.kind === "answer") return refuse(caller, head, routed);
  if (routed.version !== version && (version === "http1" || isGrpc(head.fields))) {
    const { rule } = routed;
    return refuse(caller, head, { status: 502, reason: "backend_version_unlike", rule });
  }
  const { rule } = routed;
  const admission = admitRequest(caller.pod, { call: routed.call, method: head.method, rule });
  const asked = { caller, head, routed, bytes };
  return "then" in admission ? passLate(asked, admission) : passOn(asked, admission);
}

interface Routed {
  readonly caller: RequestCaller;
  readonly head: RequestHead;
  readonly routed: RoutedRequest;
  readonly bytes: CarriedBytes;
}

async function passLate(asked: Routed, admission: Promise<Admission>): Promise<GateAnswer> {
  return passOn(asked, await admission);
}

function passOn({ caller, head, routed, bytes }: Routed, admission: Admission): GateAnswer {
  if (admission.kind === "refused") {
    return refuse(caller, head, { ...admission, rule: routed.rule });
  }
  const { guard } = admission;
  const way = new OutboundRequest(caller, head, { ...withMirrors(caller, routed), guard });
  return {
    kind: "pass",
    head: routed.head,
    way,
    hold: () => nothing,
    done: (outcome) => {
      bytes.bytesSent += outcome.requestBytes;
      bytes.bytesReceived += outcome.responseBytes;
      way.done(outcome);
    },
  };
}

type Answer = Pick<AnsweredRequest, "status" | "reason"> &
  Partial<Pick<AnsweredRequest, "rule" | "fields">> & {
    readonly grpcStatus?: number;
    readonly body?: string;
  };

const GONE: Answer = { status: 503, reason: "service_gone" };

function refuse(
  caller: RequestCaller,
  head: RequestHead,
  { status, reason, rule, grpcStatus, body = bodyOf(reason), fields = [] }: Answer,
): GateAnswer {
  reportRefused(caller, { status, code: reason, rule, grpcStatus }, head);
  const told = grpcStatus === undefined ? {} : { grpcStatus };
  return { kind: "refuse", status, reason, body, fields, ...told };
}

function bodyOf(reason: string): string {
  return reason === "" ? "" : `${reason}\n`;
}

/** Every request that passes has a way of its own. */
function neverDialled(): never {
  throw new Error("a request without a way");
}

function nothing(): void {}
