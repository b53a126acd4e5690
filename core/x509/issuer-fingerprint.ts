/** By which certificate was a leaf signed? For reports: nothing is trusted by what this says. */
import type { Certificate } from "./certificate.ts";
import { certificateFingerprint } from "./fingerprint.ts";
import { parseCertificate } from "./parse-certificate.ts";
import { isSignedBy } from "./verify-signature.ts";

/**
 * Hex SHA-256 of the certificate among `chain` (DER, leaf first) and `roots` that signed the leaf; "" where none did.
 * A signature is verified only where several have the issuer's name.
 */
export function issuerFingerprint(
  chain: readonly Uint8Array[],
  roots: readonly Uint8Array[],
): string {
  const [leaf, ...others] = [...chain, ...roots].map(read);
  if (!leaf) return "";
  const byFingerprint = new Map<string, Certificate>();
  for (const other of others) {
    if (other && Buffer.compare(other.subject, leaf.issuer) === 0) {
      byFingerprint.set(certificateFingerprint(other.der), other);
    }
  }
  const named = [...byFingerprint];
  const issuer =
    named.length === 1 ? named[0] : named.find(([, authority]) => isSignedBy(leaf, authority));
  return issuer?.[0] ?? "";
}

function read(der: Uint8Array): Certificate | undefined {
  const parsed = parseCertificate(der);
  return parsed.kind === "parsed" ? parsed.certificate : undefined;
}
