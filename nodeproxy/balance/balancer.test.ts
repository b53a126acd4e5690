import { expect, test } from "@jest/globals";
import fc from "fast-check";
import type {
  BalanceAlgorithm,
  Endpoint,
  EndpointSlice,
  Service,
} from "../../core/model/service.ts";
import {
  DEFAULT_TRAFFIC_SETTINGS,
  type TrafficSettings,
} from "../../core/model/traffic-settings.ts";
import { Balancer } from "./balancer.ts";
import type { MemberHealth } from "./member.ts";

const ALGORITHMS: readonly BalanceAlgorithm[] = [
  "round_robin",
  "least_recently_used",
  "random",
  "weighted_round_robin",
  "least_connections",
  "least_request",
  "peak_ewma",
  "ring_hash",
  "maglev",
];

function service(part: Partial<Service> = {}): Service {
  return {
    namespace: "shop",
    name: "web",
    addresses: [],
    ports: [],
    algorithm: "round_robin",
    localOnly: false,
    distribution: "anywhere",
    affinitySeconds: 0,
    ...part,
  };
}

function endpoint(address: string, part: Partial<Endpoint> = {}): Endpoint {
  const place = { node: "n1", zone: "", forZones: [], forNodes: [] };
  return { address, workload: `pod-${address}`, ready: true, draining: false, ...place, ...part };
}

function slice(endpoints: readonly Endpoint[]): EndpointSlice {
  const ports = [{ name: "", port: 80 }];
  return { namespace: "shop", name: "web-1", service: "web", ports, endpoints };
}

interface Told {
  readonly service?: Partial<Service>;
  readonly traffic?: Partial<TrafficSettings>;
  readonly nowMs?: number;
}

function tell(balancer: Balancer, endpoints: readonly Endpoint[], told: Told = {}): void {
  const settings = { ...DEFAULT_TRAFFIC_SETTINGS, ...told.traffic };
  const traffic = { ref: "shop/p", services: ["shop/web"], algorithm: undefined, settings };
  const membership = {
    service: service(told.service),
    traffic: told.traffic && traffic,
    slices: [slice(endpoints)],
    node: "n1",
    zone: "",
    weightsVersion: 0,
    weightOf: () => 1,
  };
  balancer.refresh(membership, told.nowMs ?? 0);
}

function create(endpoints: readonly Endpoint[], told: Told = {}): Balancer {
  const balancer = new Balancer("", () => 0.4);
  tell(balancer, endpoints, told);
  return balancer;
}

interface Asking {
  readonly nowMs?: number;
  readonly tried?: readonly string[];
  readonly address?: string;
}

function choose(balancer: Balancer, { nowMs = 0, tried = [], address = "10.0.0.9" }: Asking = {}) {
  const choice = balancer.choose({ nowMs, tried, address });
  return choice.kind === "member" ? choice.member.address : choice.reason;
}

function fail(balancer: Balancer, address: string, nowMs: number): boolean {
  const member = balancer.members.find((one) => one.address === address);
  return member ? balancer.failed(member, nowMs) : false;
}

const THREE = [endpoint("a"), endpoint("b"), endpoint("c")];
const OUTLIERS = {
  consecutiveFailures: 2,
  baseEjectionMs: 1000,
  maxEjectionPercent: 100,
  minHealthPercent: 0,
};

test("Balancer: with any algorithm only ready endpoints that were not tried, and none where there is none", () => {
  const anyEndpoint = fc.record({ ready: fc.boolean(), tried: fc.boolean() });
  fc.assert(
    fc.property(
      fc.constantFrom(...ALGORITHMS),
      fc.array(anyEndpoint, { maxLength: 12 }),
      (algorithm, wanted) => {
        const endpoints = wanted.map(({ ready }, i) => endpoint(`10.0.0.${i}`, { ready }));
        const balancer = create(endpoints, { service: { algorithm } });
        const tried = wanted.flatMap((one, i) => (one.tried ? [`10.0.0.${i}:80`] : []));
        const good = wanted.flatMap((one, i) => {
          return one.ready && !one.tried ? [`10.0.0.${i}`] : [];
        });
        for (let i = 0; i < 10; i += 1) {
          const chosen = choose(balancer, { tried, address: `10.1.0.${i}` });
          const none = ["no_ready_endpoint", "no_healthy_endpoint"];
          expect(good.length > 0 ? good : none).toContain(chosen);
        }
      },
    ),
  );
});

test("Balancer: round robin goes on where it was when an endpoint comes or goes", () => {
  const balancer = create(THREE);
  const first = choose(balancer);
  expect(first).toBe("b");
  tell(balancer, [...THREE, endpoint("d")]);
  expect(choose(balancer)).toBe("c");
  tell(balancer, [endpoint("a"), endpoint("b")]);
  expect([choose(balancer), choose(balancer)]).toEqual(["a", "b"]);
});

test("Balancer: session affinity holds while the caller comes back in time and the endpoint is there", () => {
  const told = { service: { affinitySeconds: 10 } };
  const balancer = create(THREE, told);
  const home = choose(balancer, { nowMs: 0 });
  // Each connection begins the time anew.
  for (const nowMs of [9_000, 18_000, 27_000]) expect(choose(balancer, { nowMs })).toBe(home);
  expect(choose(balancer, { nowMs: 28_000, address: "10.0.0.10" })).not.toBe(home);
  expect(choose(balancer, { nowMs: 28_000, tried: [`${home}:80`] })).not.toBe(home);
  const later = choose(balancer, { nowMs: 60_000 });
  tell(
    balancer,
    THREE.filter(({ address }) => address !== later),
    told,
  );
  expect(choose(balancer, { nowMs: 60_001 })).not.toBe(later);
});

test("Balancer: an endpoint that cannot be reached is ejected, longer each time, and comes back", () => {
  const balancer = create(THREE, { traffic: { outliers: OUTLIERS } });
  expect([fail(balancer, "a", 0), fail(balancer, "a", 0)]).toEqual([false, true]);
  const chosen = [0, 1, 2, 3].map(() => choose(balancer, { nowMs: 999 }));
  expect(new Set(chosen)).toEqual(new Set(["b", "c"]));
  const back = [0, 1, 2].map(() => choose(balancer, { nowMs: 1000 }));
  expect(back).toContain("a");
  fail(balancer, "a", 1000);
  expect(fail(balancer, "a", 1000)).toBe(true);
  expect([0, 1, 2].map(() => choose(balancer, { nowMs: 2999 }))).not.toContain("a");
  expect([0, 1, 2].map(() => choose(balancer, { nowMs: 3000 }))).toContain("a");
});

test("Balancer: a success between failures keeps an endpoint, and the last one is never ejected", () => {
  const balancer = create(THREE, { traffic: { outliers: OUTLIERS } });
  const [a] = balancer.members;
  fail(balancer, "a", 0);
  if (a) balancer.succeeded(a);
  expect(fail(balancer, "a", 0)).toBe(false);
  expect([fail(balancer, "a", 0), fail(balancer, "b", 0), fail(balancer, "b", 0)]).toEqual([
    true,
    false,
    true,
  ]);
  for (let i = 0; i < 10; i += 1) expect(fail(balancer, "c", 0)).toBe(false);
  expect(choose(balancer)).toBe("c");
  expect(choose(balancer, { tried: ["c:80"] })).toBe("no_healthy_endpoint");
});

test("Balancer: maxEjectionPercent bounds ejections, and below minHealthPercent health is not looked at", () => {
  const ten = Array.from({ length: 10 }, (_, i) => endpoint(`e${i}`));
  const bounded = create(ten, { traffic: { outliers: { ...OUTLIERS, maxEjectionPercent: 30 } } });
  const ejected = ten.filter(({ address }) => {
    fail(bounded, address, 0);
    return fail(bounded, address, 0);
  });
  expect(ejected).toHaveLength(3);
  const panicking = create(THREE, { traffic: { outliers: { ...OUTLIERS, minHealthPercent: 50 } } });
  for (const address of ["a", "a", "b", "b"]) fail(panicking, address, 0);
  expect(new Set([0, 1, 2].map(() => choose(panicking)))).toEqual(new Set(["a", "b", "c"]));
});

test("Balancer: a change of membership forgets neither ejections nor open connections", () => {
  const limits = { ...DEFAULT_TRAFFIC_SETTINGS.limits, maxConnectionsPerEndpoint: 1 };
  const told = { traffic: { outliers: OUTLIERS, limits } };
  const balancer = create(THREE, told);
  fail(balancer, "a", 0);
  fail(balancer, "a", 0);
  const b = balancer.members.find(({ address }) => address === "b");
  b?.health.enter(0);
  tell(balancer, [...THREE, endpoint("d")], told);
  expect(new Set([0, 1, 2, 3].map(() => choose(balancer)))).toEqual(new Set(["c", "d"]));
  // The address belongs to another pod now.
  tell(balancer, [endpoint("a", { workload: "another" }), endpoint("b")], told);
  expect(choose(balancer)).toBe("a");
});

test("Balancer: endpoints at their limit are passed over, and all of them at it are told apart from none", () => {
  const limits = { ...DEFAULT_TRAFFIC_SETTINGS.limits, maxConnectionsPerEndpoint: 2 };
  const balancer = create(THREE, { traffic: { limits } });
  for (const { health } of balancer.members.slice(0, 2)) fill(health);
  expect(choose(balancer)).toBe("c");
  for (const { health } of balancer.members) fill(health);
  expect(choose(balancer)).toBe("endpoint_connections_exhausted");
});

/** To a limit of two. */
function fill(health: MemberHealth): void {
  while (health.enter(2)) expect(health.open).toBeLessThanOrEqual(2);
}

test("Balancer: a new endpoint takes a growing share of its turns while it warms up", () => {
  let at = 0;
  const balancer = new Balancer("", () => (at = (at + 0.382) % 1));
  const told = { traffic: { warmupMs: 10_000, warmupMinimumPercent: 10 } };
  tell(balancer, THREE, { ...told, nowMs: 0 });
  tell(balancer, [...THREE, endpoint("d")], { ...told, nowMs: 100_000 });
  const shares = [100_000, 105_000, 110_000].map((nowMs) => {
    const chosen = Array.from({ length: 1000 }, () => choose(balancer, { nowMs }));
    return chosen.filter((address) => address === "d").length;
  });
  expect(shares[0]).toBeLessThan(60);
  expect(shares[1]).toBeGreaterThan(90);
  expect(shares[1]).toBeLessThan(200);
  expect(shares[2]).toBe(250);
});
