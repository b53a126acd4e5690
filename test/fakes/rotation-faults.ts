/** What goes wrong in a simulated mesh while its CA is rotated, chosen by chance before each step. */
import type { SimulatedMesh } from "./simulated-mesh.ts";

const MINUTE_MS = 60_000;

export function strike(mesh: SimulatedMesh): void {
  strikeOperators(mesh);
  strikeNodes(mesh);
}

/** Everything is mended: clocks are set, and everybody reaches everybody. */
export function mend(mesh: SimulatedMesh): void {
  mesh.leaders = [0];
  mesh.writeFault = "none";
  for (const seat of mesh.seats) {
    seat.line.isAway = false;
    seat.restartAtMs = 0;
    if (seat.replica) seat.replica.skewMs = 0;
  }
  for (const node of mesh.nodes) {
    node.awayUntilMs = 0;
    node.skewMs = 0;
  }
}

function strikeOperators(mesh: SimulatedMesh): void {
  const { random, seats } = mesh;
  if (random.chance(0.06)) {
    const faults = ["dies_before", "dies_after", "conflict", "conflict"] as const;
    mesh.writeFault = faults[random.whole(0, 3)] ?? "none";
  }
  // One, the other, both for a moment, or none.
  if (random.chance(0.05)) mesh.leaders = [[0], [1], [0, 1], []][random.whole(0, 3)] ?? [0];
  for (const seat of seats) {
    const { replica, line } = seat;
    if (random.chance(line.isAway ? 0.1 : 0.01)) line.isAway = !line.isAway;
    if (!replica) continue;
    if (random.chance(0.02)) replica.skewMs = random.whole(-10 * MINUTE_MS, 10 * MINUTE_MS);
    else if (random.chance(0.1)) replica.skewMs = 0;
    if (random.chance(0.01)) mesh.kill(seat);
  }
}

function strikeNodes({ random, nodes, seats, now }: SimulatedMesh): void {
  for (const node of nodes) {
    const longestMs = random.chance(0.1) ? 4 * MINUTE_MS : MINUTE_MS / 2;
    if (random.chance(0.03)) node.awayUntilMs = now + random.whole(1000, longestMs);
    if (random.chance(0.02)) node.skewMs = random.whole(-2 * MINUTE_MS, 2 * MINUTE_MS);
    const other = seats[1 - node.seat];
    if (random.chance(0.05) && other?.replica?.isServing) node.seat = other.index;
  }
}
