/**
 * Where a new intermediate comes from: made here under the root's key (`local-intermediate.ts`), or signed by somebody
 * else who may take minutes. Asked for the first CA, to renew it and to rotate it; decides nothing about when.
 */
import type { CaMaterial } from "./key-store.ts";

export interface IntermediateSource {
  /** For messages: `root.key of secret weft-system/weft-ca`, `ClusterIssuer corporate`. */
  readonly signer: string;
  /**
   * Somebody else signs: the root is theirs to make and to rotate, the mesh's first CA comes from here too, and an
   * intermediate may come under another root than that of the one before.
   */
  readonly isExternal: boolean;
  /** May take minutes. Throws for what may pass (it cannot be reached): whoever asked asks again later. */
  create(request: IntermediateRequest): Promise<IntermediateAnswer>;
}

export interface IntermediateRequest {
  /** What is stored. `undefined` where the mesh has no CA yet; only an external source is asked then. */
  readonly material: CaMaterial | undefined;
  readonly trustDomain: string;
  /** Of the key store, for messages. */
  readonly place: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Aborts where nobody waits for the answer any more: reject then, and leave nothing behind. */
  readonly signal: AbortSignal;
}

export type IntermediateAnswer =
  | ({ readonly kind: "made" } & NewIntermediate)
  | {
      readonly kind: "refused";
      /** As in the status of a CARotation. */
      readonly reason: IntermediateRefusal;
      readonly message: string;
    };

export type IntermediateRefusal =
  /** Made here, and neither `root.key` nor anything that could stand for it is stored. */
  | "RootKeyOffline"
  /** Made here, under a root that is not ours and whose key is not stored: whoever brought it rotates it. */
  | "CaBrought"
  /** The external signer said no, for good. */
  | "SignerDenied";

export interface NewIntermediate {
  /** PEM, the one that signs first, then those above it without the root. */
  readonly certificatesPem: string;
  /** PEM of its private key, ECDSA P-256. */
  readonly keyPem: string;
  /** PEM of the one root that it leads to; perhaps one that is not trusted yet. */
  readonly rootPem: string;
}
