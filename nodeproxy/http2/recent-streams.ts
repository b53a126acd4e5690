/**
 * How did a stream end that is not open any more? Frames that were on their way when we reset it are no fault
 * of the peer's; frames after its own end are (RFC 9113 5.1, "closed").
 *
 * Remembers so many and forgets the oldest; what is forgotten counts as `unknown`.
 */
const REMEMBERED = 256;

export type Ending = "ended" | "reset by us" | "unknown";

export class RecentStreams {
  /** By half the id, modulo: the stream's id, negative where we reset it. */
  readonly #ids = new Int32Array(REMEMBERED);

  add(id: number, wasResetByUs: boolean): void {
    this.#ids[(id >> 1) % REMEMBERED] = wasResetByUs ? -id : id;
  }

  endingOf(id: number): Ending {
    const known = this.#ids[(id >> 1) % REMEMBERED];
    if (known === id) return "ended";
    return known === -id ? "reset by us" : "unknown";
  }
}
