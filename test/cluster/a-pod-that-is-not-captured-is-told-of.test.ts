/**
 * A pod that cannot be captured goes on as it was and is told of in every place where its owner may look; one whose
 * node has no node proxy does not start past the mesh.
 */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import type { ClusterNode } from "./cluster.ts";
import { tryCommand } from "./command.ts";
import { callFromNode, createNamespace, deployEcho, type Echo } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { label, untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "uncaptured";
/** The mesh's own port for plaintext: docs/capture.md. */
const TAKEN_PORT = 15006;
const METRICS_PORT = 15020;
const LIMIT_MS = 240_000;
const OF_NODE1 = ["-l", "app=weft-node-proxy", "--field-selector=spec.nodeName=node1"];
const WEFTCTL = join(import.meta.dirname, "..", "..", "cli", "weftctl");
let squatter: Echo;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE);
  squatter = await deployEcho(cluster, {
    namespace: NAMESPACE,
    name: "squatter",
    node: "node1",
    role: ["http", String(TAKEN_PORT)],
    container: { ports: [], readinessProbe: { tcpSocket: { port: TAKEN_PORT } } },
  });
  await label(cluster, NAMESPACE);
});

afterAll(async () => {
  await useNodes({ "kubernetes.io/hostname": null });
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("a running pod that listens on a port of the mesh: condition, Event, metric and weftctl say so, and it goes on", async () => {
  const [pod] = squatter.pods;
  if (!pod) throw new Error("no squatter");
  const condition = `jsonpath={.status.conditions[?(@.type=="weft.dev/Captured")]}`;
  const get = ["-n", NAMESPACE, "get", "pod", pod.name, "-o", condition];
  await until(
    "the pod's condition",
    async () => {
      const text = await cluster.kubectl(get);
      return text.includes('"PortInUse"') && text.includes('"False"') ? true : undefined;
    },
    LIMIT_MS,
  );
  const events = ["get", "events", "--field-selector", `involvedObject.uid=${pod.uid}`];
  const reasons = ["-o", "jsonpath={range .items[*]}{.type} {.reason}{'\\n'}{end}"];
  await until("the Event", async () => {
    const text = await cluster.kubectl(["-n", NAMESPACE, ...events, ...reasons]);
    return text.split("\n").includes("Warning PortInUse") ? true : undefined;
  });
  expect(await readMetrics()).toMatch(/^weft_nodeproxy_pods\{.*state="failed".*\} 1$/m);
  const { stdout } = await tryCommand([WEFTCTL, "status", `--kubeconfig=${cluster.kubeconfig}`]);
  expect(stdout).toMatch(new RegExp(`${NAMESPACE}/${pod.name}.*failed.*port_in_use`));
  const answer = await callFromNode(nodeOf("node1"), `http://${pod.address}:${TAKEN_PORT}/`);
  expect(answer).toMatchObject({ status: 200, body: { pod: pod.name } });
});

test("while its node has no node proxy a new pod waits at the gate, and it starts in the mesh once there is one", async () => {
  await useNodes({ "kubernetes.io/hostname": "node2" });
  const kill = ["delete", "pods", ...OF_NODE1, "--force", "--grace-period=0"];
  await cluster.kubectl(["-n", "weft-system", ...kill]);
  const names = ["get", "pods", ...OF_NODE1, "-o", "name"];
  await until(
    "no node proxy on node1",
    async () => (await cluster.kubectl(["-n", "weft-system", ...names])) === "" || undefined,
    LIMIT_MS,
  );
  const deploying = deployEcho(cluster, { namespace: NAMESPACE, name: "late", node: "node1" });
  const waiting = await until("the gate to run", async () => {
    const state = await readGate();
    return state.gate.includes("running") ? state : undefined;
  });
  expect(waiting).toEqual({ gate: expect.stringContaining("startedAt"), app: "false" });
  const back = Date.now();
  await useNodes({ "kubernetes.io/hostname": null });
  const late = await deploying;
  await untilCaptured(cluster, late.pods);
  const { gate, app } = await readGate();
  expect(app).toBe("true");
  const [, endedAt = ""] = /"finishedAt":"([^"]+)"/.exec(gate) ?? [];
  // Kubelet tells whole seconds.
  expect(Date.parse(endedAt)).toBeGreaterThanOrEqual(Math.floor(back / 1_000) * 1_000);
});

/** Of node1's node proxy. */
async function readMetrics(): Promise<string> {
  const names = ["get", "pods", ...OF_NODE1, "-o", "jsonpath={.items[*].metadata.name}"];
  const name = await cluster.kubectl(["-n", "weft-system", ...names]);
  const pods = "/api/v1/namespaces/weft-system/pods";
  return cluster.kubectl(["get", "--raw", `${pods}/${name}:${METRICS_PORT}/proxy/metrics`]);
}

/** Of the pod that is late: the state of its gate as kubelet tells it, and whether its container has started. */
async function readGate(): Promise<{ readonly gate: string; readonly app: string }> {
  const gate = `{.items[0].status.initContainerStatuses[?(@.name=="weft-gate")].state}`;
  const app = `{.items[0].status.containerStatuses[?(@.name=="app")].started}`;
  const get = ["-n", NAMESPACE, "get", "pods", "-l", "app=late"];
  const text = await cluster.kubectl([...get, "-o", `jsonpath=${gate}|${app}`]);
  const [state = "", started = ""] = text.split("|");
  return { gate: state, app: started };
}

/** On which nodes a node proxy runs; null takes the word out of the selector. */
async function useNodes(selector: Readonly<Record<string, string | null>>): Promise<void> {
  const patch = JSON.stringify({ spec: { template: { spec: { nodeSelector: selector } } } });
  await cluster.kubectl(["-n", "weft-system", "patch", "daemonset/weft-node-proxy", "-p", patch]);
  const status = ["rollout", "status", "daemonset/weft-node-proxy", "--timeout=240s"];
  if (selector["kubernetes.io/hostname"] === null) {
    await cluster.kubectl(["-n", "weft-system", ...status]);
  }
}

function nodeOf(name: string): ClusterNode {
  const node = cluster.nodes.find((one) => one.name === name);
  if (!node) throw new Error(`no node ${name}`);
  return node;
}
