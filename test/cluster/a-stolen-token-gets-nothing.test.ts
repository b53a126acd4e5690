/**
 * Tokens of a real API server in the wrong hands: the operator issues for the running pods of the node that the token
 * is bound to, and for nothing else; a token of anybody else, for anybody else or of a pod that has gone gets nothing.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createNamespace, deployEcho, type EchoPod } from "./echo-workload.ts";
import { installWeft } from "./install-weft.ts";
import { untilCaptured } from "./mesh-state.ts";
import { type OperatorCalls, openOperatorCalls } from "./operator-line.ts";
import { sharedCluster } from "./shared-cluster.ts";

const cluster = sharedCluster();
const NAMESPACE = "thieves";
const PROXY = { namespace: "weft-system", account: "weft-node-proxy" };
let operator: OperatorCalls;
/** One pod on each node, of the node's name. */
let pods: Readonly<Record<"node1" | "node2", EchoPod>>;

interface Bound {
  readonly name: string;
  readonly uid: string;
}

interface TokenWish {
  readonly namespace: string;
  readonly account: string;
  readonly audience?: string;
  readonly pod?: Bound;
}

beforeAll(async () => {
  await installWeft(cluster);
  await createNamespace(cluster, NAMESPACE, { "weft.dev/mesh": "enabled" });
  const [node1, node2] = await Promise.all(["node1", "node2"].map(deploy));
  if (!node1 || !node2) throw new Error("a pod is missing");
  pods = { node1, node2 };
  await untilCaptured(cluster, [node1, node2]);
  operator = await openOperatorCalls(cluster);
});

afterAll(async () => {
  await operator[Symbol.asyncDispose]();
  await cluster.kubectl(["delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false"]);
});

async function deploy(node: string): Promise<EchoPod> {
  const { pods: deployed } = await deployEcho(cluster, { namespace: NAMESPACE, name: node, node });
  const [pod] = deployed;
  if (!pod) throw new Error(`no pod on ${node}`);
  return pod;
}

async function createToken({ namespace, account, audience = "weft", pod }: TokenWish) {
  const bound = pod && [
    "--bound-object-kind=Pod",
    `--bound-object-name=${pod.name}`,
    `--bound-object-uid=${pod.uid}`,
  ];
  const token = ["create", "token", account, `--audience=${audience}`, "--duration=10m"];
  return (await cluster.kubectl(["-n", namespace, ...token, ...(bound ?? [])])).trim();
}

/** The node proxy's pod of that node. */
async function proxyOn(node: string): Promise<Bound> {
  const path = `{.items[?(@.spec.nodeName=="${node}")].metadata['name','uid']}`;
  const selector = ["-n", "weft-system", "get", "pods", "-l", "app=weft-node-proxy"];
  const [name, uid] = (await cluster.kubectl([...selector, "-o", `jsonpath=${path}`])).split(" ");
  if (name === undefined || uid === undefined) throw new Error(`no node proxy on ${node}`);
  return { name, uid };
}

async function nodeToken(node: string): Promise<string> {
  return createToken({ ...PROXY, pod: await proxyOn(node) });
}

test("a node's token gets its own pods' identities, wherever it is shown, and no other node's", async () => {
  const token = await nodeToken("node1");
  const own = `URI:spiffe://cluster.local/ns/${NAMESPACE}/sa/node1`;
  expect(await operator.certify(token, pods.node1.uid)).toBe(own);
  expect(await operator.certify(token, pods.node2.uid)).toBe("workload_on_other_node");
});

test("a pod that has ended, or was made again under another UID, gets no certificate", async () => {
  const token = await nodeToken("node2");
  const before = pods.node2;
  await cluster.kubectl(["-n", NAMESPACE, "delete", "pod", before.name, "--wait=true"]);
  expect(await operator.certify(token, before.uid)).toMatch(/^workload_(unknown|ended)$/);
  const job = ["run", "short", "--restart=Never", "--image=weft-test", "--overrides", ended()];
  await cluster.kubectl(["-n", NAMESPACE, ...job]);
  const wait = ["wait", "--for=jsonpath={.status.phase}=Failed", "pod/short", "--timeout=240s"];
  await cluster.kubectl(["-n", NAMESPACE, ...wait]);
  const get = ["-n", NAMESPACE, "get", "pod", "short"];
  const uid = await cluster.kubectl([...get, "-o", "jsonpath={.metadata.uid}"]);
  expect(await operator.certify(token, uid)).toBe("workload_ended");
});

/** A pod of node2 that ends because it was past its deadline before it could run. */
function ended(): string {
  const spec = { nodeName: "node2", activeDeadlineSeconds: 1 };
  return JSON.stringify({ apiVersion: "v1", spec });
}

test("a token that is no living node proxy's gets nothing", async () => {
  const { uid } = pods.node1;
  const proxy = await proxyOn("node1");
  const wrong = await Promise.all([
    // Of another audience, unbound, of a workload, of the operator.
    createToken({ ...PROXY, pod: proxy, audience: "https://kubernetes.default.svc" }),
    createToken(PROXY),
    createToken({ namespace: NAMESPACE, account: "node1", pod: pods.node1 }),
    createToken({ namespace: "weft-system", account: "weft-operator" }),
  ]);
  for (const token of wrong) expect(await operator.certify(token, uid)).toBe("bad_token");
  // Its signature, of another token.
  const [header, , signature] = (await nodeToken("node1")).split(".");
  const [, claims] = (await nodeToken("node2")).split(".");
  const forged = [header, claims, signature].join(".");
  expect(await operator.certify(forged, uid)).toBe("bad_token");
});

test("the token of a node proxy's pod that was deleted gets nothing, that of its successor does", async () => {
  const gone = await proxyOn("node1");
  const token = await createToken({ ...PROXY, pod: gone });
  await cluster.kubectl(["-n", "weft-system", "delete", "pod", gone.name, "--wait=true"]);
  const rollout = ["rollout", "status", "daemonset/weft-node-proxy", "--timeout=240s"];
  await cluster.kubectl(["-n", "weft-system", ...rollout]);
  expect(await operator.certify(token, pods.node1.uid)).toBe("bad_token");
  const next = await nodeToken("node1");
  expect(await operator.certify(next, pods.node1.uid)).toContain(`/ns/${NAMESPACE}/sa/node1`);
});
