/** Whoever reads a raw socket. `onClose` comes once, last, and never from within a call of the reader's. */
export interface SocketReader {
  /** The chunk is the socket's again once this returns. False: no more until `resume`. */
  onData(chunk: Buffer): boolean;
  onEnd(): void;
  /** `write` may be called again after it returned false. */
  onDrain(): void;
  onClose(): void;
}
