/** STRICT in a real cluster: kubelet's probes of all four kinds pass, and nobody else without mTLS. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
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
const NAMESPACE = "strict";
/** Would restart the container at the second failure. */
const SCHEDULE = { periodSeconds: 1, failureThreshold: 2 };
const KINDS = {
  http: { probe: { httpGet: { path: "/healthz", port: 8080 } }, role: ["http", "8080"] },
  tcp: { probe: { tcpSocket: { port: 8080 } }, role: ["server-first", "8080"] },
  grpc: { probe: { grpc: { port: 8080 } }, role: ["grpc", "8080"] },
  exec: { probe: { exec: { command: ["true"] } }, role: ["http", "8080"] },
} as const;
let http: Echo;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("under PERMISSIVE a NodePort client outside the mesh gets in", async () => {
  http = await deployEcho(cluster, { namespace: NAMESPACE, name: "http", node: "node2" });
  await untilCaptured(cluster, http.pods);
  const patch = JSON.stringify({ spec: { type: "NodePort" } });
  await cluster.kubectl(["-n", NAMESPACE, "patch", "service", "http", "-p", patch]);
  const url = await nodePortUrl();
  expect(await waitForAnswer(() => callFromOutside(url))).toMatchObject({ status: 200 });
});

test("under STRICT pods with HTTP, TCP, gRPC and exec probes become ready and stay so", async () => {
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "PeerAuthentication",
    metadata: { name: "default", namespace: NAMESPACE },
    spec: { mtls: { mode: "STRICT" } },
  });
  const deployed = Object.entries(KINDS).map(([name, { probe, role }]) =>
    deployEcho(cluster, {
      namespace: NAMESPACE,
      name,
      node: "node2",
      role,
      container: {
        readinessProbe: { ...probe, ...SCHEDULE },
        livenessProbe: { ...probe, ...SCHEDULE },
      },
    }),
  );
  const echoes = await Promise.all(deployed);
  http = echoes[0] ?? http;
  for (const { pods } of echoes) expect(pods.at(-1)?.restarts).toBe(0);
});

test("under STRICT a caller of the mesh gets in, and the same NodePort client is refused", async () => {
  const from = { namespace: NAMESPACE, pod: "deployment/exec" };
  const url = `http://${http.serviceAddress}:8080/`;
  expect(await call(cluster, from, url)).toMatchObject({ status: 200 });
  // Kubernetes gives the client the node's own address, which is kubelet's as well.
  expect(await callFromOutside(await nodePortUrl())).toHaveProperty("error");
});

test("under STRICT the node itself gets what kubelet asks for and nothing else", async () => {
  const [, node] = cluster.nodes;
  if (!node) throw new Error("the cluster has no second node");
  const address = http.pods.at(-1)?.address;
  expect(await callFromNode(node, `http://${address}:8080/admin`)).toHaveProperty("error");
  expect(await callFromNode(node, `http://${address}:8080/healthz`)).toMatchObject({ status: 200 });
});

async function nodePortUrl(): Promise<string> {
  const jsonpath = "jsonpath={.spec.ports[0].nodePort}";
  const port = await cluster.kubectl(["-n", NAMESPACE, "get", "service", "http", "-o", jsonpath]);
  return `http://${cluster.nodes[1]?.address}:${port}/`;
}
