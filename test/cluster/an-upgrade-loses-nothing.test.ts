/**
 * Node proxies replaced in a real cluster, as an upgrade does, under load: no request fails. Clients of kept
 * connections renew these, as within a drain budget they must.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createNamespace, deployEcho } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { between, type Load, permitLoadOnly, startLoad } from "./load.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "upgraded";
const PER_SECOND = 300;
const RESTARTS = 3;
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

test("rolling restarts of the node proxies under load fail no request", async () => {
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
}, 480_000);
