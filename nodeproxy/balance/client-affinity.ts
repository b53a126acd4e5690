/**
 * `sessionAffinity: ClientIP`: to which endpoint did a caller's last connection go? Each new one begins the
 * time anew, as with kube-proxy. Bounded: beyond so many callers the one that was longest away is forgotten.
 */

export interface Bond {
  /** `hash32` of its key. */
  readonly endpoint: number;
  readonly untilMs: number;
}

/** The callers of one port of one Service. */
export interface Affinity {
  /** `undefined` where the caller has none or was away too long. */
  find(caller: string, nowMs: number): number | undefined;
  bind(caller: string, bond: Bond): void;
}

export const MAX_CALLERS = 10_000;

/** For one thread alone. */
export class ClientAffinity implements Affinity {
  /** In the order of the last connection, the oldest first. */
  readonly #bonds = new Map<string, Bond>();

  find(caller: string, nowMs: number): number | undefined {
    const bond = this.#bonds.get(caller);
    if (!bond) return undefined;
    if (bond.untilMs > nowMs) return bond.endpoint;
    this.#bonds.delete(caller);
    return undefined;
  }

  bind(caller: string, bond: Bond): void {
    this.#bonds.delete(caller);
    this.#bonds.set(caller, bond);
    if (this.#bonds.size <= MAX_CALLERS) return;
    for (const [oldest] of this.#bonds) {
      this.#bonds.delete(oldest);
      return;
    }
  }
}
