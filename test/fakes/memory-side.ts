/** One side of a connection in memory: what arrives is put in by hand, and what is written is kept. */
import type { Side } from "../../nodeproxy/flow/side.ts";
import type { SocketReader } from "../../nodeproxy/tcp/socket-reader.ts";

export class MemorySide {
  readonly written: Buffer[] = [];
  destroyed = false;
  hasEnded = false;
  isPaused = true;
  /** The peer takes nothing. */
  isFull = false;
  #reader: SocketReader | undefined;
  readonly #waiting: Buffer[] = [];

  /** As whoever reads and writes it wants it. */
  get side(): Side {
    return this as unknown as Side;
  }

  /** The peer says it. */
  put(bytes: Buffer): void {
    if (this.isPaused) this.#waiting.push(Buffer.from(bytes));
    else this.#reader?.onData(bytes);
  }

  /** The peer is gone. */
  lose(): void {
    this.reset();
  }

  readBy(reader: SocketReader): void {
    this.#reader = reader;
  }

  write(chunk: Buffer): boolean {
    this.written.push(Buffer.from(chunk));
    return !this.isFull;
  }

  end(): void {
    this.hasEnded = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    for (const bytes of this.#waiting.splice(0)) this.#reader?.onData(bytes);
  }

  reset(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    process.nextTick(() => this.#reader?.onClose());
  }

  resetBehindData(): void {
    this.reset();
  }
}
