/**
 * A real Kubernetes cluster on this machine: boots one, or takes hold of one that runs. The tests
 * and `npm run cluster` come in here; what each part does is in the files beside.
 */
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type ClusterLayout, layOutCluster } from "./cluster-layout.ts";
import { enterNode, importImage, startNode } from "./cluster-node.ts";
import { createPki } from "./cluster-pki.ts";
import { clusterDir, readCluster, recordCluster } from "./cluster-record.ts";
import { type CommandOptions, type CommandResult, runCommand, tryCommand } from "./command.ts";
import {
  startApiServer,
  startControlPlane,
  startControlPlaneProxy,
  startDns,
  stopApiServer,
} from "./control-plane.ts";
import { ensureHostPackages } from "./host-packages.ts";
import { buildPrograms, type ClusterPrograms } from "./hyperkube.ts";
import { chooseOctet, createLinkNetwork } from "./link-network.ts";
import { createPauseImage } from "./pause-image.ts";
import { removeCluster } from "./remove-cluster.ts";

export interface ClusterOptions {
  /** One to ten of a-z and 0-9; clusters of different names do not disturb one another. */
  readonly name: string;
  readonly nodes: number;
  /** Where its files go; a folder of its own below /var/tmp where absent. */
  readonly dir?: string;
}

export interface ClusterNode {
  readonly name: string;
  readonly address: string;
  readonly netns: string;
  /** Runs `argv` in the node's namespaces and gives its output; throws where it fails. */
  exec(argv: readonly string[], options?: CommandOptions): Promise<string>;
  tryExec(argv: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** The command line that runs `argv` in the node, for callers that spawn it themselves. */
  enter(argv: readonly string[]): readonly string[];
  /** Loads an image archive into this node only. */
  importImage(archive: string): Promise<void>;
}

export interface Cluster {
  readonly name: string;
  readonly dir: string;
  readonly kubeconfig: string;
  readonly nodes: readonly ClusterNode[];
  /** This machine's address on the link between the nodes: a client from outside comes from it. */
  readonly hostAddress: string;
  /** Network namespace of the API server. */
  readonly controlNetns: string;
  /** Address of the API server, which is also where its calls to webhooks come from. */
  readonly controlAddress: string;
  /** kubectl as administrator; gives standard output, throws with kubectl's message. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  tryKubectl(args: readonly string[], input?: string): Promise<CommandResult>;
  /** Loads an image archive (OCI or Docker) into every node. */
  loadImage(archive: string): Promise<void>;
  /** Ends the API server at once, without its clients being told. */
  stopApiServer(): Promise<void>;
  /** Starts it again on the same data; returns once it is ready. */
  startApiServer(): Promise<void>;
  /** Removes every trace of the cluster. */
  close(): Promise<void>;
}

/** Boots a cluster and returns once every node is Ready; what an earlier one left is removed. */
export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  const { name, nodes, dir = clusterDir(name) } = options;
  await ensureHostPackages();
  const programs = await buildPrograms();
  const stale = readCluster(name, dir);
  if (stale !== undefined) {
    await removeCluster(stale);
  }
  const layout = layOutCluster({ name, dir, octet: chooseOctet(), nodes });
  recordCluster(layout);
  try {
    await boot(layout, programs);
  } catch (error) {
    if (process.env["WEFT_KEEP_BROKEN_CLUSTER"] === undefined) {
      await removeCluster(layout);
    }
    throw error;
  }
  return holdCluster(layout);
}

/** The running cluster of that name, undefined where there is none. */
export function attachCluster(name: string, dir: string = clusterDir(name)): Cluster | undefined {
  const layout = readCluster(name, dir);
  return layout === undefined ? undefined : holdCluster(layout);
}

async function boot(layout: ClusterLayout, programs: ClusterPrograms): Promise<void> {
  await mkdir(layout.binDir, { recursive: true });
  for (const program of [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
  ]) {
    await symlink(programs.hyperkube, join(layout.binDir, program));
  }
  const pauseImage = await createPauseImage(programs.pause);
  await createLinkNetwork(layout);
  await createPki(layout);
  await startControlPlane(layout);
  startDns(layout);
  // Kubelet takes up the object that it finds; so it can be waited for, and has its pod addresses.
  await kubectl(layout, ["create", "-f", "-"], nodeObjects(layout));
  await Promise.all(
    layout.nodes.map(async (node) => {
      await startNode(layout, node, programs.pause);
      await importImage(layout, node, pauseImage);
    }),
  );
  startControlPlaneProxy(layout);
  await kubectl(layout, ["wait", "--for=condition=Ready", "--timeout=240s", "nodes", "--all"]);
  await kubectl(layout, ["wait", "--for=create", "--timeout=240s", "serviceaccount/default"]);
}

function nodeObjects(layout: ClusterLayout): string {
  const items = layout.nodes.map((node) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: node.name, labels: { "kubernetes.io/hostname": node.name } },
    spec: { podCIDR: node.podCidr, podCIDRs: [node.podCidr] },
  }));
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

function holdCluster(layout: ClusterLayout): Cluster {
  const nodes = layout.nodes.map(
    (node): ClusterNode => ({
      name: node.name,
      address: node.address,
      netns: node.netns,
      exec: async (argv, options) => runCommand(enterNode(layout, node, argv), options),
      tryExec: async (argv, options) => tryCommand(enterNode(layout, node, argv), options),
      enter: (argv) => enterNode(layout, node, argv),
      importImage: async (archive) => importImage(layout, node, archive),
    }),
  );
  return {
    name: layout.name,
    dir: layout.dir,
    kubeconfig: layout.kubeconfig,
    nodes,
    hostAddress: layout.hostAddress,
    controlNetns: layout.controlNetns,
    controlAddress: layout.controlAddress,
    kubectl: async (args, input) => kubectl(layout, args, input),
    tryKubectl: async (args, input) =>
      tryCommand(kubectlArgv(layout, args), { input: input ?? "" }),
    loadImage: async (archive) => {
      await Promise.all(nodes.map(async (node) => node.importImage(archive)));
    },
    stopApiServer: async () => stopApiServer(layout),
    startApiServer: async () => startApiServer(layout),
    close: async () => removeCluster(layout),
  };
}

async function kubectl(
  layout: ClusterLayout,
  args: readonly string[],
  input?: string,
): Promise<string> {
  return runCommand(kubectlArgv(layout, args), { input: input ?? "" });
}

function kubectlArgv(layout: ClusterLayout, args: readonly string[]): readonly string[] {
  return [join(layout.binDir, "kubectl"), `--kubeconfig=${layout.kubeconfig}`, ...args];
}
