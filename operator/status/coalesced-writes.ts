/**
 * Writes the latest value of each key, few at a time, each key at most once in a while, and all of them
 * no faster than a pace, so that a change which concerns thousands is no storm.
 *
 * A value that changes again before its turn is written once. A failed write is tried again with
 * backoff as long as it is the latest, so a dead API server costs a few calls and no memory.
 */
import { type Backoff, backoffDelayMs } from "../../core/process/backoff.ts";

export interface CoalescedWritesOptions<Value> {
  readonly write: (key: string, value: Value) => Promise<void>;
  /** False: give up this value (the object is gone). */
  readonly onFailure: (key: string, error: unknown) => boolean;
  readonly isSame: (a: Value, b: Value) => boolean;
  /** Between two writes of one key. */
  readonly intervalMs: number;
  /** Writes under way at once. */
  readonly limit: number;
  /** Of all keys together: so many at once, then so many a second. Without it there is none. */
  readonly pace?: Pace;
  /** Goes before the others that wait. */
  readonly isUrgent?: (value: Value) => boolean;
}

export interface Pace {
  readonly burst: number;
  readonly perSecond: number;
}

interface Slot<Value> {
  wanted: { readonly value: Value } | undefined;
  written: { readonly value: Value } | undefined;
  /** Monotonic; not before. */
  nextMs: number;
  attempt: number;
  isUnderWay: boolean;
}

/** Conditions are late by the longest of these after an outage of the API server; people wait for them. */
const RETRY: Backoff = { minMs: 1000, maxMs: 5000 };

export class CoalescedWrites<Value> {
  readonly #options: CoalescedWritesOptions<Value>;
  readonly #slots = new Map<string, Slot<Value>>();
  readonly #urgent = new Set<string>();
  readonly #waiting = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  /** Writes that may begin by the pace; refilled as time passes. */
  #credit: number;
  #creditAtMs = performance.now();
  #isClosed = false;

  constructor(options: CoalescedWritesOptions<Value>) {
    this.#options = options;
    this.#credit = options.pace?.burst ?? Number.POSITIVE_INFINITY;
  }

  put(key: string, value: Value): void {
    if (this.#isClosed) return;
    const slot = this.#slot(key);
    slot.wanted = { value };
    this.#await(key, value);
    this.#pump();
  }

  /** Nothing of this key is written any more, and what was is forgotten. */
  forget(key: string): void {
    this.#slots.delete(key);
    this.#waiting.delete(key);
    this.#urgent.delete(key);
  }

  /** Takes no more; resolves once nothing is under way. What waits is dropped. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await Promise.all(this.#underWay);
  }

  #slot(key: string): Slot<Value> {
    const found = this.#slots.get(key);
    if (found) return found;
    const slot: Slot<Value> = {
      wanted: undefined,
      written: undefined,
      nextMs: 0,
      attempt: 0,
      isUnderWay: false,
    };
    this.#slots.set(key, slot);
    return slot;
  }

  #await(key: string, value: Value): void {
    const isUrgent = this.#options.isUrgent?.(value) ?? false;
    (isUrgent ? this.#urgent : this.#waiting).add(key);
    (isUrgent ? this.#waiting : this.#urgent).delete(key);
  }

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const now = performance.now();
    this.#refill(now);
    let nextMs = Number.POSITIVE_INFINITY;
    for (const key of this.#inTurn()) {
      if (this.#underWay.size >= this.#options.limit) return;
      if (this.#credit < 1) {
        nextMs = now + this.#untilCreditMs();
        break;
      }
      const slot = this.#slots.get(key);
      if (!slot || slot.isUnderWay) continue;
      if (slot.nextMs > now) nextMs = Math.min(nextMs, slot.nextMs);
      else this.#begin(key, slot);
    }
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#pump(), nextMs - now);
  }

  *#inTurn(): Generator<string, void, undefined> {
    yield* this.#urgent;
    yield* this.#waiting;
  }

  #refill(now: number): void {
    const { pace } = this.#options;
    if (!pace) return;
    const earned = ((now - this.#creditAtMs) / 1000) * pace.perSecond;
    this.#credit = Math.min(pace.burst, this.#credit + earned);
    this.#creditAtMs = now;
  }

  #untilCreditMs(): number {
    const { pace } = this.#options;
    return pace ? ((1 - this.#credit) / pace.perSecond) * 1000 : 0;
  }

  #begin(key: string, slot: Slot<Value>): void {
    const { wanted } = slot;
    this.#urgent.delete(key);
    this.#waiting.delete(key);
    if (!wanted || (slot.written && this.#options.isSame(slot.written.value, wanted.value))) return;
    this.#credit -= 1;
    slot.isUnderWay = true;
    const writing = this.#write(key, slot, wanted.value);
    this.#underWay.add(writing);
    void writing.then(() => {
      this.#underWay.delete(writing);
      slot.isUnderWay = false;
      this.#pump();
    });
  }

  async #write(key: string, slot: Slot<Value>, value: Value): Promise<void> {
    try {
      await this.#options.write(key, value);
      slot.written = { value };
      slot.attempt = 0;
      slot.nextMs = performance.now() + this.#options.intervalMs;
    } catch (error) {
      if (!this.#options.onFailure(key, error)) return;
      slot.nextMs = performance.now() + backoffDelayMs(RETRY, slot.attempt, Math.random());
      slot.attempt += 1;
      if (this.#slots.get(key) === slot) this.#await(key, slot.wanted?.value ?? value);
    }
  }
}
