/**
 * Passive health: an endpoint that several connections in a row could not reach, or that answers requests badly, is
 * left out for a while, longer each time (Envoy's outlier detection).
 *
 * The only endpoint of a Service is never ejected, and below `minHealthPercent` healthy ones health is not
 * looked at any more: then the fault is hardly theirs, and leaving them out would only burden the rest.
 */
import type { AnswerOutliers } from "../../core/model/http-settings.ts";
import type { OutlierSettings } from "../../core/model/traffic-settings.ts";
import { AnswerJudge, type EjectReason } from "./answer-outliers.ts";
import type { Healths, Member, MemberHealth } from "./member.ts";
import type { Tiers } from "./tiers.ts";

/** Envoy's max_ejection_time: "default 300 s". */
const MAX_EJECTION_MS = 300_000;

export interface OutlierRules {
  readonly outliers: OutlierSettings | undefined;
  readonly answers: AnswerOutliers | undefined;
}

export interface OutlierPlace {
  readonly healths: Healths;
  /** Those of the members, to be told of their health. */
  readonly tiers?: Tiers;
  /** Of the list before. */
  readonly last?: Outliers;
}

export interface Ejection {
  readonly member: Member;
  readonly reason: EjectReason;
}

const NOBODY: readonly Ejection[] = [];

export class Outliers {
  readonly #settings: OutlierSettings | undefined;
  readonly #judge: AnswerJudge | undefined;
  readonly #members: readonly Member[];
  readonly #tiers: Tiers | undefined;
  readonly #healths: Healths;
  #seenVersion: number;
  #ejected: MemberHealth[];
  #nextReturnMs = Infinity;
  #isPanicking = false;

  /** Ejections of the list before go on for members that are still there. */
  constructor(
    members: readonly Member[],
    { outliers, answers }: OutlierRules,
    { healths, tiers, last }: OutlierPlace,
  ) {
    this.#tiers = tiers;
    this.#members = members;
    this.#healths = healths;
    this.#seenVersion = healths.version;
    this.#settings = outliers;
    const judges = outliers && answers;
    this.#judge = judges && new AnswerJudge(this.#members, judges, last && last.#judge);
    this.#ejected = this.#findEjected();
    if (!outliers) for (const health of this.#ejected.splice(0)) health.ejectedUntilMs = 0;
    this.#settle();
  }

  /** To be called before a pick: who has served its time comes back. */
  advance(nowMs: number): void {
    this.#catchUp();
    if (nowMs < this.#nextReturnMs) return;
    for (const health of this.#ejected) {
      if (health.ejectedUntilMs > nowMs) continue;
      health.ejectedUntilMs = 0;
      health.failures = 0;
      health.serverErrors = 0;
      health.gatewayErrors = 0;
      this.#healths.changed();
    }
    this.#ejected = this.#ejected.filter(({ ejectedUntilMs }) => ejectedUntilMs > 0);
    this.#settle();
  }

  /** To be called when active checks have changed their mind about a member. */
  refresh(): void {
    this.#settle();
  }

  accepts({ health }: Member): boolean {
    return this.#isPanicking || (health.ejectedUntilMs === 0 && !health.isFailing);
  }

  succeeded({ health }: Member): void {
    health.failures = 0;
    // Whose answers are judged connects well, mostly.
    if (!this.#judge && health.ejectedUntilMs === 0) health.ejections = 0;
  }

  /** True where this failure to connect ejects it. */
  failed(member: Member, nowMs: number): boolean {
    const { health } = member;
    health.failures += 1;
    const settings = this.#settings;
    if (!settings || health.failures < settings.consecutiveFailures) return false;
    return this.#eject(member, settings, nowMs);
  }

  /** Whom this answer ejects: its endpoint, or others, as an interval is over. */
  answered(member: Member, status: number, nowMs: number): readonly Ejection[] {
    const settings = this.#settings;
    const judge = this.#judge;
    if (!settings || !judge) return NOBODY;
    const reason = judge.answered(member, status);
    const isDue = judge.isDue(nowMs);
    if (reason === undefined && !isDue) return NOBODY;
    const own = reason === undefined ? [] : [{ member, reason }];
    const suspects = isDue ? [...own, ...judge.sweep()] : own;
    if (isDue) this.#forgive();
    return suspects.filter((suspect) => this.#eject(suspect.member, settings, nowMs));
  }

  #eject({ health }: Member, settings: OutlierSettings, nowMs: number): boolean {
    const isKnown = this.#members.some((member) => member.health === health);
    if (!isKnown) return false;
    return this.#healths.exclusively(() => {
      this.#catchUp();
      if (health.ejectedUntilMs > 0 || !this.#mayEject(settings)) return false;
      health.ejections += 1;
      const { baseEjectionMs } = settings;
      const longest = Math.max(MAX_EJECTION_MS, baseEjectionMs);
      health.ejectedUntilMs = nowMs + Math.min(baseEjectionMs * health.ejections, longest);
      this.#ejected.push(health);
      this.#healths.changed();
      this.#settle();
      return true;
    });
  }

  /** Envoy: each interval outside makes the next ejection one step shorter. */
  #forgive(): void {
    for (const { health } of this.#members) {
      if (health.ejections > 0 && health.ejectedUntilMs === 0) health.ejections -= 1;
    }
  }

  /** With what others have found out. */
  #catchUp(): void {
    const { version } = this.#healths;
    if (version === this.#seenVersion) return;
    this.#seenVersion = version;
    this.#ejected = this.#findEjected();
    this.#settle();
  }

  #findEjected(): MemberHealth[] {
    return this.#members.map(({ health }) => health).filter((one) => one.ejectedUntilMs > 0);
  }

  // Envoy: one may always be ejected, whatever the percentage; here never the last.
  #mayEject({ maxEjectionPercent }: OutlierSettings): boolean {
    const share = Math.floor((this.#members.length * maxEjectionPercent) / 100);
    const allowed = maxEjectionPercent === 0 ? 0 : Math.max(1, share);
    return this.#ejected.length < Math.min(allowed, this.#members.length - 1);
  }

  #settle(): void {
    this.#nextReturnMs = Infinity;
    for (const { ejectedUntilMs } of this.#ejected) {
      this.#nextReturnMs = Math.min(this.#nextReturnMs, ejectedUntilMs);
    }
    this.#tiers?.weigh(isHealthy);
    const healthy = this.#members.filter(isHealthy).length;
    const least = ((this.#settings?.minHealthPercent ?? 0) * this.#members.length) / 100;
    this.#isPanicking = healthy < least && this.#tiers?.isEnough !== true;
  }
}

function isHealthy({ health }: Member): boolean {
  return health.ejectedUntilMs === 0 && !health.isFailing;
}
