/**
 * One key store as several operators see it, each through a line of its own that fails when it is told to: before a
 * write, after it, or because somebody else was faster.
 */
import type { CaMaterial, KeyStore } from "../../operator/ca/key-store.ts";

export type WriteFault = "none" | "dies_before" | "dies_after" | "conflict";

/** The process that held the line is gone: nothing it would have done next happens. */
export class OperatorDied extends Error {
  override readonly name = "OperatorDied";
}

export class FaultyKeyStore implements KeyStore {
  readonly place: string;
  readonly #store: KeyStore;
  /** Asked before each write. */
  readonly #nextFault: () => WriteFault;
  isAway = false;

  constructor(store: KeyStore, nextFault: () => WriteFault) {
    this.place = store.place;
    this.#store = store;
    this.#nextFault = nextFault;
  }

  async read(): Promise<CaMaterial | undefined> {
    if (this.isAway) throw new Error("the API server is away");
    return this.#store.read();
  }

  async create(material: CaMaterial): Promise<"created" | "exists"> {
    if (this.isAway) throw new Error("the API server is away");
    return this.#store.create(material);
  }

  async replace(before: CaMaterial, next: CaMaterial): Promise<"replaced" | "changed"> {
    if (this.isAway) throw new Error("the API server is away");
    const fault = this.#nextFault();
    if (fault === "dies_before") throw new OperatorDied("before the write");
    if (fault === "conflict") return "changed";
    const replaced = await this.#store.replace(before, next);
    if (fault === "dies_after") throw new OperatorDied("after the write");
    return replaced;
  }
}
