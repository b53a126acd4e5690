/**
 * Serves one connection of a pod to a Service's port that is HTTP: each request goes its own way, to an endpoint chosen
 * for it. What the pod called is an address of the Service; calls of a pod's address stay as they are.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { Service } from "../../core/model/service.ts";
import type { ConnectionFacts } from "../flow/connection-facts.ts";
import type { Serving } from "../flow/served-flow.ts";
import type { Side } from "../flow/side.ts";
import type { HttpLimits } from "../http/http-limits.ts";
import type { GateAnswer, RequestHead } from "../http/message.ts";
import { serveHttp1 } from "../http/serve-http1.ts";
import type { Destination, MeshView } from "./choose-upstream.ts";
import type { OutboundPod } from "./outbound-pod.ts";
import { OutboundRequest, type RequestCaller } from "./outbound-request.ts";
import { reportRefused } from "./request-facts.ts";

const LIMITS: HttpLimits = { headBytes: 65_536, fields: 100, headTimeoutMs: 60_000 };

export interface HttpCall {
  readonly service: Service;
  readonly version: HttpVersion;
}

/** `undefined` for what is opaque to its callers. */
export function httpCallAt(view: MeshView, { address, port }: Destination): HttpCall | undefined {
  const service = view.serviceAt(address);
  const version = service?.ports.find((entry) => entry.port === port)?.http;
  return service && version === "http1" ? { service, version } : undefined;
}

export interface CallerCall {
  /** With the pod's slot as their lease. */
  readonly facts: ConnectionFacts;
  readonly to: Destination;
}

/** Never throws. */
export function serveCaller(pod: OutboundPod, front: Side, { facts, to }: CallerCall): void {
  const bytes = { bytesSent: 0, bytesReceived: 0 };
  pod.connections.serve({ ...facts, isHttp: true }, ({ lane, ended }): Serving => {
    const caller = { pod, facts, lane };
    const served = serveHttp1(front, {
      gate: (head) => answerTo(head, { caller, to, bytes }),
      dial: neverDialled,
      limits: LIMITS,
      refused: (code, head) => reportRefused(caller, { status: 400, code }, head),
      lane,
      ended,
    });
    return {
      get bytesSent() {
        return bytes.bytesSent;
      },
      get bytesReceived() {
        return bytes.bytesReceived;
      },
      drain: () => served.drain(),
      end: () => served.end(),
      hearResets: () => served.hearResets(),
    };
  });
}

interface Answering {
  readonly caller: RequestCaller;
  readonly to: Destination;
  readonly bytes: { bytesSent: number; bytesReceived: number };
}

function answerTo(head: RequestHead, { caller, to, bytes }: Answering): GateAnswer {
  // Of today: it may have changed, or gone, since the connection began.
  const service = caller.pod.view.serviceAt(to.address);
  if (!service) {
    const reason = "service_gone";
    reportRefused(caller, { status: 503, code: reason }, head);
    return { kind: "refuse", status: 503, reason, body: `${reason}\n`, fields: [] };
  }
  const way = new OutboundRequest(caller, head, { service, port: to.port });
  return {
    kind: "pass",
    head,
    way,
    hold: () => nothing,
    done: (outcome) => {
      bytes.bytesSent += outcome.requestBytes;
      bytes.bytesReceived += outcome.responseBytes;
      way.done(outcome);
    },
  };
}

/** Every request that passes has a way of its own. */
function neverDialled(): never {
  throw new Error("a request without a way");
}

function nothing(): void {}
