/**
 * Reads header blocks (RFC 7541): one decoder for each connection and direction, fed every block in order.
 *
 * Bounded whatever the peer sends: the dynamic table by its size, a list by its octets and its fields. A list
 * beyond the bounds is still read to its end, for the table must stay that of the peer; it is only not kept.
 */
import { protocolError } from "./http2-error.ts";
import { decodeHuffman } from "./huffman.ts";
import { CODE } from "./protocol.ts";
import { STATIC_TABLE } from "./static-table.ts";

/** Octets, RFC 7541 4.2: the default of SETTINGS_HEADER_TABLE_SIZE, which we leave as it is. */
const MAX_TABLE_BYTES = 4_096;
/** RFC 7541 4.1: what an entry counts beyond its octets. */
const ENTRY_BYTES = 32;
/** RFC 7541 4.2: "at most two" at the beginning of a block. */
const MAX_SIZE_UPDATES = 2;
const STATIC_COUNT = STATIC_TABLE.length;

export interface ListLimits {
  /** RFC 9113 6.5.2, SETTINGS_MAX_HEADER_LIST_SIZE. */
  readonly bytes: number;
  readonly fields: number;
}

export interface HeaderList {
  /** Name, value, name, value … in the order of the block; as far as they were kept. */
  readonly fields: readonly string[];
  /** Names of those that no table may hold (RFC 7541 6.2.3: whoever carries them on has to say so too). */
  readonly secret: readonly string[] | undefined;
  /** Larger than we take. */
  readonly isTooLarge: boolean;
}

export class HpackDecoder {
  readonly #limits: ListLimits;
  /** Oldest first. */
  readonly #names: string[] = [];
  readonly #values: string[] = [];
  #tableBytes = 0;
  #tableLimit = MAX_TABLE_BYTES;
  #block: Buffer = Buffer.alloc(0);
  #at = 0;
  #fields: string[] = [];
  #secret: string[] | undefined;
  #listBytes = 0;

  constructor(limits: ListLimits) {
    this.#limits = limits;
  }

  /** Throws `Http2Error` COMPRESSION_ERROR: the connection cannot go on, for its table is lost. */
  decode(block: Buffer): HeaderList {
    this.#block = block;
    this.#at = 0;
    this.#fields = [];
    this.#secret = undefined;
    this.#listBytes = 0;
    let updates = 0;
    let isBeginning = true;
    while (this.#at < block.length) {
      const first = block[this.#at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        updates += 1;
        if (!isBeginning || updates > MAX_SIZE_UPDATES) throw broken("a misplaced table size");
        this.#resize(this.#integer(0x1f));
        continue;
      }
      isBeginning = false;
      if (first >= 0x80) this.#indexed();
      else if (first >= 0x40) this.#literal(0x3f, true);
      else this.#literal(0x0f, false, first >= 0x10);
    }
    const { bytes, fields } = this.#limits;
    const isTooLarge = this.#listBytes > bytes || this.#fields.length > fields * 2;
    return { fields: this.#fields, secret: this.#secret, isTooLarge };
  }

  /** RFC 7541 6.1. */
  #indexed(): void {
    const index = this.#integer(0x7f);
    this.#keep(this.#nameAt(index), this.#valueAt(index));
  }

  /** RFC 7541 6.2: with incremental indexing, without, and never indexed. */
  #literal(mask: number, isIndexing: boolean, isSecret = false): void {
    const index = this.#integer(mask);
    const name = index === 0 ? this.#string() : this.#nameAt(index);
    const value = this.#string();
    this.#keep(name, value);
    if (isIndexing) this.#insert(name, value);
    if (isSecret) (this.#secret ??= []).push(name);
  }

  #keep(name: string, value: string): void {
    this.#listBytes += name.length + value.length + ENTRY_BYTES;
    const { bytes, fields } = this.#limits;
    if (this.#listBytes <= bytes && this.#fields.length <= fields * 2) {
      this.#fields.push(name, value);
    }
  }

  #nameAt(index: number): string {
    const name =
      index <= STATIC_COUNT
        ? STATIC_TABLE[index - 1]?.[0]
        : this.#names[this.#names.length - (index - STATIC_COUNT)];
    // RFC 7541 6.1: index 0 and those beyond both tables are errors.
    if (name === undefined) throw broken(`no field of index ${index}`);
    return name;
  }

  #valueAt(index: number): string {
    return (
      (index <= STATIC_COUNT
        ? STATIC_TABLE[index - 1]?.[1]
        : this.#values[this.#values.length - (index - STATIC_COUNT)]) ?? ""
    );
  }

  /** RFC 7541 4.4: evicts first; an entry larger than the table empties it, and is no error. */
  #insert(name: string, value: string): void {
    const size = name.length + value.length + ENTRY_BYTES;
    this.#evictTo(this.#tableLimit - size);
    if (size > this.#tableLimit) return;
    this.#names.push(name);
    this.#values.push(value);
    this.#tableBytes += size;
  }

  #resize(limit: number): void {
    if (limit > MAX_TABLE_BYTES) throw broken(`a table of ${limit} octets`);
    this.#tableLimit = limit;
    this.#evictTo(limit);
  }

  #evictTo(limit: number): void {
    while (this.#tableBytes > limit && this.#names.length > 0) {
      const name = this.#names.shift() ?? "";
      const value = this.#values.shift() ?? "";
      this.#tableBytes -= name.length + value.length + ENTRY_BYTES;
    }
  }

  /** RFC 7541 5.1, in the bits of `mask` and the octets after them. No honest one has more than four of those. */
  #integer(mask: number): number {
    let value = this.#octet() & mask;
    if (value < mask) return value;
    for (let shift = 0; shift < 28; shift += 7) {
      const octet = this.#octet();
      value += (octet & 0x7f) * 2 ** shift;
      if (octet < 0x80) return value;
    }
    throw broken("an integer of more than four octets");
  }

  /** RFC 7541 5.2. */
  #string(): string {
    const isHuffman = (this.#block[this.#at] ?? 0) >= 0x80;
    const length = this.#integer(0x7f);
    const start = this.#at;
    const end = start + length;
    if (end > this.#block.length) throw broken("a string beyond its block");
    this.#at = end;
    if (isHuffman) return decodeHuffman(this.#block, start, end);
    return this.#block.toString("latin1", start, end);
  }

  #octet(): number {
    const octet = this.#block[this.#at];
    if (octet === undefined) throw broken("a block that ends within a field");
    this.#at += 1;
    return octet;
  }
}

function broken(what: string): Error {
  return protocolError(`HPACK: ${what}`, CODE.compressionError);
}
