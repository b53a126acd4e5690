/**
 * How did a stream end that is not open any more? Frames that were on their way when we reset it are no fault
 * of the peer's; frames after its own end are (RFC 9113 5.1, "closed").
 *
 * Remembers so many of each and forgets the oldest; what is forgotten counts as `unknown`.
 */
const REMEMBERED = 256;
/** More than run at once over one connection: a caller that leaves may take all of them with it. */
const REMEMBERED_RESETS = 4096;

export type Ending = "ended" | "reset by us" | "unknown";

export class RecentStreams {
  /** By half the id, modulo. */
  readonly #ended = new Int32Array(REMEMBERED);
  /** The oldest first. */
  readonly #reset = new Set<number>();

  add(id: number, wasResetByUs: boolean): void {
    if (!wasResetByUs) {
      this.#ended[(id >> 1) % REMEMBERED] = id;
      return;
    }
    this.#reset.add(id);
    if (this.#reset.size <= REMEMBERED_RESETS) return;
    for (const oldest of this.#reset) {
      this.#reset.delete(oldest);
      break;
    }
  }

  endingOf(id: number): Ending {
    if (this.#reset.has(id)) return "reset by us";
    return this.#ended[(id >> 1) % REMEMBERED] === id ? "ended" : "unknown";
  }
}
