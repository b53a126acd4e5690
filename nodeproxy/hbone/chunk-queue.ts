/**
 * Chunks that wait in order: by reference, so that nothing is copied until they go on.
 *
 * Small ones are put together where there are many: one of a single octet costs two hundred times that. And a
 * chunk that waits for its reader must not keep alive the much larger buffer that it was cut from.
 */
const SMALL_BYTES = 2_048;
const PIECE_BYTES = 4_096;
/** So many small ones wait as they are: what goes on in the same turn is not copied for nothing. */
const FEW = 16;

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
    if (chunk.length < SMALL_BYTES && this.#chunks.length >= FEW) this.#merge(chunk);
    else this.#append(chunk);
  }

  /** For what may wait long: holds hardly more memory than octets, however they were cut. */
  pushMerged(chunk: Buffer): void {
    if (chunk.length < SMALL_BYTES) this.#merge(chunk);
    else this.#append(chunk.length * 2 < chunk.buffer.byteLength ? copyOf(chunk) : chunk);
  }

  #append(chunk: Buffer): void {
    this.#endTail();
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  #merge(chunk: Buffer): void {
    if (this.#tail && this.#tailBytes + chunk.length > PIECE_BYTES) this.#endTail();
    if (!this.#tail) {
      this.#tail = Buffer.allocUnsafeSlow(PIECE_BYTES);
      this.#tailBytes = 0;
      this.#chunks.push(this.#tail);
    }
    this.#tailBytes += chunk.copy(this.#tail, this.#tailBytes);
    this.#bytes += chunk.length;
  }

  /** The first chunk; do not mix with `copyTo`, which takes parts. */
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
      const size = chunk === this.#tail ? this.#tailBytes : chunk.length;
      const end = Math.min(size, this.#taken + length - copied);
      copied += chunk.copy(target, at + copied, this.#taken, end);
      this.#taken = end;
      if (end < size) break;
      this.#taken = 0;
      done += 1;
      if (copied === length) break;
    }
    this.#bytes -= length;
    if (done === 0) return;
    if (done < this.#chunks.length) {
      this.#chunks.splice(0, done);
      return;
    }
    this.#chunks.length = 0;
    this.#tail = undefined;
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

function copyOf(chunk: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  chunk.copy(copy);
  return copy;
}
