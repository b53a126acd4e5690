/**
 * Writes header blocks (RFC 7541): one encoder for each connection and direction, whose blocks go out in its order.
 *
 * What is said again and again is said once and then named by its number; what is said once never takes a place in the
 * table, and what is secret never lies in it (RFC 7541 7.1). Strings are not compressed: most are sent once.
 */
import { STATIC_TABLE } from "./static-table.ts";

/** Octets, RFC 7541 4.2: the default, and the most that we use of whatever a peer offers. */
const MAX_TABLE_BYTES = 4_096;
/** RFC 7541 4.1: what an entry counts beyond its octets. */
const ENTRY_BYTES = 32;
/** One that is larger would push out too many others. */
const MAX_ENTRY_BYTES = MAX_TABLE_BYTES / 4;
/** Whose values are remembered; a peer chooses names as it likes. */
const MAX_NAMES = 256;
const STATIC_COUNT = STATIC_TABLE.length;
/** RFC 7541 6.2: what begins a literal, and how much of a number has room in its first octet. */
const INDEXED = { first: 0x80, room: 0x7f };
const INCREMENTAL = { first: 0x40, room: 0x3f };
const NOT_INDEXED = { first: 0x00, room: 0x0f };
const NEVER_INDEXED = { first: 0x10, room: 0x0f };
const TABLE_SIZE = { first: 0x20, room: 0x1f };

type Form = typeof INDEXED;

/** RFC 7541 7.1.3. */
const SECRETS: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "set-cookie",
]);
/** Of one connection mostly the same: these are not said twice before they have a place. */
const STEADY: ReadonlySet<string> = new Set([
  ":authority",
  "content-type",
  "grpc-accept-encoding",
  "te",
  "user-agent",
]);

/** What is known of a name. */
interface Name {
  /** Of the static table; 0: it is not there. */
  readonly index: number;
  /** Whole fields of the static table. */
  readonly fields: ReadonlyMap<string, number>;
  /** Values in the dynamic table, by the number of their insertion. */
  readonly inserted: Map<string, number>;
  /** What was said last and has no place. */
  last: string | undefined;
}

interface Entry {
  readonly name: Name;
  readonly value: string;
  readonly bytes: number;
}

const NO_FIELDS: ReadonlyMap<string, number> = new Map();
const STATIC_NAMES = staticNames();
let scratch: Buffer = Buffer.allocUnsafeSlow(16 << 10);

export class HpackEncoder {
  readonly #names = new Map<string, Name>();
  /** Oldest first. */
  readonly #entries: Entry[] = [];
  /** Insertions so far. */
  #count = 0;
  #bytes = 0;
  #limit = MAX_TABLE_BYTES;
  /** RFC 7541 4.2: to be said at the beginning of the next block; the smallest since the last one too. */
  #due: { smallest: number } | undefined;
  #at = 0;

  /** SETTINGS_HEADER_TABLE_SIZE of the peer. */
  resize(limit: number): void {
    const now = Math.min(limit, MAX_TABLE_BYTES);
    if (now === this.#limit) return;
    this.#due ??= { smallest: now };
    this.#due.smallest = Math.min(this.#due.smallest, now);
    this.#limit = now;
    this.#evictTo(now);
  }

  /**
   * Of names and values in turn, characters of one octet each. `secret`: names that are not to be indexed besides. The
   * block is the caller's until the next is encoded, by whichever encoder.
   */
  encode(fields: readonly string[], secret?: readonly string[]): Buffer {
    this.#at = 0;
    if (this.#due) this.#sayLimit(this.#due.smallest);
    for (let i = 0; i < fields.length; i += 2) {
      this.#field(fields[i] ?? "", fields[i + 1] ?? "", secret);
    }
    return scratch.subarray(0, this.#at);
  }

  #sayLimit(smallest: number): void {
    this.#due = undefined;
    this.#reserve(16);
    if (smallest < this.#limit) this.#integer(TABLE_SIZE, smallest);
    this.#integer(TABLE_SIZE, this.#limit);
  }

  #field(text: string, value: string, secret: readonly string[] | undefined): void {
    const bytes = text.length + value.length + ENTRY_BYTES;
    this.#reserve(bytes);
    if (SECRETS.has(text) || secret?.includes(text)) {
      this.#literal(NEVER_INDEXED, text, value);
      return;
    }
    // What has no room in the table is not remembered: a peer makes it as long as it likes.
    const name = bytes <= MAX_ENTRY_BYTES ? this.#nameOf(text) : undefined;
    if (!name) {
      this.#literal(NOT_INDEXED, text, value);
      return;
    }
    const index = name.fields.get(value) ?? this.#indexOf(name.inserted.get(value));
    if (index > 0) this.#integer(INDEXED, index);
    else if (bytes <= this.#limit && (name.last === value || STEADY.has(text))) {
      this.#literal(INCREMENTAL, text, value);
      this.#insert(name, value, bytes);
    } else {
      name.last = value;
      this.#literal(NOT_INDEXED, text, value);
    }
  }

  #nameOf(text: string): Name | undefined {
    const known = this.#names.get(text);
    if (known) return known;
    if (this.#names.size >= MAX_NAMES) return undefined;
    const { index, fields } = STATIC_NAMES.get(text) ?? { index: 0, fields: NO_FIELDS };
    const name: Name = { index, fields, inserted: new Map(), last: undefined };
    this.#names.set(text, name);
    return name;
  }

  #indexOf(insertion: number | undefined): number {
    return insertion === undefined ? 0 : STATIC_COUNT + this.#count - insertion;
  }

  #literal(form: Form, text: string, value: string): void {
    const name = this.#names.get(text);
    let index = name?.index ?? STATIC_NAMES.get(text)?.index ?? 0;
    if (name && index === 0 && name.inserted.size > 0) {
      for (const insertion of name.inserted.values()) index = this.#indexOf(insertion);
    }
    this.#integer(form, index);
    if (index === 0) this.#string(text);
    this.#string(value);
  }

  #insert(name: Name, value: string, bytes: number): void {
    this.#evictTo(this.#limit - bytes);
    name.inserted.set(value, this.#count);
    name.last = undefined;
    this.#entries.push({ name, value, bytes });
    this.#count += 1;
    this.#bytes += bytes;
  }

  #evictTo(bytes: number): void {
    while (this.#bytes > bytes) {
      const oldest = this.#entries.shift();
      if (!oldest) return;
      oldest.name.inserted.delete(oldest.value);
      this.#bytes -= oldest.bytes;
    }
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= scratch.length) return;
    const larger = Buffer.allocUnsafeSlow((this.#at + bytes) * 2);
    scratch.copy(larger, 0, 0, this.#at);
    scratch = larger;
  }

  /** RFC 7541 5.1. */
  #integer({ first, room }: Form, value: number): void {
    if (value < room) {
      scratch[this.#at++] = first | value;
      return;
    }
    scratch[this.#at++] = first | room;
    let rest = value - room;
    for (; rest >= 128; rest = Math.floor(rest / 128)) scratch[this.#at++] = (rest % 128) | 128;
    scratch[this.#at++] = rest;
  }

  /** RFC 7541 5.2. */
  #string(text: string): void {
    this.#integer(PLAIN, text.length);
    // A call into the runtime costs as much as so many characters.
    if (text.length > 40) this.#at += scratch.write(text, this.#at, "latin1");
    else for (let i = 0; i < text.length; i += 1) scratch[this.#at++] = text.charCodeAt(i);
  }
}

const PLAIN: Form = { first: 0x00, room: 0x7f };

function staticNames(): ReadonlyMap<string, Pick<Name, "index" | "fields">> {
  const names = new Map<string, { index: number; fields: Map<string, number> }>();
  for (const [i, [text, value]] of STATIC_TABLE.entries()) {
    const name = names.get(text) ?? { index: i + 1, fields: new Map<string, number>() };
    names.set(text, name);
    if (value !== "") name.fields.set(value, i + 1);
  }
  return names;
}
