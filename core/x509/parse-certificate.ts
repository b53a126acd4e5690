/**
 * DER → Certificate, or the reason why it is none. X.509 version 3 only (RFC 5280 4.1).
 *
 * Never throws on any bytes, never verifies a signature (`verify-chain.ts`), never judges what the
 * certificate is for (`check-svid.ts`).
 */
import type { Certificate } from "./certificate.ts";
import { checkName } from "./check-name.ts";
import {
  childAt,
  DerError,
  type DerValue,
  readBitStringOctets,
  readChildren,
  readDer,
  readOid,
  readUnsigned,
  TAG,
} from "./der-reader.ts";
import { readTime } from "./der-time.ts";
import { parseExtensions } from "./parse-extensions.ts";

export type ParsedCertificate =
  | { readonly kind: "parsed"; readonly certificate: Certificate }
  | { readonly kind: "malformed"; readonly message: string };

/** Far above any leaf (a 4096-bit RSA one with a 2048-byte URI has under 4 KB), far below what could hurt. */
const MAX_CERTIFICATE_BYTES = 16_384;

export function parseCertificate(der: Uint8Array): ParsedCertificate {
  try {
    return { kind: "parsed", certificate: readCertificate(der) };
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return { kind: "malformed", message: error.message };
  }
}

/** Context tags of TBSCertificate: [0] version, [3] extensions. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

function readCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_CERTIFICATE_BYTES) throw new DerError("larger than 16 KiB");
  const parts = readChildren(readDer(der, TAG.sequence).content);
  const tbs = childAt(parts, 0, TAG.sequence);
  const outerAlgorithm = childAt(parts, 1, TAG.sequence);
  const signature = readBitStringOctets(childAt(parts, 2, TAG.bitString));
  const fields = readChildren(tbs.content);
  // Without issuerUniqueID and subjectUniqueID, which RFC 5280 4.1.2.8 forbids CAs to write.
  if (parts.length !== 3 || fields.length !== 8) throw new DerError("not a version 3 certificate");
  readVersion(childAt(fields, 0, VERSION));
  const validity = readChildren(childAt(fields, 4, TAG.sequence).content);
  const [notBefore, notAfter] = validity;
  if (!notBefore || !notAfter || validity.length !== 2)
    throw new DerError("validity is not 2 times");
  const extensions = childAt(fields, 7, EXTENSIONS);
  return {
    der,
    tbs: tbs.whole,
    signature,
    signatureAlgorithm: readAlgorithm(childAt(fields, 2, TAG.sequence), outerAlgorithm),
    serial: readSerial(childAt(fields, 1, TAG.integer)),
    issuer: readName(childAt(fields, 3, TAG.sequence)),
    notBeforeMs: readTime(notBefore),
    notAfterMs: readTime(notAfter),
    subject: readName(childAt(fields, 5, TAG.sequence)),
    publicKey: readPublicKey(childAt(fields, 6, TAG.sequence)),
    ...parseExtensions(readDer(extensions.content, TAG.sequence).content),
  };
}

function readName(name: DerValue): Uint8Array {
  checkName(name);
  return name.whole;
}

function readVersion({ content }: DerValue): void {
  const version = readUnsigned(readDer(content, TAG.integer));
  if (version.length !== 1 || version[0] !== 2) throw new DerError("version is not 3");
}

/** RFC 5280 4.1.1.2: the algorithm outside "MUST contain the same algorithm identifier" as the signed one. */
function readAlgorithm(inner: DerValue, outer: DerValue): string {
  if (Buffer.compare(inner.whole, outer.whole) !== 0) {
    throw new DerError("signature algorithms inside and outside differ");
  }
  return readAlgorithmId(inner);
}

/** RFC 5280 4.1.1.2: an object identifier, and parameters of its own or none: NULL, a curve's name, or values of its own. */
function readAlgorithmId({ content }: DerValue): string {
  const parts = readChildren(content);
  const [, parameters] = parts;
  if (parts.length > 2) throw new DerError("algorithm has several parameters");
  if (parameters) checkParameters(parameters);
  return readOid(childAt(parts, 0, TAG.oid));
}

function checkParameters(parameters: DerValue): void {
  const { tag, content } = parameters;
  if (tag === TAG.oid) readOid(parameters);
  const isNull = tag === TAG.null && content.length === 0;
  if (tag !== TAG.oid && tag !== TAG.sequence && !isNull) {
    throw new DerError("algorithm has odd parameters");
  }
}

/** Its form only: whether it is a key at all shows where it is used (`verify-signature.ts`). */
function readPublicKey(value: DerValue): Uint8Array {
  const parts = readChildren(value.content);
  readAlgorithmId(childAt(parts, 0, TAG.sequence));
  readBitStringOctets(childAt(parts, 1, TAG.bitString));
  if (parts.length !== 2) throw new DerError("public key is not an algorithm and octets");
  return value.whole;
}

/** RFC 5280 4.1.2.2: at most 20 octets, with the sign octet 21; zero is let pass, as it asks readers to. */
function readSerial(value: DerValue): Uint8Array {
  const serial = readUnsigned(value);
  if (serial.length > 21) throw new DerError("serial number is longer than 20 octets");
  return serial;
}
