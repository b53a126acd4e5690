/**
 * The CA's key in a Kubernetes Secret (`weft-ca`): `tls.crt`, `tls.key`, `ca.crt`, perhaps `root.key`.
 *
 * Creation is the API server's: of two replicas that start at once one gets "exists" and reads the
 * other's. Knows the Secret only through the functions it is handed.
 */
import { CaError } from "./ca-error.ts";
import { type CaMaterial, ENTRIES, isSameMaterial, type KeyStore } from "./key-store.ts";

export interface SecretAccess {
  /** The Secret's `data`, decoded; `undefined` where there is none. */
  read(): Promise<Readonly<Record<string, Uint8Array>> | undefined>;
  /** `exists` for 409 AlreadyExists. */
  create(data: Readonly<Record<string, Uint8Array>>): Promise<"created" | "exists">;
  /** Puts `data` in, where the Secret's is still what `isExpected` takes. */
  replace(
    data: Readonly<Record<string, Uint8Array>>,
    isExpected: (stored: Readonly<Record<string, Uint8Array>>) => boolean,
  ): Promise<"replaced" | "changed">;
}

/** `name` is `namespace/name`, for messages. */
export function createSecretKeyStore(name: string, secret: SecretAccess): KeyStore {
  const place = `secret ${name}`;
  return {
    place,
    async read() {
      const data = await secret.read();
      return data && materialOf(data, place);
    },
    create: (material) => secret.create(dataOf(material)),
    replace(before, next) {
      return secret.replace(dataOf(next), (data) =>
        isSameMaterial(materialOf(data, place), before),
      );
    },
  };
}

function dataOf(material: CaMaterial): Readonly<Record<string, Uint8Array>> {
  const { certificatesPem, keyPem, rootsPem, rootKeyPem } = material;
  return {
    [ENTRIES.certificates]: Buffer.from(certificatesPem),
    [ENTRIES.key]: Buffer.from(keyPem),
    [ENTRIES.roots]: Buffer.from(rootsPem),
    ...(rootKeyPem !== undefined && { [ENTRIES.rootKey]: Buffer.from(rootKeyPem) }),
  };
}

function materialOf(data: Readonly<Record<string, Uint8Array>>, place: string): CaMaterial {
  function optional(entry: string): string | undefined {
    const value = data[entry];
    return value && value.length > 0 ? Buffer.from(value).toString("utf8") : undefined;
  }
  function text(entry: string): string {
    const value = optional(entry);
    if (value !== undefined) return value;
    throw new CaError(
      "ca_incomplete",
      `${place} has no ${entry}: put the CA's certificate, key and roots into it, or delete it and a new root is made`,
    );
  }
  return {
    certificatesPem: text(ENTRIES.certificates),
    keyPem: text(ENTRIES.key),
    rootsPem: text(ENTRIES.roots),
    rootKeyPem: optional(ENTRIES.rootKey),
  };
}
