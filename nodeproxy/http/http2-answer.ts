/** What one caller hears over HTTP/2: the application's answer as it comes, or ours, and what is made of a request that goes on behind it. */
import { CODE } from "../http2/protocol.ts";
import { grpcStatusIn, grpcStatusOf } from "./grpc-status.ts";
import { grpcTrailers, Lingering, type Refusal, refuseStream } from "./http2-refusal.ts";
import { type Http2Response, responseOf, trailersOf } from "./http2-response.ts";
import type { FieldLines } from "./message.ts";
import type { MessageStream } from "./message-stream.ts";

/** Of 1xx, which an application may send as many as it likes. */
const MAX_INFORMATIONAL = 32;
/** For what is said here: a caller that does not take it keeps the place of its request no longer. */
const TAKE_MS = 30_000;

export interface Hearing {
  readonly isGrpc: boolean;
  /** To HEAD there is no content. */
  readonly isToHead: boolean;
}

export interface AnswerHead {
  readonly response: Http2Response;
  readonly isLast: boolean;
  /** Names of fields that no table may hold. */
  readonly secret: readonly string[] | undefined;
}

export class Http2Answer {
  readonly #front: MessageStream;
  readonly #hearing: Hearing;
  #informational = 0;
  /** What the caller hears at the end is ours. */
  #isOurs = false;
  #status = 0;
  #grpcStatus: number | undefined;
  #octets = 0;
  #lingering: Lingering | undefined;
  #untaken: NodeJS.Timeout | undefined;

  constructor(front: MessageStream, hearing: Hearing) {
    this.#front = front;
    this.#hearing = hearing;
  }

  /** Nothing of the application's goes on to the caller any more, and nothing to the application. */
  get isOver(): boolean {
    return this.#isOurs || this.#front.destroyed;
  }

  get hasBegun(): boolean {
    return this.#front.isAnswered;
  }

  get status(): number {
    return this.#status;
  }

  /** As the caller is told it; `undefined` as long as it is told none. */
  get grpcStatus(): number | undefined {
    return this.#grpcStatus;
  }

  /** Of the application's body, on their way to the caller. */
  get octets(): number {
    return this.#octets;
  }

  /** RFC 9110 15.2: "A proxy MUST forward 1xx responses". False: none that may be. */
  inform(lines: FieldLines): boolean {
    this.#informational += 1;
    const { status, fields } = responseOf(lines);
    if (status === 101 || this.#informational > MAX_INFORMATIONAL) return false;
    this.#front.sendInform(fields);
    return true;
  }

  begin({ response, isLast, secret }: AnswerHead): void {
    const { status, hasNoContent, fields } = response;
    this.#status = status;
    this.#grpcStatus = grpcStatusIn(fields);
    this.#front.sendHead(fields, isLast || hasNoContent || this.#hearing.isToHead, secret);
  }

  /** False: nobody takes it. */
  write(chunk: Buffer): boolean {
    if (this.#isOurs || !this.#front.isWritable) return false;
    this.#octets += chunk.length;
    this.#front.write(chunk);
    return true;
  }

  end(trailers: FieldLines): void {
    if (this.#isOurs) return;
    this.#grpcStatus = grpcStatusIn(trailers) ?? this.#grpcStatus;
    this.#front.end(trailersOf(trailers, false));
  }

  /** In place of the application, which has said nothing yet. */
  refuse(refused: Refusal): void {
    if (this.#front.destroyed || this.#front.isAnswered) return;
    this.#isOurs = true;
    this.#grpcStatus = refused.grpcStatus ?? grpcStatusOf(refused.status);
    const front = this.#front;
    this.#status = refuseStream(front, refused, this.#hearing);
    if (!front.hasNearEnded) {
      this.#untaken = setTimeout(() => front.reset(CODE.cancel), TAKE_MS);
    }
    this.linger();
  }

  /** In an answer that has begun. gRPC has its status at the end too, where the caller has taken all that came before it. */
  breakOff(refused: Refusal, code: number): void {
    const front = this.#front;
    this.#isOurs = true;
    if (this.#hearing.isGrpc && front.isWritable && front.unsent === 0) {
      this.#grpcStatus = refused.grpcStatus ?? grpcStatusOf(refused.status);
      front.end(grpcTrailers(refused));
      this.linger();
    } else front.reset(code);
  }

  /** What still comes of the request is thrown away, and that not for long. */
  linger(): void {
    const front = this.#front;
    front.release();
    if (!front.hasFarEnded) this.#lingering ??= new Lingering(front);
    front.resume();
  }

  /** Of the request. False: somebody may still read them. */
  throwAway(octets: number): boolean {
    this.#lingering?.take(octets);
    return this.#lingering !== undefined;
  }

  /** More of the answer is on its way. */
  sent(): void {
    this.#lingering?.look();
  }

  /** The stream is gone. True where the caller has all of the answer. */
  over(): boolean {
    clearTimeout(this.#untaken);
    this.#lingering?.end();
    const { resetCode = CODE.noError, isAnswered } = this.#front;
    return isAnswered && resetCode === CODE.noError;
  }
}
