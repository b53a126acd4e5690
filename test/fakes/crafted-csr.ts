/** Certificate requests (PKCS#10) that ask for more than a node may: any key, any name, any extension. */
import { createPublicKey, type KeyObject, sign } from "node:crypto";
import {
  bitString,
  type Der,
  encodeDer,
  encodedSequence,
  implicitEmpty,
  oid,
  sequence,
  set,
  unsigned,
  utf8String,
} from "../../core/x509/der-writer.ts";
import { distinguishedName, EMPTY_NAME } from "../../core/x509/sign-certificate.ts";
import { type Craft, craftedExtensions } from "./crafted-ca.ts";
import { digestOf, signatureAlgorithmOf } from "./signature-algorithm.ts";

/** RFC 2985 5.4.1 and 5.4.2. */
const CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7";
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";

export interface CsrCraft {
  readonly key: KeyObject;
  /** Proves possession in place of `key`: somebody else's. */
  readonly signer?: KeyObject;
  readonly commonName?: string;
  /** What is asked for. */
  readonly extensions?: Craft;
  readonly password?: string;
}

/** DER. */
export function craftCsr(craft: CsrCraft): Uint8Array {
  const { key, signer = key, commonName } = craft;
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  const info = encodeDer(
    sequence(
      unsigned(Uint8Array.of(0)),
      encodedSequence(
        commonName === undefined ? EMPTY_NAME : distinguishedName("Crafted", commonName),
      ),
      encodedSequence(publicKey),
      attributes(craft),
    ),
  );
  return signCsr(info, signer);
}

/** `info` is a CertificationRequestInfo, or whatever shall be taken for one. */
export function signCsr(info: Uint8Array, key: KeyObject): Uint8Array {
  const signature = sign(digestOf(key, "sha256"), info, key);
  const algorithm = signatureAlgorithmOf(key, "sha256");
  return encodeDer(sequence(encodedSequence(info), algorithm, bitString(signature)));
}

function attributes({ extensions, password }: CsrCraft): Der {
  const asked = extensions && craftedExtensions(extensions);
  const all = [
    ...(asked ? [sequence(oid(EXTENSION_REQUEST), set(sequence(...asked)))] : []),
    ...(password === undefined
      ? []
      : [sequence(oid(CHALLENGE_PASSWORD), set(utf8String(password)))]),
  ];
  return { ...implicitEmpty(0), value: all };
}
