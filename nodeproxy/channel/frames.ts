/**
 * Cutting a stream socket into the messages of the line between control and traffic.
 *
 * Frame: body length (uint32, little-endian), number of descriptors sent beside it (uint32), body.
 * What a body means is not known here.
 */
const HEAD_BYTES = 8;

export interface Frame {
  readonly body: Buffer;
  readonly descriptorCount: number;
}

export function encodeFrame({ body, descriptorCount }: Frame): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  frame.writeUInt32LE(body.length, 0);
  frame.writeUInt32LE(descriptorCount, 4);
  body.copy(frame, HEAD_BYTES);
  return frame;
}

/** Collects chunks and hands out whole frames in their order. */
export class FrameReader {
  readonly #limitBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  /** `limitBytes`: the longest body that is taken. */
  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** `undefined` until the next frame is whole. Throws RangeError where it would be too long. */
  next(): Frame | undefined {
    if (this.#bytes < HEAD_BYTES) return undefined;
    const head = this.#peekHead();
    const length = head.readUInt32LE(0);
    if (length > this.#limitBytes) throw new RangeError(`a frame of ${length} bytes is too long`);
    if (this.#bytes < HEAD_BYTES + length) return undefined;
    const all = this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : this.#joined();
    const rest = all.subarray(HEAD_BYTES + length);
    this.#chunks.length = 0;
    if (rest.length > 0) this.#chunks.push(rest);
    this.#bytes = rest.length;
    return {
      body: all.subarray(HEAD_BYTES, HEAD_BYTES + length),
      descriptorCount: head.readUInt32LE(4),
    };
  }

  #peekHead(): Buffer {
    const first = this.#chunks[0];
    return first && first.length >= HEAD_BYTES ? first : this.#joined();
  }

  #joined(): Buffer {
    const all = Buffer.concat(this.#chunks);
    this.#chunks.length = 0;
    this.#chunks.push(all);
    return all;
  }
}
