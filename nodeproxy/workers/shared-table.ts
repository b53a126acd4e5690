/**
 * Numbers that all workers of a traffic process see, in one SharedArrayBuffer: for each key a cell with words of its
 * own and a column for each worker. What a worker counts stands in its column, so that a dead worker's counts are
 * known and given back.
 *
 * A cell is found once for each key and worker, under a lock; using it costs some atomic instructions. Locks tell
 * who holds them: `forget` opens those of a thread that died inside.
 */
import { createHmac } from "node:crypto";
import { openLock, openLockOf, shutLock, steadyMs } from "./shared-lock.ts";

/** Words of a cell that belong to nobody in particular; of a Service, of its circuit or budget, of an endpoint or of a caller. */
export const WORD = {
  max: 3,
  turn: 4,
  serverErrors: 3,
  gatewayErrors: 4,
  failures: 5,
  ejections: 6,
  endpoint: 3,
  until: 7,
  // Of a circuit, with the failures and the end that an endpoint has, too.
  tried: 3,
  good: 4,
  openings: 6,
  // Of a part of a budget's interval.
  part: 3,
  requests: 4,
  retries: 5,
} as const;
/** Words of each column: of a Service who waits, of an endpoint its answers. */
export const COLUMN = {
  uses: 0,
  open: 1,
  waiting: 2,
  granted: 3,
  answers: 2,
  failedAnswers: 3,
  failing: 4,
  active: 5,
} as const;

const KEY_HIGH = 0;
const KEY_LOW = 1;
const LOCK = 2;
const CELL_WORDS = 8;
const COLUMN_WORDS = 6;
const HEAD_WORDS = 64;
const TABLE_LOCK = 0;
const HEALTH_LOCK = 1;
const HEALTH_VERSION = 2;
/** One word for each worker from here on. */
const BEATS = 8;
/** Cells of services that are called and of their endpoints. Untouched ones cost no memory. */
const CAPACITY = 65_536;
/** Times are kept as a number of these since the process started: 31 bits last for years. */
const UNIT_MS = 100;
const GONE = 1;

/** To hand to a worker. */
export interface TableMemory {
  readonly buffer: SharedArrayBuffer;
  readonly workers: number;
  /** So that nobody can choose names whose cells would be one. */
  readonly secret: string;
  /** When it was made, by the machine's clock that never goes back. */
  readonly sinceMs: number;
}

export function createTableMemory(workers: number, secret: string): TableMemory {
  const words = HEAD_WORDS + CAPACITY * (CELL_WORDS + workers * COLUMN_WORDS);
  const buffer = new SharedArrayBuffer(words * 4);
  return { buffer, workers, secret, sinceMs: steadyMs() };
}

export class SharedTable {
  readonly words: Int32Array;
  readonly workers: number;
  /** Column of whoever uses this object; the main thread has none, and only forgets. */
  readonly worker: number;
  /** From `performance.now()`, which begins when each thread likes, to the time since the table was made. */
  readonly #offsetMs: number;
  readonly #secret: string;
  readonly #cellWords: number;
  readonly #unused = new FinalizationRegistry<number>((at) => this.#leave(at));

  constructor({ buffer, workers, secret, sinceMs }: TableMemory, worker = workers) {
    this.#offsetMs = steadyMs() - sinceMs - performance.now();
    this.words = new Int32Array(buffer);
    this.workers = workers;
    this.worker = worker;
    this.#secret = secret;
    this.#cellWords = CELL_WORDS + workers * COLUMN_WORDS;
  }

  /** The key's cell, kept until the object is not referenced any more. `undefined` where the table is full. */
  cell(key: string): SharedCell | undefined {
    const [high, low] = this.#digest(key);
    const at = this.lock(TABLE_LOCK, () => this.#findOrTake(high, low));
    if (at === undefined) return undefined;
    const cell = new SharedCell(this, at);
    this.#unused.register(cell, at);
    return cell;
  }

  /** Runs `work` while no other worker runs any under the same lock. */
  lock<Result>(at: number, work: () => Result): Result {
    shutLock(this.words, at, this.worker);
    try {
      return work();
    } finally {
      openLock(this.words, at);
    }
  }

  lockHealth<Result>(work: () => Result): Result {
    return this.lock(HEALTH_LOCK, work);
  }

  /** Grows whenever a worker has changed its mind about an endpoint. */
  get healthVersion(): number {
    return Atomics.load(this.words, HEALTH_VERSION);
  }

  healthChanged(): void {
    Atomics.add(this.words, HEALTH_VERSION, 1);
  }

  /** The time since the table was made, which is the same for all threads. */
  sharedMs(atMs: number): number {
    return Math.max(0, atMs + this.#offsetMs);
  }

  /** A time on the clock of `performance.now()` as all threads understand it. */
  unitsOf(atMs: number): number {
    return Math.ceil((atMs + this.#offsetMs) / UNIT_MS);
  }

  timeOf(units: number): number {
    return units * UNIT_MS - this.#offsetMs;
  }

  /** A worker's event loop turns. */
  beat(): void {
    Atomics.add(this.words, BEATS + this.worker, 1);
  }

  beatsOf(worker: number): number {
    return Atomics.load(this.words, BEATS + worker);
  }

  /** Gives back all that a worker counted, once its thread has ended. */
  forget(worker: number): void {
    for (const at of [TABLE_LOCK, HEALTH_LOCK]) openLockOf(worker, this.words, at);
    for (let at = HEAD_WORDS; at < this.words.length; at += this.#cellWords) {
      if (!this.#isTaken(at)) continue;
      openLockOf(worker, this.words, at + LOCK);
      const column = at + CELL_WORDS + worker * COLUMN_WORDS;
      for (let i = 0; i < COLUMN_WORDS; i += 1) Atomics.store(this.words, column + i, 0);
    }
    this.lock(TABLE_LOCK, () => this.#freeUnused());
    this.healthChanged();
  }

  /** Position of a cell's word of the worker's column. */
  column(at: number, worker: number, word: number): number {
    return at + CELL_WORDS + worker * COLUMN_WORDS + word;
  }

  lockOf(at: number): number {
    return at + LOCK;
  }

  #digest(key: string): readonly [number, number] {
    const hash = createHmac("sha256", this.#secret).update(key).digest();
    // 0 0 is an empty cell and 0 1 one that was left.
    return [hash.readInt32LE(0) || 1, hash.readInt32LE(4)];
  }

  #isTaken(at: number): boolean {
    return Atomics.load(this.words, at + KEY_HIGH) !== 0;
  }

  #findOrTake(high: number, low: number): number | undefined {
    let free: number | undefined;
    const first = (low >>> 0) % CAPACITY;
    for (let step = 0; step < CAPACITY; step += 1) {
      const at = HEAD_WORDS + ((first + step) % CAPACITY) * this.#cellWords;
      const [itsHigh, itsLow] = [this.words[at + KEY_HIGH] ?? 0, this.words[at + KEY_LOW] ?? 0];
      if (itsHigh === high && itsLow === low) return this.#use(at);
      if (itsHigh !== 0) continue;
      free ??= at;
      if (itsLow === 0) break;
    }
    if (free === undefined) return undefined;
    this.words.fill(0, free + KEY_LOW + 1, free + this.#cellWords);
    this.words[free + KEY_LOW] = low;
    this.words[free + KEY_HIGH] = high;
    return this.#use(free);
  }

  #use(at: number): number {
    Atomics.add(this.words, this.column(at, this.worker, COLUMN.uses), 1);
    return at;
  }

  #leave(at: number): void {
    this.lock(TABLE_LOCK, () => {
      Atomics.sub(this.words, this.column(at, this.worker, COLUMN.uses), 1);
      this.#freeIfUnused(at);
    });
  }

  #freeUnused(): void {
    for (let at = HEAD_WORDS; at < this.words.length; at += this.#cellWords) {
      if (this.#isTaken(at)) this.#freeIfUnused(at);
    }
  }

  #freeIfUnused(at: number): void {
    for (let worker = 0; worker < this.workers; worker += 1) {
      if (Atomics.load(this.words, this.column(at, worker, COLUMN.uses)) > 0) return;
    }
    // Left and not empty: the key that is looked for may lie behind it.
    this.words[at + KEY_LOW] = GONE;
    this.words[at + KEY_HIGH] = 0;
  }
}

/** The words of one key. */
export class SharedCell {
  readonly #table: SharedTable;
  readonly #at: number;

  constructor(table: SharedTable, at: number) {
    this.#table = table;
    this.#at = at;
  }

  exclusively<Result>(work: () => Result): Result {
    return this.#table.lock(this.#table.lockOf(this.#at), work);
  }

  get(word: number): number {
    return Atomics.load(this.#table.words, this.#at + word);
  }

  set(word: number, value: number): void {
    Atomics.store(this.#table.words, this.#at + word, value);
  }

  increase(word: number, by: number): void {
    Atomics.add(this.#table.words, this.#at + word, by);
  }

  /** Of one worker. */
  of(worker: number, word: number): number {
    return Atomics.load(this.#table.words, this.#table.column(this.#at, worker, word));
  }

  add(worker: number, word: number, by: number): void {
    Atomics.add(this.#table.words, this.#table.column(this.#at, worker, word), by);
  }

  /** Over all workers. */
  sum(word: number): number {
    let sum = 0;
    for (let worker = 0; worker < this.#table.workers; worker += 1) sum += this.of(worker, word);
    return sum;
  }
}
