/** The requests of one client's session: which number is next, and who waits until the server takes one more. */
import { CODE, MAX_WINDOW } from "../http2/protocol.ts";
import { FIRST_STREAMS } from "./http2-settings.ts";
import type { MessageStream } from "./message-stream.ts";
import type { SaidFields } from "./session-output.ts";

interface Waiting {
  readonly stream: MessageStream;
  readonly said: SaidFields;
}

export class RequestQueue {
  readonly #open: (stream: MessageStream, said: SaidFields) => void;
  readonly #waiting: Waiting[] = [];
  #max = FIRST_STREAMS;
  #running = 0;
  #nextId: number;

  constructor(open: (stream: MessageStream, said: SaidFields) => void, firstId = 1) {
    this.#open = open;
    this.#nextId = firstId;
  }

  get max(): number {
    return this.#max;
  }

  set max(max: number) {
    this.#max = max;
    this.#openNext();
  }

  /** RFC 9113 5.1.1: "A client that is unable to establish a new stream identifier can establish a new connection". */
  get isSpent(): boolean {
    return this.#nextId + 2 * this.#waiting.length > MAX_WINDOW;
  }

  takeId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  add(stream: MessageStream, said: SaidFields): void {
    this.#waiting.push({ stream, said });
    this.#openNext();
  }

  /** It is not wanted any more, and was never sent. */
  remove(stream: MessageStream): void {
    const at = this.#waiting.findIndex((one) => one.stream === stream);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** One that was sent is over. */
  left(): void {
    this.#running -= 1;
    this.#openNext();
  }

  /** The server takes no more. */
  refuse(): void {
    for (const { stream } of this.#waiting.splice(0)) stream.abort(CODE.refusedStream);
  }

  /** Nor does the connection. */
  lose(): void {
    for (const { stream } of this.#waiting.splice(0)) stream.lineLost();
  }

  #openNext(): void {
    while (this.#running < this.#max) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#running += 1;
      this.#open(next.stream, next.said);
    }
  }
}
