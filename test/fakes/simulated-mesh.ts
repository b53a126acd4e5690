/**
 * A mesh in simulated time: three nodes, and two replicas of the operator on one key store. It moves on by a second or two
 * at a time; what goes wrong meanwhile is done to it from outside (`rotation-faults.ts`).
 */
import type { NodeReport } from "../../core/model/node-report.ts";
import type { KeyStore } from "../../operator/ca/key-store.ts";
import type { RotationWish } from "../../operator/ca/rotation/decide-step.ts";
import type { RotationProgress } from "../../operator/ca/rotation/rotation-engine.ts";
import type { DatedNodeReport } from "../../operator/resources/node-report.ts";
import { FaultyKeyStore, OperatorDied, type WriteFault } from "./faulty-key-store.ts";
import { createMemoryKeyStore } from "./memory-key-store.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { type SimulatedLeaf, SimulatedNode } from "./simulated-node.ts";
import { SimulatedReplica, storedVersion } from "./simulated-replica.ts";

const START = Date.parse("2026-01-01T00:00:00Z");
const NODES = ["a", "b", "c"];

/** A report on its way from one replica to the others, through the API. */
interface Delivery {
  readonly atMs: number;
  readonly from: number;
  readonly written: DatedNodeReport;
}

export interface SimulatedTunnel {
  readonly ends: readonly [SimulatedNode, SimulatedNode];
  /** Those that the ends showed when it was opened; `undefined` while it is cut. */
  leaves: readonly [SimulatedLeaf, SimulatedLeaf] | undefined;
}

/** A tunnel that one end does not trust any more, and so has ended with whatever it carried. */
interface CutTunnel {
  readonly by: SimulatedNode;
  readonly ends: SimulatedTunnel["ends"];
}

interface Seat {
  readonly index: number;
  /** Its line to the key store, which outlives it. */
  readonly line: FaultyKeyStore;
  /** `undefined` while it is dead. */
  replica: SimulatedReplica | undefined;
  restartAtMs: number;
}

export class SimulatedMesh {
  readonly random: SeededRandom;
  readonly seats: readonly Seat[];
  /** Indices of the seats whose replicas think they lead. */
  leaders: readonly number[] = [0];
  /** What becomes of the next write. */
  writeFault: WriteFault = "none";
  /** True time; every clock has its own. */
  now = START;
  nodes: readonly SimulatedNode[] = [];
  tunnels: readonly SimulatedTunnel[] = [];
  /** In the last step. */
  cuts: readonly CutTunnel[] = [];
  readonly #store: KeyStore;
  #deliveries: readonly Delivery[] = [];

  private constructor(random: SeededRandom) {
    const store = createMemoryKeyStore();
    this.random = random;
    this.#store = store;
    this.seats = [0, 1].map((index) => ({
      index,
      line: new FaultyKeyStore(store, () => this.#takeFault()),
      replica: undefined,
      restartAtMs: 0,
    }));
  }

  static async start(random: SeededRandom): Promise<SimulatedMesh> {
    const mesh = new SimulatedMesh(random);
    await mesh.#restartDead();
    const judged = new Map<string, boolean>();
    const first = mesh.#serving(0);
    if (!first) throw new Error("no replica started");
    mesh.nodes = NODES.map((name) => new SimulatedNode(name, first, judged));
    mesh.tunnels = NODES.flatMap((_, i) =>
      mesh.nodes.slice(i + 1).map((other) => openTunnel(mesh.nodes[i] ?? other, other)),
    );
    return mesh;
  }

  /** Everybody does what there is to do; what the leaders got out of it. */
  async step(wish: RotationWish | undefined): Promise<readonly RotationProgress[]> {
    this.now += this.random.whole(1000, 3000);
    await this.#restartDead();
    this.#deliver();
    const progress: RotationProgress[] = [];
    for (const seat of this.seats) progress.push(...(await this.#operate(seat, wish)));
    for (const node of this.nodes) if (node.awayUntilMs <= this.now) this.#serve(node);
    this.#endUntrusted();
    this.#replaceTunnels();
    return progress;
  }

  /** What every node should hold by now, whatever the replicas have seen of it. */
  bundleVersion(): Promise<string> {
    return storedVersion(this.#store);
  }

  kill(seat: Seat): void {
    seat.replica = undefined;
    seat.restartAtMs = this.now + this.random.whole(0, 20_000);
    // What it has not written yet is lost.
    this.#deliveries = this.#deliveries.filter(({ from }) => from !== seat.index);
  }

  #takeFault(): WriteFault {
    const fault = this.writeFault;
    this.writeFault = "none";
    return fault;
  }

  async #restartDead(): Promise<void> {
    for (const seat of this.seats) {
      const isDue = !seat.replica && seat.restartAtMs <= this.now && !seat.line.isAway;
      if (isDue) seat.replica = await SimulatedReplica.start(seat.line, () => this.now);
    }
  }

  async #operate(seat: Seat, wish: RotationWish | undefined): Promise<readonly RotationProgress[]> {
    const { replica, line } = seat;
    if (!replica || line.isAway) return [];
    const isLeader = this.leaders.includes(seat.index);
    try {
      await replica.lookIfDue(isLeader);
      if (!isLeader) return [];
      const names = this.nodes.map(({ name }) => name);
      const progress = await replica.advance(wish, names);
      if (progress.kind === "moved") await replica.look(isLeader);
      return [progress];
    } catch (error) {
      if (!(error instanceof OperatorDied)) throw error;
      this.kill(seat);
      return [];
    }
  }

  #serving(preferred: number): SimulatedReplica | undefined {
    return this.seats[preferred]?.replica;
  }

  /** Its stream goes on as long as the replica lives; another one asks the API server who the node is. */
  #serve(node: SimulatedNode): void {
    if (!this.#serving(node.seat)) {
      const other = this.seats.find(({ replica }) => replica?.isServing);
      if (!other) return;
      node.seat = other.index;
    }
    const replica = this.#serving(node.seat);
    if (!replica) return;
    const { random } = this;
    if (random.chance(0.7)) node.held = replica.held;
    if (node.wantsLeaf(this.now) && random.chance(0.6)) node.renewLeaf(replica);
    // It may be cut off after any of these, with its report never sent.
    if (node.awayUntilMs > this.now || !random.chance(0.8)) return;
    const written = replica.hear(node.report(this.#olderTunnels(node)));
    const atMs = this.now + random.whole(0, 3000);
    if (written) this.#deliveries = [...this.#deliveries, { atMs, from: node.seat, written }];
  }

  #deliver(): void {
    const due = this.#deliveries.filter(({ atMs, from }) => this.#arrives(atMs, from));
    this.#deliveries = this.#deliveries.filter((delivery) => !due.includes(delivery));
    for (const { from, written } of due) {
      for (const { index, replica } of this.seats) if (index !== from) replica?.read(written);
    }
  }

  #arrives(atMs: number, from: number): boolean {
    return atMs <= this.now && !this.seats[from]?.line.isAway;
  }

  #olderTunnels(node: SimulatedNode): NodeReport["olderTunnels"] {
    const { issuer } = node.held.bundle;
    return this.tunnels
      .filter(({ ends }) => ends.includes(node))
      .flatMap(({ leaves = [] }) => leaves.filter((leaf) => leaf.issuer !== issuer))
      .map((leaf) => ({ issuer: leaf.issuer, count: 1 }));
  }

  /** At once, by the end whose trust it has lost: the leaf of either end will do. */
  #endUntrusted(): void {
    this.cuts = this.tunnels.flatMap((tunnel) => {
      const { ends, leaves = [] } = tunnel;
      const by = ends.find((end) => leaves.some((leaf) => !end.trusts(leaf)));
      if (!by) return [];
      tunnel.leaves = undefined;
      return [{ by, ends }];
    });
  }

  /** Tunnels under older leaves are drained, and come back under those of now, as those that were cut do. */
  #replaceTunnels(): void {
    for (const tunnel of this.tunnels) {
      const [a, b] = tunnel.ends;
      const isOlder = tunnel.leaves?.[0] !== a.leaf || tunnel.leaves[1] !== b.leaf;
      const areTrusted = a.accepts(b.leaf, this.now) && b.accepts(a.leaf, this.now);
      if (isOlder && areTrusted && this.random.chance(0.5)) tunnel.leaves = [a.leaf, b.leaf];
    }
  }
}

function openTunnel(a: SimulatedNode, b: SimulatedNode): SimulatedTunnel {
  return { ends: [a, b], leaves: [a.leaf, b.leaf] };
}
