/** One side of a connection as the frames of HTTP/2 come in by it and go out, whatever kind it is. */
import { Socket } from "node:net";
import { resetSide, type Side } from "../flow/side.ts";
import type { FrameTransport } from "../http2/frame-writer.ts";
import type { Tap } from "../http2/turn-feed.ts";

/** For a peer that takes neither our last words nor the end. */
const CLOSE_TIMEOUT_MS = 1_000;

export interface TransportOwner {
  /** The chunk is the transport's again once this returns. */
  onBytes(chunk: Buffer): void;
  /** Nothing more comes. Maybe twice. */
  onEnd(): void;
}

export interface SideTransport extends FrameTransport, Tap {
  /** Behind what was written; whatever it takes, it is gone soon. */
  end(): void;
  /** Gone soon too, though its peer takes nothing of what was written. */
  expire(): void;
  /** Now. */
  destroy(): void;
}

/** The side belongs to it from here on; it begins to read once this turn's call is over. */
export function transportOf(side: Side, owner: TransportOwner): SideTransport {
  const transport =
    side instanceof Socket ? new SocketTransport(side, owner) : new RawTransport(side, owner);
  process.nextTick(() => {
    if (side.destroyed) owner.onEnd();
    else transport.resume();
  });
  return transport;
}

class RawTransport implements SideTransport {
  readonly #side: Exclude<Side, Socket>;
  readonly #owner: TransportOwner;
  #done: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(side: Exclude<Side, Socket>, owner: TransportOwner) {
    this.#side = side;
    this.#owner = owner;
    side.readBy(this);
  }

  onData(chunk: Buffer): boolean {
    this.#owner.onBytes(chunk);
    return true;
  }

  onEnd(): void {
    this.#owner.onEnd();
  }

  onDrain(): void {
    const done = this.#done;
    this.#done = undefined;
    done?.();
  }

  onClose(): void {
    clearTimeout(this.#timer);
    this.#owner.onEnd();
  }

  write(bytes: Buffer, done: () => void): void {
    if (this.#side.write(bytes)) done();
    else this.#done = done;
  }

  pause(): void {
    this.#side.pause();
  }

  resume(): void {
    this.#side.resume();
  }

  end(): void {
    this.#side.end();
    this.expire();
  }

  expire(): void {
    if (!this.#side.destroyed) this.#timer ??= setTimeout(() => this.destroy(), CLOSE_TIMEOUT_MS);
  }

  destroy(): void {
    clearTimeout(this.#timer);
    if (!this.#side.destroyed) this.#side.resetBehindData();
  }
}

class SocketTransport implements SideTransport {
  readonly #socket: Socket;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, owner: TransportOwner) {
    this.#socket = socket;
    socket.allowHalfOpen = false;
    socket.on("error", ignore);
    socket.on("data", (chunk: Buffer) => owner.onBytes(chunk));
    socket.on("end", () => owner.onEnd());
    socket.on("close", () => {
      clearTimeout(this.#timer);
      owner.onEnd();
    });
  }

  write(bytes: Buffer, done: () => void): void {
    this.#socket.write(bytes, () => done());
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
    this.expire();
  }

  expire(): void {
    if (!this.#socket.destroyed) this.#timer ??= setTimeout(() => this.destroy(), CLOSE_TIMEOUT_MS);
  }

  destroy(): void {
    clearTimeout(this.#timer);
    resetSide(this.#socket);
  }
}

function ignore(): void {}
