/**
 * One mesh in simulated time that has its CA rotated again and again, root or intermediate, with whatever may go wrong in
 * between: operators that die before and after a write, conflicts, two leaders or none, nodes and the API server away,
 * clocks that jump, aborts, waivers, objects that are removed. Certificates, CA, engine and verification are the real ones.
 */

import { createAuthority } from "../../operator/ca/authority.ts";
import type { RotationWish } from "../../operator/ca/rotation/decide-step.ts";
import type { RotationProgress } from "../../operator/ca/rotation/rotation-engine.ts";
import type { EndedRotation } from "../../operator/ca/rotation-record.ts";
import { createMemoryKeyStore } from "./memory-key-store.ts";
import { mend, strike } from "./rotation-faults.ts";
import { RotationOracle } from "./rotation-oracle.ts";
import { SeededRandom } from "./seeded-random.ts";
import { SimulatedMesh } from "./simulated-mesh.ts";
import { readLeaf, type SimulatedLeaf } from "./simulated-node.ts";

/** Of simulated steps of one to three seconds; no mesh is so unlucky for so long. */
const MAX_STEPS = 2000;
const PATIENCE_STEPS = 30;

interface World {
  readonly mesh: SimulatedMesh;
  readonly oracle: RotationOracle;
  readonly random: SeededRandom;
}

export interface SimulatedRotations {
  /** `WEFT_SEED` in the environment runs that one alone. */
  readonly seeds: readonly number[];
  /** In each of the worlds. */
  readonly rotations: number;
}

/** How often each of these came; of handshakes too. */
export type SimulationTotal = Readonly<
  Record<EndedRotation["outcome"] | "worlds" | "succeeded" | "refused", number>
>;

/** Throws at the first handshake, or tunnel, that is otherwise than it should be; the message names the seed. */
export async function simulateRotations(asked: SimulatedRotations): Promise<SimulationTotal> {
  const given = process.env["WEFT_SEED"];
  const seeds = given === undefined ? asked.seeds : [Number(given)];
  const stranger = await strangerLeaf();
  const total = {
    worlds: seeds.length,
    complete: 0,
    aborted: 0,
    exchanged: 0,
    succeeded: 0,
    refused: 0,
  };
  for (const seed of seeds) {
    try {
      const { outcomes, oracle } = await runWorld(seed, asked.rotations, stranger);
      for (const outcome of outcomes) total[outcome] += 1;
      total.succeeded += oracle.succeeded;
      total.refused += oracle.refused;
    } catch (cause) {
      const message = Error.isError(cause) ? cause.message : String(cause);
      throw new Error(`WEFT_SEED=${seed}: ${message}`, { cause });
    }
  }
  return total;
}

async function strangerLeaf(): Promise<SimulatedLeaf> {
  const keyStore = createMemoryKeyStore();
  const random = new SeededRandom(1);
  const mesh = await SimulatedMesh.start(random);
  const now = mesh.now;
  const authority = await createAuthority({ keyStore, trustDomain: "cluster.local", now });
  mesh.nodes[0]?.renewLeaf({ held: mesh.nodes[0].held, authority, now });
  return readLeaf(mesh.nodes[0]?.leaf.chain ?? []);
}

async function runWorld(seed: number, rotations: number, stranger: SimulatedLeaf) {
  const random = new SeededRandom(seed);
  const mesh = await SimulatedMesh.start(random);
  const oracle = new RotationOracle(mesh, stranger);
  const world = { mesh, oracle, random };
  const outcomes: EndedRotation["outcome"][] = [];
  for (let index = 0; index < rotations; index += 1) {
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
    oracle.check();
    await oracle.welcomeBack();
  }
}
