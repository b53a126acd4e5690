/**
 * hostPort and NodePort in a real cluster: whoever comes by them is a plaintext peer, whatever the mode says of such;
 * and outboundPolicy, which changes what pods may call, without a restart.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../world/until.ts";
import {
  type CallOutcome,
  call,
  callFromNode,
  callFromOutside,
  createNamespace,
  deployEcho,
  type Echo,
  waitForAnswer,
} from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { enforce, untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "ports";
const HOST_PORT = 18_080;
const FROM_WEB = { namespace: NAMESPACE, pod: "deployment/web" };
let api: Echo;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const ports = [{ name: "http", containerPort: 8080, hostPort: HOST_PORT }];
  const [web, served] = await Promise.all([
    deployEcho(cluster, { namespace: NAMESPACE, name: "web", node: "node1" }),
    deployEcho(cluster, {
      namespace: NAMESPACE,
      name: "api",
      node: "node2",
      container: { ports },
    }),
  ]);
  api = served;
  await untilCaptured(cluster, [...web.pods, ...api.pods]);
  const patch = JSON.stringify({ spec: { type: "NodePort" } });
  await cluster.kubectl(["-n", NAMESPACE, "patch", "service", "api", "-p", patch]);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "meshconfig", "default", "--ignore-not-found"]);
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("under PERMISSIVE hostPort and NodePort lead in, from outside, from a node and from a pod of the mesh", async () => {
  const [first] = cluster.nodes;
  if (!first) throw new Error("the cluster has no node");
  for (const url of await urls()) {
    for (const ask of [
      () => callFromOutside(url),
      () => callFromNode(first, url),
      () => call(cluster, FROM_WEB, url),
    ]) {
      const outcome = await waitForAnswer(ask);
      expect(outcome).toMatchObject({ status: 200, body: { pod: api.pods[0]?.name } });
    }
  }
});

test("under registryOnly a pod calls Services and pods, and no port of another node, until that is taken back", async () => {
  const [hostPort = ""] = await urls();
  await setOutboundPolicy("registryOnly");
  expect(await untilOutcome(() => call(cluster, FROM_WEB, hostPort), "error")).toHaveProperty(
    "error",
  );
  for (const host of [api.serviceAddress, api.pods[0]?.address]) {
    const outcome = await call(cluster, FROM_WEB, `http://${host}:8080/`);
    expect(outcome).toMatchObject({ status: 200 });
  }
  await setOutboundPolicy("allowAny");
  expect(await waitForAnswer(() => call(cluster, FROM_WEB, hostPort))).toMatchObject({
    status: 200,
  });
});

test("under STRICT neither leads in, and the Service still does", async () => {
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace: NAMESPACE },
    spec: { mtls: { mode: "STRICT" } },
  });
  for (const url of await urls()) {
    expect(await callFromOutside(url)).toHaveProperty("error");
    expect(await call(cluster, FROM_WEB, url)).toHaveProperty("error");
  }
  const outcome = await call(cluster, FROM_WEB, `http://${api.serviceAddress}:8080/`);
  expect(outcome).toMatchObject({ status: 200 });
});

/** By the second node, where the pod is: its hostPort, and the Service's NodePort. */
async function urls(): Promise<readonly string[]> {
  const jsonpath = "jsonpath={.spec.ports[0].nodePort}";
  const port = await cluster.kubectl(["-n", NAMESPACE, "get", "service", "api", "-o", jsonpath]);
  const address = cluster.nodes[1]?.address;
  return [`http://${address}:${HOST_PORT}/`, `http://${address}:${port}/`];
}

async function setOutboundPolicy(outboundPolicy: "allowAny" | "registryOnly"): Promise<void> {
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "MeshConfig",
    metadata: { name: "default" },
    spec: { outboundPolicy },
  });
}

async function untilOutcome(
  ask: () => Promise<CallOutcome>,
  wanted: "status" | "error",
): Promise<CallOutcome> {
  return until(`a call that ends with ${wanted}`, async () => {
    const outcome = await ask();
    return wanted in outcome ? outcome : undefined;
  });
}
