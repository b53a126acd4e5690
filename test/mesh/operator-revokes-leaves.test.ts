/** Leaves of pods and nodes that are gone: taken back by the running operator, and not forgotten by the next one. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { LeafReport } from "../../core/model/node-report.ts";
import { FileOperator } from "../fakes/file-operator.ts";
import type { WatchingNode } from "../fakes/watching-node.ts";
import { sized } from "../soak.ts";

/** Of a machine that has nothing else to do: one second. */
const WITHIN_MS = sized(30_000, 1_000);
const NODES = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { weft.dev/mesh: enabled } }
---
apiVersion: v1
kind: Node
metadata: { name: node-b }
`;
const NODE_A = `
apiVersion: v1
kind: Node
metadata: { name: node-a, uid: node-a-uid }
`;

function podYaml(name: string): string {
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: shop, uid: uid-${name} }
spec: { nodeName: node-a, serviceAccountName: ${name}, containers: [{ name: c, image: i }] }
status: { phase: Running, podIP: 10.1.0.1 }
`;
}

function leaf(serial: string, account: string): LeafReport {
  return {
    identity: `spiffe://cluster.local/ns/shop/sa/${account}`,
    issuer: "ab",
    serial,
    notBeforeMs: Date.now() - 1000,
    notAfterMs: Date.now() + 3_600_000,
  };
}

let directory: string;
let operator: FileOperator;
let nodes: WatchingNode[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "weft-revokes-"));
  operator = new FileOperator(directory);
  operator.put("nodes.yaml", NODES);
  operator.put("node-a.yaml", NODE_A);
  operator.put("web.yaml", podYaml("web"));
  operator.put("api.yaml", podYaml("api"));
});

afterEach(async () => {
  await restartedNodes();
  await operator.kill();
  rmSync(directory, { recursive: true });
});

function connect(node: string): WatchingNode {
  const connected = operator.connect(node);
  nodes.push(connected);
  return connected;
}

async function restartedNodes(): Promise<void> {
  const before = nodes;
  nodes = [];
  await Promise.all(before.map((node) => node.close()));
}

async function restart(meanwhile: () => void = () => undefined): Promise<void> {
  await operator.kill();
  await restartedNodes();
  meanwhile();
  await operator.start();
}

/** Resolves once the node is told exactly these of node-a. */
async function revokedAt(node: WatchingNode, ...serials: readonly string[]): Promise<void> {
  const wanted = serials.join();
  await node.received(
    ({ body }) =>
      body.kind === "revocation" &&
      body.value.node === "node-a" &&
      body.value.serials.join() === wanted,
  );
}

/** Node-a serves both accounts, and the operator has heard it. */
async function served(): Promise<WatchingNode> {
  const [a, b] = [connect("node-a"), connect("node-b")];
  a.report([{ uid: "uid-web", state: "captured" }], [leaf("01", "web"), leaf("02", "api")]);
  await b.received(({ name, body }) => {
    return body.kind === "workload" && name === "uid-web" && body.value.tunnel;
  });
  return b;
}

test("operator: a pod's leaf is taken back within a second of its end, and stays so over a kill", async () => {
  await operator.start();
  const b = await served();
  const started = performance.now();
  operator.remove("web.yaml");
  await revokedAt(b, "01");
  expect(performance.now() - started).toBeLessThan(WITHIN_MS);
  await restart();
  const again = connect("node-b");
  await revokedAt(again, "01");
  // With the first batch: no node takes it for a moment.
  const [first] = again.batches;
  expect(first?.upserts.some(({ body }) => body.kind === "revocation")).toBe(true);
});

test("operator: a pod that ends while no operator runs loses its leaf once one does", async () => {
  await operator.start();
  await served();
  await restart(() => operator.remove("api.yaml"));
  const b = connect("node-b");
  await revokedAt(b, "02");
  // Node-a connects and reports as before: what is taken back stays so, what is needed too.
  connect("node-a").report(
    [{ uid: "uid-web", state: "captured" }],
    [leaf("01", "web"), leaf("02", "api")],
  );
  operator.remove("web.yaml");
  await revokedAt(b, "01", "02");
  const told = b.batches.flatMap(({ upserts }) => upserts).filter(({ name }) => name === "node-a");
  expect(told).toHaveLength(2);
});

test("operator: a node that is deleted loses all its leaves within a second, also where it was the last word of an operator", async () => {
  await operator.start();
  const b = await served();
  const started = performance.now();
  operator.remove("node-a.yaml");
  await revokedAt(b, "01", "02");
  expect(performance.now() - started).toBeLessThan(WITHIN_MS);
  await restart(() => operator.put("node-a.yaml", NODE_A.replace("node-a-uid", "another-uid")));
  const a = connect("node-a");
  const [before, now] = [leaf("01", "web"), leaf("03", "web")];
  a.report([{ uid: "uid-web", state: "captured" }], [before, now]);
  const again = connect("node-b");
  await revokedAt(again, "01", "02");
  operator.remove("web.yaml");
  await revokedAt(again, "01", "02", "03");
});
