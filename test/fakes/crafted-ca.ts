/** A CA that signs anything, also what no CA should: for attacks with certificates. */
import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
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
  time,
  unsigned,
} from "../../core/x509/der-writer.ts";
import { OID } from "../../core/x509/oid.ts";
import { formatCertificatesPem } from "../../core/x509/pem.ts";
import { createSerial, distinguishedName } from "../../core/x509/sign-certificate.ts";
import { digestOf, signatureAlgorithmOf } from "./signature-algorithm.ts";

const HOUR_MS = 3_600_000;

export function uriName(uri: string): Der {
  return implicit(6, Buffer.from(uri, "latin1"));
}

export function dnsName(name: string): Der {
  return implicit(2, Buffer.from(name, "latin1"));
}

/** GeneralName [0] otherName, of a type that nobody knows, with `text` as its value. */
export function otherName(text: string): Der {
  const value = explicit(0, octetString(Buffer.from(text)));
  return explicitSequence(0, [oid("1.3.6.1.4.1.99999.1"), value]);
}

function explicitSequence(tag: number, values: readonly Der[]): Der {
  return { ...sequence(...values), tagClass: 0x80, type: tag as Der["type"] };
}

export interface Craft {
  readonly names?: readonly Der[];
  readonly commonName?: string;
  readonly isCa?: boolean;
  readonly pathLength?: number;
  /** First octet of the bit string; 0b1000_0000 is digitalSignature; `undefined` leaves the extension out. */
  readonly keyUsage?: number | undefined;
  readonly extendedKeyUsage?: readonly string[] | undefined;
  readonly criticalUnknown?: boolean;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  readonly keys?: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly hash?: "sha256" | "sha1";
  /** Of somebody who keeps the private key: SubjectPublicKeyInfo, DER. `key` of the result is then nobody's. */
  readonly subjectKey?: Uint8Array;
}

export interface Crafted {
  readonly der: Uint8Array;
  readonly key: KeyObject;
  readonly keyPem: string;
  /** DER, this certificate first, up to but without the root. */
  readonly chain: readonly Uint8Array[];
  readonly chainPem: string;
  /** A certificate signed by this one's key, CA or not. */
  issue(craft: Craft): Crafted;
}

export function createCraftedRoot(commonName = "crafted root", craft: Craft = {}): Crafted {
  return build({ isCa: true, keyUsage: 0b0000_0110, commonName, ...craft }, undefined);
}

interface Issuer {
  readonly name: Uint8Array;
  readonly key: KeyObject;
  readonly above: readonly Uint8Array[];
}

function build(craft: Craft, issuer: Issuer | undefined): Crafted {
  const keys = craft.keys ?? generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey =
    craft.subjectKey ?? createPublicKey(keys.privateKey).export({ format: "der", type: "spki" });
  const subject = distinguishedName("Crafted", craft.commonName ?? "leaf");
  const hash = craft.hash ?? "sha256";
  const signer = issuer?.key ?? keys.privateKey;
  const algorithm = signatureAlgorithmOf(signer, hash);
  const now = Date.now();
  const tbs = encodeDer(
    sequence(
      explicit(0, unsigned(Uint8Array.of(2))),
      unsigned(createSerial(randomBytes(16))),
      algorithm,
      encodedSequence(issuer?.name ?? subject),
      sequence(time(craft.notBeforeMs ?? now - HOUR_MS), time(craft.notAfterMs ?? now + HOUR_MS)),
      encodedSequence(subject),
      encodedSequence(publicKey),
      explicit(3, sequence(...craftedExtensions(craft))),
    ),
  );
  const signature = sign(digestOf(signer, hash), tbs, signer);
  const der = encodeDer(sequence(encodedSequence(tbs), algorithm, bitString(signature)));
  const chain = issuer ? [der, ...issuer.above] : [];
  return {
    der,
    key: keys.privateKey,
    keyPem: keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    chain,
    chainPem: formatCertificatesPem(chain),
    issue: (child) => build(child, { name: subject, key: keys.privateKey, above: chain }),
  };
}

/** Also what a request asks for. */
export function craftedExtensions(craft: Craft): readonly Der[] {
  const usage = "keyUsage" in craft ? craft.keyUsage : 0b1000_0000;
  const unused = usage === undefined ? 0 : 31 - Math.clz32(usage & -usage);
  const extended =
    "extendedKeyUsage" in craft ? craft.extendedKeyUsage : [OID.serverAuth, OID.clientAuth];
  const length = craft.pathLength === undefined ? [] : [unsigned(Uint8Array.of(craft.pathLength))];
  return [
    extension(OID.basicConstraints, craft.isCa ? sequence(booleanTrue(), ...length) : sequence()),
    ...(usage === undefined
      ? []
      : [extension(OID.keyUsage, bitString(Uint8Array.of(usage), unused))]),
    ...(extended === undefined || craft.isCa
      ? []
      : [extension(OID.extendedKeyUsage, sequence(...extended.map(oid)))]),
    ...(craft.names ? [extension(OID.subjectAltName, sequence(...craft.names))] : []),
    ...(craft.criticalUnknown ? [extension("1.3.6.1.4.1.99999.2", sequence())] : []),
  ];
}

function extension(id: string, value: Der): Der {
  return sequence(oid(id), booleanTrue(), octetString(encodeDer(value)));
}
