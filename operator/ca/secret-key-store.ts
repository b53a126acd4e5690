/**
 * The CA's key in a Kubernetes Secret (`weft-ca`): the entries of `key-store.ts`.
 *
 * Creation is the API server's: of two replicas that start at once one gets "exists" and reads the
 * other's. Knows the Secret only through the functions it is handed.
 */
import { CaError } from "./ca-error.ts";
import {
  type CaMaterial,
  entriesOf,
  isSameMaterial,
  type KeyStore,
  materialOf,
} from "./key-store.ts";

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
      return data && readData(data, place);
    },
    create: (material) => secret.create(dataOf(material)),
    replace(before, next) {
      return secret.replace(dataOf(next), (data) => isSameMaterial(readData(data, place), before));
    },
  };
}

function dataOf(material: CaMaterial): Readonly<Record<string, Uint8Array>> {
  const entries = [...entriesOf(material)];
  return Object.fromEntries(entries.map(([entry, text]) => [entry, Buffer.from(text)]));
}

function readData(data: Readonly<Record<string, Uint8Array>>, place: string): CaMaterial {
  function optional(entry: string): string | undefined {
    const value = data[entry];
    return value && value.length > 0 ? Buffer.from(value).toString("utf8") : undefined;
  }
  function required(entry: string): string {
    const value = optional(entry);
    if (value !== undefined) return value;
    throw new CaError(
      "ca_incomplete",
      `${place} has no ${entry}: put the CA's certificate, key and roots into it, or delete it and a new root is made`,
    );
  }
  return materialOf({ required, optional });
}
