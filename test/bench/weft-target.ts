/** Weft as it is installed: operator, and on each node keeper, control and traffic process. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { type NodeProxyExtras, startMesh } from "../world/mesh.ts";
import { killTrees } from "./process-cost.ts";
import type { BenchTarget } from "./target.ts";

/** `extras` are of each node proxy. */
export function weftTarget(extras: NodeProxyExtras = {}): BenchTarget {
  return {
    name: "weft",
    async start({ world, folder }) {
      const mesh = await startMesh(world, {
        folder: mkdtempSync(join(folder, "weft-")),
        services: [],
        nodeProxy: extras,
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
}
