/**
 * Bytes that wait in order, copied into memory that is used again and again.
 *
 * Fresh memory for each chunk costs more than the copy: V8 counts it, and collects the whole heap each time that
 * enough has come together (half of a bulk transfer's CPU). Few bytes take a small piece; of many, those that are
 * written at once take large ones, and those that stay take pieces of which little is left empty.
 */

/** For what stalls: a thousand streams with some bytes each. */
const SMALL_BYTES = 4 << 10;
const MEDIUM_BYTES = 16 << 10;
/** As much as libuv reads at once. */
const LARGE_BYTES = 64 << 10;
/** Kept for the next, by their sizes: a megabyte or two of each. */
const free: ReadonlyMap<number, { readonly pieces: Buffer[]; readonly max: number }> = new Map([
  [SMALL_BYTES, { pieces: [], max: 256 }],
  [MEDIUM_BYTES, { pieces: [], max: 128 }],
  [LARGE_BYTES, { pieces: [], max: 32 }],
]);

export interface Piece {
  readonly memory: Buffer;
  from: number;
  to: number;
}

export class SlabQueue {
  readonly #pieces: Piece[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Copies the chunk, which is the caller's again. `isLeaving`: for a call of the kernel that comes at once. */
  push(chunk: Buffer, isLeaving = false): void {
    this.#bytes += chunk.length;
    let tail = this.#pieces.at(-1);
    for (let at = 0; at < chunk.length; ) {
      if (!tail || tail.to === tail.memory.length)
        tail = this.#extend(chunk.length - at, isLeaving);
      const copied = chunk.copy(tail.memory, tail.to, at);
      tail.to += copied;
      at += copied;
    }
  }

  /** Takes the first octets out, as many as lie together; to be given back with `givePiece`. */
  takePiece(): Piece | undefined {
    const piece = this.#pieces.shift();
    if (piece) this.#bytes -= piece.to - piece.from;
    return piece;
  }

  /** Takes the first `length` octets, which must be there, into `target` from `at` on. */
  copyTo(target: Buffer, at: number, length: number): void {
    this.#bytes -= length;
    let done = 0;
    for (let copied = 0; copied < length; ) {
      const piece = this.#pieces[done];
      if (!piece) throw new RangeError(`${length} octets asked for, ${copied} there`);
      const end = Math.min(piece.to, piece.from + length - copied);
      copied += piece.memory.copy(target, at + copied, piece.from, end);
      piece.from = end;
      if (end < piece.to) break;
      givePiece(piece);
      done += 1;
    }
    this.#pieces.splice(0, done);
  }

  clear(): void {
    for (const piece of this.#pieces.splice(0)) givePiece(piece);
    this.#bytes = 0;
  }

  #extend(wanted: number, isLeaving: boolean): Piece {
    const isSmall = this.#pieces.length === 0 && wanted <= SMALL_BYTES / 2;
    const size = isSmall ? SMALL_BYTES : isLeaving ? LARGE_BYTES : MEDIUM_BYTES;
    const memory = free.get(size)?.pieces.pop() ?? Buffer.allocUnsafeSlow(size);
    const piece = { memory, from: 0, to: 0 };
    this.#pieces.push(piece);
    return piece;
  }
}

/** Its memory is written to again from here on. */
export function givePiece({ memory }: Piece): void {
  const kept = free.get(memory.length);
  if (kept && kept.pieces.length < kept.max) kept.pieces.push(memory);
}
