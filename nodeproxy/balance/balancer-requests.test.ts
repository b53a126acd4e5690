/** Choices for requests, one by one, in simulated time and with chance that is the same in every run. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { simpleBalancer, tellMembers } from "../../test/fakes/simple-balancer.ts";
import type { Balancer } from "./balancer.ts";
import type { Member } from "./member.ts";

interface Asking {
  readonly hashed?: string;
  readonly bound?: string;
  readonly nowMs?: number;
  readonly tried?: readonly string[];
}

function choose(balancer: Balancer, asking: Asking = {}): Member {
  const { hashed = "", bound = "", nowMs = 0, tried = [] } = asking;
  const choice = balancer.choose({ address: "10.1.0.1", tried, nowMs, request: { hashed, bound } });
  if (choice.kind === "none") throw new Error(choice.reason);
  return choice.member;
}

function counts(balancer: Balancer, chosen: readonly Member[]): readonly number[] {
  return balancer.members.map(({ key }) => chosen.filter((one) => one.key === key).length);
}

/** Of `picks` draws with that chance each. */
function threeSigma(picks: number, chance: number): number {
  return 3 * Math.sqrt(picks * chance * (1 - chance));
}

test("Balancer: 10,000 requests over 10 endpoints are within 3 sigma by every algorithm that knows no caller", () => {
  const algorithms = ["round_robin", "random", "least_request", "peak_ewma"] as const;
  for (const algorithm of [...algorithms, "least_recently_used"] as const) {
    const balancer = simpleBalancer({ algorithm, count: 10, seed: 3 });
    const chosen = Array.from({ length: 10_000 }, () => choose(balancer));
    for (const count of counts(balancer, chosen)) {
      expect(Math.abs(count - 1_000)).toBeLessThanOrEqual(threeSigma(10_000, 0.1));
    }
  }
});

test("Balancer: least_request sends requests to where fewer are under way, however many connections are open", () => {
  const balancer = simpleBalancer({ algorithm: "least_request", count: 2 });
  const [a, b] = balancer.members;
  if (!a || !b) throw new Error("two endpoints");
  for (let i = 0; i < 5; i += 1) a.health.begin(0);
  for (let i = 0; i < 50; i += 1) b.health.enter(0);
  for (let i = 0; i < 20; i += 1) expect(choose(balancer).key).toBe(b.key);
  for (let i = 0; i < 6; i += 1) b.health.begin(0);
  for (let i = 0; i < 20; i += 1) expect(choose(balancer).key).toBe(a.key);
  // A connection that is no request goes by connections.
  const connecting = balancer.choose({ address: "", tried: [], nowMs: 0 });
  expect(connecting).toMatchObject({ kind: "member", member: { key: a.key } });
});

test("Balancer: least_request keeps an endpoint that is slow from collecting requests", () => {
  const balancer = simpleBalancer({ algorithm: "least_request", count: 10, seed: 4 });
  const slow = balancer.members[0];
  const under: Member[] = [];
  for (let i = 0; i < 5_000; i += 1) {
    const member = choose(balancer);
    member.health.begin(0);
    under.push(member);
    // Each answers after ten more requests, the slow one after none.
    const done = under.length > 10 ? under.findIndex((one) => one !== slow) : -1;
    if (done >= 0) under.splice(done, 1)[0]?.health.finish();
  }
  expect(slow?.health.active).toBeLessThan(10);
});

test("Balancer: peak_ewma leaves an endpoint that has become slow within one answer, and comes back to it", () => {
  const balancer = simpleBalancer({ algorithm: "peak_ewma", count: 4, seed: 5 });
  let isSlow = false;
  function ask(nowMs: number): Member {
    const member = choose(balancer, { nowMs });
    const tookMs = isSlow && member === balancer.members[0] ? 1_000 : 10;
    member.latency.observe(tookMs, nowMs);
    return member;
  }
  function share(fromMs: number): number {
    const chosen = Array.from({ length: 1_000 }, (_, i) => ask(fromMs + i * 50));
    return (counts(balancer, chosen)[0] ?? 0) / 1_000;
  }
  expect(share(0)).toBeGreaterThan(0.1);
  isSlow = true;
  expect(share(100_000)).toBeLessThan(0.02);
  isSlow = false;
  // Of its second 10 ms are left after some 46 s.
  share(200_000);
  expect(share(300_000)).toBeGreaterThan(0.1);
});

test("Balancer: hashing goes by what requests say, each value always to one endpoint, and without it by the source", () => {
  for (const algorithm of ["ring_hash", "maglev"] as const) {
    const balancer = simpleBalancer({ algorithm, count: 10 });
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(), (hashed, nowMs) => {
        expect(choose(balancer, { hashed, nowMs }).key).toBe(choose(balancer, { hashed }).key);
      }),
    );
    const users = Array.from({ length: 5_000 }, (_, i) => `user-${i}`);
    const homes = users.map((hashed) => choose(balancer, { hashed }));
    for (const count of counts(balancer, homes)) expect(Math.abs(count - 500)).toBeLessThan(180);
    expect(new Set([1, 2, 3].map(() => choose(balancer).key)).size).toBe(1);
    // Who goes takes only its own along; Maglev moves some 2 % of the others.
    tellMembers(balancer, { algorithm, count: 9 });
    const moved = users.filter((hashed, i) => {
      const home = homes[i];
      return home?.address !== "10.0.0.9" && choose(balancer, { hashed }).key !== home?.key;
    });
    expect(moved.length).toBeLessThanOrEqual(algorithm === "ring_hash" ? 0 : 150);
  }
});

test("Balancer: a session goes where it began, unless that endpoint is gone, out or was tried", () => {
  const outliers = {
    consecutiveFailures: 1,
    baseEjectionMs: 1_000,
    maxEjectionPercent: 100,
    minHealthPercent: 0,
  };
  const balancer = simpleBalancer({ algorithm: "random", count: 5, traffic: { outliers } });
  const bound = "10.0.0.3:80";
  for (let i = 0; i < 20; i += 1) expect(choose(balancer, { bound }).key).toBe(bound);
  expect(choose(balancer, { bound, tried: [bound] }).key).not.toBe(bound);
  const member = balancer.member(bound);
  if (!member) throw new Error("no such endpoint");
  expect(balancer.failed(member, 0)).toBe(true);
  expect(choose(balancer, { bound }).key).not.toBe(bound);
  expect(choose(balancer, { bound, nowMs: 1_000 }).key).toBe(bound);
  tellMembers(balancer, { algorithm: "random", count: 3, traffic: { outliers } });
  expect(choose(balancer, { bound, nowMs: 1_000 }).key).not.toBe(bound);
  expect(choose(balancer, { bound: "10.9.9.9:22", nowMs: 1_000 }).address).toMatch(/^10\.0\.0\./);
});

test("Balancer: a new endpoint warms up for requests too, though it is the least loaded", () => {
  const warm = { warmupMs: 10_000, warmupMinimumPercent: 10 };
  for (const algorithm of ["least_request", "peak_ewma", "round_robin"] as const) {
    const balancer = simpleBalancer({ algorithm, count: 3, traffic: warm });
    for (const { health } of balancer.members) for (let i = 0; i < 3; i += 1) health.begin(0);
    tellMembers(balancer, { algorithm, count: 4, traffic: warm, nowMs: 50_000 });
    const shares = [50_000, 55_000, 60_000].map((nowMs) => {
      const chosen = Array.from({ length: 1_000 }, () => choose(balancer, { nowMs }));
      return counts(balancer, chosen)[3] ?? 0;
    });
    expect(shares[0]).toBeLessThan(120);
    expect(shares[1]).toBeGreaterThan(shares[0] ?? 0);
    expect(shares[2]).toBeGreaterThan(shares[1] ?? 0);
    expect(shares[2]).toBeGreaterThanOrEqual(250);
  }
});
