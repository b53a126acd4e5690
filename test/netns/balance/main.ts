/**
 * A whole mesh in which a TrafficPolicy comes, changes and goes as YAML, and what callers see of it, printed as JSON.
 * Run by `a-traffic-policy-rules-callers.test.ts`; isolates itself, so nothing of it outlives it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isIsolated, prepareIsolated, runIsolated } from "../../world/isolate.ts";
import { removeManifest, writeManifest } from "../../world/manifests.ts";
import { type Mesh, startMesh } from "../../world/mesh.ts";
import { startProgram } from "../../world/program.ts";
import { until } from "../../world/until.ts";
import { createWorld, type World } from "../../world/world.ts";
import type { BalanceOutcome } from "./outcome.ts";

const ADDRESS = "10.96.0.10";
const PORT = 8080;
const CALLS = 12;
const API = { namespace: "shop", labels: { app: "api" }, serviceAccount: "api" };
const PODS = [
  { ...API, name: "web-1", serviceAccount: "web", labels: {}, node: "node1" },
  { ...API, name: "api-1", node: "node1" },
  { ...API, name: "api-2", node: "node2" },
  { ...API, name: "api-3", node: "node2" },
];

/** Says who it is to each caller. */
const SERVE = `require("net").createServer((s) => s.on("error", () => {}).resume().end(process.argv[1])).listen(${PORT}, () => process.send("ready"))`;
/** Who answered, "" for nobody, one call after the other; each says what the script is given. */
const CALL = `
  const answers = [];
  (function next() {
    if (answers.length === ${CALLS}) return console.log(JSON.stringify(answers));
    let text = "";
    const socket = require("net").connect(80, "${ADDRESS}");
    socket.on("data", (data) => (text += data)).on("error", () => {})
      .on("close", () => { answers.push(text); next(); });
    if (process.argv[1]) socket.end(process.argv[1]);
  })()`;

process.exit(isIsolated() ? await inside() : await runIsolated());

async function inside(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-balance-"));
  await prepareIsolated(() => process.exit(130));
  const world = createWorld(["node1", "node2"], PODS);
  const services = [{ name: "api", address: ADDRESS, port: 80, targetPort: PORT }];
  const mesh = await startMesh(world, { folder, services });
  try {
    await Promise.all(world.pods.slice(1).map((pod) => serve(mesh, pod)));
    process.stdout.write(JSON.stringify(await tell(mesh, world)));
    return 0;
  } finally {
    await mesh.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function serve({ folder }: Mesh, { name, netns }: World["pods"][number]): Promise<void> {
  const { child } = startProgram({
    name,
    netns,
    channel: true,
    logFile: join(folder, `logs/${name}.log`),
    command: [process.execPath, "-e", SERVE, name],
  });
  await new Promise((resolve) => child.once("message", resolve));
}

async function tell(mesh: Mesh, world: World): Promise<BalanceOutcome> {
  const inTurn = call(world);
  putPolicy(mesh, { loadBalancer: { consistentHash: { useSourceIp: true } } });
  const hashed = await until("one answer for all", () => {
    const answers = call(world);
    return new Set(answers).size === 1 ? answers : undefined;
  });
  putPolicy(mesh, { http: { ports: [80] } });
  const asHttp = await until("refusals of what is no HTTP", () => {
    const answers = call(world, "who are you\r\n\r\n");
    return answers.every((answer) => answer.startsWith("HTTP/1.1 ")) ? answers : undefined;
  });
  removeManifest(mesh.manifests, "traffic.yaml");
  const again = await until("all to answer in turn again", () => {
    const answers = call(world);
    return new Set(answers).size === 3 ? answers : undefined;
  });
  return { inTurn, hashed, asHttp, again };
}

function putPolicy({ manifests }: Mesh, spec: object): void {
  const targetRefs = [{ kind: "Service", name: "api" }];
  writeManifest(manifests, "traffic.yaml", [
    {
      apiVersion: "weft.dev/v1",
      kind: "TrafficPolicy",
      metadata: { name: "api", namespace: "shop" },
      spec: { targetRefs, ...spec },
    },
  ]);
}

function call({ pods }: World, said = ""): readonly string[] {
  const netns = pods[0]?.netns ?? "";
  const command = [`--net=${netns}`, process.execPath, "-e", CALL, said];
  const done = spawnSync("nsenter", command, { encoding: "utf8" });
  if (done.status !== 0) throw new Error(done.stderr);
  return JSON.parse(done.stdout) as readonly string[];
}
