/** The keys of many clauses side by side, as numbers: what the index is built from, and dropped when it stands. */
import type { Clause } from "./clause.ts";
import { DIMENSIONS, EXACT, keysOf } from "./clause-keys.ts";
import { GrowingInts } from "./growing-ints.ts";

/** Numbers for each run: the place of its dimension in `DIMENSIONS`, its first key, and the one after its last. */
const RUN = 3;
/** Numbers for each key: kind and hash. */
const KEY = 2;

export class KeyList {
  /** Where the runs of each clause begin; one more at the end. */
  readonly #starts: Int32Array;
  /** All keys of a clause in one dimension are a run, and a clause's runs are in the order of dimensions. */
  readonly #runs = new GrowingInts();
  readonly #keys = new GrowingInts();

  constructor(clauses: readonly Clause[]) {
    this.#starts = new Int32Array(clauses.length + 1);
    for (const [id, clause] of clauses.entries()) {
      this.#add(clause);
      this.#starts[id + 1] = this.#runs.length / RUN;
    }
  }

  firstRun(id: number): number {
    return this.#starts[id] ?? 0;
  }

  /** The one after the last. */
  endOfRuns(id: number): number {
    return this.#starts[id + 1] ?? 0;
  }

  dimension(run: number): number {
    return this.#runs.at(run * RUN);
  }

  first(run: number): number {
    return this.#runs.at(run * RUN + 1);
  }

  /** The one after the last. */
  end(run: number): number {
    return this.#runs.at(run * RUN + 2);
  }

  kind(key: number): number {
    return this.#keys.at(key * KEY);
  }

  hash(key: number): number {
    return this.#keys.at(key * KEY + 1);
  }

  /** A run of one key that is compared as a whole, in one of the dimensions (a bit each); -1 for none. */
  onlyExact(id: number, dimensions: number): number {
    const end = this.endOfRuns(id);
    for (let run = this.firstRun(id); run < end; run += 1) {
      const isWanted = ((dimensions >> this.dimension(run)) & 1) === 1;
      const isOne = this.end(run) - this.first(run) === 1;
      if (isWanted && isOne && this.kind(this.first(run)) === EXACT) return run;
    }
    return -1;
  }

  #add(clause: Clause): void {
    for (const [place, dimension] of DIMENSIONS.entries()) {
      const keys = keysOf(clause, dimension);
      if (!keys) continue;
      this.#runs.push(place);
      this.#runs.push(this.#keys.length / KEY);
      for (const number of keys) this.#keys.push(number);
      this.#runs.push(this.#keys.length / KEY);
    }
  }
}
