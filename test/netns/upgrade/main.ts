/** Runs the upgrade story and prints what came of it as JSON. Run by `upgrade.test.ts`; isolates itself. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isIsolated, prepareIsolated, runIsolated } from "../../world/isolate.ts";
import { createWorld } from "../../world/world.ts";
import { deployedConfinement } from "../faults/deployed-confinement.ts";
import { lastLines } from "../faults/last-lines.ts";
import { FaultStage, POD_WISHES } from "../faults/stage.ts";
import { tellUpgrades } from "./story.ts";

/** The shortest that there is: connections that never end by themselves end with it, so that many upgrades fit in. */
const GRACE_SECONDS = 10;
const DRAIN_MS = 5_000;

process.exit(isIsolated() ? await inside() : await runIsolated());

async function inside(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-upgrade-"));
  // The traffic process, another user, finds the socket to control below.
  chmodSync(folder, 0o711);
  await prepareIsolated(() => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(130);
  });
  const world = createWorld(["node1", "node2"], POD_WISHES);
  const confinement = deployedConfinement("/run/weft-deployed");
  const stage = new FaultStage(world, folder, {
    ...confinement,
    graceSeconds: String(GRACE_SECONDS),
  });
  try {
    console.log(JSON.stringify(await tellUpgrades(stage, DRAIN_MS)));
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
