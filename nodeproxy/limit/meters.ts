/**
 * Where counts are kept, by limit and key: in this thread, or in memory that several share. Several may be asked
 * at once, so that either all of them count a request or none.
 */
import type { RateQuota } from "../../core/model/rate-limit.ts";
import { KeyedMeters } from "./keyed-meters.ts";
import type { Meter } from "./meter.ts";

export interface MeterKey {
  /** What its counts are worth for: the limit as it is. */
  readonly meaning: string;
  /** Within the limit. */
  readonly text: string;
  readonly quota: RateQuota;
  /** Callers choose it, and may choose as many as they like. */
  readonly isClaimed: boolean;
}

export interface Meters {
  /** Runs `work` with the meters in the order of their keys, which nobody else asks meanwhile; `nowMs` is for them. */
  use<Result>(keys: readonly MeterKey[], atMs: number, work: MeterWork<Result>): Result;
  /** Counts of other limits are needed no more. */
  retain(meanings: ReadonlySet<string>): void;
}

export type MeterWork<Result> = (meters: readonly Meter[], nowMs: number) => Result;

export class LocalMeters implements Meters {
  readonly #limits = new Map<string, KeyedMeters>();

  use<Result>(keys: readonly MeterKey[], atMs: number, work: MeterWork<Result>): Result {
    const meters = keys.map(({ meaning, text, quota }) => {
      const known = this.#limits.get(meaning) ?? new KeyedMeters(quota);
      this.#limits.set(meaning, known);
      return known.of(text);
    });
    return work(meters, Math.floor(atMs));
  }

  retain(meanings: ReadonlySet<string>): void {
    for (const meaning of this.#limits.keys()) {
      if (!meanings.has(meaning)) this.#limits.delete(meaning);
    }
  }
}
