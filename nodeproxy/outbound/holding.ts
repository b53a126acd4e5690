/** What one connection takes up of its pod, of its Service and of the endpoint that it is at; all given back at its end, once. */
import type { Member, MemberHealth } from "../balance/member.ts";
import type { Lease } from "../flow/connection-facts.ts";
import type { ServiceSlots } from "./service-slots.ts";

export class Holding implements Lease {
  readonly #slots: ServiceSlots;
  readonly #service: string;
  #endpoint: MemberHealth | undefined;
  #isEnded = false;

  readonly #ofPod: Lease;

  /** The service's slot is taken already, and the pod's is ended with it. */
  constructor(slots: ServiceSlots, service: string, ofPod: Lease) {
    this.#ofPod = ofPod;
    this.#slots = slots;
    this.#service = service;
  }

  /** Counts under this endpoint from now on, and no longer under the one before. */
  moveTo({ health }: Member): void {
    this.#leave();
    health.open += 1;
    this.#endpoint = health;
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#leave();
    this.#slots.release(this.#service);
    this.#ofPod.end();
  }

  #leave(): void {
    if (this.#endpoint) this.#endpoint.open -= 1;
    this.#endpoint = undefined;
  }
}
