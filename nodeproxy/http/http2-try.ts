/** One try of a request over HTTP/2: its stream to the server, and what is heard of it until nobody wants to any more. */
import { type ClientHttp2Stream, constants } from "node:http2";
import { Trailers } from "./http2-body.ts";
import type { BrokenStream, Http2Carrier } from "./http2-carrier.ts";
import { fieldOf } from "./http2-head.ts";
import type { FieldLines, ResponseHead } from "./message.ts";
import type { TryFailure } from "./request-way.ts";

export interface TryHearer {
  /** Of 1xx. */
  onInform(lines: FieldLines): void;
  onResponse(lines: FieldLines, isLast: boolean): void;
  /** The answer is whole, and nothing more goes either way. */
  onWhole(): void;
  /** `code`: of the reset. */
  onBroken(how: BrokenStream, code: number): void;
}

export class Http2Try {
  readonly stream: ClientHttp2Stream;
  readonly trailers: Trailers;
  #isDropped = false;
  #hasEnded = false;

  constructor(carrier: Http2Carrier, stream: ClientHttp2Stream, hearer: TryHearer) {
    this.stream = stream;
    this.trailers = new Trailers(stream);
    stream.on("error", ignore);
    stream.on("headers", (_fields: unknown, _flags: number, lines: FieldLines = []) => {
      if (!this.#isDropped) hearer.onInform(lines);
    });
    stream.once("response", (_fields: unknown, flags: number, lines: FieldLines = []) => {
      const isLast = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      if (!this.#isDropped) hearer.onResponse(lines, isLast);
    });
    stream.once("end", () => {
      this.#hasEnded = stream.rstCode === constants.NGHTTP2_NO_ERROR;
    });
    stream.once("close", () => {
      if (this.#isDropped) return;
      if (this.#hasEnded) hearer.onWhole();
      else hearer.onBroken(carrier.brokenHow(stream), stream.rstCode);
    });
  }

  /** Nobody waits for its answer any more. */
  cancel(): void {
    const { stream } = this;
    if (stream.closed || (this.#hasEnded && stream.writableFinished)) return;
    stream.close(constants.NGHTTP2_CANCEL);
  }

  /** The same, and nothing more is heard of it. */
  drop(): void {
    this.#isDropped = true;
    this.stream.resume();
    this.cancel();
  }
}

/** What of an answer another try may follow; `isGrpcOnly`: of gRPC, and no message comes. */
export function failureOf(
  { status, fields }: ResponseHead,
  isGrpcOnly: boolean,
): TryFailure | undefined {
  if (status >= 400) return { kind: "status", status };
  const grpcStatus = isGrpcOnly ? Number(fieldOf(fields, "grpc-status") ?? 0) : 0;
  return grpcStatus > 0 ? { kind: "grpc", status: grpcStatus } : undefined;
}

function ignore(): void {}
