/**
 * Certificate requests (PKCS#10, RFC 2986): one for a leaf, that carries a key, proves its possession and asks for
 * nothing; one for a CA, that says what it is to be, since whoever signs it knows nothing of us.
 */
import { createPublicKey, type KeyObject, sign } from "node:crypto";
import {
  bitString,
  booleanTrue,
  type Der,
  encodeDer,
  encodedSequence,
  explicit,
  implicit,
  implicitEmpty,
  octetString,
  oid,
  sequence,
  set,
  unsigned,
} from "./der-writer.ts";
import { OID } from "./oid.ts";
import { EMPTY_NAME } from "./sign-certificate.ts";

/** DER. `key` is private and P-256; who it is for travels beside the request, not in it. */
export function createCsr(key: KeyObject): Uint8Array {
  return signRequest(key, EMPTY_NAME, implicitEmpty(0));
}

export interface CaNames {
  /** DER Name. */
  readonly subject: Uint8Array;
  readonly uri: string;
}

/**
 * For a CA whose leaves are the end of the chain. Signers compare the extensions with what was asked of them
 * otherwise: usages digital signature, cert sign and crl sign.
 */
export function createCaCsr(key: KeyObject, { subject, uri }: CaNames): Uint8Array {
  const pathLength = unsigned(Uint8Array.of(0));
  const extensions = sequence(
    extension(OID.basicConstraints, sequence(booleanTrue(), pathLength)),
    // Bits 0 (digitalSignature), 5 (keyCertSign) and 6 (cRLSign).
    extension(OID.keyUsage, bitString(Uint8Array.of(0b1000_0110), 1)),
    sequence(
      oid(OID.subjectAltName),
      octetString(encodeDer(sequence(implicit(6, Buffer.from(uri, "latin1"))))),
    ),
  );
  // RFC 2986 4.1: attributes are [0] IMPLICIT SET OF Attribute, of which this is the only one.
  const request = sequence(oid(OID.extensionRequest), set(extensions));
  return signRequest(key, subject, explicit(0, request));
}

export function formatCsrPem(der: Uint8Array): string {
  const body = Buffer.from(der)
    .toString("base64")
    .replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${body}\n-----END CERTIFICATE REQUEST-----\n`;
}

function extension(id: string, value: Der): Der {
  return sequence(oid(id), booleanTrue(), octetString(encodeDer(value)));
}

function signRequest(key: KeyObject, subject: Uint8Array, attributes: Der): Uint8Array {
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  const info = encodeDer(
    sequence(
      unsigned(Uint8Array.of(0)),
      encodedSequence(subject),
      encodedSequence(publicKey),
      attributes,
    ),
  );
  const signature = sign("sha256", info, key);
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  return encodeDer(sequence(encodedSequence(info), algorithm, bitString(signature)));
}
