/**
 * Is this certificate a leaf X.509-SVID, and whose? Every certificate that Weft issues, gets or meets
 * at the other end of a tunnel goes through here. Does not verify the signature or the time.
 */
import { parseSpiffeId, type SpiffeId } from "../model/spiffe-id.ts";
import type { Certificate } from "./certificate.ts";
import { OID } from "./oid.ts";

export type SvidRefusal =
  /** No URI, or another kind of name that only looks like one. */
  | "no_spiffe_id"
  | "several_uris"
  | "spiffe_id_malformed"
  | "foreign_names"
  | "leaf_is_ca"
  | "key_usage"
  | "extended_key_usage"
  | "unknown_critical_extension";

export type CheckedSvid =
  | { readonly kind: "svid"; readonly identity: SpiffeId; readonly uri: string }
  | { readonly kind: "refused"; readonly reason: SvidRefusal };

export function checkSvid(certificate: Certificate): CheckedSvid {
  const reason = refusalOfUsage(certificate);
  if (reason) return { kind: "refused", reason };
  const { uris, others } = certificate.alternativeNames;
  const [uri] = uris;
  // X509-SVID 2: "An X.509 SVID MUST contain exactly one URI SAN".
  if (uri === undefined) return { kind: "refused", reason: "no_spiffe_id" };
  if (uris.length > 1) return { kind: "refused", reason: "several_uris" };
  // otherName and the like are never part of a mesh certificate; what another reader sees in them is unknown.
  if (others > 0) return { kind: "refused", reason: "foreign_names" };
  const identity = parseSpiffeId(uri);
  return identity
    ? { kind: "svid", identity, uri }
    : { kind: "refused", reason: "spiffe_id_malformed" };
}

/** What a leaf may be used for, whatever its names. */
export function refusalOfUsage(certificate: Certificate): SvidRefusal | undefined {
  const { keyUsage, extendedKeyUsage, isCa, unknownCritical } = certificate;
  // X509-SVID 4.1: leaves "MUST set the cA field to false".
  if (isCa) return "leaf_is_ca";
  // X509-SVID 4.3: leaves "MUST set digitalSignature" and "MUST NOT set keyCertSign or cRLSign".
  if (!keyUsage?.digitalSignature || keyUsage.keyCertSign || keyUsage.crlSign) return "key_usage";
  // X509-SVID 4.4: where the extension is there, both are; ztunnel and istiod write both, always.
  const usages = extendedKeyUsage ?? [];
  if (!usages.includes(OID.serverAuth) || !usages.includes(OID.clientAuth)) {
    return "extended_key_usage";
  }
  return unknownCritical.length > 0 ? "unknown_critical_extension" : undefined;
}
