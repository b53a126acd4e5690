/**
 * Tells a story of a mesh that suffers, from its beginning to its end: isolates itself, so that nothing of it outlives it,
 * prints what came of it as JSON, and the ends of all logs where it broke off.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isIsolated, prepareIsolated, runIsolated } from "../../world/isolate.ts";
import type { Confinement } from "../../world/mesh.ts";
import { createWorld } from "../../world/world.ts";
import { deployedConfinement } from "./deployed-confinement.ts";
import { lastLines } from "./last-lines.ts";
import { FaultStage, POD_WISHES } from "./stage.ts";

export interface Story {
  /** Of its folder. */
  readonly name: string;
  readonly tell: (stage: FaultStage) => Promise<object>;
  /** What is otherwise than deployed. */
  readonly confinement?: Partial<Confinement>;
}

/** Resolves with the code to exit with. */
export async function runStory(story: Story): Promise<number> {
  return isIsolated() ? inside(story) : runIsolated();
}

async function inside({ name, tell, confinement }: Story): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), `weft-${name}-`));
  // The traffic process, another user, finds the socket to control below.
  chmodSync(folder, 0o711);
  await prepareIsolated(() => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(130);
  });
  const world = createWorld(["node1", "node2"], POD_WISHES);
  const deployed = deployedConfinement("/run/weft-deployed");
  const stage = new FaultStage(world, folder, { ...deployed, ...confinement });
  try {
    console.log(JSON.stringify(await tell(stage)));
    return 0;
  } catch (cause) {
    console.error(cause);
    console.error(lastLines(join(folder, "logs")));
    return 1;
  } finally {
    await stage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
