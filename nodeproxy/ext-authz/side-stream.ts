/**
 * A tunnel's stream, or a raw socket, as one of Node's streams: for what speaks HTTP over it, never for what is
 * only handed on (`flow/splice.ts`).
 */
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Side } from "../flow/side.ts";
import type { StreamReader } from "../hbone/stream-line.ts";
import type { SocketReader } from "../tcp/socket-reader.ts";

type Written = (error?: Error | null) => void;

/** The side belongs to the stream from here on. */
export function streamOf(side: Side): Duplex {
  if (!(side instanceof Socket)) return new SideStream(side);
  side.allowHalfOpen = false;
  return side;
}

class SideStream extends Duplex implements StreamReader, SocketReader {
  readonly #side: Exclude<Side, Socket>;
  #written: Written | undefined;

  constructor(side: Exclude<Side, Socket>) {
    // HTTP is over with either half.
    super({ allowHalfOpen: false });
    this.#side = side;
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
    if (this.#side.write(chunk)) written();
    else this.#written = written;
  }

  override _final(ended: Written): void {
    this.#side.end();
    ended();
  }

  override _destroy(error: Error | null, destroyed: Written): void {
    if (!this.#side.destroyed) this.#side.reset();
    this.#writeEnded();
    destroyed(error);
  }

  #writeEnded(): void {
    const written = this.#written;
    this.#written = undefined;
    written?.();
  }
}
