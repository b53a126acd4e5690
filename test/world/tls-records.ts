/**
 * Follows one direction of one TCP flow and says whether all of it is TLS records (RFC 8446 5.1).
 *
 * Retransmitted bytes are skipped, and segments that overtook others wait for those; a gap that stays or a header that
 * is none makes the flow not TLS.
 */
const HEADER_BYTES = 5;
// change_cipher_spec, alert, handshake, application_data
const CONTENT_TYPES: ReadonlySet<number> = new Set([20, 21, 22, 23]);
// RFC 8446 5.2: 2^14 + 256.
const MAX_RECORD_BYTES = 16_640;

interface Segment {
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export class TlsRecordReader {
  #next: number;
  #header: number[] = [];
  #bodyLeft = 0;
  #isTls = true;
  #bytes = 0;
  /** Beyond a gap: the kernel shows packets of one flow out of order when two cores carry them. */
  #ahead: Segment[] = [];

  /** `next` is the sequence number of the flow's first byte, modulo 2^32. */
  constructor(next: number) {
    this.#next = next >>> 0;
  }

  get isTls(): boolean {
    return this.#isTls && this.#ahead.length === 0;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(sequence: number, payload: Uint8Array): void {
    if (payload.length === 0) return;
    if (this.#known(sequence) < 0) {
      // The caller reads the next packet into the same memory.
      this.#ahead.push({ sequence, payload: Uint8Array.from(payload) });
      return;
    }
    this.#follow({ sequence, payload });
    let next = this.#takeNext();
    while (next) {
      this.#follow(next);
      next = this.#takeNext();
    }
  }

  /** Bytes of a segment that begins there which were seen before; negative where some before it were not. */
  #known(sequence: number): number {
    return (this.#next - sequence) | 0;
  }

  #takeNext(): Segment | undefined {
    const next = this.#ahead.find(({ sequence }) => this.#known(sequence) >= 0);
    if (next) this.#ahead = this.#ahead.filter((segment) => segment !== next);
    return next;
  }

  #follow({ sequence, payload }: Segment): void {
    const fresh = payload.subarray(this.#known(sequence));
    this.#next = (this.#next + fresh.length) >>> 0;
    this.#bytes += fresh.length;
    if (this.#isTls) this.#read(fresh);
  }

  #read(bytes: Uint8Array): void {
    let offset = 0;
    while (offset < bytes.length && this.#isTls) {
      if (this.#bodyLeft > 0) {
        const step = Math.min(this.#bodyLeft, bytes.length - offset);
        this.#bodyLeft -= step;
        offset += step;
      } else {
        this.#header.push(bytes[offset] ?? 0);
        offset += 1;
        if (this.#header.length === HEADER_BYTES) this.#startRecord();
      }
    }
  }

  #startRecord(): void {
    const [type = 0, major = 0, minor = 0, high = 0, low = 0] = this.#header;
    const length = (high << 8) | low;
    const isVersion = major === 3 && (minor === 1 || minor === 3);
    this.#isTls = CONTENT_TYPES.has(type) && isVersion && length > 0 && length <= MAX_RECORD_BYTES;
    this.#header = [];
    this.#bodyLeft = length;
  }
}
