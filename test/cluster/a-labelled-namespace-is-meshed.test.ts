/** Enrolment in a real cluster: of pods that run, of pods that are yet to start, and its end. */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ClusterNode } from "./cluster.ts";
import { call, createNamespace, deployEcho, type Echo, readEcho } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { enforce, label, unlabel, untilCaptured, untilReleased } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";
import { openTalk } from "./talk.ts";
import { captureOnWire } from "./wire-capture.ts";

const cluster = sharedCluster();
const NAMESPACE = "enrolled";
const FROM_WEB = { namespace: NAMESPACE, pod: "deployment/web" };
let web: Echo;
let api: Echo;
let store: Echo;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE);
  [web, api, store] = await Promise.all([
    deployEcho(cluster, { namespace: NAMESPACE, name: "web", node: "node1" }),
    deployEcho(cluster, { namespace: NAMESPACE, name: "api", node: "node2" }),
    deployEcho(cluster, {
      namespace: NAMESPACE,
      name: "store",
      node: "node2",
      role: ["server-first", "8080"],
    }),
  ]);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("a label meshes running pods without a restart, and what was open lives on", async () => {
  const to = { host: store.serviceAddress, port: store.port };
  await using before = await openTalk(cluster, { from: FROM_WEB, to });
  const hello = `hello ${store.pods[0]?.name} ${web.pods[0]?.address}`;
  expect(before.greeting).toBe(hello);
  await label(cluster, NAMESPACE);
  await untilCaptured(cluster, [...web.pods, ...api.pods, ...store.pods]);
  before.say("opened before");
  expect(await before.next()).toBe("opened before");
  await using after = await openTalk(cluster, { from: FROM_WEB, to });
  expect(after.greeting).toBe(hello);
  for (const [name, echo] of Object.entries({ web, api, store })) {
    expect((await readEcho(cluster, { namespace: NAMESPACE, name })).pods).toEqual(echo.pods);
  }
});

test("between the nodes the pods' calls are TLS to 15008 and nothing else", async () => {
  const ends = `host ${web.pods[0]?.address}`;
  await using wire = await captureOnWire(secondNode(), `tcp and ${ends}`);
  for (const host of [api.serviceAddress, api.pods[0]?.address]) {
    const seen = await call(cluster, FROM_WEB, `http://${host}:8080/secret-on-the-wire`);
    expect(seen).toMatchObject({ status: 200, body: { from: web.pods[0]?.address } });
  }
  const packets = await wire.stop();
  const headers = packets.match(/^[0-9:.]+ IP .*$/gm) ?? [];
  expect(headers.length).toBeGreaterThan(4);
  expect(headers.filter((line) => !/\.15008[ :]/.test(line))).toEqual([]);
  expect(packets).not.toContain("secret-on-the-wire");
});

test("a new pod's init container speaks mTLS already", async () => {
  await enforce(cluster, {
    apiVersion: "weft.dev/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "late-only", namespace: NAMESPACE },
    spec: {
      selector: { matchLabels: { app: "api" } },
      rules: [{ from: [{ source: { principals: [`cluster.local/ns/${NAMESPACE}/sa/late`] } }] }],
    },
  });
  const first = ["call", `http://${api.serviceAddress}:8080/`];
  const late = await deployEcho(cluster, {
    namespace: NAMESPACE,
    name: "late",
    node: "node1",
    first,
  });
  const logs = await cluster.kubectl(["-n", NAMESPACE, "logs", "deployment/late", "-c", "first"]);
  expect(JSON.parse(logs)).toMatchObject({ status: 200, body: { from: late.pods[0]?.address } });
  expect(late.pods[0]?.restarts).toBe(0);
  expect(await call(cluster, FROM_WEB, `http://${api.serviceAddress}:8080/`)).toHaveProperty(
    "error",
  );
  await cluster.kubectl(["-n", NAMESPACE, "delete", "authorizationpolicy", "late-only"]);
});

test("without the label the pods are let go, and go on", async () => {
  const pods = [...web.pods, ...api.pods, ...store.pods];
  await unlabel(cluster, NAMESPACE);
  await untilReleased(cluster, pods);
  await using wire = await captureOnWire(secondNode(), `tcp and host ${web.pods[0]?.address}`);
  const seen = await call(cluster, FROM_WEB, `http://${api.serviceAddress}:8080/plain-again`);
  expect(seen).toMatchObject({ status: 200, body: { from: web.pods[0]?.address } });
  expect(await wire.stop()).toContain("GET /plain-again");
  expect((await readEcho(cluster, { namespace: NAMESPACE, name: "web" })).pods).toEqual(web.pods);
});

function secondNode(): ClusterNode {
  const [, node] = cluster.nodes;
  if (!node) throw new Error("the cluster has no second node");
  return node;
}
