/** Certificates of one minute in a real cluster: renewed at half life while requests run, and none fails. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import { createNamespace, deployEcho } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { type Load, permitLoadOnly, startLoad } from "./load.ts";
import { enforce, readLeaves } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "rotating";
const LIFETIME_MS = 60_000;
/** Half life twice, with what is random in it. */
const TWO_RENEWALS_MS = 90_000;
let load: Load;

beforeAll(async () => {
  await installWeft(cluster);
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { certificates: { leafLifetime: "1m" } },
  });
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  await permitLoadOnly(cluster, NAMESPACE);
  const api = await deployEcho(cluster, { namespace: NAMESPACE, name: "api", node: "node2" });
  load = await startLoad(cluster, { namespace: NAMESPACE, api });
});

afterAll(async () => {
  await cluster.kubectl(["delete", "meshconfig", "default", "--ignore-not-found"]);
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("every certificate is renewed twice and not one request fails", async () => {
  const first = await leaves();
  expect([...first.keys()]).toHaveLength(2);
  for (const endMs of first.values()) expect(endMs).toBeLessThanOrEqual(Date.now() + LIFETIME_MS);
  const seen = new Map([...first].map(([leaf, endMs]) => [leaf, new Set([endMs])]));
  await until(
    "two renewals of each certificate",
    async () => {
      for (const [leaf, endMs] of await leaves()) seen.get(leaf)?.add(endMs);
      return [...seen.values()].every((ends) => ends.size >= 3) ? true : undefined;
    },
    TWO_RENEWALS_MS,
  );
  const { answered, failed } = await load.tally();
  expect(failed).toEqual([]);
  expect(answered.once).toBeGreaterThan(500);
  expect(answered.kept).toBeGreaterThan(500);
});

/** Those of this file's namespace. */
async function leaves(): Promise<ReadonlyMap<string, number>> {
  const all = await readLeaves(cluster);
  return new Map([...all].filter(([leaf]) => leaf.includes(`/ns/${NAMESPACE}/`)));
}
