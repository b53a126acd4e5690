/** The requests of one client's session: which number is next, and who waits until the server takes one more, and the line their heads. */
import { CODE, MAX_WINDOW } from "../http2/protocol.ts";
import { FIRST_STREAMS } from "./http2-settings.ts";
import type { MessageStream } from "./message-stream.ts";
import type { SaidFields, SessionOutput } from "./session-output.ts";

interface Waiting {
  readonly stream: MessageStream;
  readonly said: SaidFields;
}

/** The session that they belong to. */
export interface RequestLine {
  openRequest(stream: MessageStream, said: SaidFields): void;
  /** Behind, more heads would be taken for a flood. `goOn` is called once it is not. */
  readonly output: Pick<SessionOutput, "isBehind">;
}

export class RequestQueue {
  readonly #line: RequestLine;
  readonly #waiting: Waiting[] = [];
  #max = FIRST_STREAMS;
  #running = 0;
  #nextId: number;

  constructor(line: RequestLine, firstId = 1) {
    this.#line = line;
    this.#nextId = firstId;
  }

  get max(): number {
    return this.#max;
  }

  set max(max: number) {
    this.#max = max;
    this.goOn();
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
    this.goOn();
  }

  /** It is not wanted any more, and was never sent. */
  remove(stream: MessageStream): void {
    const at = this.#waiting.findIndex((one) => one.stream === stream);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  /** One that was sent is over. */
  left(): void {
    this.#running -= 1;
    this.goOn();
  }

  /** The server takes no more. */
  refuse(): void {
    for (const { stream } of this.#waiting.splice(0)) stream.abort(CODE.refusedStream);
  }

  /** Nor does the connection. */
  lose(): void {
    for (const { stream } of this.#waiting.splice(0)) stream.lineLost();
  }

  /** Opens those for which there is room. */
  goOn(): void {
    while (this.#running < this.#max && !this.#line.output.isBehind) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#running += 1;
      this.#line.openRequest(next.stream, next.said);
    }
  }
}
