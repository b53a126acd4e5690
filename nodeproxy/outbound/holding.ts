/** What one connection takes up of its pod, of its Service and of the endpoint that it is at; all given back at its end, once. */
import type { Member, MemberHealth } from "../balance/member.ts";
import type { Lease } from "../flow/connection-facts.ts";
import type { Slots } from "./service-slots.ts";

const NOTHING_OF_POD: Lease = { end(): void {} };

export class Holding implements Lease {
  readonly #slots: Slots;
  readonly #service: string;
  #endpoint: MemberHealth | undefined;
  #isEnded = false;

  readonly #ofPod: Lease;

  /** The service's slot is taken already; the pod's, where there is one, is ended with it. */
  constructor(slots: Slots, service: string, ofPod: Lease = NOTHING_OF_POD) {
    this.#ofPod = ofPod;
    this.#slots = slots;
    this.#service = service;
  }

  /** Counts under this endpoint from now on, and no longer under the one before. False where it has `most` already. */
  moveTo({ health }: Member, most: number): boolean {
    this.#leave();
    if (!health.enter(most)) return false;
    this.#endpoint = health;
    return true;
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#leave();
    this.#slots.release(this.#service);
    this.#ofPod.end();
  }

  #leave(): void {
    this.#endpoint?.leave();
    this.#endpoint = undefined;
  }
}
