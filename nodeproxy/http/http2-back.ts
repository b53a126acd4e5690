/**
 * The one HTTP/2 connection to the application behind a caller's: opened when it is needed, and left for a new
 * one as soon as it takes no more streams. What runs over the old one goes on.
 */
import { resetSide, type Side } from "../flow/side.ts";
import type { HttpLimits } from "./http-limits.ts";
import type { Reaching } from "./http1-back.ts";
import { type CarrierUser, Http2Carrier } from "./http2-carrier.ts";

/** Opens a connection to the pod; told once, never within the call, with a code where there is none. */
export type Dial = (onDone: (code?: string) => void) => Side;

const DIAL_TIMEOUT_MS = 10_000;
const REACHED: Reaching = { drop(): void {} };

export class Http2Back {
  readonly #dial: Dial;
  readonly #limits: HttpLimits;
  #current: Http2Carrier | undefined;
  #opening: Promise<Http2Carrier | undefined> | undefined;
  readonly #carriers = new Set<Http2Carrier>();
  #isClosed = false;

  constructor(dial: Dial, limits: HttpLimits) {
    this.#dial = dial;
    this.#limits = limits;
  }

  /** However many run: the application refuses what is too much for it. */
  reach(user: CarrierUser): Reaching {
    const current = this.#current;
    if (current?.isOpen) user.onCarrier(current);
    else {
      this.#current = undefined;
      this.#opening ??= this.#open();
      void this.#reachLate(user, this.#opening);
    }
    return REACHED;
  }

  /** No stream is wanted any more: whatever runs has been cancelled. */
  close(): void {
    this.#isClosed = true;
    for (const carrier of this.#carriers) carrier.close();
  }

  async #reachLate(user: CarrierUser, opening: Promise<Http2Carrier | undefined>): Promise<void> {
    const carrier = await opening;
    if (carrier) user.onCarrier(carrier);
    else user.onUnreachable("app_unreachable");
  }

  async #open(): Promise<Http2Carrier | undefined> {
    const side = await this.#connection();
    this.#opening = undefined;
    if (!side) return undefined;
    if (this.#isClosed) {
      resetSide(side);
      return undefined;
    }
    this.#current = this.#begin(side);
    return this.#current;
  }

  #connection(): Promise<Side | undefined> {
    const { promise, resolve } = Promise.withResolvers<Side | undefined>();
    const side = this.#dial((code) => {
      clearTimeout(timer);
      resolve(code === undefined ? side : undefined);
    });
    const timer = setTimeout(() => {
      resetSide(side);
      resolve(undefined);
    }, DIAL_TIMEOUT_MS);
    return promise;
  }

  #begin(side: Side): Http2Carrier {
    const carrier = new Http2Carrier(side, this.#limits, {
      onReady: () => undefined,
      onLeft: () => undefined,
      onClosing: () => this.#forget(carrier),
      onClosed: () => {
        this.#forget(carrier);
        this.#carriers.delete(carrier);
      },
    });
    this.#carriers.add(carrier);
    return carrier;
  }

  #forget(carrier: Http2Carrier): void {
    if (this.#current === carrier) this.#current = undefined;
  }
}
