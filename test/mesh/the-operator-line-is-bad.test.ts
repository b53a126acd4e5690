/**
 * The line between a node and its operator is slow, late, or cut each second: the node comes to hold what the operator
 * has, whole, and at no time anything that the operator never had.
 */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { Changes, Resource } from "../../core/model/resource.ts";
import { type BadRelay, openBadRelay } from "../fakes/bad-relay.ts";
import {
  LineCa,
  LineConfig,
  type LineOperator,
  OPERATOR,
  openLineOperator,
} from "../fakes/line-operator.ts";
import { SeededRandom } from "../fakes/seeded-random.ts";
import { WatchingNode } from "../fakes/watching-node.ts";
import { sized } from "../soak.ts";
import { until } from "../world/until.ts";

/** Of those of a deployed mesh, and of what flows meanwhile, a fifth in time. */
const KEEP_ALIVE = sized(
  { intervalMs: 2_000, timeoutMs: 1_000 },
  { intervalMs: 10_000, timeoutMs: 5_000 },
);
const SLOW_BYTES_PER_SECOND = sized(50_000, 10_000);
const MOST_DELAY_MS = sized(400, 10_000);
const FLAP_MS = 1_000;
const CHANGES = sized(6, 30);
/** Several times what HTTP/2 has under way at once. */
const ROOT_BYTES = 50_000;
const ROOTS = sized(4, 20);
const TEST_MS = sized(300_000, 3_600_000);

const ca = new LineCa();
let config: LineConfig;
let operator: LineOperator;
let relay: BadRelay;
let node: WatchingNode;

beforeEach(async () => {
  config = new LineConfig();
  operator = await openLineOperator({ config, identity: ca.identity(), keepAlive: KEEP_ALIVE });
  relay = await openBadRelay({ target: { host: "127.0.0.1", port: operator.port } });
});

afterEach(async () => {
  await node.close();
  await relay.close();
  await operator.close(0);
});

function startNode(): void {
  node = new WatchingNode("node-a", {
    address: `127.0.0.1:${relay.port}`,
    roots: () => ca.rootsPem,
    serverIdentity: OPERATOR,
    token: async () => "node-a",
    keepAlive: KEEP_ALIVE,
  });
}

/** Two that the operator always changes together. */
function pair(version: number): readonly Resource[] {
  return ["shop/one", "shop/other"].map((ref) => ({
    name: ref,
    version: String(version),
    body: {
      kind: "policy",
      value: { ref, action: "DENY", dryRun: false, invalid: false, rules: [] },
    },
  }));
}

function largeBundle(): Resource {
  const roots = Array.from({ length: ROOTS }, (_, i) => new Uint8Array(ROOT_BYTES).fill(i));
  return {
    name: "large",
    version: "1",
    body: { kind: "bundle", value: { trustDomain: "large", roots, issuer: "", retired: [] } },
  };
}

function isPair(version: number): (resource: Resource) => boolean {
  return ({ name, version: of }) => name === "shop/other" && of === String(version);
}

/** After each batch: the versions of the two, which never are of two states of the operator. */
function versionsHeld(batches: readonly Changes[]): readonly string[] {
  const held = new Map<string, string>();
  return batches.map(({ upserts }) => {
    for (const { name, version } of upserts) held.set(name, version);
    return `${held.get("shop/one")} ${held.get("shop/other")}`;
  });
}

function expectOnlyWholeStates(): void {
  const versions = versionsHeld(node.batches);
  const numbers = versions.map((both) => Number(both.split(" ")[0]));
  expect(versions).toEqual(numbers.map((number) => `${number} ${number}`));
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
}

test(
  "a line that carries little: a configuration that takes longer than the answer to a PING may comes whole, at once",
  async () => {
    relay.set({ bytesPerSecond: SLOW_BYTES_PER_SECOND });
    config.change([largeBundle(), ...pair(1)]);
    startNode();
    await node.received(isPair(1));
    config.change(pair(2));
    await node.received(isPair(2));
    expectOnlyWholeStates();
    expect(relay.taken).toBe(1);
    expect(node.batches[0]?.upserts).toHaveLength(3);
  },
  TEST_MS,
);

test(
  "a line on which everything comes late, one piece more than the other: the node follows every change",
  async () => {
    const random = new SeededRandom(11);
    relay.set({ delayMs: () => random.next() * MOST_DELAY_MS });
    config.change(pair(1));
    startNode();
    for (let version = 2; version <= CHANGES; version += 1) {
      await node.received(isPair(version - 1));
      config.change(pair(version));
    }
    await node.received(isPair(CHANGES));
    expect(node.batches.length).toBeGreaterThanOrEqual(CHANGES);
    expectOnlyWholeStates();
  },
  TEST_MS,
);

test(
  "a line that is cut each second: the node follows every change, and asks only for what it lacks",
  async () => {
    config.change([largeBundle(), ...pair(1)]);
    startNode();
    await node.received(isPair(1));
    const flapping = setInterval(() => relay.cut(), FLAP_MS);
    try {
      for (let version = 2; version <= CHANGES; version += 1) {
        const taken = relay.taken;
        await until("the line to be cut", () => relay.taken > taken || undefined);
        config.change(pair(version));
        await node.received(isPair(version));
      }
    } finally {
      clearInterval(flapping);
    }
    expectOnlyWholeStates();
    const bundles = node.batches
      .flatMap(({ upserts }) => upserts)
      .filter(({ name }) => name === "large");
    expect(bundles).toHaveLength(1);
    expect(relay.taken).toBeGreaterThanOrEqual(CHANGES);
  },
  TEST_MS,
);
