/**
 * One node: network, mount, PID and UTS namespaces of its own, and in them containerd, kubelet and
 * kube-proxy. Process 1 of the node only holds the namespaces; ending it ends all of the node.
 */
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createCgroup } from "./cgroup-tree.ts";
import type { ClusterLayout, NodeLayout } from "./cluster-layout.ts";
import { kubeconfigPath } from "./cluster-pki.ts";
import { runCommand, tryCommand } from "./command.ts";
import { kubeProxyFlags } from "./control-plane.ts";
import { findDaemon, startDaemon } from "./daemon.ts";

export const PAUSE_IMAGE = "weft.invalid/pause:1";
const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

/** Starts the node and returns once its kubelet runs; it becomes Ready a little later. */
export async function startNode(
  layout: ClusterLayout,
  node: NodeLayout,
  pause: string,
): Promise<void> {
  await mkdir(join(node.dir, "containerd"), { recursive: true });
  await writeNodeConfig(layout, node);
  createCgroup(node.cgroup);
  // /proc has to be the new PID namespace's own, or kubelet and runc read strangers' entries.
  startDaemon(layout, node.name, [
    "nsenter",
    `--net=/run/netns/${node.netns}`,
    "--",
    "unshare",
    "--mount",
    "--uts",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    pause,
  ]);
  await waitForInit(layout, node, pause);
  await runCommand(enterNode(layout, node, ["sh", "-euc", prepareScript(node)]));
  startInNode(layout, node, ["containerd", "--config", join(node.dir, "containerd.toml")]);
  await waitForContainerd(layout, node);
  startInNode(layout, node, [
    join(layout.binDir, "kube-proxy"),
    ...kubeProxyFlags(layout, node.name),
  ]);
  startInNode(layout, node, [
    join(layout.binDir, "kubelet"),
    `--config=${join(node.dir, "kubelet.json")}`,
    `--kubeconfig=${kubeconfigPath(layout, node.name)}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
  ]);
}

/** The command line that runs `argv` in all namespaces of the node. */
export function enterNode(
  layout: ClusterLayout,
  node: NodeLayout,
  argv: readonly string[],
): readonly string[] {
  const init = findInit(layout, node);
  if (init === undefined) {
    throw new Error(`${node.name} of cluster ${layout.name} does not run`);
  }
  return ["nsenter", `--target=${init}`, "--mount", "--net", "--pid", "--uts", "--", ...argv];
}

/** Loads an image archive (OCI or Docker) into the node's containerd. */
export async function importImage(
  layout: ClusterLayout,
  node: NodeLayout,
  archive: string,
): Promise<void> {
  await runCommand(enterNode(layout, node, [...ctr(), "images", "import", archive]));
}

function ctr(): readonly string[] {
  return ["ctr", "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io"];
}

/** Pid, as this machine counts, of the node's process 1: the only child of the recorded unshare. */
function findInit(layout: ClusterLayout, node: NodeLayout): number | undefined {
  const unshare = findDaemon(layout, node.name);
  if (unshare === undefined) {
    return undefined;
  }
  const children = readChildren(unshare);
  return children === "" ? undefined : Number(children.split(" ")[0]);
}

function startInNode(layout: ClusterLayout, node: NodeLayout, argv: readonly string[]): void {
  const program = argv[0]?.split("/").at(-1) ?? "";
  startDaemon(layout, `${node.name}-${program}`, enterNode(layout, node, argv));
}

/** What the node may write gets a place of its own, so that nothing is left on this machine. */
function prepareScript(node: NodeLayout): string {
  return `
hostname ${node.name}
mount --make-rshared /
for dir in /run /var/log /var/lib; do
  mount -t tmpfs -o mode=755 tmpfs $dir
  mount --make-rshared $dir
done
mkdir -p /run/containerd /run/lock /var/log/pods /var/lib/kubelet /var/lib/containerd /var/lib/cni
mount --bind ${node.dir}/containerd /var/lib/containerd
mount --make-rshared /var/lib/containerd
ip link set lo up
`;
}

async function writeNodeConfig(layout: ClusterLayout, node: NodeLayout): Promise<void> {
  const cniDir = join(node.dir, "cni");
  await mkdir(cniDir, { recursive: true });
  await writeFile(join(cniDir, "10-bridge.conflist"), JSON.stringify(cniConfig(node)));
  await writeFile(join(node.dir, "kubelet.json"), JSON.stringify(kubeletConfig(layout, node)));
  await writeFile(join(node.dir, "containerd.toml"), containerdConfig(cniDir));
}

function cniConfig(node: NodeLayout): object {
  return {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          ranges: [[{ subnet: node.podCidr }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubeletConfig(layout: ClusterLayout, node: NodeLayout): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    failCgroupV1: false,
    failSwapOn: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: node.cgroup,
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(layout.pkiDir, "ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: join(layout.pkiDir, `${node.name}.crt`),
    tlsPrivateKeyFile: join(layout.pkiDir, `${node.name}.key`),
    resolvConf: "/etc/resolv.conf",
    clusterDNS: [layout.controlAddress],
    clusterDomain: "cluster.local",
    localStorageCapacityIsolation: false,
    evictionHard: { "memory.available": "100Mi" },
    // Mounted ConfigMaps follow a change within seconds, not within a minute.
    syncFrequency: "5s",
    registryPullQPS: 0,
    kubeAPIQPS: 100,
    kubeAPIBurst: 200,
  };
}

function containerdConfig(cniDir: string): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${PAUSE_IMAGE}"
disable_apparmor = true
# Without CAP_SYS_RESOURCE a score lower than containerd's own cannot be set.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${cniDir}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
`;
}

async function waitForInit(layout: ClusterLayout, node: NodeLayout, pause: string): Promise<void> {
  await until(`${node.name}: process 1`, async () => {
    const init = findInit(layout, node);
    // Before it has become the pause program it is unshare, still mounting /proc.
    return init !== undefined && readProgram(init) === pause;
  });
}

async function waitForContainerd(layout: ClusterLayout, node: NodeLayout): Promise<void> {
  await until(`${node.name}: containerd`, async () => {
    const init = findInit(layout, node);
    if (init === undefined || !existsSync(`/proc/${init}/root${CONTAINERD_SOCKET}`)) {
      return false;
    }
    return (await tryCommand(enterNode(layout, node, [...ctr(), "version"]))).code === 0;
  });
}

/** Programs of the cluster that start give no event to us: they are asked until they answer. */
async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await isTrue())) {
    if (Date.now() > deadline) {
      throw new Error(`${what} did not start within 30 s`);
    }
    await delay(20);
  }
}

/** The pids of a process's children, separated by spaces; empty where it has ended. */
function readChildren(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  } catch {
    return "";
  }
}

function readProgram(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined;
  }
}
