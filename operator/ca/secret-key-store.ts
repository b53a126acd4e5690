/**
 * The CA's key in a Kubernetes Secret (`weft-ca`): `tls.crt`, `tls.key`, `ca.crt`.
 *
 * Creation is the API server's: of two replicas that start at once one gets "exists" and reads the
 * other's. Knows the Secret only through the two functions it is handed.
 */
import { CaError } from "./ca-error.ts";
import { type CaMaterial, ENTRIES, type KeyStore } from "./key-store.ts";

export interface SecretAccess {
  /** The Secret's `data`, decoded; `undefined` where there is none. */
  read(): Promise<Readonly<Record<string, Uint8Array>> | undefined>;
  /** `exists` for 409 AlreadyExists. */
  create(data: Readonly<Record<string, Uint8Array>>): Promise<"created" | "exists">;
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
    create({ certificatesPem, keyPem, rootsPem }) {
      return secret.create({
        [ENTRIES.certificates]: Buffer.from(certificatesPem),
        [ENTRIES.key]: Buffer.from(keyPem),
        [ENTRIES.roots]: Buffer.from(rootsPem),
      });
    },
  };
}

function materialOf(data: Readonly<Record<string, Uint8Array>>, place: string): CaMaterial {
  function text(entry: string): string {
    const value = data[entry];
    if (value && value.length > 0) return Buffer.from(value).toString("utf8");
    throw new CaError(
      "ca_incomplete",
      `${place} has no ${entry}: put the CA's certificate, key and roots into it, or delete it and a new root is made`,
    );
  }
  return {
    certificatesPem: text(ENTRIES.certificates),
    keyPem: text(ENTRIES.key),
    rootsPem: text(ENTRIES.roots),
  };
}
