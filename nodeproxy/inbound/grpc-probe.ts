/** Performs a declared gRPC probe: `grpc.health.v1.Health/Check` for the declared service, and nothing else. */
import { connect, performServerHandshake, type ServerHttp2Stream } from "node:http2";
import { Socket } from "node:net";
import type { Probe } from "../../core/model/enrolment.ts";
import type { ProbeCall } from "./perform-probe.ts";

type GrpcProbe = Extract<Probe, { readonly kind: "grpc" }>;

const CHECK = "/grpc.health.v1.Health/Check";

/** Owns the socket from here on. */
export function performGrpcProbe(call: ProbeCall, probe: GrpcProbe): void {
  const session = performServerHandshake(call.socket, { settings: { maxConcurrentStreams: 4 } });
  session.on("error", ignore);
  session.on("stream", (stream, headers) => {
    stream.on("error", ignore);
    if (headers[":method"] !== "POST" || headers[":path"] !== CHECK) {
      session.destroy();
      return;
    }
    stream.resume();
    stream.once("end", () => askHealth(call, probe, stream));
  });
}

function askHealth(call: ProbeCall, probe: GrpcProbe, stream: ServerHttp2Stream): void {
  const { pod, socket, address } = call;
  let app: Socket;
  try {
    const fd = pod.openSocket(address.includes(":") ? 6 : 4, socket.remoteAddress ?? "");
    app = new Socket({ fd });
  } catch {
    stream.session?.destroy();
    return;
  }
  app.connect({ host: address, port: probe.port });
  const authority = address.includes(":") ? `[${address}]` : address;
  const session = connect(`http://${authority}:${probe.port}`, { createConnection: () => app });
  const timeout = setTimeout(() => session.destroy(), probe.timeoutMs);
  session.on("error", ignore);
  session.on("close", () => {
    clearTimeout(timeout);
    if (!stream.writableEnded) stream.session?.destroy();
  });
  const request = session.request({
    ":method": "POST",
    ":path": CHECK,
    "content-type": "application/grpc",
    te: "trailers",
    "user-agent": "kube-probe/weft",
  });
  request.on("error", ignore);
  relay(request, stream, () => session.close());
  request.end(checkRequest(probe.service));
}

function relay(
  request: ReturnType<ReturnType<typeof connect>["request"]>,
  stream: ServerHttp2Stream,
  done: () => void,
): void {
  let trailers: Record<string, string> = {};
  request.on("response", (headers, flags) => {
    const answer = {
      ":status": headers[":status"] ?? 502,
      "content-type": "application/grpc",
      ...grpcFields(headers),
    };
    // END_STREAM: a gRPC answer of trailers only.
    const endStream = (flags & 1) === 1;
    stream.respond(answer, endStream ? { endStream } : { waitForTrailers: true });
  });
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  request.on("data", (chunk: Buffer) => stream.write(chunk));
  request.on("trailers", (headers) => {
    trailers = grpcFields(headers);
  });
  request.on("end", () => {
    stream.end();
    done();
  });
}

function grpcFields(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const name of ["grpc-status", "grpc-message"]) {
    const value = headers[name];
    if (typeof value === "string") fields[name] = value;
  }
  return fields;
}

/** A gRPC message: no compression, length, then `HealthCheckRequest { string service = 1 }`. */
function checkRequest(service: string): Buffer {
  const text = Buffer.from(service);
  const field = text.length === 0 ? [] : [Buffer.from([0x0a, ...varint(text.length)]), text];
  const body = Buffer.concat(field);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function varint(value: number): readonly number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function ignore(): void {}
