/**
 * Active health: asks now and then every endpoint of the Services that want it and that pods of this node call, by a
 * connection, a request of HTTP or gRPC's health protocol, and leaves those out that fail.
 *
 * A check takes the way of a connection, from a pod that called, through the tunnel to the application:
 * a plain connection from the node would only reach the proxy in front of it. A refusal by policy is no
 * failure. Bounded: so many at once, and none for a Service that nobody has called for a while.
 */
import type { GrpcCheck, HttpCheck } from "../../core/model/http-settings.ts";
import type { TcpCheckSettings, TrafficSettings } from "../../core/model/traffic-settings.ts";
import type { Balancer } from "../balance/balancer.ts";
import type { Member, MemberHealth } from "../balance/member.ts";

/** Without a kind: whether it takes a connection. */
export type EndpointCheck = HttpCheck | GrpcCheck | (TcpCheckSettings & { readonly kind?: never });

/** Of requests where one is wanted: a server that answers takes connections too. */
export function checkOf({ tcpCheck, http }: TrafficSettings): EndpointCheck | undefined {
  return http.check ?? tcpCheck;
}

/** Reaches an endpoint as a connection of the pod would. */
export interface Reacher {
  /** The pod is gone, so nothing it says about an endpoint means anything. */
  isGone(): boolean;
  /** False where the endpoint is at fault. */
  reaches(balancer: Balancer, member: Member, check: EndpointCheck): Promise<boolean>;
}

interface Watched {
  reacher: Reacher;
  calledMs: number;
  /** Index of the member that is checked next. */
  next: number;
  readonly timer: NodeJS.Timeout;
  readonly settings: EndpointCheck;
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

export class EndpointChecks {
  readonly #onTurned: OnTurned;
  readonly #watched = new Map<Balancer, Watched>();
  readonly #running = new Set<MemberHealth>();

  constructor(onTurned: OnTurned) {
    this.#onTurned = onTurned;
  }

  /** A pod calls: its Service is checked from now on, if its policy says so. */
  called(balancer: Balancer, reacher: Reacher): void {
    const settings = checkOf(balancer.settings);
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

  #start(balancer: Balancer, settings: EndpointCheck, reacher: Reacher): void {
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
    if (isUnused || watched.reacher.isGone() || checkOf(balancer.settings) !== watched.settings) {
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
    const isGood = await reacher.reaches(balancer, member, settings);
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
