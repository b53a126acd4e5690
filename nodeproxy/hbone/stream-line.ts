/** What a stream asks of the connection that it lies in, and what it tells whoever reads it. */
import type { Outgoing } from "../http2/outgoing.ts";
import type { WindowPool } from "../http2/window-pool.ts";
import type { HboneStream } from "./stream.ts";

export interface StreamLine {
  readonly out: Outgoing;
  /** Why we ended the connection ourselves; `undefined` for whatever the peer or the network did. */
  readonly endedBy: string | undefined;
  /** It has octets to send, and a window for some. */
  queueData(stream: HboneStream): void;
  /** Server. */
  answer(id: number, status: number, isLast: boolean): void;
  /** So many octets of the connection's window are free again. */
  release(octets: number): void;
  /** What the windows of its streams share. */
  readonly windows: WindowPool;
  /** Gone. `wasResetByUs`: frames of it may still be on their way. */
  streamClosed(stream: HboneStream, wasResetByUs: boolean): void;
}

/** Whoever reads a stream. Called in the order of the wire; `onClose` once, last, never from within a call of the reader's. */
export interface StreamReader {
  /**
   * The chunk is the reader's for the length of the call. False: it keeps what is in it, and will call `resume` once
   * it has got rid of all it was handed. The window bounds how much that can be; `pause` is for less than that.
   */
  onData(chunk: Buffer): boolean;
  /** The far side has ended its half. */
  onEnd(): void;
  /** `write` may be called again after it returned false. */
  onDrain(): void;
  onClose(): void;
}
