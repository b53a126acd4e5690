/** Where the CA's key lives between restarts: a directory (`file-key-store.ts`) or a Secret (`secret-key-store.ts`). */

export interface CaMaterial {
  /** PEM of the certificate that signs, then of those above it (`tls.crt`). */
  readonly certificatesPem: string;
  /** PEM of its private key (`tls.key`). */
  readonly keyPem: string;
  /** PEM of the trusted roots (`ca.crt`). */
  readonly rootsPem: string;
  /** PEM of the root's own key (`root.key`): there until somebody takes it offline; needed only to renew the intermediate. */
  readonly rootKeyPem?: string | undefined;
}

export interface KeyStore {
  /** Names the place in messages: `secret weft-system/weft-ca`, `directory /var/lib/weft/ca`. */
  readonly place: string;
  /** `undefined` where nothing is stored yet. Throws `CaError` where what is stored is incomplete. */
  read(): Promise<CaMaterial | undefined>;
  /** Stores all or nothing. `exists` where another was first: then that one counts. */
  create(material: CaMaterial): Promise<"created" | "exists">;
  /** Puts all of `next` in the place of `before` or nothing; `changed` where something else is stored by now. */
  replace(before: CaMaterial, next: CaMaterial): Promise<"replaced" | "changed">;
}

/** Names of the entries, those of a Secret of type kubernetes.io/tls, and the root's key. */
export const ENTRIES = {
  certificates: "tls.crt",
  key: "tls.key",
  roots: "ca.crt",
  rootKey: "root.key",
} as const;

export function isSameMaterial(one: CaMaterial, other: CaMaterial): boolean {
  return (
    one.certificatesPem === other.certificatesPem &&
    one.keyPem === other.keyPem &&
    one.rootsPem === other.rootsPem &&
    one.rootKeyPem === other.rootKeyPem
  );
}
