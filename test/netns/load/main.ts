/**
 * A whole mesh of two nodes under load: readers that stall, a bulk transfer, a flood of connections; what it costs in
 * memory and in others' latency is printed as JSON. Isolates itself, so nothing of it outlives it.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNamespace } from "../../../nodeproxy/sys/namespace.ts";
import { descendants } from "../../bench/process-cost.ts";
import { isIsolated, prepareIsolated, runIsolated } from "../../world/isolate.ts";
import { startMesh } from "../../world/mesh.ts";
import { startProgram } from "../../world/program.ts";
import { createWorld } from "../../world/world.ts";
import { latencies } from "./latency.ts";
import type { LoadOutcome, LoadWish } from "./outcome.ts";
import { isTraffic, stall } from "./stalled.ts";

const POD = { namespace: "shop", labels: {} };
const PODS = [
  { ...POD, name: "caller", serviceAccount: "caller", node: "node1" },
  { ...POD, name: "other", serviceAccount: "other", node: "node1" },
  { ...POD, name: "server", serviceAccount: "server", node: "node2" },
];
/** Each its own process, so that only the node proxies are shared: of the requests, and of what is beside them. */
const SERVE_PORTS = { requests: 9_000, load: 9_001 } as const;
const STALL_PORT = 9_002;

process.exit(isIsolated() ? await inside() : await runIsolated());

async function inside(): Promise<number> {
  const wish = JSON.parse(process.argv[2] ?? "{}") as LoadWish;
  const folder = mkdtempSync(join(tmpdir(), "weft-load-"));
  await prepareIsolated(() => process.exit(130));
  const world = createWorld(["node1", "node2"], PODS);
  const mesh = await startMesh(world, { folder, services: [] });
  try {
    const [caller, other, server] = world.pods.map((pod) => {
      return { ...pod, namespace: openNamespace(pod.netns) };
    });
    if (!caller || !other || !server) throw new Error("the world lacks pods");
    const serving: number[] = [];
    for (const port of [SERVE_PORTS.requests, SERVE_PORTS.load]) {
      const program = startProgram({
        name: "server",
        netns: server.netns,
        channel: true,
        logFile: join(folder, "logs/server.log"),
        command: [process.execPath, join(import.meta.dirname, "driver.ts"), "serve", `${port}`],
      });
      await once(program.child, "message");
      serving.push(program.child.pid ?? 0);
    }
    const { rounds, requests, connections, megabytes } = wish;
    const to = { host: server.address, ports: SERVE_PORTS };
    const proxies = mesh.nodeProxies.map(({ child }) => child.pid ?? 0);
    const place = { from: caller, to: server, host: server.address, port: STALL_PORT };
    const stalling = { ...place, connections, megabytes, proxies };
    const upload = await stall({ ...stalling, writer: "client" });
    const download = await stall({ ...stalling, port: STALL_PORT + 1, writer: "server" });
    // Last: what a heap has grown to stays its own for a while.
    const [answering = 0] = serving;
    const chain = [process.pid, ...proxies.map(trafficOf), answering];
    const measured = await latencies({ caller, other, ...to, rounds, requests, folder, chain });
    const outcome: LoadOutcome = { upload, download, latencies: measured };
    process.stdout.write(JSON.stringify(outcome));
    return 0;
  } finally {
    await mesh.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function trafficOf(nodeProxy: number): number {
  const traffic = descendants([nodeProxy]).find(isTraffic);
  if (traffic === undefined) throw new Error("a node proxy without its traffic process");
  return traffic;
}
