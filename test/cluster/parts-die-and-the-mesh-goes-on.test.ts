/** Faults in a real cluster, under load: the operator, a node proxy, and the API server for a minute. */
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import type { ClusterNode } from "./cluster.ts";
import { createNamespace, deployEcho, type Echo } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { between, type Load, permitLoadOnly, startLoad, type Tally } from "./load.ts";
import { enforce, untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";
import { captureOnWire } from "./wire-capture.ts";

const cluster = sharedCluster();
const NAMESPACE = "faults";
const API_AWAY_MS = 60_000;
/** Longest time without an answer while a pod of the node proxy starts anew on a busy machine. */
const OUTAGE_MS = 90_000;
let api: Echo;
let load: Load;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  api = await deployEcho(cluster, { namespace: NAMESPACE, name: "api", node: "node2" });
  load = await startLoad(cluster, { namespace: NAMESPACE, api });
  await permitLoadOnly(cluster, NAMESPACE);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("every operator is killed: nothing fails, and new pods are served again by the next", async () => {
  const before = await load.tally();
  const kill = ["delete", "pods", "-l", "app=weft-operator", "--force", "--grace-period=0"];
  await cluster.kubectl(["-n", "weft-system", ...kill]);
  const status = ["rollout", "status", "deployment/weft-operator", "--timeout=240s"];
  await cluster.kubectl(["-n", "weft-system", ...status]);
  const late = await deployEcho(cluster, { namespace: NAMESPACE, name: "late" });
  await untilCaptured(cluster, late.pods);
  const seen = between(before, await load.tally());
  expect(seen.failed).toEqual([]);
  expect(seen.answered.kept).toBeGreaterThan(50);
});

test("a node proxy's pod is killed: no plaintext meanwhile, and calls work again", async () => {
  await using wire = await captureOnWire(firstNode(), `tcp and host ${load.echo.pods[0]?.address}`);
  const before = await load.tally();
  const pods = ["get", "pods", "-l", "app=weft-node-proxy", "-o", "name"];
  const ofNode = "--field-selector=spec.nodeName=node1";
  const pod = (await cluster.kubectl(["-n", "weft-system", ...pods, ofNode])).trim();
  const kill = ["delete", pod, "--force", "--grace-period=0"];
  await cluster.kubectl(["-n", "weft-system", ...kill]);
  const status = ["rollout", "status", "daemonset/weft-node-proxy", "--timeout=240s"];
  await cluster.kubectl(["-n", "weft-system", ...status]);
  await untilAnswered(await load.tally(), 50);
  const seen = between(before, await load.tally());
  const packets = await wire.stop();
  expect(packets).not.toContain("GET / HTTP/1.1");
  expect(packets).toMatch(/\.15008[ :]/);
  expect(outageMs(seen.failed)).toBeLessThan(OUTAGE_MS);
});

test("the API server is away for a minute: nothing fails, and the mesh follows it again", async () => {
  const before = await load.tally();
  await cluster.stopApiServer();
  try {
    await delay(API_AWAY_MS);
  } finally {
    await cluster.startApiServer();
  }
  const seen = between(before, await load.tally());
  expect(seen.failed).toEqual([]);
  expect(seen.answered.once).toBeGreaterThan(500);
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "nobody", namespace: NAMESPACE },
    spec: { selector: { matchLabels: { app: "api" } }, action: "DENY", rules: [{}] },
  });
  const denied = await load.tally();
  await until("calls to be refused", async () => {
    const { failed } = between(denied, await load.tally());
    return failed.length > 5 ? true : undefined;
  });
});

async function untilAnswered(since: Tally, count: number): Promise<void> {
  await until(
    `${count} answers`,
    async () => (between(since, await load.tally()).answered.once >= count ? true : undefined),
    240_000,
  );
}

/** From the first call that failed to the end of the last. */
function outageMs(failed: Tally["failed"]): number {
  const starts = failed.map(({ atMs }) => atMs);
  const ends = failed.map(({ atMs, tookMs }) => atMs + tookMs);
  return failed.length === 0 ? 0 : Math.max(...ends) - Math.min(...starts);
}

function firstNode(): ClusterNode {
  const [node] = cluster.nodes;
  if (!node) throw new Error("the cluster has no node");
  return node;
}
