/** Failover from one tier of endpoints to the next, as a balancer does it. */
import { expect, test } from "@jest/globals";
import type { FailoverStep } from "../../core/model/http-settings.ts";
import type { BalanceAlgorithm, Service } from "../../core/model/service.ts";
import {
  DEFAULT_TRAFFIC_SETTINGS,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import { SeededRandom } from "../../test/fakes/seeded-random.ts";
import { Balancer } from "./balancer.ts";

const ZONES = ["z1", "z2", "z3"];
const EACH = 10;

interface Wish {
  readonly failover?: readonly FailoverStep[];
  readonly distribution?: Service["distribution"];
  readonly algorithm?: BalanceAlgorithm;
  readonly minHealthPercent?: number;
  readonly traffic?: Partial<TrafficSettings>;
}

/** Ten endpoints in each of three zones; the caller is in z1. */
function create(wish: Wish): Balancer {
  const { failover = [], distribution = "same_zone", algorithm = "random" } = wish;
  const { minHealthPercent = 0, traffic = {} } = wish;
  const chance = new SeededRandom(11);
  const balancer = new Balancer("", () => chance.next());
  const outliers = {
    consecutiveFailures: 1,
    baseEjectionMs: 60_000,
    maxEjectionPercent: 100,
    minHealthPercent,
  };
  const http = { ...DEFAULT_TRAFFIC_SETTINGS.http, failover };
  const settings = { ...DEFAULT_TRAFFIC_SETTINGS, outliers, http, ...traffic };
  const named = { namespace: "shop", name: "web" };
  const endpoints = ZONES.flatMap((zone) =>
    Array.from({ length: EACH }, (_, i) => {
      const place = { node: `${zone}-${i}`, zone, forZones: [], forNodes: [] };
      return { address: `${zone}-${i}`, workload: "", ready: true, draining: false, ...place };
    }),
  );
  balancer.refresh(
    {
      service: {
        ...named,
        addresses: [],
        ports: [],
        algorithm,
        localOnly: false,
        distribution,
        affinitySeconds: 0,
      },
      traffic: { ref: "shop/p", services: ["shop/web"], algorithm: undefined, settings },
      slices: [{ ...named, service: "web", ports: [{ name: "", port: 80 }], endpoints }],
      node: "n1",
      zone: "z1",
      weightsVersion: 0,
      weightOf: () => 1,
    },
    0,
  );
  return balancer;
}

function eject(balancer: Balancer, zone: string, count: number): void {
  const members = balancer.members.filter(({ endpoint }) => endpoint.zone === zone);
  for (const member of members.slice(0, count)) balancer.failed(member, 0);
}

const PICKS = 4_000;

/** Share of each zone, in percent. */
function shares(balancer: Balancer, callers = 1): readonly number[] {
  const counts = new Map<string, number>();
  for (let i = 0; i < PICKS; i += 1) {
    const choice = balancer.choose({ address: `10.0.0.${i % callers}`, tried: [], nowMs: 1 });
    const zone = choice.kind === "member" ? choice.member.endpoint.zone : choice.reason;
    counts.set(zone, (counts.get(zone) ?? 0) + 1);
  }
  return ZONES.map((zone) => ((counts.get(zone) ?? 0) * 100) / PICKS);
}

/** Of a share in percent among so many draws. */
function threeSigma(share: number): number {
  const chance = share / 100;
  return 300 * Math.sqrt((chance * (1 - chance)) / PICKS);
}

function expectShares(got: readonly number[], wanted: readonly number[]): void {
  for (const [at, share] of wanted.entries()) {
    expect(Math.abs((got[at] ?? 0) - share)).toBeLessThanOrEqual(threeSigma(share));
  }
}

test("Balancer: callers stay in their zone until fewer than 71 % of it are healthy, then some go elsewhere", () => {
  const balancer = create({});
  expect(shares(balancer)).toEqual([100, 0, 0]);
  eject(balancer, "z1", 2);
  expect(shares(balancer)).toEqual([100, 0, 0]);
  eject(balancer, "z1", 5);
  // 50 % × 1.4, the rest over both zones alike.
  expectShares(shares(balancer), [70, 15, 15]);
  eject(balancer, "z1", 10);
  expectShares(shares(balancer), [0, 50, 50]);
});

test("Balancer: a failover step sends them to its zones in order, and to others only when these lack health too", () => {
  const balancer = create({ distribution: "anywhere", failover: [{ from: "z1", to: ["z3"] }] });
  expect(shares(balancer)).toEqual([100, 0, 0]);
  eject(balancer, "z1", 5);
  expectShares(shares(balancer), [70, 0, 30]);
  eject(balancer, "z3", 10);
  expectShares(shares(balancer), [70, 30, 0]);
  eject(balancer, "z2", 9);
  // Together they can take 84 %: each gets its part of all.
  expectShares(shares(balancer), [(70 * 100) / 84, (14 * 100) / 84, 0]);
});

test("Balancer: a tier of which nobody can be taken hands all of its share to the next", () => {
  const balancer = create({});
  const tried = balancer.members
    .filter(({ endpoint }) => endpoint.zone === "z1")
    .map(({ key }) => key);
  const choice = balancer.choose({ address: "10.0.0.1", tried, nowMs: 0 });
  expect(choice.kind === "member" && choice.member.endpoint.zone).toMatch(/^z[23]$/);
  const limits = { ...DEFAULT_TRAFFIC_SETTINGS.limits, maxConnectionsPerEndpoint: 1 };
  const full = create({ traffic: { limits } });
  for (const { endpoint, health } of full.members) if (endpoint.zone === "z1") health.enter(0);
  expect(shares(full)[0]).toBe(0);
});

test("Balancer: in the panic of one zone health still counts while the others can take all of the load", () => {
  const balancer = create({ minHealthPercent: 80 });
  eject(balancer, "z1", 10);
  expect(shares(balancer)[0]).toBe(0);
  eject(balancer, "z2", 10);
  eject(balancer, "z3", 5);
  // 70 % in all: not enough, so each is asked again.
  const members = new Set<string>();
  for (let i = 0; i < PICKS; i += 1) {
    const choice = balancer.choose({ address: "10.0.0.1", tried: [], nowMs: 1 });
    if (choice.kind === "member") members.add(choice.member.key);
  }
  expect(members.size).toBeGreaterThan(EACH);
});

test("Balancer: with a hash one caller stays in one tier, and many are spread as the shares say", () => {
  for (const algorithm of ["ring_hash", "maglev"] as const) {
    const balancer = create({ algorithm });
    eject(balancer, "z1", 5);
    const [one = 0] = shares(balancer).filter((share) => share > 0);
    expect(one).toBe(100);
    const many = shares(balancer, 2_000);
    expect(many[0]).toBeGreaterThan(63);
    expect(many[0]).toBeLessThan(77);
  }
});

test("Balancer: new endpoints of the own zone that warm up all together send nobody elsewhere", () => {
  const balancer = create({ traffic: { warmupMs: 60_000, warmupMinimumPercent: 1 } });
  expect(shares(balancer)).toEqual([100, 0, 0]);
});
