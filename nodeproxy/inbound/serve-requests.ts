/**
 * Serves one inbound connection to a port that is HTTP: every request is judged by itself, the connection only by its
 * mode. The pod is dialled when the first request may pass.
 */
import type { HttpVersion } from "../../core/model/enrolment.ts";
import type { Question } from "../ext-authz/check-message.ts";
import type { Serving } from "../flow/served-flow.ts";
import type { Side } from "../flow/side.ts";
import type { HttpLimits } from "../http/http-limits.ts";
import type { Http1Options, HttpServing } from "../http/http1-options.ts";
import { serveHttp1 } from "../http/serve-http1.ts";
import { type Http2Options, serveHttp2 } from "../http/serve-http2.ts";
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

const LIMITS: HttpLimits = { headBytes: 65_536, fields: 100, headTimeoutMs: 60_000 };

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
  const bytes = { bytesSent: 0, bytesReceived: 0 };
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
    limits: LIMITS,
    refused: (reason: string, head = NO_HEAD) => reportsOf(connection, head).unjudged(400, reason),
  };
  pod.connections.serve({ ...facts, isHttp: true, lease }, ({ lane, ended }): Serving => {
    const served = serve(version, front, { ...options, lane, ended });
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

function serve(
  version: HttpVersion,
  front: Side,
  options: Http1Options & Http2Options,
): Pick<HttpServing, "drain" | "end" | "hearResets"> {
  if (version === "http1") return serveHttp1(front, options);
  const served = serveHttp2(front, options);
  // It always reads both connections.
  return { drain: () => served.drain(), end: () => served.end(), hearResets: () => undefined };
}

const NO_HEAD = {
  method: "",
  scheme: "",
  authority: "",
  path: "",
  query: "",
  fields: [],
  upgrade: "",
  version: "1.1",
} as const;

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
