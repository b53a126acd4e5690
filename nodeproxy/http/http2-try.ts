/** One try of a request over HTTP/2: its stream to the server, and what is heard of it until nobody wants to any more. */
import type { AnswerMessage } from "../http2/framed-stream.ts";
import { CODE } from "../http2/protocol.ts";
import type { BrokenStream, CarriedRequest, Http2Carrier } from "./http2-carrier.ts";
import { fieldOf } from "./http2-head.ts";
import type { FieldLines, ResponseHead } from "./message.ts";
import type { MessageStream, StreamHearer } from "./message-stream.ts";
import type { TryFailure } from "./request-way.ts";

export interface TryHearer {
  /** Of 1xx. */
  onInform(lines: FieldLines): void;
  onResponse(message: AnswerMessage): void;
  /** The chunk is the hearer's for the length of the call; `took` gives its octets back. */
  onBody(chunk: Buffer): void;
  onBodyEnd(trailers: FieldLines): void;
  /** So many octets of the request's body are on their way. */
  onRequestSent(octets: number): void;
  /** The answer is whole, and nothing more goes either way. */
  onWhole(): void;
  /** `code`: of the reset. */
  onBroken(how: BrokenStream, code: number): void;
}

export class Http2Try implements StreamHearer {
  readonly #carrier: Http2Carrier;
  readonly #hearer: TryHearer;
  #stream: MessageStream | undefined;
  #isDropped = false;

  constructor(carrier: Http2Carrier, hearer: TryHearer) {
    this.#carrier = carrier;
    this.#hearer = hearer;
  }

  /** Nothing where the head has something that HTTP/2 cannot say. */
  begin(request: Omit<CarriedRequest, "hearer">): MessageStream | undefined {
    this.#stream = this.#carrier.request({ ...request, hearer: this });
    return this.#stream;
  }

  /** The caller has taken so many octets of the answer, or nobody ever will. */
  took(octets: number): void {
    this.#stream?.release(octets);
  }

  /** Nobody waits for its answer any more. */
  cancel(): void {
    const stream = this.#stream;
    if (!stream) return;
    if (stream.hasFarEnded && stream.hasNearEnded) stream.release();
    else stream.reset(CODE.cancel);
  }

  /** The same, and nothing more is heard of it. */
  drop(): void {
    this.#isDropped = true;
    this.cancel();
  }

  onInform(fields: FieldLines): void {
    if (!this.#isDropped) this.#hearer.onInform(fields);
  }

  onAnswer(message: AnswerMessage): void {
    if (!this.#isDropped) this.#hearer.onResponse(message);
  }

  onData(chunk: Buffer): void {
    if (this.#isDropped) this.took(chunk.length);
    else this.#hearer.onBody(chunk);
  }

  onEnd(trailers: FieldLines): void {
    if (!this.#isDropped) this.#hearer.onBodyEnd(trailers);
  }

  onSent(octets: number): void {
    if (!this.#isDropped) this.#hearer.onRequestSent(octets);
  }

  onClose(): void {
    const stream = this.#stream;
    if (this.#isDropped || !stream) return;
    const { resetCode } = stream;
    if (resetCode === undefined) this.#hearer.onWhole();
    else this.#hearer.onBroken(this.#carrier.brokenHow(stream), resetCode);
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
