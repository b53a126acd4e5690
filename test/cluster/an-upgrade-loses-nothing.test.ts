/**
 * Node proxies replaced in a real cluster, as an upgrade does and whoever deletes their pods, under load: no request
 * fails. Clients of kept connections renew these, as within a drain budget they must.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { V1Pod } from "@kubernetes/client-node";
import { sized } from "../soak.ts";
import { until } from "../world/until.ts";
import { createNamespace, deployEcho } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { between, type Load, permitLoadOnly, startLoad } from "./load.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "upgraded";
const PER_SECOND = 300;
const RESTARTS = sized(3, 20);
const ROLLED_MS = sized(480_000, 3_600_000);
const OWN = ["-n", "weft-system"];
let load: Load;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const api = await deployEcho(cluster, { namespace: NAMESPACE, name: "api", node: "node2" });
  load = await startLoad(cluster, { namespace: NAMESPACE, api, perSecond: PER_SECOND });
  await permitLoadOnly(cluster, NAMESPACE);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

async function nodeProxyPods(): Promise<readonly string[]> {
  const names = ["get", "pods", "-l", "app=weft-node-proxy", "-o", "name"];
  return (await cluster.kubectl([...OWN, ...names])).trim().split("\n");
}

test(
  "rolling restarts of the node proxies under load fail no request",
  async () => {
    const pods = await nodeProxyPods();
    const before = await load.tally();
    for (let restart = 0; restart < RESTARTS; restart += 1) {
      await cluster.kubectl([...OWN, "rollout", "restart", "daemonset/weft-node-proxy"]);
      const status = ["rollout", "status", "daemonset/weft-node-proxy", "--timeout=240s"];
      await cluster.kubectl([...OWN, ...status]);
    }
    const seen = between(before, await load.tally());
    expect(await nodeProxyPods()).not.toEqual(expect.arrayContaining([pods[0]]));
    expect(seen.failed).toEqual([]);
    expect(seen.answered.once).toBeGreaterThan(500);
    expect(seen.answered.kept).toBeGreaterThan(500);
  },
  ROLLED_MS,
);

/** The node's own, in the DaemonSet and ready. */
async function readyProxyOf(node: string): Promise<string | undefined> {
  const ofNode = ["-l", "app=weft-node-proxy", `--field-selector=spec.nodeName=${node}`];
  const list = await cluster.kubectl([...OWN, "get", "pods", ...ofNode, "-o", "json"]);
  const { items } = JSON.parse(list) as { readonly items: readonly V1Pod[] };
  return items.find(({ metadata, status }) => {
    const isReady = status?.conditions?.some(
      (one) => one.type === "Ready" && one.status === "True",
    );
    return isReady && metadata?.deletionTimestamp === undefined;
  })?.metadata?.name;
}

async function nextProxyOf(node: string): Promise<string> {
  return until(`a node proxy of ${node}`, () => readyProxyOf(node));
}

test("node proxies' pods that are deleted by hand have their next ones at once: no request fails", async () => {
  const before = await load.tally();
  const all = cluster.nodes.map(({ name }) => name);
  // One by one, then all at once.
  for (const nodes of [...all.map((node) => [node]), all]) {
    const pods = await Promise.all(nodes.map(nextProxyOf));
    await cluster.kubectl([...OWN, "delete", "pods", ...pods, "--wait=false"]);
    await Promise.all(nodes.map(nextProxyOf));
  }
  const gone = ["wait", "--for=delete", "pod", "-l", "app=weft-node-proxy-leaving"];
  await cluster.kubectl([...OWN, ...gone, "--timeout=240s"]);
  const seen = between(before, await load.tally());
  expect(seen.failed).toEqual([]);
  expect(seen.answered.once).toBeGreaterThan(100);
  expect(seen.answered.kept).toBeGreaterThan(100);
}, 480_000);
