/**
 * Chooses among the endpoints of one port of one Service, connection by connection and request by request.
 *
 * Tables are built when the Service, its slices or weights change, which is seen by identity; a choice then
 * allocates next to nothing. What is remembered of an endpoint outlives these changes.
 */
import type { BalanceAlgorithm, ServicePort } from "../../core/model/service.ts";
import {
  DEFAULT_TRAFFIC_SETTINGS,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import type { Choice, NoChoice } from "./choice.ts";
import type { Affinity } from "./client-affinity.ts";
import { hash32 } from "./hash.ts";
import { Latency } from "./latency.ts";
import { type Healths, LocalHealths, type Member } from "./member.ts";
import { isSame, type Membership } from "./membership.ts";
import { type Ejection, Outliers } from "./outliers.ts";
import { type Asker, Tier } from "./tier.ts";
import { Tiers } from "./tiers.ts";
import { type UsableEndpoint, usableEndpoints } from "./usable-endpoints.ts";

export interface Caller {
  /** Address of the calling pod. */
  readonly address: string;
  /** Keys of the endpoints that this connection could not reach. */
  readonly tried: readonly string[];
  /** Of a clock that never goes back. */
  readonly nowMs: number;
  /** Absent: it is a connection. */
  readonly request?: CallingRequest | undefined;
}

/** One request among those of a connection. */
export interface CallingRequest {
  /** What it is bound by where the algorithm hashes; "": the caller's address. */
  readonly hashed: string;
  /** Key of the endpoint that its session began with; "": none. */
  readonly bound: string;
}

/** What outlives changes of membership. */
type MemberMemory = Pick<Member, "lastPick" | "deadline" | "sinceMs" | "health" | "latency">;

const HASHING: ReadonlySet<BalanceAlgorithm> = new Set(["ring_hash", "maglev"]);
const NOBODY: Caller = { address: "", tried: [], nowMs: 0 };

export class Balancer {
  readonly #portName: string;
  readonly #random: () => number;
  readonly #healths: Healths;
  readonly #asker: Asker;
  #affinity: Affinity | undefined;
  #membership: Membership | undefined;
  #settings: TrafficSettings = DEFAULT_TRAFFIC_SETTINGS;
  #algorithm: BalanceAlgorithm = "round_robin";
  #members: readonly Member[] = [];
  #byKey: ReadonlyMap<string, Member> = new Map();
  /** Where callers are bound to endpoints. */
  #byHash: ReadonlyMap<number, Member> = new Map();
  #tiers = new Tiers([]);
  #outliers: Outliers;
  // Of the choice that is being made.
  #caller: Caller = NOBODY;
  #isFullMet = false;
  #asksWarmth = false;
  #callerHash = 0;

  constructor(portName: string, random: () => number, healths: Healths = new LocalHealths()) {
    this.#portName = portName;
    this.#random = random;
    this.#healths = healths;
    this.#asker = {
      accepts: (member) => this.#isOpenTo(member) && (!this.#asksWarmth || this.#isWarm(member)),
      random,
      loadOf: (member) => this.#loadOf(member),
      callerHash: () => this.#callerHash,
    };
    this.#outliers = new Outliers([], { outliers: undefined, answers: undefined }, { healths });
  }

  get members(): readonly Member[] {
    return this.#members;
  }

  /** By `address:port`. */
  member(key: string): Member | undefined {
    return this.#byKey.get(key);
  }

  /** `namespace/name`. */
  get service(): string {
    const { namespace = "", name = "" } = this.#membership?.service ?? {};
    return `${namespace}/${name}`;
  }

  /** Of the Service. */
  get port(): ServicePort | undefined {
    return this.#membership?.service.ports.find(({ name }) => name === this.#portName);
  }

  get settings(): TrafficSettings {
    return this.#settings;
  }

  /** Requests are bound to endpoints by what they say. */
  get isHashing(): boolean {
    return HASHING.has(this.#algorithm);
  }

  /** Builds its tables again where anything has changed. */
  refresh(membership: Membership, nowMs: number): void {
    if (this.#membership && isSame(this.#membership, membership)) return;
    const { service, slices, traffic, node, zone } = membership;
    const isFirst = this.#membership === undefined;
    this.#membership = membership;
    this.#settings = traffic?.settings ?? DEFAULT_TRAFFIC_SETTINGS;
    this.#algorithm = traffic?.algorithm ?? service.algorithm;
    const { localOnly, distribution } = service;
    const { failover, outliers: answers } = this.#settings.http;
    const usable = usableEndpoints(slices, this.#portName, {
      node,
      zone,
      localOnly,
      distribution,
      failover,
    });
    const sinceMs = isFirst ? Number.NEGATIVE_INFINITY : nowMs;
    const before = this.#tiers.tiers;
    const tiers = usable.map((tier, at) => this.#tier(tier, sinceMs, before[at]));
    this.#tiers = new Tiers(tiers);
    this.#members = tiers.flatMap(({ members }) => members);
    this.#byKey = new Map(this.#members.map((member) => [member.key, member]));
    this.#byHash = new Map(service.affinitySeconds > 0 ? this.#hashes() : []);
    const { outliers } = this.#settings;
    this.#outliers = new Outliers(
      this.#members,
      { outliers, answers },
      { healths: this.#healths, tiers: this.#tiers, last: this.#outliers },
    );
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

  succeeded(member: Member): void {
    this.#outliers.succeeded(member);
  }

  /** True where this ejects the endpoint. */
  failed(member: Member, nowMs: number): boolean {
    return this.#outliers.failed(member, nowMs);
  }

  /** An answer of that status, of HTTP, came from it. Whom this ejects. */
  answered(member: Member, status: number, nowMs: number): readonly Ejection[] {
    return this.#outliers.answered(member, status, nowMs);
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
    const { isHashing } = this;
    const { address, request, nowMs } = this.#caller;
    this.#callerHash = isHashing ? hash32(request?.hashed || address) : 0;
    // Slow start would only move callers of a hash to and fro.
    const isWarming = this.#settings.warmupMs > 0 && !isHashing;
    const member = this.#tiers.pick({
      random: this.#random,
      hash: isHashing ? this.#callerHash : undefined,
      pickIn: (tier) => {
        this.#asksWarmth = isWarming;
        const warm = tier.pick();
        if (warm || !isWarming) return warm;
        this.#asksWarmth = false;
        return tier.pick();
      },
    });
    const seconds = this.#membership?.service.affinitySeconds ?? 0;
    if (member && seconds > 0) {
      const untilMs = nowMs + seconds * 1000;
      this.#affinity?.bind(address, { endpoint: hash32(member.key), untilMs });
    }
    return member;
  }

  /** Where the request's session or the caller's last connection went, if it can go there again. */
  #bound(): Member | undefined {
    const { request } = this.#caller;
    const ofSession = request && request.bound !== "" ? this.#byKey.get(request.bound) : undefined;
    if (ofSession && this.#isOpenTo(ofSession)) return ofSession;
    const seconds = this.#membership?.service.affinitySeconds ?? 0;
    return seconds === 0 ? undefined : this.#boundByAddress(seconds * 1000);
  }

  #boundByAddress(forMs: number): Member | undefined {
    const { address, nowMs } = this.#caller;
    const hash = this.#affinity?.find(address, nowMs);
    const member = hash === undefined ? undefined : this.#byHash.get(hash);
    if (!member || !this.#isOpenTo(member)) return undefined;
    this.#affinity?.bind(address, { endpoint: hash32(member.key), untilMs: nowMs + forMs });
    return member;
  }

  #hashes(): (readonly [number, Member])[] {
    this.#affinity ??= this.#healths.affinity(`${this.service} ${this.#portName}`);
    return this.#members.map((member) => [hash32(member.key), member]);
  }

  #loadOf({ health, latency }: Member): number {
    const { request, nowMs } = this.#caller;
    if (!request || this.#algorithm === "least_connections") return health.open;
    const { active } = health;
    return this.#algorithm === "peak_ewma" ? latency.cost(active, nowMs) : active;
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

  #tier(usable: readonly UsableEndpoint[], sinceMs: number, before: Tier | undefined): Tier {
    const weightOf = this.#membership?.weightOf ?? weightless;
    const members = usable.map(({ endpoint, port }): Member => {
      const { address, workload } = endpoint;
      const key = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
      const known = this.#byKey.get(key);
      // Another pod may have got the address: it has done nothing yet.
      const memory =
        known?.endpoint.workload === workload ? known : this.#fresh(key, workload, sinceMs);
      return { ...memory, key, address, port, endpoint, weight: weightOf(workload) };
    });
    const { maglevTableSize } = this.#settings;
    return new Tier(members, this.#asker, { algorithm: this.#algorithm, maglevTableSize, before });
  }

  #fresh(key: string, workload: string, sinceMs: number): MemberMemory {
    const health = this.#healths.of(`${this.service} ${this.#portName} ${key} ${workload}`);
    return { lastPick: 0, deadline: 0, sinceMs, health, latency: new Latency() };
  }
}

function weightless(): number {
  return 1;
}
