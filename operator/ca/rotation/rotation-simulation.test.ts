/**
 * A thousand rotations of root and intermediate in simulated time, with whatever may go wrong in between: operators that
 * die before and after a write, conflicts, two leaders or none, nodes and the API server away, clocks that jump, aborts,
 * waivers, objects that are removed. Certificates, CA, engine and verification are the real ones.
 *
 * `WEFT_SEED=1234` runs one world again.
 */
import { expect, test } from "@jest/globals";
import { createMemoryKeyStore } from "../../../test/fakes/memory-key-store.ts";
import { mend, strike } from "../../../test/fakes/rotation-faults.ts";
import { RotationOracle } from "../../../test/fakes/rotation-oracle.ts";
import { SeededRandom } from "../../../test/fakes/seeded-random.ts";
import { SimulatedMesh } from "../../../test/fakes/simulated-mesh.ts";
import { readLeaf, type SimulatedLeaf } from "../../../test/fakes/simulated-node.ts";
import { createAuthority } from "../authority.ts";
import type { EndedRotation } from "../rotation-record.ts";
import type { RotationWish } from "./decide-step.ts";
import type { RotationProgress } from "./rotation-engine.ts";

const WORLDS = 40;
const ROTATIONS = 25;
/** Of simulated steps of one to three seconds; no mesh is so unlucky for so long. */
const MAX_STEPS = 2000;
const PATIENCE_STEPS = 30;

interface World {
  readonly mesh: SimulatedMesh;
  readonly oracle: RotationOracle;
  readonly random: SeededRandom;
}

test("RotationEngine: in 1,000 rotations no handshake fails that should succeed, and none succeeds that should fail", async () => {
  const given = Number(process.env["WEFT_SEED"] ?? Number.NaN);
  const seeds = Number.isNaN(given)
    ? Array.from({ length: WORLDS }, () => Math.trunc(Math.random() * 2 ** 31))
    : [given];
  const stranger = await strangerLeaf();
  const total = { complete: 0, aborted: 0, exchanged: 0, succeeded: 0, refused: 0 };
  for (const seed of seeds) {
    try {
      const world = await runWorld(seed, stranger);
      for (const outcome of world.outcomes) total[outcome] += 1;
      total.succeeded += world.oracle.succeeded;
      total.refused += world.oracle.refused;
    } catch (cause) {
      const message = Error.isError(cause) ? cause.message : String(cause);
      throw new Error(`WEFT_SEED=${seed}: ${message}`, { cause });
    }
  }
  expect(total.exchanged).toBe(0);
  expect(total.complete + total.aborted).toBe(seeds.length * ROTATIONS);
  // Chances are such that these are far below what happens.
  expect(total.complete).toBeGreaterThan(seeds.length * 10);
  expect(total.aborted).toBeGreaterThan(seeds.length);
  expect(total.succeeded).toBeGreaterThan(seeds.length * ROTATIONS * 9 * 10);
  expect(total.refused).toBeGreaterThan(seeds.length * ROTATIONS * 3 * 10);
}, 300_000);

async function strangerLeaf(): Promise<SimulatedLeaf> {
  const keyStore = createMemoryKeyStore();
  const random = new SeededRandom(1);
  const mesh = await SimulatedMesh.start(random);
  const now = mesh.now;
  const authority = await createAuthority({ keyStore, trustDomain: "cluster.local", now });
  mesh.nodes[0]?.renewLeaf({ held: mesh.nodes[0].held, authority, now });
  return readLeaf(mesh.nodes[0]?.leaf.chain ?? []);
}

async function runWorld(seed: number, stranger: SimulatedLeaf) {
  const random = new SeededRandom(seed);
  const mesh = await SimulatedMesh.start(random);
  const oracle = new RotationOracle(mesh, stranger);
  const world = { mesh, oracle, random };
  const outcomes: EndedRotation["outcome"][] = [];
  for (let index = 0; index < ROTATIONS; index += 1) {
    outcomes.push(await rotate(world, index));
    await rest(world);
  }
  oracle.checkAllDropped();
  return { oracle, outcomes };
}

/** One rotation from the wish to its end, with its object removed and applied again now and then. */
async function rotate(world: World, index: number): Promise<EndedRotation["outcome"]> {
  const { mesh, oracle } = world;
  const user = createUser(world, index);
  for (let step = 0; step < MAX_STEPS; step += 1) {
    strike(mesh);
    const progress = await mesh.step(user.wishAt(step));
    oracle.check();
    const outcome = progress.map((one) => user.outcomeOf(one)).find((one) => one !== undefined);
    if (outcome) return outcome;
    if (step % PATIENCE_STEPS === PATIENCE_STEPS - 1) progress.forEach(user.loosePatience);
  }
  throw new Error("the rotation never ended");
}

/** Whoever applies the CARotation: aborts it, removes it and applies it again, or waives the node that holds it up. */
function createUser({ oracle, random }: World, index: number) {
  const abortAt = random.chance(0.4) ? random.whole(0, 30) : Number.POSITIVE_INFINITY;
  const removeAt = random.chance(0.1) ? random.whole(1, 25) : Number.POSITIVE_INFINITY;
  let wish: RotationWish = {
    object: `rotation-${index}`,
    authority: random.chance(0.5) ? "root" : "intermediate",
    abort: false,
    waivedNodes: [],
  };
  function wishAt(step: number): RotationWish | undefined {
    if (step >= abortAt) wish = { ...wish, abort: true };
    if (step === removeAt + 10) wish = { ...wish, object: `${wish.object}-again` };
    return step >= removeAt && step < removeAt + 10 ? undefined : wish;
  }
  function outcomeOf(progress: RotationProgress): EndedRotation["outcome"] | undefined {
    if (progress.kind === "never_begun") return "aborted";
    if (progress.kind !== "ended" || progress.ended.object !== wish.object) return undefined;
    const { from, to, outcome } = progress.ended;
    oracle.drop(outcome === "aborted" ? to : from);
    return outcome;
  }
  function loosePatience(progress: RotationProgress): void {
    if (progress.kind !== "wait" || random.chance(0.5)) return;
    const waiting = progress.nodes.find(({ state }) => state === "Waiting");
    if (!waiting) return;
    wish = { ...wish, waivedNodes: [...wish.waivedNodes, waiting.node] };
    oracle.excuse(wish.waivedNodes);
  }
  return { wishAt, outcomeOf, loosePatience };
}

/** Until all is well again: every node has followed, and so has every replica. */
async function rest({ mesh, oracle, random }: World): Promise<void> {
  if (random.chance(0.5)) mend(mesh);
  for (let step = 0; step < 10; step += 1) {
    await mesh.step(undefined);
    oracle.welcomeBack();
    oracle.check();
  }
}
