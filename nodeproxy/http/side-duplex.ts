/**
 * A raw socket, or a tunnel's stream, as one of Node's streams, for Node's clients and whoever else wants one.
 *
 * Back-pressure both ways.
 */
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Side } from "../flow/side.ts";
import type { StreamReader } from "../hbone/stream-line.ts";
import type { SocketReader } from "../tcp/socket-reader.ts";

type Written = (error?: Error | null) => void;

export interface DuplexOptions {
  /** Destroyed, it does not wait for what was written last to be taken. */
  readonly endsAtOnce?: boolean;
}

/** The side belongs to the stream from here on. */
export function duplexOf(side: Side, options: DuplexOptions = {}): Duplex {
  if (!(side instanceof Socket)) return new SideDuplex(side, options);
  side.allowHalfOpen = false;
  return side;
}

class SideDuplex extends Duplex implements StreamReader, SocketReader {
  readonly #side: Exclude<Side, Socket>;
  readonly #endsAtOnce: boolean;
  #written: Written | undefined;

  constructor(side: Exclude<Side, Socket>, { endsAtOnce = false }: DuplexOptions) {
    // HTTP is over with either half.
    super({ allowHalfOpen: false });
    this.#side = side;
    this.#endsAtOnce = endsAtOnce;
    side.readBy(this);
    if (side.destroyed) process.nextTick(() => this.onClose());
  }

  onData(chunk: Buffer): boolean {
    // The chunk is ours for the length of the call only.
    if (!this.push(Buffer.from(chunk))) this.#side.pause();
    return true;
  }

  onEnd(): void {
    this.push(null);
  }

  onDrain(): void {
    this.#writeEnded();
  }

  onClose(): void {
    this.destroy();
  }

  override _read(): void {
    this.#side.resume();
  }

  override _write(chunk: Buffer, _encoding: string, written: Written): void {
    this.#send(chunk, written);
  }

  override _writev(pieces: { chunk: Buffer }[], written: Written): void {
    this.#send(Buffer.concat(pieces.map(({ chunk }) => chunk)), written);
  }

  override _final(ended: Written): void {
    this.#side.end();
    ended();
  }

  override _destroy(error: Error | null, destroyed: Written): void {
    if (!this.#side.destroyed) this.#reset();
    this.#writeEnded();
    destroyed(error);
  }

  /** What was said last, a GOAWAY mostly, is still to be read. */
  #reset(): void {
    if (this.#endsAtOnce) this.#side.reset();
    else this.#side.resetBehindData();
  }

  #send(chunk: Buffer, written: Written): void {
    if (this.#side.write(chunk)) written();
    else this.#written = written;
  }

  #writeEnded(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }
}
