/**
 * The few DER values that certificates and CSRs are made of, written with node-forge's ASN.1.
 *
 * node-forge takes and gives "binary strings", one character an octet; this file is where they end.
 */
import { createRequire } from "node:module";
import type forge from "node-forge";
import { formatTime } from "./der-time.ts";

export type Der = forge.asn1.Asn1;

// All of node-forge is 15 ms and 4 MB of each process that starts.
const asn1 = createRequire(import.meta.url)("node-forge/lib/asn1.js") as typeof forge.asn1;
const { Class, Type } = asn1;

export function encodeDer(value: Der): Uint8Array {
  return Buffer.from(asn1.toDer(value).getBytes(), "latin1");
}

export function sequence(...values: readonly Der[]): Der {
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...values]);
}

export function set(...values: readonly Der[]): Der {
  return asn1.create(Class.UNIVERSAL, Type.SET, true, [...values]);
}

/** EXPLICIT [tag]. */
export function explicit(tag: number, value: Der): Der {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, true, [value]);
}

/** IMPLICIT [tag] of a type that is not constructed. */
export function implicit(tag: number, content: Uint8Array): Der {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, false, binary(content));
}

/** IMPLICIT [tag] SET or SEQUENCE without members. */
export function implicitEmpty(tag: number): Der {
  return asn1.create(Class.CONTEXT_SPECIFIC, tag, true, []);
}

export function oid(dotted: string): Der {
  return asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes());
}

/** Big-endian octets whose first bit is 0. */
export function unsigned(octets: Uint8Array): Der {
  return asn1.create(Class.UNIVERSAL, Type.INTEGER, false, binary(octets));
}

export function booleanTrue(): Der {
  return asn1.create(Class.UNIVERSAL, Type.BOOLEAN, false, "\xff");
}

export function octetString(content: Uint8Array): Der {
  return asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, binary(content));
}

export function utf8String(text: string): Der {
  return asn1.create(Class.UNIVERSAL, Type.UTF8, false, binary(Buffer.from(text)));
}

/** `unusedBits` of the last octet, 0 for keys and signatures. */
export function bitString(content: Uint8Array, unusedBits = 0): Der {
  const value = String.fromCharCode(unusedBits) + binary(content);
  return asn1.create(Class.UNIVERSAL, Type.BITSTRING, false, value);
}

export function time(epochMs: number): Der {
  const { isUtc, text } = formatTime(epochMs);
  const type = isUtc ? Type.UTCTIME : Type.GENERALIZEDTIME;
  return asn1.create(Class.UNIVERSAL, type, false, text);
}

/** A sequence that is DER already (a Name, a SubjectPublicKeyInfo), put in as it is. */
export function encodedSequence(whole: Uint8Array): Der {
  const first = whole[1] ?? 0;
  const header = first < 0x80 ? 2 : 2 + (first & 0x7f);
  // node-forge writes class and type as they are: 0x30 is SEQUENCE with its constructed bit, without taking it apart.
  return asn1.create(Class.UNIVERSAL, Type.SEQUENCE | 0x20, false, binary(whole.subarray(header)));
}

function binary(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("latin1");
}
