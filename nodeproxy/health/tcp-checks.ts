/**
 * Active health: connects now and then to every endpoint of the Services that ask for it and that pods of
 * this node call, and leaves those out that fail.
 *
 * A check takes the way of a connection, from a pod that called, through the tunnel to the application:
 * a plain connection from the node would only reach the proxy in front of it. A refusal by policy is no
 * failure. Bounded: so many at once, and none for a Service that nobody has called for a while.
 */
import type { TcpCheckSettings } from "../../core/model/traffic-settings.ts";
import type { Balancer } from "../balance/balancer.ts";
import type { Member, MemberHealth } from "../balance/member.ts";

/** Reaches an endpoint as a connection of the pod would. */
export interface Reacher {
  /** The pod is gone, so nothing it says about an endpoint means anything. */
  isGone(): boolean;
  /** False where the endpoint is at fault. */
  reaches(member: Member, timeoutMs: number): Promise<boolean>;
}

interface Watched {
  reacher: Reacher;
  calledMs: number;
  /** Index of the member that is checked next. */
  next: number;
  readonly timer: NodeJS.Timeout;
  readonly settings: TcpCheckSettings;
  readonly streaks: WeakMap<MemberHealth, Streak>;
}

/** Checks in a row with one result. */
interface Streak {
  readonly isGood: boolean;
  readonly length: number;
  /** As these checks found it; those of another worker may differ. */
  readonly isFailing: boolean;
}

const MAX_AT_ONCE = 64;
/** Nobody called for so long: the next call starts the checks again. */
const UNUSED_MS = 300_000;

/** An endpoint `address:port` of a Service has begun to fail its checks, or passes them again. */
export type OnTurned = (service: string, endpoint: string, isFailing: boolean) => void;

export class TcpChecks {
  readonly #onTurned: OnTurned;
  readonly #watched = new Map<Balancer, Watched>();
  readonly #running = new Set<MemberHealth>();

  constructor(onTurned: OnTurned) {
    this.#onTurned = onTurned;
  }

  /** A pod calls: its Service is checked from now on, if its policy says so. */
  called(balancer: Balancer, reacher: Reacher): void {
    const settings = balancer.settings.tcpCheck;
    const known = this.#watched.get(balancer);
    if (known && known.settings === settings) {
      known.reacher = reacher;
      known.calledMs = performance.now();
      return;
    }
    this.#stop(balancer);
    if (settings) this.#start(balancer, settings, reacher);
  }

  close(): void {
    for (const balancer of this.#watched.keys()) this.#stop(balancer);
  }

  #start(balancer: Balancer, settings: TcpCheckSettings, reacher: Reacher): void {
    const timer = setInterval(() => this.#round(balancer), settings.intervalMs).unref();
    const calledMs = performance.now();
    const streaks = new WeakMap<MemberHealth, Streak>();
    this.#watched.set(balancer, { settings, timer, reacher, calledMs, next: 0, streaks });
    this.#round(balancer);
  }

  #stop(balancer: Balancer): void {
    const watched = this.#watched.get(balancer);
    if (!watched) return;
    clearInterval(watched.timer);
    this.#watched.delete(balancer);
    // What was found grows old, and nobody would ever find the endpoint well again.
    for (const member of balancer.members) balancer.checked(member, false);
  }

  #round(balancer: Balancer): void {
    const watched = this.#watched.get(balancer);
    if (!watched) return;
    const isUnused = performance.now() - watched.calledMs > UNUSED_MS;
    if (isUnused || watched.reacher.isGone() || balancer.settings.tcpCheck !== watched.settings) {
      this.#stop(balancer);
      return;
    }
    const { members } = balancer;
    for (let step = 0; step < members.length && this.#running.size < MAX_AT_ONCE; step += 1) {
      // Who gets no turn in this round is among the first of the next.
      const member = members[watched.next % members.length];
      watched.next += 1;
      if (member && !this.#running.has(member.health)) void this.#check(balancer, watched, member);
    }
  }

  async #check(balancer: Balancer, watched: Watched, member: Member): Promise<void> {
    const { health } = member;
    this.#running.add(health);
    const { reacher, settings, streaks } = watched;
    const isGood = await reacher.reaches(member, settings.timeoutMs);
    this.#running.delete(health);
    if (reacher.isGone() || this.#watched.get(balancer) !== watched) return;
    const before = streaks.get(health);
    const length = before?.isGood === isGood ? before.length + 1 : 1;
    const enough = isGood ? settings.healthyThreshold : settings.unhealthyThreshold;
    const isFailing = before?.isFailing ?? false;
    const isTurning = length >= enough && isFailing === isGood;
    streaks.set(health, { isGood, length, isFailing: isTurning ? !isGood : isFailing });
    if (!isTurning) return;
    balancer.checked(member, !isGood);
    this.#onTurned(balancer.service, member.key, !isGood);
  }
}
