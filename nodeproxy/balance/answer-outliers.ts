/**
 * Which endpoint answers worse than it may? Envoy's outlier detection by answers: errors in a row at once; each interval
 * those whose share of good answers lies far below the others', and those with too large a share of bad ones.
 *
 * Says whom to eject, and why; whether they may be is not asked here. Pure; the time is handed in.
 */
import type { AnswerOutliers } from "../../core/model/http-settings.ts";
import type { Member, MemberHealth } from "./member.ts";

export type EjectReason =
  | "unreachable"
  | "consecutive_5xx"
  | "consecutive_gateway_errors"
  | "success_rate"
  | "failure_percentage";

/** Of sums: endpoints that are alike must not differ by it. */
const ROUNDING = 1e-9;

interface Counted {
  readonly answers: number;
  readonly failedAnswers: number;
}

/** What one member did within an interval. */
interface Record {
  readonly member: Member;
  readonly volume: number;
  /** In percent. */
  readonly successRate: number;
}

export interface Suspect {
  readonly member: Member;
  readonly reason: EjectReason;
}

export class AnswerJudge {
  readonly #settings: AnswerOutliers;
  readonly #members: readonly Member[];
  /** At the beginning of this interval. */
  #before: ReadonlyMap<MemberHealth, Counted>;
  #intervalEndMs: number;

  /** `last`: of the list before, whose interval goes on. */
  constructor(members: readonly Member[], settings: AnswerOutliers, last?: AnswerJudge) {
    this.#members = members;
    this.#settings = settings;
    this.#before = countedOf(members, last && last.#before);
    this.#intervalEndMs = last ? last.#intervalEndMs : Number.NEGATIVE_INFINITY;
  }

  /** To be called for each answer, of HTTP's status. Why its endpoint is to be ejected, if it is. */
  answered({ health }: Member, status: number): EjectReason | undefined {
    const isFailed = status >= 500;
    const isGatewayError = status === 502 || status === 503 || status === 504;
    health.countAnswer(isFailed);
    if (!isFailed) {
      if (health.serverErrors > 0) health.serverErrors = 0;
      if (health.gatewayErrors > 0) health.gatewayErrors = 0;
      return undefined;
    }
    health.serverErrors += 1;
    health.gatewayErrors = isGatewayError ? health.gatewayErrors + 1 : 0;
    const { consecutive5xx, consecutiveGatewayErrors } = this.#settings;
    if (isReached(health.gatewayErrors, consecutiveGatewayErrors)) {
      return "consecutive_gateway_errors";
    }
    return isReached(health.serverErrors, consecutive5xx) ? "consecutive_5xx" : undefined;
  }

  /** True once for each interval that is over. */
  isDue(nowMs: number): boolean {
    if (nowMs < this.#intervalEndMs) return false;
    const isFirst = this.#intervalEndMs === Number.NEGATIVE_INFINITY;
    this.#intervalEndMs = nowMs + this.#settings.intervalMs;
    return !isFirst;
  }

  /** At the end of an interval; another begins. */
  sweep(): readonly Suspect[] {
    const records = this.#members
      .filter(({ health }) => health.ejectedUntilMs === 0)
      .map((member) => this.#recordOf(member));
    this.#before = countedOf(this.#members);
    const [byRate, byShare] = [this.#belowOthers(records), this.#tooOften(records)];
    return [
      ...byRate.map(({ member }) => ({ member, reason: "success_rate" as const })),
      ...byShare
        .filter((record) => !byRate.includes(record))
        .map(({ member }) => ({ member, reason: "failure_percentage" as const })),
    ];
  }

  /** "mean - (stdev * success_rate_stdev_factor)" */
  #belowOthers(records: readonly Record[]): readonly Record[] {
    const { successRate } = this.#settings;
    if (!successRate) return [];
    const { minimumHosts, requestVolume, stdevFactor } = successRate;
    const busy = records.filter(({ volume }) => volume >= requestVolume && volume > 0);
    if (busy.length < Math.max(1, minimumHosts)) return [];
    const mean = meanOf(busy.map((record) => record.successRate));
    const variance = meanOf(busy.map((record) => (record.successRate - mean) ** 2));
    const least = mean - (Math.sqrt(variance) * stdevFactor) / 1_000;
    return busy.filter((record) => record.successRate < least - ROUNDING);
  }

  #tooOften(records: readonly Record[]): readonly Record[] {
    const { failurePercentage } = this.#settings;
    if (!failurePercentage) return [];
    const { minimumHosts, requestVolume, threshold } = failurePercentage;
    const busy = records.filter(({ volume }) => volume >= requestVolume && volume > 0);
    if (busy.length < Math.max(1, minimumHosts)) return [];
    return busy.filter(({ successRate }) => 100 - successRate >= threshold);
  }

  #recordOf(member: Member): Record {
    const { answers, failedAnswers } = member.health;
    const before = this.#before.get(member.health) ?? member.health;
    // What a worker counted that has ended meanwhile is gone from the sums.
    const volume = Math.max(0, answers - before.answers);
    const failed = Math.min(volume, Math.max(0, failedAnswers - before.failedAnswers));
    return { member, volume, successRate: volume === 0 ? 100 : 100 - (100 * failed) / volume };
  }
}

/** As they are now, where nothing is known of their beginning. */
function countedOf(
  members: readonly Member[],
  known?: ReadonlyMap<MemberHealth, Counted>,
): ReadonlyMap<MemberHealth, Counted> {
  return new Map(
    members.map(({ health }) => {
      const { answers, failedAnswers } = health;
      return [health, known?.get(health) ?? { answers, failedAnswers }];
    }),
  );
}

function isReached(count: number, limit: number): boolean {
  return limit > 0 && count >= limit;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
