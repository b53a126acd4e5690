/**
 * How much of one pod's reads a turn of the loop carries on: the rest waits for the next ones, in order, so that a pod
 * with many busy connections makes all the others of the node wait for no more than its share of a turn.
 *
 * Knows what is late and not what is in it: whoever was read keeps that, and reads no more meanwhile.
 */
import { currentTurn } from "../tcp/loop-turn.ts";

/** In a turn: half a megabyte of bulk, as a socket is read, which is about a millisecond's work. */
const BULK_BYTES = 256 << 10;
/** In a turn, and of no bulk: beside a pod's own transfers its small messages do not wait. */
const SMALL_READS = 128;
const SMALL_BYTES = 4 << 10;

export interface LateReader {
  /** Octets that wait. */
  readonly lateBytes: number;
  /** Its turn has come. */
  deliverLate(): void;
}

export class ReadLane {
  readonly #late = new Set<LateReader>();
  #turn = -1;
  #bulkLeft = 0;
  #smallLeft = 0;
  #isScheduled = false;

  /** True: carry it on. False: this turn has carried enough, or others wait; `defer` is to follow. */
  admit(octets: number): boolean {
    this.#begin();
    if (octets <= SMALL_BYTES && this.#smallLeft > 0) {
      this.#smallLeft -= 1;
      return true;
    }
    if (this.#bulkLeft <= 0 || this.#late.size > 0) return false;
    this.#bulkLeft -= octets;
    return true;
  }

  defer(reader: LateReader): void {
    this.#late.add(reader);
    this.#schedule();
  }

  /** It is gone. */
  forget(reader: LateReader): void {
    this.#late.delete(reader);
  }

  /** For the loop only. */
  deliver(): void {
    this.#isScheduled = false;
    this.#begin();
    for (const reader of this.#late) {
      if (this.#bulkLeft <= 0) break;
      // A small one is work as well.
      this.#bulkLeft -= Math.max(reader.lateBytes, SMALL_BYTES);
      this.#late.delete(reader);
      reader.deliverLate();
    }
    if (this.#late.size > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(deliver, this);
  }

  #begin(): void {
    const turn = currentTurn();
    if (this.#turn === turn) return;
    this.#turn = turn;
    this.#bulkLeft = BULK_BYTES;
    this.#smallLeft = SMALL_READS;
  }
}

function deliver(lane: ReadLane): void {
  lane.deliver();
}
