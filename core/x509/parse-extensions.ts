/** The extensions of a certificate that Weft understands (RFC 5280 4.2.1), part of `parseCertificate`. Throws DerError. */
import type { AlternativeNames, Certificate, KeyUsage } from "./certificate.ts";
import {
  childAt,
  DerError,
  type DerValue,
  readBoolean,
  readChildren,
  readDer,
  readNamedBits,
  readOid,
  readUnsigned,
  TAG,
} from "./der-reader.ts";
import { parseNameConstraints } from "./name-constraints.ts";
import { OID } from "./oid.ts";

export type Extensions = Pick<
  Certificate,
  | "alternativeNames"
  | "isCa"
  | "pathLength"
  | "keyUsage"
  | "extendedKeyUsage"
  | "subjectKeyId"
  | "nameConstraints"
  | "unknownCritical"
>;

interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** `content` of the `Extensions` sequence. */
export function parseExtensions(content: Uint8Array): Extensions {
  const byOid = readExtensions(content);
  function value(oid: string): Uint8Array | undefined {
    return byOid.get(oid)?.value;
  }
  const constraints = parseBasicConstraints(value(OID.basicConstraints));
  const usage = value(OID.extendedKeyUsage);
  const keyId = value(OID.subjectKeyIdentifier);
  const nameConstraints = value(OID.nameConstraints);
  return {
    ...constraints,
    alternativeNames: parseAlternativeNames(value(OID.subjectAltName)),
    keyUsage: parseKeyUsage(value(OID.keyUsage)),
    extendedKeyUsage: usage && readChildren(readDer(usage, TAG.sequence).content).map(readOid),
    subjectKeyId: keyId && readDer(keyId, TAG.octetString).content,
    nameConstraints: nameConstraints && parseNameConstraints(nameConstraints),
    unknownCritical: [...byOid]
      .filter(([oid, { critical }]) => critical && !KNOWN.has(oid))
      .map(([oid]) => oid),
  };
}

const KNOWN: ReadonlySet<string> = new Set([
  OID.subjectKeyIdentifier,
  OID.keyUsage,
  OID.subjectAltName,
  OID.basicConstraints,
  OID.nameConstraints,
  OID.authorityKeyIdentifier,
  OID.extendedKeyUsage,
]);

function readExtensions(content: Uint8Array): ReadonlyMap<string, Extension> {
  const byOid = new Map<string, Extension>();
  for (const entry of readChildren(content)) {
    const parts = readChildren(readDer(entry.whole, TAG.sequence).content);
    const hasCritical = parts.length === 3;
    if (parts.length < 2 || parts.length > 3) throw new DerError("extension has not 2 or 3 values");
    const oid = readOid(childAt(parts, 0, TAG.oid));
    const { content: value } = childAt(parts, parts.length - 1, TAG.octetString);
    if (byOid.has(oid)) throw new DerError(`extension ${oid} occurs twice`);
    byOid.set(oid, { critical: hasCritical && isTrue(childAt(parts, 1, TAG.boolean)), value });
  }
  return byOid;
}

/** X.690 11.5: FALSE is the default of both booleans read here, so DER never writes it. */
function isTrue(value: DerValue): boolean {
  if (!readBoolean(value)) throw new DerError("default value is written out");
  return true;
}

function parseBasicConstraints(
  bytes: Uint8Array | undefined,
): Pick<Extensions, "isCa" | "pathLength"> {
  if (!bytes) return { isCa: false, pathLength: undefined };
  const parts = readChildren(readDer(bytes, TAG.sequence).content);
  if (parts.length === 0) return { isCa: false, pathLength: undefined };
  const isCa = isTrue(childAt(parts, 0, TAG.boolean));
  if (parts.length === 1) return { isCa, pathLength: undefined };
  const pathLength = readUnsigned(childAt(parts, 1, TAG.integer));
  if (parts.length > 2 || pathLength.length > 1) throw new DerError("basic constraints too long");
  return { isCa, pathLength: pathLength[0] ?? 0 };
}

/** RFC 5280 4.2.1.3: bit 0 digitalSignature, 5 keyCertSign, 6 cRLSign. */
function parseKeyUsage(bytes: Uint8Array | undefined): KeyUsage | undefined {
  if (!bytes) return undefined;
  const bits = readNamedBits(bytes);
  return { digitalSignature: bits.has(0), keyCertSign: bits.has(5), crlSign: bits.has(6) };
}

/** RFC 5280 4.2.1.6, tags of GeneralName. */
const NAME_TAG = { dns: 0x82, uri: 0x86, ip: 0x87 } as const;

function parseAlternativeNames(bytes: Uint8Array | undefined): AlternativeNames {
  const uris: string[] = [];
  const dnsNames: string[] = [];
  const ipAddresses: Uint8Array[] = [];
  const names = bytes ? readChildren(readDer(bytes, TAG.sequence).content) : [];
  for (const { tag, content } of names) {
    if (tag === NAME_TAG.uri) uris.push(readText(content, /^[\x21-\x7e]{1,2048}$/));
    else if (tag === NAME_TAG.dns) dnsNames.push(readText(content, /^[A-Za-z0-9._*-]{1,253}$/));
    else if (tag === NAME_TAG.ip) ipAddresses.push(readIp(content));
  }
  const others = names.length - uris.length - dnsNames.length - ipAddresses.length;
  return { uris, dnsNames, ipAddresses, others };
}

/** What does not match is refused here, NUL octets above all: a C string would end there and compare equal. */
function readText(content: Uint8Array, allowed: RegExp): string {
  const text = Buffer.from(content).toString("latin1");
  if (!allowed.test(text)) throw new DerError("alternative name has characters that none may have");
  return text;
}

function readIp(content: Uint8Array): Uint8Array {
  if (content.length !== 4 && content.length !== 16) throw new DerError("ip name of odd length");
  return content;
}
