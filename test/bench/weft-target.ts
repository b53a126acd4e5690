/** Weft as it is installed: operator, and on each node keeper, control and traffic process. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { startMesh } from "../world/mesh.ts";
import { killTrees } from "./process-cost.ts";
import type { BenchTarget } from "./target.ts";

export const WEFT: BenchTarget = {
  name: "weft",
  async start({ world, folder }) {
    const mesh = await startMesh(world, {
      folder: mkdtempSync(join(folder, "weft-")),
      services: [],
    });
    return {
      programs: mesh.nodeProxies,
      async close() {
        killTrees(mesh.nodeProxies.map(({ child }) => child.pid ?? 0));
        await mesh.close();
      },
    };
  },
};
