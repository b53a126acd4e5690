/** The ground the mesh stands on: before weft, a pod reaches any other, and sees its address. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { runCommand } from "./command.ts";
import {
  type CallOutcome,
  call,
  callFromOutside,
  createNamespace,
  deployEcho,
  type Echo,
  waitForAnswer,
} from "./echo-workload.ts";
import { sharedCluster } from "./shared-cluster.ts";
import { captureOnWire } from "./wire-capture.ts";

const cluster = sharedCluster();
const NAMESPACE = "ground";
let one: Echo;
let two: Echo;

beforeAll(async () => {
  await createNamespace(cluster, NAMESPACE);
  [one, two] = await Promise.all([
    deployEcho(cluster, { namespace: NAMESPACE, name: "one", node: "node1" }),
    deployEcho(cluster, { namespace: NAMESPACE, name: "two", node: "node2" }),
  ]);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found"]);
});

test("two nodes are Ready", async () => {
  const nodes = await cluster.kubectl(["get", "nodes", "--no-headers"]);
  expect(nodes.match(/\bReady\b/g)).toHaveLength(2);
});

test("a pod reaches a pod of the other node by address and by service, as itself", async () => {
  const from = { namespace: NAMESPACE, pod: "deployment/one" };
  const answer = { status: 200, body: { from: one.pods[0]?.address, pod: two.pods[0]?.name } };
  const path = { path: "/x" };
  for (const address of [two.pods[0]?.address, two.serviceAddress]) {
    const seen = await waitForAnswer(async () => call(cluster, from, `http://${address}:8080/x`));
    expect(seen).toEqual({ ...answer, body: { ...answer.body, ...path } });
  }
});

test("captureOnWire(): what pods of two nodes say to each other without a mesh is readable", async () => {
  await using wire = await captureOnWire(cluster.nodes[1] ?? never(), "tcp port 8080");
  const target = `http://${two.pods[0]?.address}:8080/readable-on-the-wire`;
  await call(cluster, { namespace: NAMESPACE, pod: "deployment/one" }, target);
  expect(await wire.stop()).toContain("GET /readable-on-the-wire");
});

test("the API server's namespace reaches a service by its address, as calls to webhooks need", async () => {
  const app = join(import.meta.dirname, "workload", "app.ts");
  const enter = ["nsenter", `--net=/run/netns/${cluster.controlNetns}`, "--"];
  const ask = [process.execPath, app, "call", `http://${two.serviceAddress}:8080/`];
  const seen = JSON.parse(await runCommand([...enter, ...ask])) as CallOutcome;
  expect(seen).toMatchObject({ status: 200 });
});

test("a client outside reaches a service by NodePort", async () => {
  const patch = JSON.stringify({ spec: { type: "NodePort" } });
  await cluster.kubectl(["-n", NAMESPACE, "patch", "service", "two", "-p", patch]);
  const jsonpath = "jsonpath={.spec.ports[0].nodePort}";
  const port = await cluster.kubectl(["-n", NAMESPACE, "get", "service", "two", "-o", jsonpath]);
  const url = `http://${cluster.nodes[1]?.address}:${port}/`;
  const seen = await waitForAnswer(async () => callFromOutside(url));
  expect(seen).toMatchObject({ status: 200 });
});

function never(): never {
  throw new Error("the cluster has no second node");
}
