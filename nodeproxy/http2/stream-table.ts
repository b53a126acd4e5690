/**
 * The streams of one connection: those that are open, and which of all the others have been (RFC 9113 5.1, 5.1.1).
 *
 * Clients open odd ones, and here nobody opens even ones: no pushes.
 */
import { type Ending, RecentStreams } from "./recent-streams.ts";

export class StreamTable<S extends { readonly id: number }> {
  readonly #open = new Map<number, S>();
  readonly #recent = new RecentStreams();
  /** Highest that was ever opened. */
  #last = 0;

  get size(): number {
    return this.#open.size;
  }

  get last(): number {
    return this.#last;
  }

  /** Of a stream that was never opened: every frame but HEADERS of the client's is an error. */
  isIdle(id: number): boolean {
    return id > this.#last || id % 2 === 0;
  }

  get(id: number): S | undefined {
    return this.#open.get(id);
  }

  /** It is opened: lower ones that were not never will be. */
  begin(id: number): void {
    this.#last = id;
  }

  add(stream: S): void {
    this.#open.set(stream.id, stream);
  }

  /** False where it was none of those that are open. */
  remove(stream: S, wasResetByUs: boolean): boolean {
    this.#recent.add(stream.id, wasResetByUs);
    return this.#open.delete(stream.id);
  }

  /** It was reset before it was one. */
  refused(id: number): void {
    this.#recent.add(id, true);
  }

  endingOf(id: number): Ending {
    return this.#recent.endingOf(id);
  }

  [Symbol.iterator](): Iterator<S> {
    return this.#open.values();
  }
}
