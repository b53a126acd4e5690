/**
 * A mesh over a world: the real operator reading a folder of YAML and a real node proxy on each node,
 * each its own process, as a user would start them without Kubernetes.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ServiceWish, worldManifests, writeManifest } from "./manifests.ts";
import { type Program, startProgram } from "./program.ts";
import { until } from "./until.ts";
import type { World, WorldNode } from "./world.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const OPERATOR_PORT = 15012;
const OPERATOR_METRICS_PORT = 15014;
const ADMIN_PORT = 15000;

export interface Mesh {
  readonly folder: string;
  /** The folder of YAML that the operator watches. */
  readonly manifests: string;
  readonly operator: Program;
  readonly nodeProxies: readonly Program[];
  close(): Promise<void>;
}

export interface MeshOptions {
  /** Keeps everything the mesh writes: manifests, CA, logs. */
  readonly folder: string;
  readonly services: readonly ServiceWish[];
}

/** Resolves once every pod of the world is captured. */
export async function startMesh(world: World, { folder, services }: MeshOptions): Promise<Mesh> {
  const manifests = join(folder, "manifests");
  mkdirSync(join(folder, "logs"), { recursive: true });
  for (const [name, objects] of Object.entries(worldManifests(world, services))) {
    writeManifest(manifests, name, objects);
  }
  const operator = startOperator(world, folder);
  await until("the operator's roots", () => readIfThere(join(folder, "roots.pem")));
  const nodeProxies = world.nodes.map((node) => startNodeProxy(world, node, folder));
  await Promise.all(world.nodes.map((node) => untilCaptured(world, node)));
  return {
    folder,
    manifests,
    operator,
    nodeProxies,
    async close() {
      await Promise.all([operator, ...nodeProxies].map((program) => program.stop("SIGKILL")));
    },
  };
}

/** Also starts an operator again after it was killed: it finds its CA and its manifests in the folder. */
export function startOperator(world: World, folder: string): Program {
  const { hostAddress } = world;
  return startProgram({
    name: "operator",
    logFile: join(folder, "logs/operator.log"),
    command: [
      process.execPath,
      join(ROOT, "operator/main.ts"),
      `--source=file:${join(folder, "manifests")}`,
      `--ca-dir=${join(folder, "ca")}`,
      `--join-token-file=${join(folder, "join-token")}`,
      `--roots-out=${join(folder, "roots.pem")}`,
      `--grpc-listen=${hostAddress}:${OPERATOR_PORT}`,
      `--metrics-listen=${hostAddress}:${OPERATOR_METRICS_PORT}`,
    ],
  });
}

/** Also starts one again after it was killed: its run directory is in the folder. */
function startNodeProxy(world: World, node: WorldNode, folder: string): Program {
  return startProgram({
    name: `node proxy of ${node.name}`,
    logFile: join(folder, `logs/nodeproxy-${node.name}.log`),
    netns: node.netns,
    command: [
      process.execPath,
      join(ROOT, "nodeproxy/keeper-main.ts"),
      `--node=${node.name}`,
      `--operator=${world.hostAddress}:${OPERATOR_PORT}`,
      `--roots=${join(folder, "roots.pem")}`,
      `--join-token-file=${join(folder, "join-token")}`,
      `--run-dir=${join(folder, `run-${node.name}`)}`,
      `--admin-listen=${node.address}:${ADMIN_PORT}`,
      `--access-log=${accessLogFile(folder, node.name)}`,
    ],
  });
}

export function accessLogFile(folder: string, node: string): string {
  return join(folder, `logs/access-${node}.log`);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

interface Captures {
  readonly captures: readonly { readonly uid: string; readonly state: string }[];
}

/** Resolves once every pod of the node is captured. */
async function untilCaptured(world: World, node: WorldNode): Promise<void> {
  const wanted = world.pods.filter((pod) => pod.node === node.name).map(({ uid }) => uid);
  await until(`every pod of ${node.name} to be captured`, async () => {
    const { captures } = await adminGet<Captures>(node, "/captures");
    const captured = new Set(captures.filter((c) => c.state === "captured").map(({ uid }) => uid));
    return wanted.every((uid) => captured.has(uid)) ? true : undefined;
  });
}

/** Asks the node proxy's admin endpoint. */
export async function adminGet<T>(node: WorldNode, path: string): Promise<T> {
  const response = await fetch(`http://${node.address}:${ADMIN_PORT}${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return (await response.json()) as T;
}

/** Asks the node proxy to renew every leaf it serves now. */
export async function renewLeaves(node: WorldNode): Promise<void> {
  const url = `http://${node.address}:${ADMIN_PORT}/certificates/renew`;
  const response = await fetch(url, { method: "POST" });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
}
