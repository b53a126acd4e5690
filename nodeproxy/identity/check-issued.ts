/** Is what the operator answered what was asked for: our key, that identity, a chain to the mesh's roots, and time left? */
import { createPublicKey, type KeyObject } from "node:crypto";
import { formatSpiffeId, type SpiffeId } from "../../core/model/spiffe-id.ts";
import type { TrustBundle } from "../../core/model/trust-bundle.ts";
import { checkSvid, type SvidRefusal } from "../../core/x509/check-svid.ts";
import { certificateFingerprint } from "../../core/x509/fingerprint.ts";
import { formatSerial } from "../../core/x509/format-serial.ts";
import { hasRetired, trustedRoots } from "../../core/x509/retired.ts";
import { type ChainRefusal, verifyChain } from "../../core/x509/verify-chain.ts";

export interface IssuedExpectation {
  readonly identity: SpiffeId;
  /** Private. */
  readonly key: KeyObject;
  readonly bundles: readonly TrustBundle[];
  readonly now: number;
}

export type CheckedIssue =
  | {
      readonly kind: "valid";
      /** Hex SHA-256 of the issuer's certificate. */
      readonly issuer: string;
      /** Hex. */
      readonly serial: string;
      readonly notBeforeMs: number;
      /** The earliest end on the path to the root. */
      readonly notAfterMs: number;
    }
  | { readonly kind: "refused"; readonly reason: IssuedRefusal };

export type IssuedRefusal =
  | ChainRefusal
  | SvidRefusal
  | "issued_to_other_identity"
  | "issued_for_other_key"
  | "issuer_retired"
  | "trust_domain_without_bundle";

/** `chain` is DER, leaf first. */
export function checkIssued(
  chain: readonly Uint8Array[],
  { identity, key, bundles, now }: IssuedExpectation,
): CheckedIssue {
  const own = bundles.filter((bundle) => bundle.trustDomain === identity.trustDomain);
  if (own.length === 0) return { kind: "refused", reason: "trust_domain_without_bundle" };
  if (hasRetired(chain.slice(1), bundles)) return { kind: "refused", reason: "issuer_retired" };
  const verified = verifyChain({ chain, roots: trustedRoots(own, bundles), now });
  if (verified.kind === "refused") return verified;
  const svid = checkSvid(verified.leaf);
  if (svid.kind === "refused") return svid;
  if (svid.uri !== formatSpiffeId(identity)) {
    return { kind: "refused", reason: "issued_to_other_identity" };
  }
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  if (Buffer.compare(publicKey, verified.leaf.publicKey) !== 0) {
    return { kind: "refused", reason: "issued_for_other_key" };
  }
  const { leaf, issuer, notAfterMs } = verified;
  return {
    kind: "valid",
    issuer: certificateFingerprint(issuer.der),
    serial: formatSerial(leaf.serial),
    notBeforeMs: leaf.notBeforeMs,
    notAfterMs,
  };
}
