/**
 * Puts the test application into a cluster and talks from it: a Deployment of HTTP echo servers with
 * its Service and account, and calls made inside its pods. The program comes in by a ConfigMap.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../world/until.ts";
import type { Cluster, ClusterNode } from "./cluster.ts";
import { tryCommand } from "./command.ts";
import { WEFT_IMAGE } from "./weft-image.ts";

const HTTP_PORT = 8080;

export interface EchoOptions {
  readonly namespace: string;
  /** Of Deployment, Service and ServiceAccount. */
  readonly name: string;
  readonly replicas?: number;
  /** Pins the pods to this node; scheduled freely where absent. */
  readonly node?: string;
  /** Command line of app.ts; an HTTP echo on port 8080 where absent. */
  readonly role?: readonly string[];
  /** Command line of app.ts for an init container `first`; none where absent. */
  readonly first?: readonly string[];
  /** Added to the container: probes, ports. */
  readonly container?: Readonly<Record<string, unknown>>;
}

export interface EchoPod {
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly address: string;
  readonly restarts: number;
}

export interface Echo {
  readonly serviceAddress: string;
  readonly port: number;
  readonly pods: readonly EchoPod[];
}

/** What `call()` saw: an answer, or why there was none. */
export type CallOutcome =
  | { readonly status: number; readonly body: { readonly from: string; readonly pod: string } }
  | { readonly error: string };

/** The command line of app.ts in a pod that `deployEcho()` made. */
export function appCommand(args: readonly string[]): readonly string[] {
  return ["node", "/app/app.ts", ...args];
}

export async function createNamespace(
  cluster: Cluster,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<void> {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(namespace));
}

/** Deploys and returns once every replica is ready. */
export async function deployEcho(cluster: Cluster, options: EchoOptions): Promise<Echo> {
  const { namespace, name } = options;
  const program = await readFile(join(import.meta.dirname, "workload", "app.ts"), "utf8");
  const items = echoObjects(options, program);
  await cluster.kubectl(
    ["apply", "-f", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "List", items }),
  );
  await cluster.kubectl([
    "-n",
    namespace,
    "rollout",
    "status",
    `deployment/${name}`,
    "--timeout=240s",
  ]);
  await untilEndpoints(cluster, options);
  return readEcho(cluster, options);
}

/** Pods are ready before their Service is: the controller of its slices may be late, most of all after an outage. */
async function untilEndpoints(
  cluster: Cluster,
  { namespace, name, replicas = 1 }: EchoOptions,
): Promise<void> {
  const ofService = ["-l", `kubernetes.io/service-name=${name}`];
  const ready = "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses[0]}";
  const get = ["-n", namespace, "get", "endpointslices", ...ofService, "-o", ready];
  await until(
    `${replicas} endpoints of ${name}`,
    async () => {
      const addresses = (await cluster.kubectl(get)).split(" ").filter((each) => each !== "");
      return addresses.length >= replicas ? true : undefined;
    },
    240_000,
  );
}

/** The Service's address and the pods as they are now. */
export async function readEcho(
  cluster: Cluster,
  { namespace, name }: Pick<EchoOptions, "namespace" | "name">,
): Promise<Echo> {
  const service = await cluster.kubectl(["-n", namespace, "get", "service", name, "-o", "json"]);
  const pods = await cluster.kubectl([
    "-n",
    namespace,
    "get",
    "pods",
    "-l",
    `app=${name}`,
    "-o",
    "json",
  ]);
  const list = JSON.parse(pods) as { readonly items: readonly PodObject[] };
  return {
    serviceAddress: (JSON.parse(service) as { spec: { clusterIP: string } }).spec.clusterIP,
    port: HTTP_PORT,
    pods: list.items.map(({ metadata, spec, status }) => ({
      name: metadata.name,
      uid: metadata.uid,
      node: spec.nodeName ?? "",
      address: status.podIP ?? "",
      restarts:
        status.containerStatuses?.reduce((sum, { restartCount }) => sum + restartCount, 0) ?? 0,
    })),
  };
}

interface PodObject {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly podIP?: string;
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
}

/** One HTTP request from inside `pod` (a pod's name or `deployment/NAME`). */
export async function call(
  cluster: Cluster,
  from: { readonly namespace: string; readonly pod: string },
  url: string,
): Promise<CallOutcome> {
  const { stdout, stderr } = await cluster.tryKubectl([
    "-n",
    from.namespace,
    "exec",
    from.pod,
    "--",
    ...appCommand(["call", url]),
  ]);
  if (stdout.trim() === "") {
    throw new Error(`call from ${from.pod} to ${url} printed nothing: ${stderr}`);
  }
  return JSON.parse(stdout) as CallOutcome;
}

/** One HTTP request from the node itself, where kubelet's come from too. */
export async function callFromNode(node: ClusterNode, url: string): Promise<CallOutcome> {
  const app = join(import.meta.dirname, "workload", "app.ts");
  const enter = ["nsenter", `--net=/run/netns/${node.netns}`, "--"];
  const { stdout } = await tryCommand([...enter, process.execPath, app, "call", url]);
  return JSON.parse(stdout) as CallOutcome;
}

/** One HTTP request from this machine, outside the cluster; through the link between the nodes. */
export async function callFromOutside(url: string): Promise<CallOutcome> {
  const app = join(import.meta.dirname, "workload", "app.ts");
  const { stdout } = await tryCommand([process.execPath, app, "call", url]);
  return JSON.parse(stdout) as CallOutcome;
}

/**
 * Asks until there is an answer, at most two minutes, and gives the last outcome. For what follows a new or
 * changed Service: kube-proxy tells nobody when its rules are in place.
 */
export async function waitForAnswer(ask: () => Promise<CallOutcome>): Promise<CallOutcome> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const outcome = await ask();
    if ("status" in outcome || Date.now() > deadline) {
      return outcome;
    }
  }
}

function echoObjects(options: EchoOptions, program: string): readonly object[] {
  const { namespace, name, replicas = 1, node, role = ["http", `${HTTP_PORT}`] } = options;
  const metadata = { name, namespace };
  const labels = { app: name };
  const app = {
    image: WEFT_IMAGE,
    imagePullPolicy: "Never",
    volumeMounts: [{ name: "app", mountPath: "/app" }],
  };
  const container = {
    ...app,
    name: "app",
    command: appCommand(role),
    ports: [{ name: "http", containerPort: HTTP_PORT }],
    readinessProbe: { tcpSocket: { port: HTTP_PORT }, periodSeconds: 1 },
    ...options.container,
  };
  const { first } = options;
  const spec = {
    serviceAccountName: name,
    terminationGracePeriodSeconds: 2,
    containers: [container],
    ...(first ? { initContainers: [{ ...app, name: "first", command: appCommand(first) }] } : {}),
    volumes: [{ name: "app", configMap: { name } }],
    ...(node === undefined ? {} : { nodeSelector: { "kubernetes.io/hostname": node } }),
  };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "app.ts": program } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: labels, ports: [{ name: "http", port: HTTP_PORT }] },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata,
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec },
      },
    },
  ];
}
