import type { NameConstraints } from "./name-constraints.ts";

/** A certificate as a checked value. Only `parseCertificate` makes one; it says what is written, not whether to believe it. */
export interface Certificate {
  readonly der: Uint8Array;
  /** The signed part, DER. */
  readonly tbs: Uint8Array;
  /** OID, the same inside and outside of the signed part. */
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  /** Not negative, big-endian, 1 to 21 octets. */
  readonly serial: Uint8Array;
  /** DER Names, compared octet by octet (RFC 5280 7.1 allows more; Weft never needs it). */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly alternativeNames: AlternativeNames;
  readonly isCa: boolean;
  /** How many intermediates may follow below; absent without limit. */
  readonly pathLength: number | undefined;
  /** For all certificates below this CA; `undefined` without the extension. */
  readonly nameConstraints: NameConstraints | undefined;
  /** `undefined` without the extension. */
  readonly keyUsage: KeyUsage | undefined;
  /** OIDs; `undefined` without the extension. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly subjectKeyId: Uint8Array | undefined;
  /** OIDs of critical extensions that this reader does not know: RFC 5280 4.2 asks to refuse the certificate. */
  readonly unknownCritical: readonly string[];
}

export interface AlternativeNames {
  /** Printable ASCII without spaces, otherwise as written. */
  readonly uris: readonly string[];
  /** Letters, digits, `.-_*` only. */
  readonly dnsNames: readonly string[];
  /** 4 or 16 octets each. */
  readonly ipAddresses: readonly Uint8Array[];
  /** How many names of other kinds (otherName, e-mail, …). */
  readonly others: number;
}

export interface KeyUsage {
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}
