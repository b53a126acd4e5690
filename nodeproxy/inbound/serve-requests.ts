/**
 * Serves one inbound connection to a port that is HTTP: every request is judged by itself, the connection only by its
 * mode. The pod is dialled when the first request may pass.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { Question } from "../ext-authz/check-message.ts";
import type { Side } from "../flow/side.ts";
import { HTTP_LIMITS } from "../http/http-limits.ts";
import { NO_HEAD } from "../http/message.ts";
import { type CarriedBytes, serveHttp } from "../http/serve-http.ts";
import { dial } from "../tcp/dial.ts";
import { dialCode } from "../tcp/dial-code.ts";
import type { Attempted, InboundCall } from "./carry-in.ts";
import { refusalOf } from "./decision-facts.ts";
import { createGate } from "./request-gate.ts";
import { reportsOf } from "./request-reports.ts";

export interface ServedCall {
  readonly facts: Attempted;
  readonly version: HttpVersion;
  readonly question: Question;
}

/** Never throws. */
export function serveRequests(call: InboundCall, { facts, version, question }: ServedCall): void {
  const { pod, front } = call;
  // What serves it may have been loaded since the port was looked up.
  const cut = pod.judge.recheck({ ...facts, isHttp: true });
  if (cut) {
    pod.connections.report(facts, refusalOf(cut));
    call.refuse("denied");
    return;
  }
  const lease = pod.slots.take();
  if (!lease) {
    pod.connections.report(facts, { code: "pod_connections_exhausted" });
    call.refuse("unreachable");
    return;
  }
  call.answer();
  const bytes: CarriedBytes = { bytesSent: 0, bytesReceived: 0 };
  const connection = {
    pod,
    facts,
    question,
    onDone: (requestBytes: number, responseBytes: number) => {
      bytes.bytesSent += requestBytes;
      bytes.bytesReceived += responseBytes;
    },
  };
  const options = {
    gate: createGate(connection),
    dial: (onDone: (code?: string) => void) => dialPod(call, onDone),
    limits: HTTP_LIMITS,
    refused: (reason: string, status: number) =>
      reportsOf(connection, NO_HEAD).unjudged(status, reason),
  };
  pod.connections.serve({ ...facts, isHttp: true, lease }, ({ lane, ended }) =>
    serveHttp({ version, side: front, bytes }, { ...options, lane, ended }),
  );
}

/** Throws `SysError` where there is no socket to be had. */
function dialPod(
  { pod, sourceAddress, address, port }: InboundCall,
  onDone: (code?: string) => void,
): Side {
  const fd = pod.openSocket(address.includes(":") ? 6 : 4, sourceAddress);
  return dial({ fd, address, port }, (code) =>
    onDone(code === undefined ? undefined : dialCode(code)),
  );
}
