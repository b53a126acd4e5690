/** The clocks of one request: of all of it, of each try, and of the wait between two. */
import type { RequestWay, TryFailure } from "./request-way.ts";

export interface Trying {
  /** The whole time is over, or that of this try. */
  onLate(of: "request" | "try"): void;
}

export class RequestTries {
  readonly #way: RequestWay;
  readonly #trying: Trying;
  readonly #whole: NodeJS.Timeout | undefined;
  #one: NodeJS.Timeout | undefined;

  /** From here on time runs. */
  constructor(way: RequestWay, trying: Trying, requestTimeoutMs = way.requestTimeoutMs) {
    this.#way = way;
    this.#trying = trying;
    if (requestTimeoutMs > 0) this.#whole = this.#timer("request", requestTimeoutMs);
  }

  /** The request is on its way. */
  tryBegun(): void {
    const { tryTimeoutMs } = this.#way;
    clearTimeout(this.#one);
    if (tryTimeoutMs > 0) this.#one = this.#timer("try", tryTimeoutMs);
  }

  /** False: there is no other try. Else it begins later, never within this call. */
  again(failure: TryFailure, begin: () => void): boolean {
    clearTimeout(this.#one);
    const waitMs = this.#way.again(failure);
    if (waitMs === undefined) return false;
    this.#one = setTimeout(begin, waitMs);
    return true;
  }

  end(): void {
    clearTimeout(this.#whole);
    clearTimeout(this.#one);
  }

  #timer(of: "request" | "try", ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#trying.onLate(of), ms);
  }
}
