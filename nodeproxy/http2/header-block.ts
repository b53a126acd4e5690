/**
 * Puts HEADERS and the CONTINUATION frames behind it together to one block (RFC 9113 4.3, 6.2, 6.10).
 *
 * Holds at most what a header list may have: CONTINUATION without end (CVE-2024-27983) ends the connection.
 */
import type { Frame } from "./frame-reader.ts";
import { flood, protocolError } from "./http2-error.ts";
import { CODE, FLAG } from "./protocol.ts";

/** Of the smallest list in frames of 2 KB; honest peers need one frame for each 16 KB. */
const MAX_CONTINUATIONS = 8;

export interface HeaderBlock {
  readonly stream: number;
  readonly isLast: boolean;
  /** RFC 7540 5.3.1: "A stream cannot depend on itself"; otherwise priorities are ignored. */
  readonly dependsOnItself: boolean;
  readonly bytes: Buffer;
}

export class HeaderBlocks {
  #open: HeaderBlock | undefined;
  #parts: Buffer[] = [];
  #length = 0;
  readonly #maxBytes: number;

  /** `maxBytes`: those of a header list. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Stream of the block that is open: no other frame than its CONTINUATION may come. */
  get openStream(): number | undefined {
    return this.#open?.stream;
  }

  /** The block if it is whole. */
  begin({ flags, stream, payload }: Frame): HeaderBlock | undefined {
    let start = 0;
    let end = payload.length;
    if ((flags & FLAG.padded) !== 0) {
      if (end === 0) throw protocolError("padding without its length", CODE.frameSizeError);
      start = 1;
      end -= payload.readUInt8(0);
    }
    let dependsOnItself = false;
    if ((flags & FLAG.priority) !== 0) {
      if (payload.length < start + 5) {
        throw protocolError("priority cut short", CODE.frameSizeError);
      }
      dependsOnItself = dependencyOf(payload, start) === stream;
      start += 5;
    }
    if (end < start) throw protocolError("padding longer than its frame");
    const bytes = payload.subarray(start, end);
    const isLast = (flags & FLAG.endStream) !== 0;
    this.#open = { stream, isLast, dependsOnItself, bytes };
    this.#parts = [];
    this.#length = 0;
    return this.#take(bytes, flags);
  }

  continue({ flags, stream, payload }: Frame): HeaderBlock | undefined {
    if (this.#open?.stream !== stream) throw protocolError("CONTINUATION of nothing");
    if (this.#parts.length > MAX_CONTINUATIONS) throw flood("CONTINUATION frames");
    return this.#take(payload, flags);
  }

  #take(bytes: Buffer, flags: number): HeaderBlock | undefined {
    const isWhole = (flags & FLAG.endHeaders) !== 0;
    // Where it goes on in another frame, the memory under this one is not ours until then.
    this.#parts.push(isWhole ? bytes : Buffer.from(bytes));
    this.#length += bytes.length;
    if (this.#length > this.#maxBytes) throw flood("a header block larger than any list");
    const open = this.#open;
    if (!open || !isWhole) return undefined;
    this.#open = undefined;
    const parts = this.#parts;
    this.#parts = [];
    return parts.length === 1 ? open : { ...open, bytes: Buffer.concat(parts) };
  }
}

/** Of a priority, wherever it stands: RFC 7540 6.2, 6.3. */
export function dependencyOf(payload: Buffer, at: number): number {
  return payload.readUInt32BE(at) & 0x7fff_ffff;
}
