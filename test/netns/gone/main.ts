/**
 * Takes a pod and a Node away from a running mesh while their processes live on, and prints what came of it as JSON.
 * Run by `gone.test.ts`; isolates itself, so nothing of it outlives it.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isIsolated, prepareIsolated, runIsolated } from "../../world/isolate.ts";
import { worldManifests, writeManifest } from "../../world/manifests.ts";
import { accessLogFile, adminGet, type Mesh, startMesh, untilCaptured } from "../../world/mesh.ts";
import { type Program, startProgram } from "../../world/program.ts";
import { until } from "../../world/until.ts";
import { createWorld, type World, type WorldPod } from "../../world/world.ts";
import { lastLines } from "../faults/last-lines.ts";
import type { CallerMessage } from "./caller-message.ts";
import type { GoneOutcome } from "./outcome.ts";

/** A node asks for a certificate that it was refused every 15 s at the latest. */
const BACK_MS = 150_000;
const SHOP = { namespace: "shop", labels: {} };
const PODS = [
  { ...SHOP, name: "web-1", serviceAccount: "web", node: "node1" },
  { ...SHOP, name: "api-1", serviceAccount: "api", node: "node2" },
  { ...SHOP, name: "web-2", serviceAccount: "web", node: "node1" },
] as const;

process.exit(isIsolated() ? await inside() : await runIsolated());

async function inside(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "weft-gone-"));
  await prepareIsolated(() => process.exit(130));
  const world = createWorld(["node1", "node2"], PODS);
  const [web, api, later] = world.pods;
  if (!web || !api || !later) throw new Error("the world lacks a pod");
  const at = { ...world, pods: [web, api] };
  const mesh = await startMesh(at, { folder, services: [] });
  try {
    console.log(JSON.stringify(await tell({ mesh, world, web, api, later })));
    return 0;
  } catch (cause) {
    console.error(cause);
    console.error(lastLines(join(folder, "logs")));
    return 1;
  } finally {
    await mesh.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Stage {
  readonly mesh: Mesh;
  readonly world: World;
  readonly web: WorldPod;
  readonly api: WorldPod;
  readonly later: WorldPod;
}

async function tell(stage: Stage): Promise<GoneOutcome> {
  const { mesh, world, web, api, later } = stage;
  await startCaller(mesh, api, ["serve"]);
  const caller = await startCaller(mesh, web, ["call", api.address]);
  if (!(await canOpen(caller))) throw new Error("nothing works before anything happens");
  const podGone = await cutBy(stage, caller, () => putPods(stage, [api]));
  const afterwards = await canOpen(caller);
  const [node1, node2] = world.nodes;
  if (!node1 || !node2) throw new Error("the world lacks a node");
  const leaves = await adminGet<{ readonly certificates: readonly { identity: string }[] }>(
    node1,
    "/certificates",
  );
  putPods(stage, [api, later]);
  await untilCaptured({ ...world, pods: [later] }, node1);
  const next = await startCaller(mesh, later, ["call", api.address]);
  const successor = await canOpen(next);
  const nodeGone = await cutBy(stage, next, () => putNodes(stage, ["node1"]));
  const withoutNode = await canOpen(next);
  putNodes(stage, ["node1", "node2"]);
  const nodeBack = await until(
    "the node's new leaf",
    async () => (await canOpen(next)) || undefined,
    BACK_MS,
  );
  const identities = leaves.certificates.map(({ identity }) => identity);
  return { podGone, afterwards, identities, successor, nodeGone, withoutNode, nodeBack };
}

async function startCaller(
  mesh: Mesh,
  { name, netns }: WorldPod,
  args: readonly string[],
): Promise<Program> {
  const program = startProgram({
    name,
    netns,
    channel: true,
    logFile: join(mesh.folder, `logs/${name}.log`),
    command: [process.execPath, join(import.meta.dirname, "caller.ts"), ...args],
  });
  await next(program, "ready");
  return program;
}

function next<K extends CallerMessage["kind"]>(
  { child }: Program,
  kind: K,
): Promise<Extract<CallerMessage, { kind: K }>> {
  return new Promise((resolve) => {
    child.on("message", function take(message: CallerMessage) {
      if (message.kind !== kind) return;
      child.off("message", take);
      resolve(message as Extract<CallerMessage, { kind: K }>);
    });
  });
}

/** Whether a new connection is answered. */
async function canOpen(caller: Program): Promise<boolean> {
  const opened = next(caller, "opened");
  caller.child.send({ kind: "open" });
  return (await opened).answered;
}

/** How long the open connection outlives the change, and what both nodes say of it. */
async function cutBy({ mesh, world }: Stage, caller: Program, change: () => void) {
  const closed = next(caller, "closed");
  const started = Date.now();
  change();
  const { atMs } = await closed;
  const codes = await Promise.all(
    world.nodes.map(({ name }) =>
      until(`the log of ${name}`, () => codeAfter(mesh, name, started)),
    ),
  );
  return { tookMs: atMs - started, codes };
}

function codeAfter({ folder }: Mesh, node: string, startedMs: number): string | undefined {
  const lines = readFileSync(accessLogFile(folder, node), "utf8").trimEnd().split("\n");
  const ended = lines
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { time: string; code: string; bytesReceived: number })
    .find(({ time, bytesReceived }) => Date.parse(time) >= startedMs && bytesReceived > 0);
  return ended?.code;
}

function putPods({ mesh, world }: Stage, pods: readonly WorldPod[]): void {
  put(mesh, "pods.yaml", worldManifests({ ...world, pods }, []));
}

function putNodes({ mesh, world }: Stage, names: readonly string[]): void {
  const nodes = world.nodes.filter(({ name }) => names.includes(name));
  put(mesh, "nodes.yaml", worldManifests({ ...world, nodes }, []));
}

function put(mesh: Mesh, file: string, manifests: ReturnType<typeof worldManifests>): void {
  writeManifest(mesh.manifests, file, manifests[file] ?? []);
}
