/**
 * The counts of rate limits over all workers of a traffic process, in one SharedArrayBuffer: a limit is one of the node,
 * whichever worker takes a request. They outlive the worker that counted.
 *
 *   set of a key ── lock ── 8 places, each: key · last asked · until it is as new · claimed · state of the meter
 *
 * Where a set is full, what is as good as new makes room, then what callers claim, then what was asked longest ago: who
 * makes up values of a header spoils no count of identities.
 */
import { hash } from "node:crypto";
import { createMeter, type Meter, STATE_NUMBERS } from "../limit/meter.ts";
import type { MeterKey, Meters, MeterWork } from "../limit/meters.ts";
import { openLock, openLockOf, shutLock, steadyMs } from "./shared-lock.ts";

const SETS = 16_384;
const PLACES = 8;
/** Numbers of a place before its state. */
const KEY = 0;
const ASKED = 1;
const NEW_FROM = 2;
const CLAIMED = 3;
const STATE = 4;
const PLACE_NUMBERS = STATE + STATE_NUMBERS;
const LOCK_BYTES = SETS * 4;

/** To hand to a worker. Untouched places cost no memory. */
export interface MeterMemory {
  readonly buffer: SharedArrayBuffer;
  /** So that nobody can choose keys whose places would be one. */
  readonly secret: string;
  readonly sinceMs: number;
}

export function createMeterMemory(secret: string): MeterMemory {
  const numbers = SETS * PLACES * PLACE_NUMBERS;
  const buffer = new SharedArrayBuffer(LOCK_BYTES + numbers * 8);
  return { buffer, secret, sinceMs: steadyMs() };
}

interface Place {
  readonly set: number;
  readonly key: number;
  readonly asked: MeterKey;
}

export class SharedMeters implements Meters {
  readonly #locks: Int32Array;
  readonly #numbers: Float64Array;
  readonly #secret: string;
  readonly #offsetMs: number;
  readonly #worker: number;
  readonly #pod: string;

  /** Of one worker, for one pod. */
  constructor({ buffer, secret, sinceMs }: MeterMemory, worker: number, pod: string) {
    this.#locks = new Int32Array(buffer, 0, SETS);
    this.#numbers = new Float64Array(buffer, LOCK_BYTES);
    this.#secret = secret;
    // To the time since the memory was made; no clock of a worker is more than a moment off.
    this.#offsetMs = steadyMs() - sinceMs - Math.round(performance.now());
    this.#worker = worker;
    this.#pod = pod;
  }

  use<Result>(keys: readonly MeterKey[], atMs: number, work: MeterWork<Result>): Result {
    const places = keys.map((asked) => this.#placeOf(asked));
    // Always in the same order: two workers that want the same sets do not wait for each other for ever.
    const sets = [...new Set(places.map(({ set }) => set))].toSorted((a, b) => a - b);
    for (const set of sets) shutLock(this.#locks, set, this.#worker);
    try {
      return this.#useLocked(places, Math.floor(atMs) + this.#offsetMs, work);
    } finally {
      for (const set of sets) openLock(this.#locks, set);
    }
  }

  /** Limits that come back go on where they were; what nobody asks for makes room. */
  retain(): void {}

  #useLocked<Result>(places: readonly Place[], atMs: number, work: MeterWork<Result>): Result {
    const numbers = this.#numbers;
    const found = places.map((place) => this.#find(place, atMs));
    // Another worker's clock may be a moment ahead, and no meter is asked for what was.
    const nowMs = Math.max(atMs, ...found.map((at) => numbers[at + ASKED] ?? 0));
    const meters = places.map(({ asked }, i) => this.#meterAt(found[i] ?? 0, asked));
    const result = work(meters, nowMs);
    for (const [i, meter] of meters.entries()) {
      const at = found[i] ?? 0;
      numbers[at + ASKED] = nowMs;
      numbers[at + NEW_FROM] = nowMs + meter.idleMs(nowMs);
    }
    return result;
  }

  #meterAt(at: number, { quota }: MeterKey): Meter {
    const state = this.#numbers.subarray(at + STATE, at + PLACE_NUMBERS);
    return createMeter(quota, state);
  }

  #find({ set, key, asked }: Place, nowMs: number): number {
    const numbers = this.#numbers;
    const first = set * PLACES * PLACE_NUMBERS;
    let [worst, worth] = [first, Number.POSITIVE_INFINITY];
    for (let at = first; at < first + PLACES * PLACE_NUMBERS; at += PLACE_NUMBERS) {
      if (numbers[at + KEY] === key) return at;
      const its = this.#worthOf(at, nowMs);
      if (its < worth) [worst, worth] = [at, its];
    }
    numbers.fill(0, worst, worst + PLACE_NUMBERS);
    // It makes no room for another key of the same request.
    numbers[worst + NEW_FROM] = Number.POSITIVE_INFINITY;
    numbers[worst + ASKED] = nowMs;
    numbers[worst + CLAIMED] = asked.isClaimed ? 1 : 0;
    numbers[worst + KEY] = key;
    return worst;
  }

  /** The less, the sooner it makes room. */
  #worthOf(at: number, nowMs: number): number {
    const numbers = this.#numbers;
    if ((numbers[at + NEW_FROM] ?? 0) <= nowMs) return 0;
    const askedMs = 1 + (numbers[at + ASKED] ?? 0);
    return numbers[at + CLAIMED] === 1 ? askedMs : askedMs + Number.MAX_SAFE_INTEGER / 2;
  }

  #placeOf(asked: MeterKey): Place {
    const words = [this.#secret, this.#pod, asked.meaning, asked.text];
    const digest = hash("sha256", JSON.stringify(words), "buffer");
    // 0 is an empty place.
    return { set: digest.readUInt32LE(0) % SETS, key: 1 + digest.readUIntLE(4, 6), asked };
  }
}

/** Has nobody wait for a worker whose thread has ended. */
export function forgetMeterLocks({ buffer }: MeterMemory, worker: number): void {
  const locks = new Int32Array(buffer, 0, SETS);
  for (let set = 0; set < SETS; set += 1) openLockOf(worker, locks, set);
}
