/** Asks a pod exactly the HTTP request it declared as its probe, and hands the answer back. */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Probe } from "../../core/model/enrolment.ts";
import type { ProbeCall } from "./perform-probe.ts";

type HttpProbe = Extract<Probe, { readonly kind: "http" }>;

/** Kubelet reads no more of an answer (k8s.io/kubernetes pkg/probe/http: maxRespBodyLength). */
const MAX_BODY_BYTES = 10 * 1024;

export function askHttp(call: ProbeCall, probe: HttpProbe, response: ServerResponse): void {
  const { address } = call;
  const host = address.includes(":") ? `[${address}]:${probe.port}` : `${address}:${probe.port}`;
  const ask = probe.scheme === "HTTPS" ? httpsRequest : httpRequest;
  const headers: Record<string, string | string[]> = {
    host,
    "user-agent": "kube-probe/weft",
    accept: "*/*",
    connection: "close",
    ...declared(probe),
  };
  const request = ask({
    method: "GET",
    path: probe.path,
    headers,
    timeout: probe.timeoutMs,
    createConnection: () => openApp(call, probe),
  });
  request.on("timeout", () => request.destroy());
  request.on("error", () => response.destroy());
  request.on("response", (answer) => relay(answer, response));
  request.end();
}

function relay(answer: IncomingMessage, response: ServerResponse): void {
  const { location } = answer.headers;
  // A redirect to the same host is followed by kubelet, which comes back here and finds it undeclared.
  response.writeHead(answer.statusCode ?? 502, location === undefined ? {} : { location });
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) response.write(chunk);
  });
  answer.on("error", () => response.destroy());
  answer.on("end", () => response.end());
}

function declared(probe: HttpProbe): Record<string, string | string[]> {
  const headers: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const { name, value } of probe.headers) {
    const key = name.toLowerCase();
    headers[key] = [...(headers[key] ?? []), value];
  }
  return Object.fromEntries(
    Object.entries(headers).map(([name, values]) => [
      name,
      values.length === 1 ? (values[0] ?? "") : values,
    ]),
  );
}

function openApp({ pod, socket, address }: ProbeCall, probe: HttpProbe): Socket {
  const fd = pod.openSocket(address.includes(":") ? 6 : 4, socket.remoteAddress ?? "");
  const app = new Socket({ fd });
  app.setTimeout(probe.timeoutMs);
  if (probe.scheme === "HTTP") {
    app.connect({ host: address, port: probe.port });
    return app;
  }
  // As kubelet: the certificate of the pod is not verified.
  app.connect({ host: address, port: probe.port });
  return connectTls({ socket: app, rejectUnauthorized: false });
}
