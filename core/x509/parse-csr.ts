/**
 * A certificate request (PKCS#10, RFC 2986) → the key in it, once its possession is proven.
 *
 * Whatever else the request asks for (names, extensions, CA flag) is not even looked at, so that no
 * request can talk the CA into anything.
 */
import { type KeyObject, verify } from "node:crypto";
import {
  childAt,
  DerError,
  readBitStringOctets,
  readChildren,
  readDer,
  readOid,
  readUnsigned,
  TAG,
} from "./der-reader.ts";
import { OID } from "./oid.ts";
import { publicKeyOf } from "./verify-signature.ts";

export type CsrRefusal =
  | "csr_malformed"
  /** The signature is not of the key in the request, or not ECDSA with SHA-256. */
  | "csr_signature"
  /** Not an uncompressed point on P-256. */
  | "csr_key";

export type ParsedCsr =
  | {
      readonly kind: "parsed";
      /** SubjectPublicKeyInfo, DER. */
      readonly publicKey: Uint8Array;
    }
  | { readonly kind: "refused"; readonly reason: CsrRefusal; readonly message: string };

/** A request of ours has 200 octets, one with all that cert-manager writes under 2 KB. */
const MAX_CSR_BYTES = 8192;

/** SubjectPublicKeyInfo of any P-256 key: algorithm ecPublicKey on prime256v1, then 0x04 and the 64 octets of the point. */
const P256_HEADER = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");
const P256_BYTES = P256_HEADER.length + 64;

export function parseCsr(der: Uint8Array): ParsedCsr {
  try {
    return judge(readCsr(der));
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    return { kind: "refused", reason: "csr_malformed", message: error.message };
  }
}

interface Csr {
  readonly info: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly algorithm: string;
  readonly signature: Uint8Array;
}

function readCsr(der: Uint8Array): Csr {
  if (der.length > MAX_CSR_BYTES) throw new DerError("larger than 8 KiB");
  const parts = readChildren(readDer(der, TAG.sequence).content);
  const info = childAt(parts, 0, TAG.sequence);
  const algorithm = readChildren(childAt(parts, 1, TAG.sequence).content);
  const signature = readBitStringOctets(childAt(parts, 2, TAG.bitString));
  const fields = readChildren(info.content);
  const version = readUnsigned(childAt(fields, 0, TAG.integer));
  if (parts.length !== 3 || version.length !== 1 || version[0] !== 0) {
    throw new DerError("not a PKCS#10 request of version 1");
  }
  childAt(fields, 1, TAG.sequence);
  const publicKey = childAt(fields, 2, TAG.sequence).whole;
  return {
    info: info.whole,
    publicKey,
    algorithm: readOid(childAt(algorithm, 0, TAG.oid)),
    signature,
  };
}

function judge({ info, publicKey, algorithm, signature }: Csr): ParsedCsr {
  const key = p256Key(publicKey);
  if (!key) return refused("csr_key", "the key of the request is not ECDSA P-256");
  const isProven = algorithm === OID.ecdsaWithSha256 && verify("sha256", info, key, signature);
  return isProven
    ? { kind: "parsed", publicKey }
    : refused("csr_signature", "the request is not signed by its own key with ECDSA and SHA-256");
}

function p256Key(publicKey: Uint8Array): KeyObject | undefined {
  const header = publicKey.subarray(0, P256_HEADER.length);
  const isP256 = publicKey.length === P256_BYTES && Buffer.compare(header, P256_HEADER) === 0;
  return isP256 ? publicKeyOf({ publicKey }) : undefined;
}

function refused(reason: CsrRefusal, message: string): ParsedCsr {
  return { kind: "refused", reason, message };
}
