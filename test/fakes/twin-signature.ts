/** The same signed certificate with its ECDSA signature (r, s) written as (r, n − s): other bytes, as valid. P-256 only. */
import type { Certificate } from "../../core/x509/certificate.ts";
import { childAt, readChildren, readDer, readUnsigned, TAG } from "../../core/x509/der-reader.ts";
import {
  bitString,
  encodeDer,
  encodedSequence,
  sequence,
  unsigned,
} from "../../core/x509/der-writer.ts";
import { parseCertificate } from "../../core/x509/parse-certificate.ts";

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export function parsed(der: Uint8Array): Certificate {
  const result = parseCertificate(der);
  if (result.kind === "malformed") throw new Error(result.message);
  return result.certificate;
}

export function withTwinSignature(der: Uint8Array): Uint8Array {
  const [tbs, algorithm] = readChildren(readDer(der, TAG.sequence).content);
  const parts = readChildren(readDer(parsed(der).signature, TAG.sequence).content);
  const [r, s] = [0, 1].map((i) => readUnsigned(childAt(parts, i, TAG.integer)));
  if (!tbs || !algorithm || !r || !s) throw new Error("not a certificate");
  const hex = (ORDER - BigInt(`0x${Buffer.from(s).toString("hex")}`)).toString(16);
  const octets = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  const positive = (octets[0] ?? 0) > 0x7f ? Buffer.concat([Uint8Array.of(0), octets]) : octets;
  const twin = encodeDer(sequence(unsigned(r), unsigned(positive)));
  return encodeDer(
    sequence(encodedSequence(tbs.whole), encodedSequence(algorithm.whole), bitString(twin)),
  );
}
