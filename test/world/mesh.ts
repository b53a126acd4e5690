/**
 * A mesh over a world: the real operator reading a folder of YAML and a real node proxy on each node,
 * each its own process, as a user would start them without Kubernetes.
 */
import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type ServiceWish, worldManifests, writeManifest } from "./manifests.ts";
import { type Program, startProgram } from "./program.ts";
import { until } from "./until.ts";
import type { World, WorldNode } from "./world.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const OPERATOR_PORT = 15012;
const OPERATOR_METRICS_PORT = 15014;
const ADMIN_PORT = 15000;
const METRICS_PORT = 15020;
const READY_PORT = 15021;

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
  /** What else the operator finds when it starts. */
  readonly objects?: readonly object[];
  readonly confinement?: Confinement;
  readonly nodeProxy?: NodeProxyExtras;
}

/** What a node proxy gets beside the ordinary. */
export interface NodeProxyExtras {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What a container's runtime would set around a node proxy. */
export interface Confinement {
  /** `UID:GID` of the traffic process, which must be able to enter the mesh's folder. */
  readonly trafficUser: string;
  /** A program that takes the keeper's command as its arguments and leaves it what the container has. */
  readonly wrapper: readonly string[];
  /** Where the traffic user can read Weft's sources and run Node. */
  readonly root: string;
  readonly node: string;
  /** Node's compile cache, as the image has it. */
  readonly compiled: string;
  /** From SIGTERM to SIGKILL. */
  readonly graceSeconds: string;
}

/** Resolves once every pod of the world is captured. */
export async function startMesh(world: World, options: MeshOptions): Promise<Mesh> {
  const { folder, services, confinement, nodeProxy } = options;
  const manifests = join(folder, "manifests");
  mkdirSync(join(folder, "logs"), { recursive: true });
  for (const [name, objects] of Object.entries(worldManifests(world, services))) {
    writeManifest(manifests, name, objects);
  }
  if (options.objects) writeManifest(manifests, "objects.yaml", options.objects);
  const operator = startOperator(world, folder);
  await until("the operator's roots", () => readIfThere(join(folder, "roots.pem")));
  const nodeProxies = world.nodes.map((node) =>
    startNodeProxy(world, node, {
      folder,
      ...(confinement ? { confinement } : {}),
      ...(nodeProxy ? { nodeProxy } : {}),
    }),
  );
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

export interface NodeProxyStart extends Pick<MeshOptions, "folder" | "confinement" | "nodeProxy"> {
  /** Of those that run on the node at the same time: each has ports and a line of its own. 0 where absent. */
  readonly generation?: number;
}

/** Ports of one generation are so far from those of the one before. */
const GENERATION_PORTS = 100;

/** Where a node proxy of that generation tells that it is ready. */
export function readyPort(generation = 0): number {
  return READY_PORT + generation * GENERATION_PORTS;
}

/** Also starts one again after it was killed: its run directory is in the folder. */
export function startNodeProxy(
  world: World,
  node: WorldNode,
  { folder, confinement, nodeProxy, generation = 0 }: NodeProxyStart,
): Program {
  const offset = generation * GENERATION_PORTS;
  const accessLog = accessLogFile(folder, node.name);
  if (confinement) giveFile(accessLog, confinement.trafficUser);
  return startProgram({
    name: `node proxy of ${node.name}`,
    logFile: join(folder, `logs/nodeproxy-${node.name}.log`),
    netns: node.netns,
    env: environmentOf(confinement, nodeProxy),
    command: [
      ...(confinement?.wrapper ?? []),
      confinement?.node ?? process.execPath,
      join(confinement?.root ?? ROOT, "nodeproxy/keeper-main.ts"),
      `--node=${node.name}`,
      `--operator=${world.hostAddress}:${OPERATOR_PORT}`,
      `--roots=${join(folder, "roots.pem")}`,
      `--join-token-file=${join(folder, "join-token")}`,
      `--run-dir=${runDir(folder, node.name)}`,
      // The run directory is root's alone.
      `--line-dir=${join(folder, `line-${node.name}-${generation}`)}`,
      `--admin-listen=${node.address}:${ADMIN_PORT + offset}`,
      `--metrics-listen=:${METRICS_PORT + offset}`,
      `--ready-listen=:${readyPort(generation)}`,
      `--access-log=${accessLog}`,
      ...(nodeProxy?.flags ?? []),
    ],
  });
}

function environmentOf(
  confinement: Confinement | undefined,
  nodeProxy: NodeProxyExtras | undefined,
): Readonly<Record<string, string>> {
  if (!confinement) return nodeProxy?.env ?? {};
  return {
    ...nodeProxy?.env,
    WEFT_TRAFFIC_USER: confinement.trafficUser,
    WEFT_GRACE_SECONDS: confinement.graceSeconds,
    NODE_COMPILE_CACHE: confinement.compiled,
  };
}

/** Whoever appends to a file without rights in its folder needs one that is there. */
function giveFile(file: string, user: string): void {
  const [uid, gid] = user.split(":").map(Number);
  writeFileSync(file, "", { flag: "a" });
  chownSync(file, uid ?? 0, gid ?? 0);
}

/** What a node proxy remembers. */
export function runDir(folder: string, node: string): string {
  return join(folder, `run-${node}`);
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
export async function untilCaptured(world: World, node: WorldNode): Promise<void> {
  const wanted = world.pods.filter((pod) => pod.node === node.name).map(({ uid }) => uid);
  await until(`every pod of ${node.name} to be captured`, async () => {
    const { captures } = await adminGet<Captures>(node, "/captures");
    const captured = new Set(captures.filter((c) => c.state === "captured").map(({ uid }) => uid));
    return wanted.every((uid) => captured.has(uid)) ? true : undefined;
  });
}

/** Resolves once the nodes of these names have a stream to the operator that runs now. */
export async function untilConnected(world: World, names: readonly string[]): Promise<void> {
  await until("the nodes at the operator", async () => {
    const connected = await connectedNodes(world);
    return names.every((name) => connected.includes(name)) ? true : undefined;
  });
}

/** Resolves once the operator has noticed that the node's stream is gone. */
export async function untilAway(world: World, name: string): Promise<void> {
  await until(`the operator to miss ${name}`, async () =>
    (await connectedNodes(world)).includes(name) ? undefined : true,
  );
}

async function connectedNodes(world: World): Promise<readonly string[]> {
  const response = await fetch(`http://${world.hostAddress}:${OPERATOR_METRICS_PORT}/status`);
  const { nodes } = (await response.json()) as {
    nodes: readonly { readonly node: string; readonly connected: boolean }[];
  };
  return nodes.filter((one) => one.connected).map(({ node }) => node);
}

/** How many streams node proxies have opened to the operator that runs now. */
export async function countStreams(world: World): Promise<number> {
  const url = `http://${world.hostAddress}:${OPERATOR_METRICS_PORT}/metrics`;
  const text = await (await fetch(url)).text();
  const [, count] = /^weft_operator_config_streams_total(?:\{.*\})? (\d+)$/m.exec(text) ?? [];
  if (count === undefined) throw new Error("the operator counts no streams");
  return Number(count);
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
