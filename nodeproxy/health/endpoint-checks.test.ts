import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { DEFAULT_TRAFFIC_SETTINGS } from "../../core/model/traffic-settings.ts";
import { Balancer } from "../balance/balancer.ts";
import type { Member } from "../balance/member.ts";
import { EndpointChecks, type Reacher } from "./endpoint-checks.ts";

const CHECK = { intervalMs: 1000, timeoutMs: 500, healthyThreshold: 2, unhealthyThreshold: 3 };

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

function createBalancer(count: number, isChecked = true): Balancer {
  const balancer = new Balancer("", () => 0.5);
  const place = { node: "n", zone: "", forZones: [], forNodes: [] };
  const endpoints = Array.from({ length: count }, (_, i) => {
    const address = `10.0.${i >> 8}.${i & 255}`;
    return { address, workload: "", ready: true, draining: false, ...place };
  });
  const named = { namespace: "shop", name: "web" };
  const tcpCheck = isChecked ? CHECK : undefined;
  const membership = {
    service: {
      ...named,
      addresses: [],
      ports: [],
      algorithm: "round_robin" as const,
      localOnly: false,
      distribution: "anywhere" as const,
      affinitySeconds: 0,
    },
    traffic: {
      ref: "shop/p",
      services: ["shop/web"],
      algorithm: undefined,
      settings: { ...DEFAULT_TRAFFIC_SETTINGS, tcpCheck },
    },
    slices: [
      { ...named, name: "web-1", service: "web", ports: [{ name: "", port: 80 }], endpoints },
    ],
    node: "n",
    zone: "",
    weightsVersion: 0,
    weightOf: () => 1,
  };
  balancer.refresh(membership, 0);
  return balancer;
}

interface World extends Reacher {
  /** Addresses that cannot be reached. */
  readonly down: Set<string>;
  readonly asked: string[];
}

function createWorld(...down: readonly string[]): World {
  const world = {
    down: new Set(down),
    asked: [] as string[],
    isGone: () => false,
    reaches: (_balancer: Balancer, { address }: Member) => {
      world.asked.push(address);
      return Promise.resolve(!world.down.has(address));
    },
  };
  return world;
}

function failing(balancer: Balancer): readonly string[] {
  return balancer.members.filter(({ health }) => health.isFailing).map(({ address }) => address);
}

function ignore(): void {}

async function rounds(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await jest.advanceTimersByTimeAsync(CHECK.intervalMs);
}

test("EndpointChecks: an endpoint is left out after its failures in a row, and back after its successes", async () => {
  const told: unknown[] = [];
  const [balancer, world] = [createBalancer(3), createWorld("10.0.0.1")];
  const checks = new EndpointChecks((...turn) => void told.push(turn));
  checks.called(balancer, world);
  await rounds(1);
  expect(failing(balancer)).toEqual([]);
  await rounds(1);
  expect(failing(balancer)).toEqual(["10.0.0.1"]);
  world.down.clear();
  await rounds(1);
  expect(failing(balancer)).toEqual(["10.0.0.1"]);
  await rounds(1);
  expect(failing(balancer)).toEqual([]);
  expect(told).toEqual([
    ["shop/web", "10.0.0.1:80", true],
    ["shop/web", "10.0.0.1:80", false],
  ]);
  checks.close();
});

test("EndpointChecks: nobody is asked for a Service without a check, or that nobody calls any more", async () => {
  const [world, checks] = [createWorld(), new EndpointChecks(ignore)];
  checks.called(createBalancer(2, false), world);
  await rounds(3);
  expect(world.asked).toEqual([]);
  const balancer = createBalancer(1);
  world.down.add("10.0.0.0");
  checks.called(balancer, world);
  await rounds(290);
  expect(failing(balancer)).toHaveLength(1);
  await rounds(20);
  const { length } = world.asked;
  await rounds(20);
  expect(world.asked).toHaveLength(length);
  // What was found is forgotten with the checks.
  expect(failing(balancer)).toEqual([]);
});

test("EndpointChecks: what a pod that is gone could not reach says nothing", async () => {
  const told: unknown[] = [];
  const balancer = createBalancer(1);
  const checks = new EndpointChecks((...turn) => void told.push(turn));
  let asked = 0;
  checks.called(balancer, {
    isGone: () => asked === CHECK.unhealthyThreshold,
    // It goes in the middle of the check that would decide.
    reaches: () => {
      asked += 1;
      return Promise.resolve(false);
    },
  });
  await rounds(5);
  expect(asked).toBe(CHECK.unhealthyThreshold);
  expect(told).toEqual([]);
  expect(failing(balancer)).toEqual([]);
  const heir = createWorld();
  checks.called(balancer, heir);
  expect(heir.asked).toHaveLength(1);
  checks.close();
});

test("EndpointChecks: so many at once, and every endpoint has its turn", async () => {
  const [balancer, checks] = [createBalancer(200), new EndpointChecks(ignore)];
  const open: (() => void)[] = [];
  const asked = new Set<string>();
  checks.called(balancer, {
    isGone: () => false,
    reaches: (_balancer, { address }) => {
      asked.add(address);
      return new Promise((resolve) => {
        open.push(() => resolve(true));
      });
    },
  });
  expect(open).toHaveLength(64);
  for (let i = 0; i < 4; i += 1) {
    for (const answer of open.splice(0)) answer();
    await rounds(1);
    expect(open.length).toBeLessThanOrEqual(64);
  }
  expect(asked.size).toBe(200);
  checks.close();
});
