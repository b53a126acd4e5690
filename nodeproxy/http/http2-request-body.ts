/**
 * The body of one request over HTTP/2, from its caller to the server of each try: as fast as that takes it, and from
 * its beginning once more where all of it was kept. The caller may send as much more as has gone on, and no more.
 */
import { trailersOf } from "./http2-response.ts";
import type { FieldLines } from "./message.ts";
import type { MessageStream } from "./message-stream.ts";

/** Of one try: where the body goes. Tells its hearer what is on its way. */
export type BodySink = Pick<MessageStream, "isWritable" | "write" | "end">;

export class Http2RequestBody {
  readonly #front: MessageStream;
  #to: BodySink | undefined;
  #hasEnded = false;
  #trailers: FieldLines | undefined;
  #octets = 0;
  /** Of this try: those that have gone on. */
  #sent = 0;
  /** Those that the caller was told of. */
  #released = 0;
  #keptOctets = 0;
  /** All so far, where it may be sent again. */
  #kept: Buffer[] | undefined;
  #onWhole: ((body: readonly Buffer[] | undefined) => void) | undefined;

  /** Reads nothing yet. */
  constructor(front: MessageStream) {
    this.#front = front;
  }

  get octets(): number {
    return this.#octets;
  }

  /** All that went on is still there. */
  get mayRepeat(): boolean {
    return this.#octets === 0 || this.#kept !== undefined;
  }

  /** Before anything is sent: up to so much is kept. `onWhole`: once all of it has come, if somebody takes it then. */
  keep(octets: number, onWhole?: (body: readonly Buffer[] | undefined) => void): void {
    this.#keptOctets = octets;
    this.#onWhole = onWhole;
    if (octets > 0) this.#kept = [];
  }

  /** There is no other try. */
  forget(): void {
    if (!this.#onWhole) this.#kept = undefined;
  }

  sendTo(to: BodySink): void {
    this.#to = to;
    this.#sent = 0;
    for (const piece of this.#kept ?? []) to.write(piece);
    if (this.#hasEnded) to.end(this.#trailers);
    else this.#front.resume();
  }

  /** To nobody, until the next try. */
  hold(): void {
    this.#to = undefined;
    this.#front.pause();
  }

  /** To nobody any more: what comes is thrown away. */
  leave(): void {
    this.#to = undefined;
    this.#kept = undefined;
    this.#onWhole = undefined;
    this.#front.release();
  }

  take(chunk: Buffer): void {
    this.#octets += chunk.length;
    if (this.#octets > this.#keptOctets) this.#kept = undefined;
    // The memory under the chunk is read into again.
    this.#kept?.push(Buffer.from(chunk));
    const to = this.#to;
    if (to?.isWritable) {
      to.write(chunk);
      return;
    }
    this.#released += chunk.length;
    this.#front.release(chunk.length);
  }

  end(trailers: FieldLines): void {
    this.#hasEnded = true;
    if (trailers.length > 0) this.#trailers = trailersOf(trailers, true);
    this.#to?.end(this.#trailers);
    const onWhole = this.#onWhole;
    this.#onWhole = undefined;
    onWhole?.(this.#kept);
  }

  /** Octets of this try have gone on; of those that were sent before the caller was told before. */
  sent(octets: number): void {
    this.#sent += octets;
    const released = this.#sent - this.#released;
    if (released <= 0) return;
    this.#released += released;
    this.#front.release(released);
  }
}
