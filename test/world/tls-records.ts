/**
 * Follows one direction of one TCP flow and says whether all of it is TLS records (RFC 8446 5.1).
 *
 * Retransmitted bytes are skipped; a gap or a header that is none makes the flow not TLS.
 */
const HEADER_BYTES = 5;
// change_cipher_spec, alert, handshake, application_data
const CONTENT_TYPES: ReadonlySet<number> = new Set([20, 21, 22, 23]);
// RFC 8446 5.2: 2^14 + 256.
const MAX_RECORD_BYTES = 16_640;

export class TlsRecordReader {
  #next: number;
  #header: number[] = [];
  #bodyLeft = 0;
  #isTls = true;
  #bytes = 0;

  /** `next` is the sequence number of the flow's first byte, modulo 2^32. */
  constructor(next: number) {
    this.#next = next >>> 0;
  }

  get isTls(): boolean {
    return this.#isTls;
  }

  get bytes(): number {
    return this.#bytes;
  }

  take(sequence: number, payload: Uint8Array): void {
    if (payload.length === 0) return;
    const known = (this.#next - sequence) | 0;
    if (known < 0) this.#isTls = false;
    const fresh = payload.subarray(Math.max(0, known));
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
