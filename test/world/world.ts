/**
 * Nodes and pods made of network namespaces on one machine, wired as a cluster is: pods on a bridge of
 * their node, nodes on a common link, routes between.
 *
 * Run it inside `isolate.ts`; it removes nothing, the namespaces end with the program.
 */
import { spawnSync } from "node:child_process";

export interface WorldNode {
  readonly name: string;
  /** On the link between the nodes. */
  readonly address: string;
  /** The node's own address in its pods' network, from which a kubelet would probe. */
  readonly gateway: string;
  readonly netns: string;
}

export interface WorldPod {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly node: string;
  readonly uid: string;
  readonly address: string;
  /** Path of the pod's network namespace. */
  readonly netns: string;
}

export type PodWish = Pick<WorldPod, "name" | "namespace" | "serviceAccount" | "labels" | "node">;

export interface World {
  readonly nodes: readonly WorldNode[];
  readonly pods: readonly WorldPod[];
  /** Address of the program's own namespace on the nodes' link: where an operator listens. */
  readonly hostAddress: string;
}

const HOST_ADDRESS = "10.99.0.254";

export function createWorld(nodeNames: readonly string[], wishes: readonly PodWish[]): World {
  const nodes = nodeNames.map((name, i) => ({
    name,
    address: `10.99.0.${i + 1}`,
    gateway: `10.244.${i + 1}.1`,
    netns: `/run/netns/${name}`,
  }));
  const pods = wishes.map((wish, i) => {
    const nodeIndex = nodeNames.indexOf(wish.node);
    return {
      ...wish,
      uid: podUid(i),
      address: `10.244.${nodeIndex + 1}.${10 + i}`,
      netns: `/run/netns/${wish.name}`,
    };
  });
  ip(["link add nodes type bridge", `addr add ${HOST_ADDRESS}/24 dev nodes`, "link set nodes up"]);
  for (const node of nodes) addNode(node, nodes);
  for (const pod of pods) addPod(pod, nodes);
  return { nodes, pods, hostAddress: HOST_ADDRESS };
}

/** A UID that is stable from run to run, of a real one's form. */
function podUid(index: number): string {
  return `00000000-0000-4000-8000-${String(index + 1).padStart(12, "0")}`;
}

function addNode(node: WorldNode, nodes: readonly WorldNode[]): void {
  ip([
    `netns add ${node.name}`,
    `link add link-${node.name} type veth peer name eth0 netns ${node.name}`,
    `link set link-${node.name} master nodes up`,
  ]);
  ipIn(node.name, [
    "link set lo up",
    `addr add ${node.address}/24 dev eth0`,
    "link set eth0 up",
    "link add pods type bridge",
    `addr add ${node.gateway}/24 dev pods`,
    "link set pods up",
    ...nodes
      .filter((other) => other !== node)
      .map((other) => `route add ${other.gateway.replace(/1$/, "0")}/24 via ${other.address}`),
  ]);
  run("nsenter", [`--net=${node.netns}`, "sysctl", "-qw", "net.ipv4.ip_forward=1"]);
}

function addPod(pod: WorldPod, nodes: readonly WorldNode[]): void {
  const node = nodes.find(({ name }) => name === pod.node);
  if (!node) throw new Error(`pod ${pod.name}: no node ${pod.node}`);
  ip([`netns add ${pod.name}`]);
  ipIn(node.name, [
    `link add p-${pod.name} type veth peer name eth0 netns ${pod.name}`,
    `link set p-${pod.name} master pods up`,
  ]);
  ipIn(pod.name, [
    "link set lo up",
    `addr add ${pod.address}/24 dev eth0`,
    "link set eth0 up",
    `route add default via ${node.gateway}`,
  ]);
}

function ip(lines: readonly string[]): void {
  run("ip", ["-batch", "-"], `${lines.join("\n")}\n`);
}

function ipIn(netns: string, lines: readonly string[]): void {
  run("ip", ["-netns", netns, "-batch", "-"], `${lines.join("\n")}\n`);
}

function run(command: string, args: readonly string[], input = ""): void {
  const done = spawnSync(command, args, { encoding: "utf8", input });
  if (done.status !== 0) {
    throw new Error(`${command} ${args.join(" ")} <<< ${input}: ${done.stderr || done.error}`);
  }
}
