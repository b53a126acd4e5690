/** The NodeReport of a Node that is gone: says what is revoked for as long as that counts, and goes then. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { KubeObjectServer } from "../fakes/kube-object-server.ts";
import { OperatorProcess } from "../fakes/operator-process.ts";

const REPORT = "/apis/weft.dev/v1/nodereports/node-a";
const HOUR_MS = 3_600_000;
/** Of a collection over all namespaces. */
const LIST = /^\/apis?(?:\/[a-z0-9.-]+)?\/v1\/[a-z]+$/;

let server: KubeObjectServer;
let directory: string;
let operators: OperatorProcess[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "weft-report-"));
  server = new KubeObjectServer();
  await server.start();
});

afterEach(async () => {
  for (const operator of operators) await operator.close();
  operators = [];
  await server.stop();
  rmSync(directory, { recursive: true });
});

/** Of node-a, whose Node was deleted while no operator ran. */
function serveReport(leaves: readonly object[]): void {
  const metadata = { name: "node-a", resourceVersion: "1" };
  const status = { reportedAt: "2026-01-01T00:00:00Z", node: "node-a", nodeUid: "n", leaves };
  server.put(REPORT, { metadata, status });
  server.answer = (method, path) => {
    if (method !== "GET" || !LIST.test(path)) return undefined;
    const items = path.endsWith("/nodereports") ? [{ metadata, status }] : [];
    return { kind: "List", metadata: { resourceVersion: "1" }, items };
  };
}

function start(podName: string): void {
  operators.push(new OperatorProcess({ directory, server: server.url(), podName }));
}

test("operator on Kubernetes: what a node served that is gone is written down as revoked, and as served no more", async () => {
  const notAfter = new Date(Date.now() + HOUR_MS).toISOString();
  const identity = "spiffe://cluster.local/ns/shop/sa/web";
  serveReport([{ identity, issuer: "ab", serial: "0a", notAfter }]);
  const written = server.nextWrite(({ path }) => path === REPORT);
  start("one");
  const { method, contentType, body } = await written;
  expect([method, contentType]).toEqual(["PATCH", "application/merge-patch+json"]);
  expect(body).toEqual({
    status: { leaves: [], earlierLeaves: [], revoked: [{ serial: "0a", notAfter }] },
  });
});

test("operator on Kubernetes: once nothing of it counts any more, the leader removes it", async () => {
  const removed = server.nextWrite(({ path }) => path === REPORT);
  serveReport([]);
  start("one");
  expect((await removed).method).toBe("DELETE");
});
