/**
 * `npm run demo`: the mesh at work on one machine without Kubernetes, each claim measured.
 *
 * `--json` prints the summary, `--keep` leaves it running until Ctrl-C. Exit 0 only if all of it held,
 * 2 where the machine lacks something.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { installCommand, providePackages } from "../packages.ts";
import { isIsolated, prepareIsolated, runIsolated } from "../world/isolate.ts";
import { createWorld } from "../world/world.ts";
import { SHOP_PODS } from "./manifests.ts";
import { runDemo } from "./story.ts";

const TOOLS = {
  iptables: "iptables",
  ip: "iproute2",
  nsenter: "util-linux",
  unshare: "util-linux",
};

const { values } = parseArgs({
  options: { json: { type: "boolean" }, keep: { type: "boolean" }, help: { type: "boolean" } },
});
if (values.help) {
  console.error("usage: npm run demo -- [--json] [--keep]");
  process.exit(0);
}
process.exit(isIsolated() ? await inside() : await outside());

async function outside(): Promise<number> {
  if (process.platform !== "linux") {
    console.error("the demo needs Linux: network namespaces and iptables");
    return 2;
  }
  const missing = providePackages(TOOLS);
  if (missing.length > 0) {
    console.error(`missing on this machine; install with: sudo ${installCommand(missing)}`);
    return 2;
  }
  return runIsolated();
}

async function inside(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-demo-"));
  function end(): never {
    rmSync(folder, { recursive: true, force: true });
    // Process 1 of its own namespace: with it ends every process of the demo.
    process.exit(130);
  }
  const pid = await prepareIsolated(end);
  try {
    const world = createWorld(["node1", "node2"], SHOP_PODS);
    return await runDemo({
      world,
      folder,
      pid,
      json: values.json ?? false,
      keep: values.keep ?? false,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
