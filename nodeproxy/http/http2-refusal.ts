/** Answers a request here, in place of the application: HTTP's way, or for gRPC with trailers only. */
import { CODE } from "../http2/protocol.ts";
import { isField } from "../http2/request-fields.ts";
import { encodeGrpcMessage, grpcStatusOf } from "./grpc-status.ts";
import type { Hearing } from "./http2-answer.ts";
import { fieldOf } from "./http2-head.ts";
import { NOT_SENT } from "./http2-response.ts";
import type { FieldLines } from "./message.ts";
import type { MessageStream } from "./message-stream.ts";

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

/** The status that the caller sees. */
export function refuseStream(
  front: MessageStream,
  refusal: Refusal,
  { isGrpc, isToHead }: Hearing,
): number {
  if (isGrpc) {
    front.sendHead(grpcLines(refusal), true);
    return 200;
  }
  const hasContent = !isToHead && refusal.body !== "";
  front.sendHead(httpLines(refusal), !hasContent);
  if (hasContent) {
    front.write(Buffer.from(refusal.body));
    front.end();
  }
  return refusal.status;
}

/** What a request may still say that has been answered. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 64 << 10;

/**
 * Once the answer is whole nobody reads the rest of the request. RFC 9113 8.1: "a server MAY request that the client
 * abort transmission of a request without error by sending a RST_STREAM with an error code of NO_ERROR". Not at once:
 * there are gRPC clients that wait forever for a message that they could not write any more.
 */
export class Lingering {
  readonly #front: MessageStream;
  readonly #timer: NodeJS.Timeout;
  #octets = 0;
  #isLate = false;

  constructor(front: MessageStream) {
    this.#front = front;
    this.#timer = setTimeout(() => {
      this.#isLate = true;
      this.look();
    }, LINGER_MS);
    front.release();
  }

  /** Of what is thrown away. */
  take(octets: number): void {
    this.#octets += octets;
    this.#front.release(octets);
    this.look();
  }

  /** Whenever more of the answer is on its way. */
  look(): void {
    const isEnough = this.#isLate || this.#octets > LINGER_BYTES;
    if (isEnough && this.#front.hasNearEnded) this.#front.reset(CODE.noError);
  }

  /** The stream is gone. */
  end(): void {
    clearTimeout(this.#timer);
  }
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
    const value = fields[i + 1] ?? "";
    if (!isOwn && isField(name, value)) kept.push(name, value);
  }
  return kept;
}
