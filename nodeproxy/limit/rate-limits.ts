/**
 * Does a request to a pod exceed one of its rate limits? All that are counted here are asked before any counts it, so
 * that what one of them refuses is no other's loss; what those say that are counted elsewhere is asked afterwards.
 *
 * A limit that stays as it is goes on counting when others change. Never asks who may do what.
 */
import type { RateCount, RateLimit } from "../../core/model/rate-limit.ts";
import { isLimited, type LimitedRequest } from "./limit-match.ts";
import type { Meter } from "./meter.ts";
import type { MeterKey, Meters } from "./meters.ts";
import { requestValue } from "./request-value.ts";

/** What a limit that is about the request says of it. */
export interface AppliedLimit {
  readonly name: string;
  /** So many in each window. */
  readonly requests: number;
  readonly windowMs: number;
  /** Until it has room for the request, if nobody else comes; 0: it has. */
  readonly waitMs: number;
  /** For how many more it has room, without this one if that passes. */
  readonly left: number;
  /** Until there is room for more; 0 where all of it is there. */
  readonly moreMs: number;
}

export interface Admission {
  /** One of them has no room, and none has counted it. */
  readonly isRefused: boolean;
  readonly applied: readonly AppliedLimit[];
  /** Of a request that is not refused: what the rate limit service counts. */
  readonly elsewhere: readonly GlobalLimit[];
}

/** A limit that is about the request, and what of the request it counts by. */
export interface GlobalLimit {
  readonly name: string;
  readonly entries: readonly (readonly [key: string, value: string])[];
}

interface Counted {
  readonly limit: RateLimit;
  readonly count: Extract<RateCount, { readonly kind: "local" }>;
  /** What its counts are worth for. */
  readonly meaning: string;
}

const NO_LIMITS: Admission = { isRefused: false, applied: [], elsewhere: [] };
/** In place of what a request does not have: services take an empty value for none at all. */
const ABSENT = "-";

export class RateLimits {
  readonly #meters: Meters;
  #limits: readonly RateLimit[] | undefined;
  #counted: readonly Counted[] = [];
  #global: readonly RateLimit[] = [];

  constructor(meters: Meters) {
    this.#meters = meters;
  }

  /** Where no limit refuses it, the request is counted by all that apply and are counted here. `limits`: as they are now. */
  admit(
    limits: readonly RateLimit[] | undefined,
    request: LimitedRequest,
    atMs: number,
  ): Admission {
    if (limits !== this.#limits) this.#follow(limits);
    const admission = this.#count(request, atMs);
    if (admission.isRefused || this.#global.length === 0) return admission;
    const elsewhere = this.#global.filter((limit) => isLimited(limit, request));
    return { ...admission, elsewhere: elsewhere.map((limit) => globalLimit(limit, request)) };
  }

  #count(request: LimitedRequest, atMs: number): Admission {
    const applying = this.#counted.filter(({ limit }) => isLimited(limit, request));
    if (applying.length === 0) return NO_LIMITS;
    const keys = applying.map((each) => keyOf(each, request));
    return this.#meters.use(keys, atMs, (meters, nowMs) => {
      const isRefused = meters.some((meter) => meter.waitMs(nowMs) > 0);
      if (!isRefused) for (const meter of meters) meter.take(nowMs);
      const applied = applying.flatMap(({ limit: { name }, count: { quota } }, i) => {
        const { requests, windowMs } = quota;
        const meter = meters[i];
        return meter ? [{ name, requests, windowMs, ...saidOf(meter, nowMs, isRefused) }] : [];
      });
      return { isRefused, applied, elsewhere: [] };
    });
  }

  #follow(limits: readonly RateLimit[] | undefined): void {
    this.#counted = (limits ?? []).flatMap((limit) => {
      const { policy, name, count } = limit;
      if (count.kind === "global") return [];
      return [{ limit, count, meaning: JSON.stringify([policy, name, count.by, count.quota]) }];
    });
    this.#global = (limits ?? []).filter(({ count }) => count.kind === "global");
    this.#meters.retain(new Set(this.#counted.map(({ meaning }) => meaning)));
    this.#limits = limits;
  }
}

function keyOf({ count: { by, quota }, meaning }: Counted, request: LimitedRequest): MeterKey {
  return { meaning, text: requestValue(by, request), quota, isClaimed: by.kind === "header" };
}

function globalLimit({ name, count }: RateLimit, request: LimitedRequest): GlobalLimit {
  const entries = count.kind === "global" ? count.entries : [];
  return {
    name,
    entries: entries.map(({ key, value }) => [key, requestValue(value, request) || ABSENT]),
  };
}

function saidOf(
  meter: Meter,
  nowMs: number,
  isRefused: boolean,
): Pick<AppliedLimit, "waitMs" | "left" | "moreMs"> {
  const waitMs = isRefused ? meter.waitMs(nowMs) : 0;
  return { waitMs, left: meter.left(nowMs), moreMs: meter.moreMs(nowMs) };
}
