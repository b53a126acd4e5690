/** Runs the restart story and prints what came of it as JSON. Run by `restart.test.ts`; isolates itself. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isIsolated, prepareIsolated, runIsolated } from "../../world/isolate.ts";
import { createWorld } from "../../world/world.ts";
import { deployedConfinement } from "../faults/deployed-confinement.ts";
import { lastLines } from "../faults/last-lines.ts";
import { FaultStage, POD_WISHES } from "../faults/stage.ts";
import { tellRestarts } from "./story.ts";

process.exit(isIsolated() ? await inside() : await runIsolated());

async function inside(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-restart-"));
  // The traffic process, another user, finds the socket to control below.
  chmodSync(folder, 0o711);
  await prepareIsolated(() => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(130);
  });
  const world = createWorld(["node1", "node2"], POD_WISHES);
  const stage = new FaultStage(world, folder, deployedConfinement("/run/weft-deployed"));
  try {
    console.log(JSON.stringify(await tellRestarts(stage)));
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
