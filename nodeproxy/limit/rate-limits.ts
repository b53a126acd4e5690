/**
 * Does a request to a pod exceed one of its rate limits? All that apply are asked before any counts it, so that what
 * one of them refuses is no other's loss.
 *
 * A limit that stays as it is goes on counting when others change. Never asks who may do what.
 */
import type { RateKey, RateLimit } from "../../core/model/rate-limit.ts";
import type { HttpFacts } from "../authz/attempt.ts";
import { claimTexts } from "../authz/token-facts.ts";
import { KeyedMeters } from "./keyed-meters.ts";

export interface LimitedRequest {
  /** The workload's. */
  readonly port: number;
  /** `spiffe://…` as proven, "" for plaintext. */
  readonly caller: string;
  readonly http: HttpFacts;
}

/** A limit that has no room for the request. */
export interface Exceeded {
  readonly limit: RateLimit;
  /** Until it has, if nobody else comes; more than 0. */
  readonly waitMs: number;
}

interface Counted {
  readonly limit: RateLimit;
  /** What its counts are worth for. */
  readonly meaning: string;
  readonly meters: KeyedMeters;
}

const NONE: readonly Exceeded[] = [];

export class RateLimits {
  #limits: readonly RateLimit[] | undefined;
  #counted: readonly Counted[] = [];

  /** Those that have no room; where there are none, the request is counted by all that apply. `limits`: as they are now. */
  exceeded(
    limits: readonly RateLimit[] | undefined,
    request: LimitedRequest,
    atMs: number,
  ): readonly Exceeded[] {
    if (limits !== this.#limits) this.#follow(limits);
    if (this.#counted.length === 0) return NONE;
    const nowMs = Math.floor(atMs);
    const applying = this.#counted
      .filter(({ limit }) => applies(limit, request))
      .map(({ limit, meters }) => ({ limit, meter: meters.of(keyOf(limit.by, request)) }));
    const exceeded = applying
      .map(({ limit, meter }) => ({ limit, waitMs: meter.waitMs(nowMs) }))
      .filter(({ waitMs }) => waitMs > 0);
    if (exceeded.length === 0) for (const { meter } of applying) meter.take(nowMs);
    return exceeded;
  }

  #follow(limits: readonly RateLimit[] | undefined): void {
    const before = new Map(this.#counted.map((each) => [each.meaning, each.meters]));
    this.#counted = (limits ?? []).map((limit) => {
      const { policy, name, by, quota } = limit;
      const meaning = JSON.stringify([policy, name, by, quota]);
      return { limit, meaning, meters: before.get(meaning) ?? new KeyedMeters(quota) };
    });
    this.#limits = limits;
  }
}

function applies({ ports, pathPrefix, methods }: RateLimit, { port, http }: LimitedRequest) {
  const { method, path } = http;
  if (!ports.includes(port)) return false;
  if (methods.length > 0 && !methods.includes(method)) return false;
  if (pathPrefix === "") return true;
  return path === pathPrefix || path.startsWith(`${pathPrefix}/`);
}

function keyOf(by: RateKey, { caller, http }: LimitedRequest): string {
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
