/** The meters of one limit, by key. Bounded: beyond so many keys the one that was asked for longest ago is forgotten, and begins anew. */
import type { RateQuota } from "../../core/model/rate-limit.ts";
import { createMeter, type Meter } from "./meter.ts";

export const MAX_KEYS = 10_000;

export class KeyedMeters {
  readonly #quota: RateQuota;
  /** In the order in which they were asked for, the oldest first. */
  readonly #meters = new Map<string, Meter>();

  constructor(quota: RateQuota) {
    this.#quota = quota;
  }

  of(key: string): Meter {
    const meter = this.#meters.get(key) ?? createMeter(this.#quota);
    this.#meters.delete(key);
    this.#meters.set(key, meter);
    if (this.#meters.size > MAX_KEYS) {
      const [oldest] = this.#meters.keys();
      this.#meters.delete(oldest ?? "");
    }
    return meter;
  }
}
