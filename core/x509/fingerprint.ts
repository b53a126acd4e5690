/** The name by which reports speak of a certificate: hex SHA-256 of its DER. */
import { createHash } from "node:crypto";

export function certificateFingerprint(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("hex");
}
