/** Answers a request here, in place of the application: HTTP's way, or for gRPC with trailers only. */
import type { ServerHttp2Stream } from "node:http2";
import { encodeGrpcMessage, grpcStatusOf } from "./grpc-status.ts";
import { fieldOf } from "./http2-head.ts";
import { NOT_SENT } from "./http2-response.ts";
import { respondOptions } from "./http2-settings.ts";
import type { FieldLines } from "./message.ts";

/** What a request may still say that has been answered. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 64 << 10;

const OWN: ReadonlySet<string> = new Set([
  "content-type",
  "content-length",
  "grpc-status",
  "grpc-message",
  "x-weft-reason",
]);

export interface Refusal {
  readonly status: number;
  /** Stable code; "" for an answer that refuses nothing. */
  readonly reason: string;
  /** For a person; the kind of failure only. */
  readonly body: string;
  readonly fields: FieldLines;
  /** Of gRPC, where it is not the one that the status stands for. */
  readonly grpcStatus?: number;
}

/** That says its code and no more. */
export function refusal(status: number, reason: string): Refusal {
  return { status, reason, body: reason, fields: [] };
}

/** The status that the caller sees. What it still sends of its request is thrown away. */
export function refuseStream(front: ServerHttp2Stream, refusal: Refusal, isGrpc: boolean): number {
  if (isGrpc) front.respond(grpcLines(refusal), respondOptions(true));
  else {
    // To HEAD there is no content.
    const hasContent = front.writable && refusal.body !== "";
    front.respond(httpLines(refusal), respondOptions(!hasContent));
    if (hasContent) front.end(refusal.body);
  }
  if (!front.readableEnded) endRequest(front);
  return isGrpc ? 200 : refusal.status;
}

/**
 * Once the answer is whole nobody reads the rest of the request. RFC 9113 8.1: "a server MAY request that the client
 * abort transmission of a request without error by sending a RST_STREAM with an error code of NO_ERROR". Not at once:
 * there are gRPC clients that wait forever for a message that they could not write any more.
 */
export function endRequest(front: ServerHttp2Stream): void {
  let bytes = 0;
  front.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LINGER_BYTES && front.writableFinished) front.close();
  });
  front.resume();
  const timer = setTimeout(() => {
    if (front.writableFinished) front.close();
    else front.once("finish", () => front.close());
  }, LINGER_MS);
  front.once("close", () => clearTimeout(timer));
}

function httpLines({ status, reason, body, fields }: Refusal): string[] {
  const type = fieldOf(fields, "content-type") ?? "text/plain";
  const length = `${Buffer.byteLength(body)}`;
  const own =
    body === "" ? ["content-length", "0"] : ["content-type", type, "content-length", length];
  return [":status", `${status}`, ...own, ...reasonLines(reason), ...withoutOwn(fields)];
}

function grpcLines(refusal: Refusal): string[] {
  return [":status", "200", "content-type", "application/grpc", ...grpcTrailers(refusal)];
}

/** What gRPC reads at the end of an answer. */
export function grpcTrailers(refusal: Refusal): string[] {
  const { status, reason, body, fields, grpcStatus = grpcStatusOf(status) } = refusal;
  const told = ["grpc-status", `${grpcStatus}`, "grpc-message", encodeGrpcMessage(body)];
  return [...told, ...reasonLines(reason), ...withoutOwn(fields)];
}

/** "" for an answer that refuses nothing. */
function reasonLines(reason: string): string[] {
  return reason === "" ? [] : ["x-weft-reason", reason];
}

/** A gate's fields may be of an authorizer, which can say anything. */
function withoutOwn(fields: FieldLines): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const name = (fields[i] ?? "").toLowerCase();
    const isOwn = OWN.has(name) || NOT_SENT.has(name) || name.startsWith(":");
    if (!isOwn) kept.push(name, fields[i + 1] ?? "");
  }
  return kept;
}
