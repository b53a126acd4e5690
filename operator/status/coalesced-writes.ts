/**
 * Writes the latest value of each key, few at a time, each key at most once in a while.
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
  readonly #waiting = new Set<string>();
  readonly #underWay = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: CoalescedWritesOptions<Value>) {
    this.#options = options;
  }

  put(key: string, value: Value): void {
    if (this.#isClosed) return;
    const slot = this.#slot(key);
    slot.wanted = { value };
    this.#waiting.add(key);
    this.#pump();
  }

  /** Nothing of this key is written any more, and what was is forgotten. */
  forget(key: string): void {
    this.#slots.delete(key);
    this.#waiting.delete(key);
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

  #pump(): void {
    clearTimeout(this.#timer);
    if (this.#isClosed) return;
    const now = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const key of this.#waiting) {
      if (this.#underWay.size >= this.#options.limit) return;
      const slot = this.#slots.get(key);
      if (!slot || slot.isUnderWay) continue;
      if (slot.nextMs > now) nextMs = Math.min(nextMs, slot.nextMs);
      else this.#begin(key, slot);
    }
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#pump(), nextMs - now);
  }

  #begin(key: string, slot: Slot<Value>): void {
    const { wanted } = slot;
    this.#waiting.delete(key);
    if (!wanted || (slot.written && this.#options.isSame(slot.written.value, wanted.value))) return;
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
      if (this.#slots.get(key) === slot) this.#waiting.add(key);
    }
  }
}
