/**
 * One session of HTTP/2 to a server, with as many requests at once as the server takes: those of one caller's
 * connection, or those of one pod where a keeper has it.
 *
 * Knows of a stream that failed whether the server can have seen it; never sends one again.
 */
import type { Side } from "../flow/side.ts";
import { CODE } from "../http2/protocol.ts";
import { isField } from "../http2/request-fields.ts";
import type { HttpLimits } from "./http-limits.ts";
import { linesOf } from "./http2-head.ts";
import type { FieldLines, RequestHead } from "./message.ts";
import { MessageSession } from "./message-session.ts";
import type { MessageStream, StreamHearer } from "./message-stream.ts";

export interface CarrierUser {
  /** A request may be sent, within the call. */
  onCarrier(carrier: Http2Carrier): void;
  /** `status`: of the answer; 503 where there is none. */
  onUnreachable(code: string, status?: number): void;
}

export interface CarrierKeeper {
  /** The server has said how many requests it takes. Once. */
  onReady(): void;
  /** A request is over. */
  onLeft(): void;
  /** It takes no more requests; what runs goes on. */
  onClosing(): void;
  /** It is gone. Once. */
  onClosed(): void;
}

export interface CarriedRequest {
  readonly head: RequestHead;
  /** Names of its fields that no table may hold. */
  readonly secret: readonly string[] | undefined;
  /** No body follows. */
  readonly isWhole: boolean;
  readonly hearer: StreamHearer;
}

/** What became of a stream whose answer is not whole. */
export type BrokenStream = "refused" | "lost" | "reset";

export class Http2Carrier {
  readonly #session: MessageSession;
  #running = 0;

  constructor(side: Side, limits: HttpLimits, keeper: CarrierKeeper) {
    this.#session = new MessageSession(
      side,
      {
        onReady: () => keeper.onReady(),
        onGoAway: () => keeper.onClosing(),
        onStreamClosed: () => {
          this.#running -= 1;
          keeper.onLeft();
        },
        onClosed: () => keeper.onClosed(),
      },
      { isServer: false, limits },
    );
  }

  /** It takes requests. */
  get isOpen(): boolean {
    return this.#session.isOpen;
  }

  /** For one request more. */
  get hasRoom(): boolean {
    return this.isOpen && this.#running < this.#session.maxStreams;
  }

  get running(): number {
    return this.#running;
  }

  /** Nothing where the head has something that HTTP/2 cannot say. */
  request({ head, secret, isWhole, hearer }: CarriedRequest): MessageStream | undefined {
    if (!isSayable(head.fields)) return undefined;
    const stream = this.#session.request();
    if (!stream) return undefined;
    this.#running += 1;
    stream.hearBy(hearer);
    if (head.method === "HEAD") stream.expectNoContent();
    stream.sendHead(linesOf(head), isWhole, secret);
    stream.resume();
    return stream;
  }

  brokenHow({ id, resetCode }: MessageStream): BrokenStream {
    if (id === 0 || resetCode === CODE.refusedStream) return "refused";
    return this.#session.isClosed ? "lost" : "reset";
  }

  /** No request is to come; what runs goes on. */
  close(): void {
    this.#session.close();
  }

  /** Now, with all that runs. */
  destroy(): void {
    this.#session.destroy();
  }
}

function isSayable(fields: FieldLines): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    if (!isField(fields[i] ?? "", fields[i + 1] ?? "")) return false;
  }
  return true;
}
