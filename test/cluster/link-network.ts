/**
 * The network of a cluster: one namespace for the control plane, which holds the bridge, one for
 * each node, routes between the nodes' pod addresses, and one device by which this machine takes
 * part. Deleting the namespaces removes everything: nothing but that device is in the host's.
 */
import { networkInterfaces } from "node:os";
import type { ClusterLayout, NodeLayout } from "./cluster-layout.ts";
import { runCommand, tryCommand } from "./command.ts";

const FIRST_OCTET = 99;
const LAST_OCTET = 119;

/** The first 10.<octet>.0.0/16 of which this machine has no address yet. */
export function chooseOctet(): number {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  for (let octet = FIRST_OCTET; octet <= LAST_OCTET; octet += 1) {
    if (!addresses.some(({ address }) => address.startsWith(`10.${octet}.`))) {
      return octet;
    }
  }
  throw new Error(`no free network from 10.${FIRST_OCTET}.0.0/16 to 10.${LAST_OCTET}.0.0/16`);
}

export async function createLinkNetwork(layout: ClusterLayout): Promise<void> {
  const control = layout.controlNetns;
  await runCommand(["ip", "netns", "add", control]);
  await ipBatch(control, [
    "link set lo up",
    "link add br0 type bridge",
    `addr add ${layout.controlAddress}/24 dev br0`,
    "link set br0 up",
    // A route is looked for before the service rules change the destination: without one there is
    // "network unreachable" instead of a call to a webhook.
    `route add ${layout.serviceCidr} dev br0`,
  ]);
  await ipBatch(undefined, [
    `link add ${layout.hostDevice} type veth peer name host netns ${control}`,
    `addr add ${layout.hostAddress}/24 dev ${layout.hostDevice}`,
    `link set ${layout.hostDevice} up`,
  ]);
  await ipBatch(control, ["link set host master br0 up"]);
  for (const node of layout.nodes) {
    await connectNode(layout, node);
  }
  for (const netns of [control, ...layout.nodes.map((node) => node.netns)]) {
    await runCommand([
      "nsenter",
      `--net=/run/netns/${netns}`,
      "sysctl",
      "-qw",
      "net.ipv4.ip_forward=1",
    ]);
  }
}

async function connectNode(layout: ClusterLayout, node: NodeLayout): Promise<void> {
  await runCommand(["ip", "netns", "add", node.netns]);
  await ipBatch(layout.controlNetns, [
    `link add ${node.name} type veth peer name eth0 netns ${node.netns}`,
    `link set ${node.name} master br0 up`,
    `route add ${node.podCidr} via ${node.address}`,
  ]);
  await ipBatch(node.netns, [
    "link set lo up",
    `addr add ${node.address}/24 dev eth0`,
    "link set eth0 up",
    `route add default via ${layout.controlAddress}`,
    ...layout.nodes
      .filter((other) => other !== node)
      .map((other) => `route add ${other.podCidr} via ${other.address}`),
  ]);
}

/** Removes the namespaces and the device; what is not there is passed over. */
export async function removeLinkNetwork(layout: ClusterLayout): Promise<void> {
  for (const netns of [layout.controlNetns, ...layout.nodes.map((node) => node.netns)]) {
    await tryCommand(["ip", "netns", "del", netns]);
  }
  await tryCommand(["ip", "link", "del", layout.hostDevice]);
}

async function ipBatch(netns: string | undefined, lines: readonly string[]): Promise<void> {
  const inside = netns === undefined ? [] : ["-n", netns];
  await runCommand(["ip", ...inside, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}
