/**
 * All fingerprints that one signed certificate can be shown under. Whoever holds an ECDSA signature (r, s) can write
 * (r, n − s) in its place, which verifies as well: a list of fingerprints alone would be evaded by it.
 */
import type { Certificate } from "./certificate.ts";
import { childAt, DerError, readChildren, readDer, readUnsigned, TAG } from "./der-reader.ts";
import { bitString, encodeDer, encodedSequence, sequence, unsigned } from "./der-writer.ts";
import { certificateFingerprint } from "./fingerprint.ts";

/** The orders of P-256, P-384 and P-521 (SEC 2): which one it was, only the issuer's key tells. */
const ORDERS: readonly bigint[] = [
  0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
];
/** ansi-X9-62 `signatures`: all ECDSA, whatever the hash. */
const ECDSA = "1.2.840.10045.4.";

export function fingerprintForms(certificate: Certificate): readonly string[] {
  const own = certificateFingerprint(certificate.der);
  const signature = readEcdsaSignature(certificate);
  if (!signature) return [own];
  const { r, s } = signature;
  const twins = ORDERS.filter((order) => s < order).map((order) =>
    certificateFingerprint(withSignature(certificate, r, octetsOf(order - s))),
  );
  return [own, ...twins];
}

function readEcdsaSignature({
  signature,
  signatureAlgorithm,
}: Certificate): { readonly r: Uint8Array; readonly s: bigint } | undefined {
  if (!signatureAlgorithm.startsWith(ECDSA)) return undefined;
  try {
    const parts = readChildren(readDer(signature, TAG.sequence).content);
    const [r, s] = [0, 1].map((i) => readUnsigned(childAt(parts, i, TAG.integer)));
    return r && s && { r, s: BigInt(`0x${Buffer.from(s).toString("hex")}`) };
  } catch (error) {
    // Not a signature that OpenSSL would take either.
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

function withSignature({ der, tbs }: Certificate, r: Uint8Array, s: Uint8Array): Uint8Array {
  const [, algorithm] = readChildren(readDer(der, TAG.sequence).content);
  const twin = encodeDer(sequence(unsigned(r), unsigned(s)));
  return encodeDer(
    sequence(
      encodedSequence(tbs),
      encodedSequence(algorithm?.whole ?? new Uint8Array()),
      bitString(twin),
    ),
  );
}

/** Big-endian, as few as there may be, the first bit 0. */
function octetsOf(value: bigint): Uint8Array {
  const hex = value.toString(16);
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return (octets[0] ?? 0) > 0x7f ? Buffer.concat([Uint8Array.of(0), octets]) : octets;
}
