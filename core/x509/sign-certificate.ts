/**
 * What goes into a certificate, and the signature under it: TBSCertificate by node-forge's ASN.1, ECDSA
 * P-256 with SHA-256 by node:crypto.
 *
 * Writes what it is told. What may be issued, to whom and for how long is decided in `operator/ca`.
 */
import { createHash, type KeyObject, sign } from "node:crypto";
import {
  bitString,
  booleanTrue,
  type Der,
  encodeDer,
  encodedSequence,
  explicit,
  implicit,
  octetString,
  oid,
  sequence,
  set,
  time,
  unsigned,
  utf8String,
} from "./der-writer.ts";
import { OID } from "./oid.ts";

export interface CertificateTemplate {
  /** Positive, 1 to 20 octets (`createSerial`). */
  readonly serial: Uint8Array;
  /** DER Names. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly subjectKeyId: Uint8Array;
  readonly authorityKeyId: Uint8Array;
  readonly usage: "ca" | "leaf";
  /** Of a CA, below 128: how many intermediates may follow below it; absent without limit. */
  readonly pathLength?: number;
  readonly names: {
    readonly uris: readonly string[];
    readonly dnsNames: readonly string[];
    /** 4 or 16 octets each. */
    readonly ipAddresses: readonly (readonly number[])[];
  };
}

/** `key` is the issuer's, P-256. */
export function signCertificate(template: CertificateTemplate, key: KeyObject): Uint8Array {
  const tbs = encodeDer(tbsCertificate(template));
  const signature = sign("sha256", tbs, key);
  return encodeDer(sequence(encodedSequence(tbs), signatureAlgorithm(), bitString(signature)));
}

/** RFC 5280 4.1.2.2 asks for positive numbers of at most 20 octets; CA/B Forum for 64 random bits: here 126. */
export function createSerial(random: Uint8Array): Uint8Array {
  const serial = Uint8Array.from(random.subarray(0, 16));
  serial[0] = 0x40 | ((serial[0] ?? 0) & 0x3f);
  return serial;
}

/** RFC 7093 2 (1): the leftmost 160 bits of the SHA-256 of the key's octets; here of the whole SubjectPublicKeyInfo. */
export function keyIdentifier(publicKey: Uint8Array): Uint8Array {
  return createHash("sha256").update(publicKey).digest().subarray(0, 20);
}

/** A Name of organization and common name (at most 64 characters each), DER. */
export function distinguishedName(organization: string, commonName: string): Uint8Array {
  return encodeDer(
    sequence(
      set(sequence(oid(OID.organization), utf8String(organization))),
      set(sequence(oid(OID.commonName), utf8String(commonName))),
    ),
  );
}

/** The Name without any part: leaves are named by their alternative names only. */
export const EMPTY_NAME: Uint8Array = Uint8Array.of(0x30, 0);

function tbsCertificate(template: CertificateTemplate): Der {
  return sequence(
    explicit(0, unsigned(Uint8Array.of(2))),
    unsigned(template.serial),
    signatureAlgorithm(),
    encodedSequence(template.issuer),
    sequence(time(template.notBeforeMs), time(template.notAfterMs)),
    encodedSequence(template.subject),
    encodedSequence(template.publicKey),
    explicit(3, sequence(...extensions(template))),
  );
}

/** RFC 5758 3.2: for ECDSA "the encoding MUST omit the parameters field". */
function signatureAlgorithm(): Der {
  return sequence(oid(OID.ecdsaWithSha256));
}

function extensions(template: CertificateTemplate): readonly Der[] {
  const isCa = template.usage === "ca";
  const names = alternativeNames(template);
  return [
    critical(OID.keyUsage, isCa ? CA_USAGE : LEAF_USAGE),
    critical(OID.basicConstraints, basicConstraints(template)),
    ...(isCa ? [] : [plain(OID.extendedKeyUsage, LEAF_EXTENDED_USAGE)]),
    plain(OID.subjectKeyIdentifier, octetString(template.subjectKeyId)),
    plain(OID.authorityKeyIdentifier, sequence(implicit(0, template.authorityKeyId))),
    // RFC 5280 4.2.1.6: critical where the subject is empty.
    ...(names.length === 0
      ? []
      : [(isCa ? plain : critical)(OID.subjectAltName, sequence(...names))]),
  ];
}

/** RFC 5280 4.2.1.9. */
function basicConstraints({ usage, pathLength }: CertificateTemplate): Der {
  if (usage === "leaf") return sequence();
  const limit = pathLength === undefined ? [] : [unsigned(Uint8Array.of(pathLength))];
  return sequence(booleanTrue(), ...limit);
}

/** Bits 5 (keyCertSign) and 6 (cRLSign). */
const CA_USAGE = bitString(Uint8Array.of(0b0000_0110), 1);
/** Bit 0 (digitalSignature), all that TLS 1.3 needs. */
const LEAF_USAGE = bitString(Uint8Array.of(0b1000_0000), 7);
const LEAF_EXTENDED_USAGE = sequence(oid(OID.serverAuth), oid(OID.clientAuth));

function critical(id: string, value: Der): Der {
  return sequence(oid(id), booleanTrue(), octetString(encodeDer(value)));
}

function plain(id: string, value: Der): Der {
  return sequence(oid(id), octetString(encodeDer(value)));
}

/** RFC 5280 4.2.1.6: [2] dNSName, [6] uniformResourceIdentifier, [7] iPAddress. */
function alternativeNames({ names }: CertificateTemplate): readonly Der[] {
  return [
    ...names.uris.map((uri) => implicit(6, Buffer.from(uri, "latin1"))),
    ...names.dnsNames.map((name) => implicit(2, Buffer.from(name, "latin1"))),
    ...names.ipAddresses.map((address) => implicit(7, Uint8Array.from(address))),
  ];
}
