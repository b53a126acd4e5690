/**
 * Does a request to a pod exceed one of its rate limits? All that apply are asked before any counts it, so that what
 * one of them refuses is no other's loss.
 *
 * A limit that stays as it is goes on counting when others change. Never asks who may do what.
 */
import type { RateKey, RateLimit } from "../../core/model/rate-limit.ts";
import { claimTexts } from "../authz/token-facts.ts";
import { isLimited, type LimitedRequest } from "./limit-match.ts";
import type { Meter } from "./meter.ts";
import type { MeterKey, Meters } from "./meters.ts";

/** What a limit that is about the request says of it. */
export interface AppliedLimit {
  readonly limit: RateLimit;
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
}

interface Counted {
  readonly limit: RateLimit;
  /** What its counts are worth for. */
  readonly meaning: string;
}

/** In characters. Callers write headers: what is longer is counted by its beginning. */
const MAX_KEY = 256;
const NO_LIMITS: Admission = { isRefused: false, applied: [] };

export class RateLimits {
  readonly #meters: Meters;
  #limits: readonly RateLimit[] | undefined;
  #counted: readonly Counted[] = [];

  constructor(meters: Meters) {
    this.#meters = meters;
  }

  /** Where no limit refuses it, the request is counted by all that apply. `limits`: as they are now. */
  admit(
    limits: readonly RateLimit[] | undefined,
    request: LimitedRequest,
    atMs: number,
  ): Admission {
    if (limits !== this.#limits) this.#follow(limits);
    const applying = this.#counted.filter(({ limit }) => isLimited(limit, request));
    if (applying.length === 0) return NO_LIMITS;
    const keys = applying.map((each) => keyOf(each, request));
    return this.#meters.use(keys, atMs, (meters, nowMs) => {
      const isRefused = meters.some((meter) => meter.waitMs(nowMs) > 0);
      if (!isRefused) for (const meter of meters) meter.take(nowMs);
      const applied = applying.flatMap(({ limit }, i) => {
        const meter = meters[i];
        return meter ? [{ limit, ...saidOf(meter, nowMs, isRefused) }] : [];
      });
      return { isRefused, applied };
    });
  }

  #follow(limits: readonly RateLimit[] | undefined): void {
    this.#counted = (limits ?? []).map((limit) => {
      const { policy, name, by, quota } = limit;
      return { limit, meaning: JSON.stringify([policy, name, by, quota]) };
    });
    this.#meters.retain(new Set(this.#counted.map(({ meaning }) => meaning)));
    this.#limits = limits;
  }
}

function keyOf({ limit: { by, quota }, meaning }: Counted, request: LimitedRequest): MeterKey {
  const text = textOf(by, request).slice(0, MAX_KEY);
  return { meaning, text, quota, isClaimed: by.kind === "header" };
}

function textOf(by: RateKey, { caller, http }: LimitedRequest): string {
  switch (by.kind) {
    case "everybody":
      return "";
    case "identity":
      return caller;
    case "header":
      return (http.headers.get(by.name) ?? []).join(", ");
    case "claim":
      return claimTexts(http.claims, by.path).join(" ");
  }
}

function saidOf(meter: Meter, nowMs: number, isRefused: boolean): Omit<AppliedLimit, "limit"> {
  const waitMs = isRefused ? meter.waitMs(nowMs) : 0;
  return { waitMs, left: meter.left(nowMs), moreMs: meter.moreMs(nowMs) };
}
