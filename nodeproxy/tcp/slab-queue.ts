/**
 * Bytes that wait in order, copied into memory that is used again and again.
 *
 * Fresh memory for each chunk costs more than the copy: V8 counts it, and collects the whole heap each time that
 * enough has come together (half of a bulk transfer's CPU). Few bytes take a small piece, many take large ones.
 */

/** For what stalls: a thousand streams with some bytes each. */
const SMALL_BYTES = 4 << 10;
/** As much as libuv reads at once. */
const LARGE_BYTES = 64 << 10;
/** Kept for the next. */
const MAX_FREE = { small: 256, large: 32 } as const;

const free: Readonly<Record<keyof typeof MAX_FREE, Buffer[]>> = { small: [], large: [] };

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

  /** Copies the chunk, which is the caller's again. */
  push(chunk: Buffer): void {
    this.#bytes += chunk.length;
    let tail = this.#pieces.at(-1);
    for (let at = 0; at < chunk.length; ) {
      if (!tail || tail.to === tail.memory.length) tail = this.#extend(chunk.length - at);
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

  #extend(wanted: number): Piece {
    const isSmall = this.#pieces.length === 0 && wanted <= SMALL_BYTES / 2;
    const memory = isSmall
      ? (free.small.pop() ?? Buffer.allocUnsafeSlow(SMALL_BYTES))
      : (free.large.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES));
    const piece = { memory, from: 0, to: 0 };
    this.#pieces.push(piece);
    return piece;
  }
}

/** Its memory is written to again from here on. */
export function givePiece({ memory }: Piece): void {
  const size = memory.length === SMALL_BYTES ? "small" : "large";
  if (free[size].length < MAX_FREE[size]) free[size].push(memory);
}
