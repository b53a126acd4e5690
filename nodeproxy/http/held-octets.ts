/**
 * The octets of bodies that one session keeps because nobody takes them yet. Up to a limit its peer may send as many more
 * at once, so that streams that stall take nothing from those that do not; beyond it only what has gone is given back.
 */
import { SESSION_HELD } from "./http2-settings.ts";

export class HeldOctets {
  readonly #giveBack: (octets: number) => void;
  #held = 0;
  /** Of them, those that the peer was not told of. */
  #owed = 0;

  constructor(giveBack: (octets: number) => void) {
    this.#giveBack = giveBack;
  }

  add(octets: number): void {
    this.#held += octets;
    if (this.#held <= SESSION_HELD) this.#giveBack(octets);
    else this.#owed += octets;
  }

  remove(octets: number): void {
    this.#held -= octets;
    const returned = Math.min(this.#owed, octets);
    if (returned === 0) return;
    this.#owed -= returned;
    this.#giveBack(returned);
  }
}
