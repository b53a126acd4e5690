/**
 * Asks a pod exactly the HTTP request it declared as its probe, and hands the answer back.
 *
 * Redirects to the same place are followed here, as kubelet would: its own next request would name a
 * path that nobody declared.
 */
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Probe } from "../../core/model/enrolment.ts";
import { nodeHttp, nodeHttps } from "./node-http.ts";
import type { ProbeCall } from "./perform-probe.ts";

type HttpProbe = Extract<Probe, { readonly kind: "http" }>;

/** Kubelet reads no more of an answer (k8s.io/kubernetes pkg/probe/http: maxRespBodyLength). */
const MAX_BODY_BYTES = 10 * 1024;
/** Go's HTTP client, which kubelet uses, gives up after ten. */
const MAX_REDIRECTS = 10;

interface Asking {
  readonly call: ProbeCall;
  readonly probe: HttpProbe;
  readonly response: ServerResponse;
  readonly deadlineMs: number;
}

export function askHttp(call: ProbeCall, probe: HttpProbe, response: ServerResponse): void {
  const deadlineMs = Date.now() + probe.timeoutMs;
  ask({ call, probe, response, deadlineMs }, requestTarget(probe.path), 0);
}

/** Whether a request names the declared path and query, however each of them writes it. */
export function isSamePath(asked: string, declared: string): boolean {
  return asked.startsWith("/") && requestTarget(asked) === requestTarget(declared);
}

/** As kubelet makes it of what was declared: with a leading slash, without a fragment, escaped. */
function requestTarget(path: string): string {
  const url = URL.parse(`http://probe${path.startsWith("/") ? "" : "/"}${path}`);
  return url ? url.pathname + url.search : "/";
}

function ask(asking: Asking, target: string, redirects: number): void {
  const { call, response } = asking;
  let isAnswered = false;
  function fail(): void {
    if (!isAnswered) call.unanswered();
    isAnswered = true;
  }
  let request: ClientRequest;
  try {
    request = start(asking, target);
  } catch {
    fail();
    return;
  }
  function stop(): void {
    request.destroy();
  }
  const timeout = setTimeout(stop, asking.deadlineMs - Date.now());
  response.once("close", stop);
  request.on("error", fail);
  request.on("close", () => {
    clearTimeout(timeout);
    response.off("close", stop);
    fail();
  });
  request.on("response", (answer) => {
    isAnswered = true;
    const next = redirects < MAX_REDIRECTS ? localRedirect(asking, target, answer) : undefined;
    if (next === undefined) {
      relay(answer, response);
      return;
    }
    answer.resume();
    response.off("close", stop);
    ask(asking, next, redirects + 1);
  });
  request.end();
}

function start({ call, probe }: Asking, target: string): ClientRequest {
  const begin = probe.scheme === "HTTPS" ? nodeHttps().request : nodeHttp().request;
  return begin({
    method: "GET",
    path: target,
    headers: {
      host: hostOf(call, probe),
      "user-agent": "kube-probe/weft",
      accept: "*/*",
      connection: "close",
      ...declared(probe),
    },
    createConnection: () => openApp(call, probe),
  });
}

function relay(answer: IncomingMessage, response: ServerResponse): void {
  // Without `location`: kubelet takes a redirect elsewhere for a success and does not follow it.
  response.writeHead(answer.statusCode ?? 502);
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => {
    const room = MAX_BODY_BYTES - bytes;
    bytes += chunk.length;
    if (room > 0) response.write(chunk.subarray(0, room));
    if (chunk.length >= room) {
      response.end();
      answer.destroy();
    }
  });
  answer.on("error", () => response.destroy());
  answer.on("end", () => response.end());
}

/** The target of a redirect to the same scheme, host and port. */
function localRedirect(
  { call, probe }: Asking,
  target: string,
  { statusCode = 0, headers }: IncomingMessage,
): string | undefined {
  const { location } = headers;
  if (location === undefined || ![301, 302, 303, 307, 308].includes(statusCode)) return undefined;
  const base = URL.parse(`${probe.scheme.toLowerCase()}://${hostOf(call, probe)}${target}`);
  const next = base && URL.parse(location, base.href);
  return next && next.origin === base.origin ? next.pathname + next.search : undefined;
}

function hostOf({ address }: ProbeCall, { port }: HttpProbe): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function declared(probe: HttpProbe): Record<string, string | string[]> {
  const headers = new Map<string, string[]>();
  for (const { name, value } of probe.headers) {
    const key = name.toLowerCase();
    headers.set(key, [...(headers.get(key) ?? []), value]);
  }
  return Object.fromEntries(
    [...headers].map(([name, values]) => [name, values.length === 1 ? (values[0] ?? "") : values]),
  );
}

function openApp({ pod, socket, address }: ProbeCall, probe: HttpProbe): Socket {
  const fd = pod.openSocket(address.includes(":") ? 6 : 4, socket.remoteAddress ?? "");
  const app = new Socket({ fd });
  app.connect({ host: address, port: probe.port });
  // As kubelet: the certificate of the pod is not verified.
  return probe.scheme === "HTTP" ? app : connectTls({ socket: app, rejectUnauthorized: false });
}
