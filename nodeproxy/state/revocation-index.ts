/** The leaves of the own trust domain that were taken back, by their serials. */
import type { Revocation } from "../../core/model/revocation.ts";

export class RevocationIndex {
  readonly #revocations = new Map<string, Revocation>();
  /** Serial → how many of those name it. */
  readonly #revoked = new Map<string, number>();

  names(): Iterable<string> {
    return this.#revocations.keys();
  }

  isRevoked(serial: string): boolean {
    return this.#revoked.has(serial);
  }

  put(name: string, revocation: Revocation): void {
    this.#revocations.set(name, revocation);
    for (const serial of revocation.serials) {
      this.#revoked.set(serial, (this.#revoked.get(serial) ?? 0) + 1);
    }
  }

  remove(name: string): void {
    for (const serial of this.#revocations.get(name)?.serials ?? []) {
      const others = (this.#revoked.get(serial) ?? 1) - 1;
      if (others === 0) this.#revoked.delete(serial);
      else this.#revoked.set(serial, others);
    }
    this.#revocations.delete(name);
  }
}
