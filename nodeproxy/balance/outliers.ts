/**
 * Passive health: an endpoint that several connections in a row could not reach is left out for a while,
 * longer each time (Envoy's outlier detection, for failures to connect).
 *
 * The only endpoint of a Service is never ejected, and below `minHealthPercent` healthy ones health is not
 * looked at any more: then the fault is hardly theirs, and leaving them out would only burden the rest.
 */
import type { OutlierSettings } from "../../core/model/traffic-settings.ts";
import type { Healths, Member, MemberHealth } from "./member.ts";

/** Envoy's max_ejection_time: "default 300 s". */
const MAX_EJECTION_MS = 300_000;

export class Outliers {
  readonly #settings: OutlierSettings | undefined;
  readonly #members: readonly Member[];
  readonly #healths: Healths;
  #seenVersion: number;
  #ejected: MemberHealth[];
  #nextReturnMs = Infinity;
  #isPanicking = false;

  /** Ejections of the list before go on for members that are still there. */
  constructor(members: readonly Member[], settings: OutlierSettings | undefined, healths: Healths) {
    this.#members = members;
    this.#healths = healths;
    this.#seenVersion = healths.version;
    this.#settings = settings;
    this.#ejected = this.#findEjected();
    if (!settings) for (const health of this.#ejected.splice(0)) health.ejectedUntilMs = 0;
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
    if (health.ejectedUntilMs === 0) health.ejections = 0;
  }

  /** True where this failure ejects it. */
  failed({ health }: Member, nowMs: number): boolean {
    health.failures += 1;
    const settings = this.#settings;
    const isKnown = this.#members.some((member) => member.health === health);
    if (!settings || !isKnown || health.failures < settings.consecutiveFailures) return false;
    return this.#healths.exclusively(() => {
      this.#catchUp();
      if (health.ejectedUntilMs > 0 || !this.#mayEject(settings)) return false;
      this.#eject(health, settings, nowMs);
      return true;
    });
  }

  #eject(health: MemberHealth, { baseEjectionMs }: OutlierSettings, nowMs: number): void {
    health.ejections += 1;
    const longest = Math.max(MAX_EJECTION_MS, baseEjectionMs);
    health.ejectedUntilMs = nowMs + Math.min(baseEjectionMs * health.ejections, longest);
    this.#ejected.push(health);
    this.#healths.changed();
    this.#settle();
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
    const healthy = this.#members.filter(({ health }) => {
      return health.ejectedUntilMs === 0 && !health.isFailing;
    }).length;
    const least = ((this.#settings?.minHealthPercent ?? 0) * this.#members.length) / 100;
    this.#isPanicking = healthy < least;
  }
}
