/**
 * Waits for the certificate of an identity that is on its way: a pod has just been captured, or the roots
 * have not come yet. Made so that no order of leaf and roots is a lost wake-up: each change asks again.
 */
import type { ClientTlsOptions } from "../identity/tls-context.ts";

interface Waiter {
  readonly identity: string;
  readonly resolve: (options: ClientTlsOptions | undefined) => void;
  readonly timeout: NodeJS.Timeout;
}

export class LeafWaiters {
  readonly #find: (identity: string) => ClientTlsOptions | undefined;
  readonly #limitMs: number;
  readonly #waiting = new Set<Waiter>();

  constructor(find: (identity: string) => ClientTlsOptions | undefined, limitMs: number) {
    this.#find = find;
    this.#limitMs = limitMs;
  }

  /** `undefined` where nothing usable came in time. */
  wait(identity: string): Promise<ClientTlsOptions | undefined> {
    const found = this.#find(identity);
    if (found) return Promise.resolve(found);
    return new Promise((resolve) => {
      const timeout = setTimeout(() => this.#settle(waiter, this.#find(identity)), this.#limitMs);
      const waiter = { identity, resolve, timeout };
      this.#waiting.add(waiter);
    });
  }

  /** To be called after every change of leaves or roots. */
  wake(): void {
    for (const waiter of this.#waiting) {
      const found = this.#find(waiter.identity);
      if (found) this.#settle(waiter, found);
    }
  }

  close(): void {
    for (const waiter of this.#waiting) this.#settle(waiter, undefined);
  }

  #settle(waiter: Waiter, options: ClientTlsOptions | undefined): void {
    clearTimeout(waiter.timeout);
    this.#waiting.delete(waiter);
    waiter.resolve(options);
  }
}
