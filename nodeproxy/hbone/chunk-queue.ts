/**
 * Chunks that wait in order: by reference, so that nothing is copied until they go on.
 *
 * Only small chunks of what arrives are put together: one of a single octet costs a hundred times that.
 */
const SMALL_BYTES = 2_048;
const PIECE_BYTES = 4_096;

export class ChunkQueue {
  #chunks: Buffer[] = [];
  /** Octets of the first chunk that were taken. */
  #taken = 0;
  #bytes = 0;
  /** The last chunk, where it is ours and has room behind its `#tailBytes`. */
  #tail: Buffer | undefined;
  #tailBytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** As `push`; small chunks are copied together. */
  pushMerged(chunk: Buffer): void {
    if (chunk.length >= SMALL_BYTES) {
      this.#endTail();
      this.push(chunk);
      return;
    }
    if (this.#tail && this.#tailBytes + chunk.length > PIECE_BYTES) this.#endTail();
    if (!this.#tail) {
      this.#tail = Buffer.allocUnsafeSlow(PIECE_BYTES);
      this.#tailBytes = 0;
      this.#chunks.push(this.#tail);
    }
    this.#tailBytes += chunk.copy(this.#tail, this.#tailBytes);
    this.#bytes += chunk.length;
  }

  /** The first chunk; do not mix with `copyTo`. */
  shift(): Buffer | undefined {
    if (this.#chunks.length === 1) this.#endTail();
    const chunk = this.#chunks.shift();
    if (chunk) this.#bytes -= chunk.length;
    return chunk;
  }

  /** Takes the first `length` octets, which must be there, into `target` from `at` on. */
  copyTo(target: Buffer, at: number, length: number): void {
    let copied = 0;
    let done = 0;
    for (const chunk of this.#chunks) {
      const end = Math.min(chunk.length, this.#taken + length - copied);
      copied += chunk.copy(target, at + copied, this.#taken, end);
      this.#taken = end;
      if (end < chunk.length) break;
      this.#taken = 0;
      done += 1;
      if (copied === length) break;
    }
    if (done === this.#chunks.length) this.#chunks.length = 0;
    else if (done > 0) this.#chunks.splice(0, done);
    this.#bytes -= length;
  }

  clear(): void {
    this.#chunks = [];
    this.#tail = undefined;
    this.#taken = 0;
    this.#bytes = 0;
  }

  #endTail(): void {
    if (this.#tail) this.#chunks[this.#chunks.length - 1] = this.#tail.subarray(0, this.#tailBytes);
    this.#tail = undefined;
  }
}
