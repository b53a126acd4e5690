/** `weftctl` against a real cluster: what it says of the mesh, and that nothing is left after `uninstall`. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type CommandResult, tryCommand } from "./command.ts";
import { call, createNamespace, deployEcho, type Echo, readEcho } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { untilCaptured } from "./mesh-state.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "leaving";
const WEFTCTL = join(import.meta.dirname, "..", "..", "cli", "weftctl");
let web: Echo;
let api: Echo;

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  [web, api] = await Promise.all([
    deployEcho(cluster, { namespace: NAMESPACE, name: "web", node: "node1" }),
    deployEcho(cluster, { namespace: NAMESPACE, name: "api", node: "node2" }),
  ]);
  await untilCaptured(cluster, [...web.pods, ...api.pods]);
});

afterAll(async () => {
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

test("status tells of a healthy mesh, and of this namespace's pods", async () => {
  const { code, stdout } = await weftctl("status", "-o", "json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    installed: true,
    healthy: true,
    operator: { ready: 2, wanted: 2 },
    nodeProxies: { ready: 2, wanted: 2 },
    namespaces: expect.arrayContaining([{ namespace: NAMESPACE, pods: 2, captured: 2 }]),
  });
});

test("check finds nothing wrong, and names pods that a NetworkPolicy keeps from the mesh", async () => {
  expect((await weftctl("check")).code).toBe(0);
  const policy = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "http-only", namespace: NAMESPACE },
    spec: { podSelector: {}, ingress: [{ ports: [{ port: 8080 }] }] },
  };
  await cluster.kubectl(["apply", "-f", "-"], JSON.stringify(policy));
  const { code, stdout } = await weftctl("check");
  expect(code).not.toBe(0);
  expect(stdout).toMatch(/network policies: leaving\/web-.*15008/);
  await cluster.kubectl(["-n", NAMESPACE, "delete", "networkpolicy", "http-only"]);
});

test("ca status tells of every certificate: roots, what signs, both operators' and this namespace's", async () => {
  const { stdout } = await weftctl("ca", "status", "-o", "json");
  const status = JSON.parse(stdout) as {
    readonly servers: readonly { readonly pod: string }[];
    readonly leaves: readonly { readonly identity: string }[];
  };
  const valid = { state: "valid" };
  expect(status).toMatchObject({ unknown: [], rootsProblem: "", roots: [valid] });
  expect(status).toMatchObject({ intermediates: [{ ...valid, renewedBy: "operator" }] });
  expect(status.servers).toEqual(
    ["grpc", "webhook", "grpc", "webhook"].map((certificate) =>
      expect.objectContaining({ certificate, ...valid, problem: "" }),
    ),
  );
  expect(new Set(status.servers.map(({ pod }) => pod)).size).toBe(2);
  const own = status.leaves.filter(({ identity }) => identity.includes(`/ns/${NAMESPACE}/`));
  expect(own).toHaveLength(2);
  for (const leaf of own) {
    expect(leaf).toMatchObject({ ...valid, serial: expect.stringMatching(/^[0-9a-f]+$/) });
  }
});

test("ca rotate --dry-run in a healthy mesh finds nothing in the way, and writes nothing", async () => {
  const { code, stdout } = await weftctl("ca", "rotate", "root", "--dry-run", "-o", "json");
  expect({ code, plan: JSON.parse(stdout) }).toMatchObject({
    code: 0,
    plan: {
      ready: true,
      refusals: [],
      heldUpBy: [],
      underWay: null,
      phases: [{ nodes: 2 }, {}, {}],
    },
  });
  expect(await cluster.kubectl(["get", "carotations", "-o", "name"])).toBe("");
});

test("uninstall leaves every pod working, and of weft nothing", async () => {
  const { code, stdout, stderr } = await weftctl("uninstall", "-o", "json");
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(JSON.parse(stdout)).toMatchObject({ waitingFor: [], draining: 0, deleted: true });
  for (const [name, echo] of Object.entries({ web, api })) {
    expect((await readEcho(cluster, { namespace: NAMESPACE, name })).pods).toEqual(echo.pods);
  }
  const from = { namespace: NAMESPACE, pod: "deployment/web" };
  const answer = await call(cluster, from, `http://${api.serviceAddress}:8080/`);
  expect(answer).toMatchObject({ status: 200, body: { from: web.pods[0]?.address } });
  for (const node of cluster.nodes) {
    const script =
      "for n in /run/netns/cni-*; do nsenter --net=$n iptables-save; nsenter --net=$n ip6tables-save; done";
    expect(await node.exec(["sh", "-c", script])).not.toMatch(/weft|:150[0-9]{2}|--to-ports 150/i);
  }
  const kinds =
    "crd,validatingwebhookconfiguration,mutatingwebhookconfiguration,clusterrole,namespace";
  expect(await cluster.kubectl(["get", kinds, "-o", "name"])).not.toMatch(/weft/);
});

test("new pods start without it", async () => {
  await cluster.kubectl(["-n", NAMESPACE, "scale", "deployment/api", "--replicas=2"]);
  const status = ["rollout", "status", "deployment/api", "--timeout=240s"];
  await cluster.kubectl(["-n", NAMESPACE, ...status]);
  const { code, stdout } = await weftctl("status", "-o", "json");
  expect(code).not.toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ installed: false });
});

function weftctl(...args: readonly string[]): Promise<CommandResult> {
  return tryCommand([WEFTCTL, ...args, `--kubeconfig=${cluster.kubeconfig}`]);
}
