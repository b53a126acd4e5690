/**
 * Is this the beginning of TLS, and which server does it name? Takes octets as they come, cut anywhere, and tells as
 * soon as no further ones can change the answer. Keeps no more than one ClientHello; never asks for more time.
 */
import { serverNameOf } from "./server-name-of.ts";

/** Read in all, with the headers of records: a hello with keys that withstand quantum computers has two kilobytes. */
export const MAX_HELLO_OCTETS = 16_384;
/** RFC 8446 5.1 */
const RECORD_HEADER_OCTETS = 5;
const MAX_RECORD_OCTETS = 16_384;
const HANDSHAKE = 22;
const MAJOR_VERSION = 3;
/** RFC 8446 4 */
const MESSAGE_HEADER_OCTETS = 4;
const CLIENT_HELLO = 1;

/** `serverName`: "" where it names none. `unreadable`: no TLS, not as its specification has it, or too long. */
export type HeardHello =
  | { readonly kind: "hello"; readonly serverName: string }
  | { readonly kind: "unreadable" };

const UNREADABLE: HeardHello = { kind: "unreadable" };

export class HelloReader {
  /** Octets taken. */
  #taken = 0;
  /** Of the record's header, so far. */
  #headerOctets = 0;
  #recordLength = 0;
  /** Octets of the record that are still to come. */
  #recordLeft = 0;
  /** The handshake message, as far as it has come: one may lie in several records. */
  #message = new Uint8Array(512);
  #messageOctets = 0;
  #heard: HeardHello | undefined;

  /** `undefined`: it takes more to tell. */
  take(chunk: Uint8Array): HeardHello | undefined {
    const end = Math.min(chunk.length, MAX_HELLO_OCTETS - this.#taken);
    for (let at = 0; at < end && !this.#heard; ) {
      const octets = this.#recordLeft === 0 ? 1 : Math.min(this.#recordLeft, end - at);
      if (this.#recordLeft === 0) this.#takeHeader(chunk[at] ?? 0);
      else this.#takeContent(chunk.subarray(at, at + octets));
      this.#taken += octets;
      at += octets;
    }
    if (this.#taken === MAX_HELLO_OCTETS) this.#heard ??= UNREADABLE;
    return this.#heard;
  }

  #takeHeader(octet: number): void {
    const place = this.#headerOctets;
    this.#headerOctets += 1;
    if (place === 0 && octet !== HANDSHAKE) this.#heard = UNREADABLE;
    // RFC 8446 5.1 on the version of a record: it "MUST be ignored for all purposes". Its half that tells TLS from noise is not.
    if (place === 1 && octet !== MAJOR_VERSION) this.#heard = UNREADABLE;
    if (place >= 3) this.#recordLength = this.#recordLength * 256 + octet;
    if (this.#headerOctets < RECORD_HEADER_OCTETS) return;
    // RFC 8446 5.1: "Implementations MUST NOT send zero-length fragments of Handshake types".
    if (this.#recordLength === 0 || this.#recordLength > MAX_RECORD_OCTETS)
      this.#heard = UNREADABLE;
    this.#recordLeft = this.#recordLength;
    this.#recordLength = 0;
    this.#headerOctets = 0;
  }

  #takeContent(content: Uint8Array): void {
    this.#recordLeft -= content.length;
    this.#keep(content);
    const message = this.#message;
    if (message[0] !== CLIENT_HELLO) {
      this.#heard = UNREADABLE;
      return;
    }
    if (this.#messageOctets < MESSAGE_HEADER_OCTETS) return;
    const [, high = 0, middle = 0, low = 0] = message;
    const length = MESSAGE_HEADER_OCTETS + high * 65_536 + middle * 256 + low;
    if (length > MAX_HELLO_OCTETS) this.#heard = UNREADABLE;
    else if (this.#messageOctets >= length) {
      const serverName = serverNameOf(message.subarray(MESSAGE_HEADER_OCTETS, length));
      this.#heard = serverName === undefined ? UNREADABLE : { kind: "hello", serverName };
    }
  }

  #keep(content: Uint8Array): void {
    const octets = this.#messageOctets + content.length;
    if (octets > this.#message.length) {
      const larger = new Uint8Array(Math.max(octets, 2 * this.#message.length));
      larger.set(this.#message.subarray(0, this.#messageOctets));
      this.#message = larger;
    }
    this.#message.set(content, this.#messageOctets);
    this.#messageOctets = octets;
  }
}
