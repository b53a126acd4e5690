/** A key store that keeps the CA in memory: two authorities on one store race as two replicas on one Secret do. */
import { type CaMaterial, isSameMaterial, type KeyStore } from "../../operator/ca/key-store.ts";

export function createMemoryKeyStore(stored?: CaMaterial): KeyStore {
  let material = stored;
  return {
    place: "memory",
    async read() {
      return material;
    },
    async create(created) {
      if (material) return "exists";
      material = created;
      return "created";
    },
    async replace(before, next) {
      if (!material || !isSameMaterial(material, before)) return "changed";
      material = next;
      return "replaced";
    },
  };
}
