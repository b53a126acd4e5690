/**
 * The body of one request over HTTP/2, from its caller to the server of each try: as fast as that takes it, and from
 * its beginning once more where all of it was kept.
 */
import { type ClientHttp2Stream, constants, type ServerHttp2Stream } from "node:http2";
import { Trailers } from "./http2-body.ts";

export class Http2RequestBody {
  readonly #front: ServerHttp2Stream;
  readonly #trailers: Trailers;
  #to: ClientHttp2Stream | undefined;
  #isRead = false;
  #hasEnded = false;
  #octets = 0;
  #keptOctets = 0;
  /** All so far, where it may be sent again. */
  #kept: Buffer[] | undefined;

  /** Reads nothing yet. */
  constructor(front: ServerHttp2Stream) {
    this.#front = front;
    this.#trailers = new Trailers(front);
  }

  get octets(): number {
    return this.#octets;
  }

  /** All that went on is still there. */
  get mayRepeat(): boolean {
    return this.#octets === 0 || this.#kept !== undefined;
  }

  /** Before anything is sent: up to so much is kept. */
  keep(octets: number): void {
    this.#keptOctets = octets;
    if (octets > 0) this.#kept = [];
  }

  /** There is no other try. */
  forget(): void {
    this.#kept = undefined;
  }

  sendTo(to: ClientHttp2Stream): void {
    this.#to = to;
    to.on("drain", () => {
      if (this.#to === to) this.#front.resume();
    });
    to.on("wantTrailers", () => to.sendTrailers(this.#trailers.toSend(true)));
    if (!this.#isRead) {
      this.#read(this.#front);
      return;
    }
    for (const piece of this.#kept ?? []) to.write(piece);
    if (this.#hasEnded) to.end();
    else this.#front.resume();
  }

  /** To nobody, until the next try. */
  hold(): void {
    this.#to = undefined;
    this.#front.pause();
  }

  #read(front: ServerHttp2Stream): void {
    this.#isRead = true;
    front.on("data", (chunk: Buffer) => {
      this.#octets += chunk.length;
      if (this.#octets > this.#keptOctets) this.#kept = undefined;
      this.#kept?.push(chunk);
      const to = this.#to;
      // Where nobody takes it any more it is read, and thrown away.
      if (to?.writable && !to.write(chunk)) front.pause();
    });
    front.on("end", () => {
      // A stream that was reset tells its end too.
      if (front.rstCode !== constants.NGHTTP2_NO_ERROR) return;
      this.#hasEnded = true;
      if (this.#to?.writable) this.#to.end();
    });
  }
}
