/** The clocks of one request: of all of it, of each try, of the wait between two, and of standing still. */
import type { RequestWay, TryFailure } from "./request-way.ts";

export interface Trying {
  /** Another number whenever something has moved, either way. */
  readonly moved: number;
  /** The whole time is over, that of this try, or that without a movement. */
  onLate(of: Late): void;
  readonly beside?: Beside | undefined;
}

/** Tries beside the request's own. */
export interface Beside {
  /** The request's own begins. */
  start(): void;
  /** The request's own has failed. True: others go on, and nothing is done about it. False: none does any more. */
  outlasts(failure: TryFailure): boolean;
  /** None is wanted any more. */
  end(): void;
}

export type Late = "request" | "try" | "idle";

/** In one idle timeout: what stands still is seen up to the time between two of them late. */
const LOOKS = 4;

export class RequestTries {
  readonly #way: RequestWay;
  readonly #trying: Trying;
  readonly #whole: NodeJS.Timeout | undefined;
  readonly #lookMs: number;
  #idle: NodeJS.Timeout | undefined;
  #one: NodeJS.Timeout | undefined;
  #moved = 0;
  #looks = 0;

  /** From here on time runs. */
  constructor(way: RequestWay, trying: Trying, requestTimeoutMs = way.requestTimeoutMs) {
    this.#way = way;
    this.#trying = trying;
    const { idleTimeoutMs = 0 } = way;
    if (requestTimeoutMs > 0) this.#whole = this.#timer("request", requestTimeoutMs);
    this.#lookMs = idleTimeoutMs / LOOKS;
    if (idleTimeoutMs > 0) this.#idle = setTimeout(() => this.#look(), this.#lookMs);
    trying.beside?.start();
  }

  /** The request is on its way. */
  tryBegun(): void {
    const { tryTimeoutMs } = this.#way;
    clearTimeout(this.#one);
    this.#looks = 0;
    if (tryTimeoutMs > 0) this.#one = this.#timer("try", tryTimeoutMs);
  }

  /** False: there is no other try. Else it begins later, never within this call, or is under way already. */
  again(failure: TryFailure, begin: () => void): boolean {
    clearTimeout(this.#one);
    const { beside } = this.#trying;
    if (beside?.outlasts(failure)) return true;
    const waitMs = this.#way.again(failure);
    if (waitMs === undefined) return false;
    this.#one = setTimeout(() => {
      beside?.start();
      begin();
    }, waitMs);
    return true;
  }

  end(): void {
    this.#trying.beside?.end();
    clearTimeout(this.#whole);
    clearTimeout(this.#one);
    clearTimeout(this.#idle);
  }

  #timer(of: Late, ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#trying.onLate(of), ms);
  }

  #look(): void {
    const { moved } = this.#trying;
    this.#looks = moved === this.#moved ? this.#looks + 1 : 0;
    this.#moved = moved;
    this.#idle = setTimeout(() => this.#look(), this.#lookMs);
    // The first look after a movement cannot tell how long ago that was, and counts as none.
    if (this.#looks >= LOOKS) this.#trying.onLate("idle");
  }
}

/** Of an answer that says so. */
export function lateCode(of: Late): string {
  return of === "idle" ? "request_idle_timeout" : "request_timeout";
}
