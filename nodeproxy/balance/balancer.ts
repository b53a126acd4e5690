/**
 * Chooses among the endpoints of one port of one Service, connection by connection.
 * Tables are built when the Service, its slices or weights change, which is seen by identity; a choice then
 * allocates nothing. What is remembered of an endpoint outlives these changes.
 */
import type { BalanceAlgorithm, EndpointSlice, Service } from "../../core/model/service.ts";
import {
  DEFAULT_TRAFFIC_SETTINGS,
  type TcpCheckSettings,
  type Traffic,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import type { Choice, NoChoice } from "./choice.ts";
import type { Affinity } from "./client-affinity.ts";
import { hash32 } from "./hash.ts";
import { HashRing } from "./hash-ring.ts";
import { LeastConnections } from "./least-connections.ts";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import { Maglev } from "./maglev.ts";
import { type Healths, LocalHealths, type Member } from "./member.ts";
import { Outliers } from "./outliers.ts";
import type { Ask, Picker } from "./picker.ts";
import { RandomChoice } from "./random-choice.ts";
import { RoundRobin } from "./round-robin.ts";
import { type Place, type UsableEndpoint, usableEndpoints } from "./usable-endpoints.ts";
import { WeightedRoundRobin } from "./weighted-round-robin.ts";

/** All that a balancer is built from. Values are replaced whole, so another identity is another content. */
export interface Membership extends Place {
  readonly service: Service;
  readonly traffic: Traffic | undefined;
  readonly slices: readonly EndpointSlice[];
  /** Changes whenever a weight does. */
  readonly weightsVersion: number;
  readonly weightOf: (workload: string) => number;
}

export interface Caller {
  /** Address of the calling pod. */
  readonly address: string;
  /** Keys of the endpoints that this connection could not reach. */
  readonly tried: readonly string[];
  /** Of a clock that never goes back. */
  readonly nowMs: number;
}

/** What outlives changes of membership. */
type MemberMemory = Pick<Member, "lastPick" | "deadline" | "sinceMs" | "health">;

const HASHING: ReadonlySet<BalanceAlgorithm> = new Set(["ring_hash", "maglev"]);
const NOBODY: Caller = { address: "", tried: [], nowMs: 0 };

export class Balancer implements Ask {
  readonly #portName: string;
  readonly #random: () => number;
  readonly #healths: Healths;
  #affinity: Affinity | undefined;
  #membership: Membership | undefined;
  #settings: TrafficSettings = DEFAULT_TRAFFIC_SETTINGS;
  #algorithm: BalanceAlgorithm = "round_robin";
  #members: readonly Member[] = [];
  #byKey: ReadonlyMap<string, number> = new Map();
  /** Where callers are bound to endpoints. */
  #byHash: ReadonlyMap<number, number> = new Map();
  #outliers: Outliers;
  #picker: Picker = new RandomChoice(0);
  // Of the choice that is being made.
  #caller: Caller = NOBODY;
  #isFullMet = false;
  #asksWarmth = false;
  #callerHash = 0;

  constructor(portName: string, random: () => number, healths: Healths = new LocalHealths()) {
    this.#portName = portName;
    this.#random = random;
    this.#healths = healths;
    this.#outliers = new Outliers([], undefined, healths);
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** `namespace/name`. */
  get service(): string {
    const { namespace = "", name = "" } = this.#membership?.service ?? {};
    return `${namespace}/${name}`;
  }

  /** `undefined`: its endpoints are not checked. */
  get tcpCheck(): TcpCheckSettings | undefined {
    return this.#settings.tcpCheck;
  }

  get callerHash(): number {
    return this.#callerHash;
  }

  /** Builds its tables again where anything has changed. */
  refresh(membership: Membership, nowMs: number): void {
    if (this.#membership && isSame(this.#membership, membership)) return;
    const { service, slices, traffic } = membership;
    const usable = usableEndpoints(slices, this.#portName, {
      node: membership.node,
      zone: membership.zone,
      localOnly: service.localOnly,
      distribution: service.distribution,
    });
    const before = this.#members;
    this.#membership = membership;
    this.#settings = traffic?.settings ?? DEFAULT_TRAFFIC_SETTINGS;
    this.#algorithm = traffic?.algorithm ?? service.algorithm;
    this.#members = this.#remembered(usable, nowMs);
    this.#byKey = new Map(this.#members.map(({ key }, index) => [key, index]));
    this.#byHash = new Map(service.affinitySeconds > 0 ? this.#hashes() : []);
    this.#outliers = new Outliers(this.#members, this.#settings.outliers, this.#healths);
    this.#picker = this.#createPicker(before);
  }

  choose(caller: Caller): Choice {
    if (this.#members.length === 0) return { kind: "none", reason: "no_ready_endpoint" };
    this.#caller = caller;
    this.#isFullMet = false;
    this.#outliers.advance(caller.nowMs);
    const member = this.#bound() ?? this.#picked();
    this.#caller = NOBODY;
    if (member) return { kind: "member", member };
    return { kind: "none", reason: this.#whyNone(caller) };
  }

  #whyNone({ tried }: Caller): NoChoice {
    if (this.#isFullMet) return "endpoint_connections_exhausted";
    return tried.length >= this.#members.length ? "no_ready_endpoint" : "no_healthy_endpoint";
  }

  /** For pickers. */
  accepts(index: number): boolean {
    const member = this.#members[index];
    if (!member || !this.#isOpenTo(member)) return false;
    return !this.#asksWarmth || this.#isWarm(member);
  }

  /** For pickers. */
  random(): number {
    return this.#random();
  }

  /** For pickers. */
  openAt(index: number): number {
    return this.#members[index]?.health.open ?? 0;
  }

  succeeded(member: Member): void {
    this.#outliers.succeeded(member);
  }

  /** True where this ejects the endpoint. */
  failed(member: Member, nowMs: number): boolean {
    return this.#outliers.failed(member, nowMs);
  }

  /** At most so many connections to one endpoint; 0: no limit. */
  get maxPerEndpoint(): number {
    return this.#settings.limits.maxConnectionsPerEndpoint;
  }

  /** What an active check found. */
  checked(member: Member, isFailing: boolean): void {
    member.health.isFailing = isFailing;
    this.#healths.changed();
    this.#outliers.refresh();
  }

  #picked(): Member | undefined {
    const isHashing = HASHING.has(this.#algorithm);
    this.#callerHash = isHashing ? hash32(this.#caller.address) : 0;
    // Slow start would only move callers of a hash to and fro.
    this.#asksWarmth = this.#settings.warmupMs > 0 && !isHashing;
    let index = this.#picker.pick(this);
    if (index < 0 && this.#asksWarmth) {
      this.#asksWarmth = false;
      index = this.#picker.pick(this);
    }
    const member = this.#members[index];
    const seconds = this.#membership?.service.affinitySeconds ?? 0;
    if (member && seconds > 0) {
      const untilMs = this.#caller.nowMs + seconds * 1000;
      this.#affinity?.bind(this.#caller.address, { endpoint: hash32(member.key), untilMs });
    }
    return member;
  }

  /** Where the caller's last connection went, if it can go there again. */
  #bound(): Member | undefined {
    const seconds = this.#membership?.service.affinitySeconds ?? 0;
    if (seconds === 0) return undefined;
    const { address, nowMs } = this.#caller;
    const hash = this.#affinity?.find(address, nowMs);
    const member = hash === undefined ? undefined : this.#members[this.#byHash.get(hash) ?? -1];
    if (!member || !this.#isOpenTo(member)) return undefined;
    const untilMs = nowMs + seconds * 1000;
    this.#affinity?.bind(address, { endpoint: hash32(member.key), untilMs });
    return member;
  }

  #hashes(): (readonly [number, number])[] {
    this.#affinity ??= this.#healths.affinity(`${this.service} ${this.#portName}`);
    return this.#members.map(({ key }, index) => [hash32(key), index]);
  }

  #isOpenTo(member: Member): boolean {
    const { tried } = this.#caller;
    if (tried.length > 0 && tried.includes(member.key)) return false;
    if (!this.#outliers.accepts(member)) return false;
    const most = this.maxPerEndpoint;
    if (most === 0 || member.health.open < most) return true;
    this.#isFullMet = true;
    return false;
  }

  /** A new endpoint takes a share of its turns that grows to all of them within its warm-up. */
  #isWarm({ sinceMs }: Member): boolean {
    const { warmupMs, warmupMinimumPercent } = this.#settings;
    const ageMs = this.#caller.nowMs - sinceMs;
    if (ageMs >= warmupMs) return true;
    return this.#random() < Math.max(warmupMinimumPercent / 100, ageMs / warmupMs);
  }

  #remembered(usable: readonly UsableEndpoint[], nowMs: number): readonly Member[] {
    const before = new Map(this.#members.map((member) => [member.key, member]));
    const weightOf = this.#membership?.weightOf ?? weightless;
    return usable.map(({ endpoint, port }) => {
      const { address, workload } = endpoint;
      const key = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
      const known = before.get(key);
      // Another pod may have got the address: it has done nothing yet.
      const memory =
        known?.endpoint.workload === workload ? known : this.#fresh(key, workload, nowMs);
      return { ...memory, key, address, port, endpoint, weight: weightOf(workload) };
    });
  }

  #fresh(key: string, workload: string, sinceMs: number): MemberMemory {
    const health = this.#healths.of(`${this.service} ${this.#portName} ${key} ${workload}`);
    return { lastPick: 0, deadline: 0, sinceMs, health };
  }

  #createPicker(before: readonly Member[]): Picker {
    const { length } = this.#members;
    switch (this.#algorithm) {
      case "round_robin":
        return new RoundRobin(length, this.#turn(before));
      case "least_recently_used":
        return new LeastRecentlyUsed(this.#members);
      case "random":
        return new RandomChoice(length);
      case "weighted_round_robin":
        return new WeightedRoundRobin(this.#members);
      case "least_connections":
      case "least_request":
      case "peak_ewma":
        return new LeastConnections(length);
      case "ring_hash":
        return new HashRing(this.#keys());
      case "maglev":
        return new Maglev(this.#keys(), this.#settings.maglevTableSize);
    }
  }

  /** Round robin goes on with whoever was next, or the one after it that is still there; else anywhere. */
  #turn(before: readonly Member[]): number {
    if (this.#picker instanceof RoundRobin) {
      for (let step = 0; step < before.length; step += 1) {
        const next = before[(this.#picker.turn + step) % before.length];
        const index = this.#byKey.get(next?.key ?? "");
        if (index !== undefined) return index;
      }
    }
    // Not always the first: every node starts here, and they would all begin with the same endpoint.
    return Math.floor(this.#random() * this.#members.length);
  }

  #keys(): readonly string[] {
    return this.#members.map(({ key }) => key);
  }
}

function isSame(a: Membership, b: Membership): boolean {
  return (
    a.service === b.service &&
    a.traffic === b.traffic &&
    a.weightsVersion === b.weightsVersion &&
    a.zone === b.zone &&
    (a.slices === b.slices || (a.slices.length === 0 && b.slices.length === 0))
  );
}

function weightless(): number {
  return 1;
}
