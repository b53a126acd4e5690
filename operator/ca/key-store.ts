/** Where the CA's key lives between restarts: a directory (`file-key-store.ts`) or a Secret (`secret-key-store.ts`). */

export interface CaMaterial extends RotationEntries {
  /** PEM of the certificate that signs, then of those above it (`tls.crt`). */
  readonly certificatesPem: string;
  /** PEM of its private key (`tls.key`). */
  readonly keyPem: string;
  /** PEM of the trusted roots (`ca.crt`). */
  readonly rootsPem: string;
  /** PEM of the root's own key (`root.key`): there until somebody takes it offline; needed only to renew the intermediate. */
  readonly rootKeyPem?: string | undefined;
}

/** What a rotation of the CA needs to know after a crash, and what is left of those before. */
interface RotationEntries {
  /** PEM of the other CA of a rotation, its root last: the new one before it signs, the old one from then on. */
  readonly standbyCertificatesPem?: string | undefined;
  readonly standbyKeyPem?: string | undefined;
  /** PEM; absent where the rotation keeps the root, or the root's key is offline. */
  readonly standbyRootKeyPem?: string | undefined;
  /** PEM of CA certificates that are not trusted any more, wherever else they stand. */
  readonly retiredPem?: string | undefined;
  /** How far a rotation is (`rotation-record.ts`); absent while there is none. */
  readonly rotation?: string | undefined;
  /** The rotations that have ended (`rotation-record.ts`). */
  readonly rotated?: string | undefined;
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

/** Names of the entries, those of a Secret of type kubernetes.io/tls, and our own. */
export const ENTRIES = {
  certificates: "tls.crt",
  key: "tls.key",
  roots: "ca.crt",
  rootKey: "root.key",
  standbyCertificates: "standby.crt",
  standbyKey: "standby.key",
  standbyRootKey: "standby-root.key",
  retired: "retired.crt",
  rotation: "rotation",
  rotated: "rotated",
} as const;

type Entry = (typeof ENTRIES)[keyof typeof ENTRIES];

/** Every entry with where it stands in a `CaMaterial`, the required ones first. */
const FIELDS: readonly (readonly [Entry, keyof CaMaterial])[] = [
  [ENTRIES.certificates, "certificatesPem"],
  [ENTRIES.key, "keyPem"],
  [ENTRIES.roots, "rootsPem"],
  [ENTRIES.rootKey, "rootKeyPem"],
  [ENTRIES.standbyCertificates, "standbyCertificatesPem"],
  [ENTRIES.standbyKey, "standbyKeyPem"],
  [ENTRIES.standbyRootKey, "standbyRootKeyPem"],
  [ENTRIES.retired, "retiredPem"],
  [ENTRIES.rotation, "rotation"],
  [ENTRIES.rotated, "rotated"],
];

/** Those that are there. */
export function entriesOf(material: CaMaterial): ReadonlyMap<Entry, string> {
  return new Map(
    FIELDS.flatMap(([entry, field]) => {
      const text = material[field];
      return text === undefined ? [] : [[entry, text] as const];
    }),
  );
}

export function materialOf(find: EntryReader): CaMaterial {
  return {
    certificatesPem: find.required(ENTRIES.certificates),
    keyPem: find.required(ENTRIES.key),
    rootsPem: find.required(ENTRIES.roots),
    rootKeyPem: find.optional(ENTRIES.rootKey),
    standbyCertificatesPem: find.optional(ENTRIES.standbyCertificates),
    standbyKeyPem: find.optional(ENTRIES.standbyKey),
    standbyRootKeyPem: find.optional(ENTRIES.standbyRootKey),
    retiredPem: find.optional(ENTRIES.retired),
    rotation: find.optional(ENTRIES.rotation),
    rotated: find.optional(ENTRIES.rotated),
  };
}

export interface EntryReader {
  /** Throws `CaError` where it is not there. */
  required(entry: Entry): string;
  optional(entry: Entry): string | undefined;
}

/** Whether nobody but the operator may read it. */
export function isSecret(entry: Entry): boolean {
  return entry.endsWith(".key");
}

export function isSameMaterial(one: CaMaterial, other: CaMaterial): boolean {
  return FIELDS.every(([, field]) => one[field] === other[field]);
}
