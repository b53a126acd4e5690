/**
 * Somebody else who signs CA certificates, as this folder sees them: `operator/kube/certificate-request.ts` is one. Knows
 * neither the CA's key nor what becomes of what it signs.
 */

export interface ExternalSigner {
  /** For messages: `ClusterIssuer corporate`. */
  readonly name: string;
  /** Takes as long as they take. Rejects where `signal` aborts, and where there is no use in waiting on: ask again later. */
  sign(request: SigningRequest): Promise<SigningAnswer>;
  /** What came of a request was of no use: told where people look who run the signer. Never rejects. */
  complain(request: Pick<SigningRequest, "mark">, complaint: SignerComplaint): Promise<void>;
}

export interface SigningRequest {
  /** PKCS#10 for a CA certificate (`createCaCsr`). */
  readonly csrPem: string;
  /** Hex, of the key: two requests of one mark are one. */
  readonly mark: string;
  readonly lifetimeSeconds: number;
  /** The mesh has no CA yet: nobody needs the answer any more where another replica gets one. */
  readonly isFirst: boolean;
  readonly signal: AbortSignal;
}

export type SigningAnswer =
  | {
      readonly kind: "signed";
      /** PEM, the new CA first, then those above it, with or without the root. */
      readonly chainPem: string;
      /** PEM of the root, "" where the signer does not tell. */
      readonly rootsPem: string;
    }
  | { readonly kind: "denied"; readonly message: string };

export interface SignerComplaint {
  /** `IntermediateDenied`: they would not sign. `IntermediateUnusable`: what they signed is not what was asked for. */
  readonly reason: "IntermediateDenied" | "IntermediateUnusable";
  readonly message: string;
}
