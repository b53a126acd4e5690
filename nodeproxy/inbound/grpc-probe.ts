/**
 * Performs a declared gRPC probe: `grpc.health.v1.Health/Check` for a declared service, and nothing else.
 * The pod gets a request made here; of what the caller sent only the service's name is compared.
 */
import type { Http2Stream, ServerHttp2Stream } from "node:http2";
import { Socket } from "node:net";
import type { Probe } from "../../core/model/enrolment.ts";
import { checkRequest, requestedService } from "../health/health-message.ts";
import { nodeHttp2 } from "./node-http.ts";
import type { ProbeCall } from "./perform-probe.ts";

type GrpcProbe = Extract<Probe, { readonly kind: "grpc" }>;

const CHECK = "/grpc.health.v1.Health/Check";
/** A request names a service, an answer holds one number. */
const MAX_BODY_BYTES = 4096;
const LIMITS = {
  maxSessionMemory: 1,
  maxHeaderListPairs: 32,
  settings: { maxConcurrentStreams: 1, maxHeaderListSize: 8192 },
} as const;

/** Owns the socket from here on. */
export function performGrpcProbe(call: ProbeCall): void {
  const session = nodeHttp2().performServerHandshake(call.socket, LIMITS);
  function refuse(): void {
    // First the session, which owns the socket's handle: a reset beneath it never reaches the caller.
    session.once("close", () => call.refuse());
    session.destroy(new Error("not the declared probe"));
  }
  session.on("error", ignore);
  let isAsked = false;
  session.on("stream", (stream, headers) => {
    stream.on("error", ignore);
    if (isAsked || headers[":method"] !== "POST" || headers[":path"] !== CHECK) {
      refuse();
      return;
    }
    isAsked = true;
    collect(stream, (body) => {
      const service = body && requestedService(body);
      const probe = call.candidates.find(
        (candidate) => candidate.kind === "grpc" && candidate.service === service,
      );
      if (probe?.kind === "grpc") askHealth(call, probe, stream);
      else refuse();
    });
  });
}

function askHealth(call: ProbeCall, probe: GrpcProbe, stream: ServerHttp2Stream): void {
  const { pod, socket, address } = call;
  let app: Socket;
  try {
    const fd = pod.openSocket(address.includes(":") ? 6 : 4, socket.remoteAddress ?? "");
    app = new Socket({ fd });
  } catch {
    leave(call, stream);
    return;
  }
  app.on("error", ignore);
  app.connect({ host: address, port: probe.port });
  const authority = address.includes(":") ? `[${address}]` : address;
  const session = nodeHttp2().connect(`http://${authority}:${probe.port}`, {
    createConnection: () => app,
  });
  const timeout = setTimeout(() => session.destroy(), probe.timeoutMs);
  let isAnswered = false;
  session.on("error", ignore);
  session.on("close", () => {
    clearTimeout(timeout);
    app.destroy();
    if (!isAnswered) leave(call, stream);
  });
  socket.once("close", () => session.destroy());
  const request = session.request({
    ":method": "POST",
    ":path": CHECK,
    "content-type": "application/grpc",
    te: "trailers",
    "user-agent": "kube-probe/weft",
  });
  request.on("error", ignore);
  let head: Fields = {};
  let trailers: Fields = {};
  request.on("response", (headers) => {
    head = headers;
  });
  request.on("trailers", (headers) => {
    trailers = headers;
  });
  collect(request, (body) => {
    isAnswered = body !== undefined && head[":status"] === 200;
    if (isAnswered && body) answer(stream, { ...grpcFields(head), ...grpcFields(trailers) }, body);
    session.destroy();
  });
  request.end(checkRequest(probe.service));
}

function leave(call: ProbeCall, { session }: ServerHttp2Stream): void {
  if (!session || session.destroyed) {
    call.unanswered();
    return;
  }
  session.once("close", () => call.unanswered());
  session.destroy(new Error("the application did not answer"));
}

type Fields = Readonly<Record<string, unknown>>;

function answer(stream: ServerHttp2Stream, status: Record<string, string>, body: Buffer): void {
  if (stream.destroyed) return;
  const head = { ":status": 200, "content-type": "application/grpc" };
  if (body.length === 0) {
    // gRPC over HTTP/2: an answer of trailers only.
    stream.respond({ ...head, ...status }, { endStream: true });
    return;
  }
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(status));
  stream.end(body);
}

/** Hands over all that comes, or `undefined` where it is too much or breaks off. */
function collect(stream: Http2Stream, done: (body: Buffer | undefined) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isDone = false;
  function finish(body: Buffer | undefined): void {
    if (isDone) return;
    isDone = true;
    done(body);
  }
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) finish(undefined);
    else chunks.push(chunk);
  });
  stream.on("end", () => finish(Buffer.concat(chunks)));
  stream.on("close", () => finish(undefined));
}

function grpcFields(headers: Fields): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const name of ["grpc-status", "grpc-message"]) {
    const value = headers[name];
    if (typeof value === "string") fields[name] = value;
  }
  return fields;
}

function ignore(): void {}
