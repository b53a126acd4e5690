/** A certificate request (PKCS#10, RFC 2986) that carries a key, proves its possession, and asks for nothing. */
import { createPublicKey, type KeyObject, sign } from "node:crypto";
import {
  bitString,
  encodeDer,
  encodedSequence,
  implicitEmpty,
  oid,
  sequence,
  unsigned,
} from "./der-writer.ts";
import { OID } from "./oid.ts";
import { EMPTY_NAME } from "./sign-certificate.ts";

/** DER. `key` is private and P-256; who it is for travels beside the request, not in it. */
export function createCsr(key: KeyObject): Uint8Array {
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  const info = encodeDer(
    sequence(
      unsigned(Uint8Array.of(0)),
      encodedSequence(EMPTY_NAME),
      encodedSequence(publicKey),
      implicitEmpty(0),
    ),
  );
  const signature = sign("sha256", info, key);
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  return encodeDer(sequence(encodedSequence(info), algorithm, bitString(signature)));
}
