/** Balancing over the endpoints of a Service in a real cluster, and what happens when one goes away. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { createNamespace, deployEcho, type Echo, readEcho } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { between, type Load, startLoad } from "./load.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "balanced";
const REPLICAS = 3;
let api: Echo;
let load: Load;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  api = await deployEcho(cluster, { namespace: NAMESPACE, name: "api", replicas: REPLICAS });
  load = await startLoad(cluster, { namespace: NAMESPACE, api });
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("new connections spread over all ready endpoints", async () => {
  const before = await load.tally();
  const spread = await until("300 answers", async () => {
    const seen = between(before, await load.tally());
    return seen.answered.once >= 300 ? seen : undefined;
  });
  const keptPod = Object.entries(spread.pods).toSorted(([, a], [, b]) => b - a)[0]?.[0] ?? "";
  expect(spread.failed).toEqual([]);
  expect(Object.keys(spread.pods).toSorted()).toEqual(api.pods.map(({ name }) => name).toSorted());
  for (const [pod, count] of Object.entries(spread.pods)) {
    const once = pod === keptPod ? count - spread.answered.kept : count;
    // Round robin, and one request of each kind may be counted with its neighbours.
    expect(Math.abs(once - spread.answered.once / REPLICAS)).toBeLessThan(10);
  }
});

test("an endpoint that goes away is asked no more, and no new connection fails", async () => {
  const before = await load.tally();
  await cluster.kubectl(["-n", NAMESPACE, "scale", "deployment/api", "--replicas=1"]);
  const left = await until("one replica to be left", async () => {
    const { pods } = await readEcho(cluster, { namespace: NAMESPACE, name: "api" });
    return pods.length === 1 ? pods : undefined;
  });
  const gone = await load.tally();
  const after = await until("100 answers", async () => {
    const seen = between(gone, await load.tally());
    return seen.answered.once >= 100 ? seen : undefined;
  });
  expect(Object.keys(after.pods).filter((pod) => (after.pods[pod] ?? 0) > 0)).toEqual([
    left[0]?.name,
  ]);
  const { failed } = between(before, await load.tally());
  expect(failed.filter(({ error }) => error.startsWith("once"))).toEqual([]);
  // The kept connection may have been to one that ended, and is then opened anew.
  expect(failed.length).toBeLessThanOrEqual(1);
});
